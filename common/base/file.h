/* Whole small files, exclusive lock files, directories. */
#ifndef SECKILL_BASE_FILE_H
#define SECKILL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

/* Reads the whole file, at most `max` bytes (E_INVALID with detail if larger). E_NOT_FOUND, E_IO. Appends to
 * *out, which keeps its length on failure. */
int file_read(const char *path, size_t max, struct buffer *out, struct detail *why) MUST_USE;

/* A secret: as file_read, without white space at its end; warns in the log if others than the owner and group
 * can read the file; E_INVALID if it has fewer than `min` bytes or more than 4096. The caller wipes it with
 * file_wipe(). */
int file_read_secret(const char *path, size_t min, struct buffer *out, struct detail *why) MUST_USE;
void file_wipe(struct buffer *secret); /* overwrites and frees */

bool file_exists(const char *path);

/* mkdir -p, mode 0750. */
int dir_make(const char *path, struct detail *why) MUST_USE;

/* Takes an exclusive lock on the file (made if missing), by fcntl F_OFD_SETLK: it ends with the process or
 * with close(fd), whichever way the process goes (a child made by fork without exec shares it). Returns the
 * descriptor, E_BUSY if another process has it, E_IO. */
int file_lock(const char *path, struct detail *why) MUST_USE;

/* fsyncs the directory that holds path, so that a new or renamed name survives a power cut. */
int dir_sync_parent(const char *path) MUST_USE;

#endif
