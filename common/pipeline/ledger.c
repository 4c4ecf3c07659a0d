/* The ledger file of a front end's process run. See ledger.h. */
#include "common/pipeline/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/file.h"
#include "common/base/number.h"

#define SUFFIX  ".ledger"
#define MAGIC   "seckill-ledger "
#define VERSION 1

#define LINE_SIZE 48 /* the longest "<seq> <count>\n" and more */

struct ledger {
    int fd;
    off_t len;   /* of the whole lines: where the next one begins */
    bool broken; /* half a line may stand at the end and could not be cut off: nothing more is appended */
};

/* Whole or not at all: what a failed write left behind is cut off, so that the next line does not stick to
 * it. */
static int write_whole(struct ledger *l, const char *data, size_t len)
{
    if (l->broken)
        return E_IO;
    ssize_t written;
    do
        written = write(l->fd, data, len);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)len) {
        l->len += (off_t)len;
        return 0;
    }
    int cause = written < 0 ? errno : ENOSPC;
    l->broken = ftruncate(l->fd, l->len) != 0;
    errno = cause;
    return E_IO;
}

int ledger_create(struct ledger **out, const char *dir, const char *producer, struct detail *why)
{
    int rc = dir_make(dir, why);
    if (rc)
        return rc;

    char started[RFC3339_SIZE];
    struct buffer path = {0}, head = {0};
    struct ledger *l = xcalloc(1, sizeof(*l));
    buffer_printf(&path, "%s/%s" SUFFIX, dir, producer);
    buffer_printf(&head, MAGIC "%d %s %s\n", VERSION, producer, rfc3339_format(clock_wall_ms(), started));
    rc = E_IO;
    l->fd = open(buffer_text(&path), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0640);
    if (l->fd < 0) {
        detail_set(why, "%s: cannot be made: %s", buffer_text(&path), strerror(errno));
        goto done;
    }
    if (write_whole(l, head.data, head.len)) {
        detail_set(why, "%s: cannot be written: %s", buffer_text(&path), strerror(errno));
        goto done;
    }
    FAULT_POINT("ledger.created");
    *out = l;
    l = NULL;
    rc = 0;
done:
    ledger_close(l);
    buffer_free(&path);
    buffer_free(&head);
    return rc;
}

int ledger_append(struct ledger *l, int64_t seq, int count)
{
    char line[LINE_SIZE];
    int len = snprintf(line, sizeof(line), "%" PRId64 " %d\n", seq, count);
    return write_whole(l, line, (size_t)len);
}

/* Without a "\n": if the process dies in between, it is a torn last line and does not count. Where an append
 * could not cut off its half line, it is cut off now. */
int ledger_probe(struct ledger *l)
{
    char blank[LINE_SIZE];
    memset(blank, ' ', sizeof(blank));
    if (l->broken && ftruncate(l->fd, l->len) != 0)
        return E_IO;
    l->broken = false;
    ssize_t written = write(l->fd, blank, sizeof(blank));
    FAULT_POINT("ledger.probed");
    if (ftruncate(l->fd, l->len) != 0) {
        l->broken = true;
        return E_IO;
    }
    return written == (ssize_t)sizeof(blank) ? 0 : E_IO;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    if (l->fd >= 0)
        close(l->fd);
    free(l);
}

/* "seckill-ledger 1 <producer> <started>", without its "\n". */
static int read_head(char *line, char producer[PRODUCER_SIZE], struct detail *why)
{
    if (strncmp(line, MAGIC, strlen(MAGIC)) != 0) {
        detail_set(why, "line 1 is not a ledger's first line");
        return E_CORRUPT;
    }
    char *rest = NULL;
    const char *version = strtok_r(line + strlen(MAGIC), " ", &rest);
    const char *name = strtok_r(NULL, " ", &rest);
    int64_t number;
    if (!version || !name || number_parse(version, 1, INT32_MAX, &number) || strlen(name) >= PRODUCER_SIZE) {
        detail_set(why, "line 1 is not a ledger's first line");
        return E_CORRUPT;
    }
    if (number > VERSION) {
        detail_set(why, "a ledger of version %" PRId64 ", written by a newer program", number);
        return E_NEWER;
    }
    memcpy(producer, name, strlen(name) + 1); /* fits: checked above */
    return 0;
}

/* "<seq> <count>", without its "\n". */
static bool read_batch(const char *line, size_t len, int64_t *seq, int *count)
{
    const char *space = memchr(line, ' ', len);
    if (!space)
        return false;
    size_t first = (size_t)(space - line);
    int64_t orders;
    if (number_parse_bytes(line, first, 1, INT64_MAX, seq) ||
        number_parse_bytes(space + 1, len - first - 1, 1, INT32_MAX, &orders))
        return false;
    *count = (int)orders;
    return true;
}

int ledger_read(const char *path, char producer[PRODUCER_SIZE],
                int (*entry)(void *context, const char *producer, int64_t seq, int count), void *context,
                struct detail *why)
{
    producer[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file) {
        int rc = errno == ENOENT ? E_NOT_FOUND : E_IO;
        detail_set(why, "%s: cannot be read: %s", path, strerror(errno));
        return rc;
    }

    int rc = 0;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    for (int64_t number = 1; rc == 0 && (len = getline(&line, &size, file)) > 0; number++) {
        if (line[len - 1] != '\n')
            break; /* cut off in the middle: that batch was never answered */
        line[--len] = '\0';
        struct detail inner;
        int64_t seq;
        int count;
        if (number == 1) {
            rc = read_head(line, producer, &inner);
            if (rc)
                detail_set(why, "%s: %s", path, inner.text);
        } else if (read_batch(line, (size_t)len, &seq, &count)) {
            rc = entry(context, producer, seq, count);
        } else {
            detail_set(why, "%s: line %" PRId64 " is not \"<seq> <count>\"", path, number);
            rc = E_CORRUPT;
        }
    }
    if (rc == 0 && ferror(file)) {
        detail_set(why, "%s: cannot be read: %s", path, strerror(errno));
        rc = E_IO;
    }
    free(line);
    fclose(file);
    return rc;
}

int ledger_list(const char *dir, int (*file)(void *context, const char *path), void *context,
                struct detail *why)
{
    DIR *entries = opendir(dir);
    if (!entries) {
        if (errno == ENOENT)
            return 0;
        detail_set(why, "%s: cannot be read: %s", dir, strerror(errno));
        return E_IO;
    }
    int rc = 0;
    struct buffer path = {0};
    const struct dirent *e;
    while (rc == 0 && (e = readdir(entries))) {
        size_t len = strlen(e->d_name);
        if (len <= strlen(SUFFIX) || strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX) != 0)
            continue;
        buffer_clear(&path);
        buffer_printf(&path, "%s/%s", dir, e->d_name);
        rc = file(context, buffer_text(&path));
    }
    buffer_free(&path);
    closedir(entries);
    return rc;
}
