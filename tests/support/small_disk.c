/* Mounts of tmpfs, filled by one file. */
#include "tests/support/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/support/process.h"

#define FILLER "filler"

static int complain(const char *dir, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", dir, what, strerror(errno));
    return -1;
}

bool small_disks_prepare(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return true;
    complain("/", "no mount name space of our own, so no disk can be made that is full");
    return false;
}

static int run(const char *const argv[])
{
    struct process_output o;
    int status;

    process_run(argv, NULL, NULL, 60, &o);
    status = o.status;
    if (status != 0)
        fprintf(stderr, "%s: exit status %d: %s\n", argv[0], status, text_c(&o.err));
    process_output_free(&o);
    return status == 0 ? 0 : -1;
}

int small_disk_mount(const char *dir, int kib)
{
    char beside[600], options[64], all[620];

    snprintf(beside, sizeof beside, "%s.before", dir);
    snprintf(all, sizeof all, "%s/.", beside);
    snprintf(options, sizeof options, "size=%dk,mode=0700", kib);
    if (run((const char *[]){"cp", "-a", dir, beside, NULL}) < 0)
        return -1;
    if (mount("none", dir, "tmpfs", 0, options) < 0)
        return complain(dir, "cannot mount");
    if (run((const char *[]){"cp", "-a", all, dir, NULL}) < 0)
        return -1;
    return run((const char *[]){"rm", "-r", beside, NULL});
}

int small_disk_fill(const char *dir)
{
    static const char zeros[65536];
    size_t size = sizeof zeros;
    char path[600];
    int fd;

    snprintf(path, sizeof path, "%s/" FILLER, dir);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return complain(path, "cannot open");
    while (size > 0) { /* in ever smaller pieces, to the last byte */
        ssize_t written = write(fd, zeros, size);

        if (written < 0 && errno != ENOSPC)
            break;
        if (written < 0)
            size /= 2;
    }
    close(fd);
    return size > 0 ? complain(path, "cannot write") : 0;
}

int small_disk_empty(const char *dir)
{
    char path[600];

    snprintf(path, sizeof path, "%s/" FILLER, dir);
    return unlink(path) < 0 ? complain(path, "cannot unlink") : 0;
}
