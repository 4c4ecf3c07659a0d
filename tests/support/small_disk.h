/*
 * Folders that are file systems of their own, and so small that a test can fill them. They are mounted in a
 * name space that only this program and what it starts sees, and vanish with the last of these processes.
 */
#ifndef SECKILL_TESTS_SMALL_DISK_H
#define SECKILL_TESTS_SMALL_DISK_H

#include <stdbool.h>

/* First of all in main(), before there is any other process or thread. false after having said why: then the
 * others must not be called. */
bool small_disks_prepare(void);

/* Puts a file system of so many KiB in the place of the folder; what is in the folder is copied there. 0 or
 * -1 after having said why. */
int small_disk_mount(const char *dir, int kib);

/* Takes all the room there is left; gives it back. */
int small_disk_fill(const char *dir);
int small_disk_empty(const char *dir);

#endif
