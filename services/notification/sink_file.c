/*
 * A file, one line of JSON for each message (schema/messages/notification.json). The lines of a transaction
 * are on the disk before it commits. Those of a long one are written on the way by a second thread, so that
 * the disk works while the transaction is made; a rollback takes them back, but not after the flush (sink.h).
 * SIGHUP opens the file anew, for logrotate.
 *
 * Assumes that nobody else writes to the file: what a process that was killed left of a line is cut off when
 * the file is opened. That line's transaction was not committed, so its message comes again, as do those that
 * are whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/file.h"
#include "common/base/job_thread.h"
#include "common/base/log.h"
#include "common/pipeline/settings.h"
#include "services/notification/sink.h"

#define PIECE_SIZE ((size_t)1024 * 1024) /* with so much the thread begins, if it is free */

struct sink_file {
    struct sink base;
    char path[STORE_PATH_SIZE];
    int fd;
    struct buffer lines; /* of the open transaction, not written yet */
    bool begun;          /* the open transaction has lines in the file, from `begin` on */
    off_t begin;
    int failure; /* errno, of writing them; 0: none */
    struct job_thread *thread;
    bool piece_begun; /* the thread's, with fd, until its end */
    struct buffer piece;
};

static struct sink_file *sink_file(struct sink *s)
{
    return (struct sink_file *)s; /* base is its first member */
}

static int fail(struct detail *why, const char *path, const char *what)
{
    detail_set(why, "%.200s: %s: %s", path, what, strerror(errno));
    return E_IO;
}

/* The length up to the end of the last whole line; -1: it cannot be read. */
static off_t whole_lines(int fd, off_t size)
{
    char block[4096];
    while (size > 0) {
        size_t len = size < (off_t)sizeof block ? (size_t)size : sizeof block;
        if (pread(fd, block, len, size - (off_t)len) != (ssize_t)len)
            return -1;
        const char *end = memrchr(block, '\n', len);
        if (end)
            return size - (off_t)len + (end - block) + 1;
        size -= (off_t)len;
    }
    return 0;
}

static int cut_torn_line(int fd, const char *path, struct detail *why)
{
    struct stat info;
    char quoted[512];
    if (fstat(fd, &info) != 0)
        return fail(why, path, "cannot look at it");
    if (!S_ISREG(info.st_mode)) {
        detail_set(why, "%.200s: is no regular file", path);
        return E_IO;
    }
    off_t whole = whole_lines(fd, info.st_size);
    if (whole < 0)
        return fail(why, path, "cannot read");
    if (whole == info.st_size)
        return 0;
    log_warn("torn_line_cut", "file=%s bytes=%lld", log_quote(path, quoted, sizeof quoted),
             (long long)(info.st_size - whole));
    return ftruncate(fd, whole) == 0 ? 0 : fail(why, path, "cannot cut off a torn line");
}

/* Returns the descriptor or E_IO. */
static int open_file(const char *path, struct detail *why)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0)
        return fail(why, path, "cannot open");
    int error = cut_torn_line(fd, path, why);
    if (!error && dir_sync_parent(path) != 0)
        error = fail(why, path, "cannot sync its folder");
    if (!error)
        return fd;
    close(fd);
    return error;
}

static void file_compose(const struct sink_message *m, struct buffer *out)
{
    const struct event *e = m->event;
    char at[RFC3339_SIZE];
    buffer_add_text(out, "{\"v\":1,\"order_id\":\"");
    buffer_add_text(out, event_order_id(e));
    buffer_add_text(out, "\",\"kind\":\"");
    buffer_add_text(out, event_kind_name(e->kind));
    buffer_add_text(out, "\",\"user_id\":");
    buffer_add_json(out, slice_of(event_user_id(e)));
    buffer_add_text(out, ",\"text\":");
    buffer_add_json(out, m->text);
    buffer_add_text(out, ",\"at\":\"");
    buffer_add_text(out,
                    rfc3339_format(e->kind == EVENT_KIND_GRANTED ? e->grant.at_ms : e->decision.at_ms, at));
    buffer_add_text(out, "\"}\n");
}

/* Returns 0 or an errno. */
static int write_all(int fd, const struct buffer *lines)
{
    for (size_t done = 0; done < lines->len;) {
        ssize_t n = write(fd, lines->data + done, lines->len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return n == 0 ? EIO : errno;
    }
    FAULT_POINT("sink_file.written");
    return 0;
}

static int write_piece(void *context)
{
    struct sink_file *f = context;
    int failure = write_all(f->fd, &f->piece);
    return failure || fdatasync(f->fd) == 0 ? failure : errno;
}

static void end_piece(struct sink_file *f)
{
    if (!f->piece_begun)
        return;
    int failure = job_thread_end(f->thread);
    f->piece_begun = false;
    buffer_clear(&f->piece);
    if (!f->failure)
        f->failure = failure;
}

/* Before the first line of a transaction is written. */
static void note_begin(struct sink_file *f)
{
    struct stat before;
    if (f->begun || f->failure)
        return;
    if (fstat(f->fd, &before) == 0) {
        f->begin = before.st_size;
        f->begun = true;
    } else
        f->failure = errno;
}

/* Gives the lines to the thread, unless it has some still: then they are more the next time. */
static void begin_piece(struct sink_file *f)
{
    if (f->piece_begun && !job_thread_is_done(f->thread))
        return;
    end_piece(f);
    note_begin(f);
    if (f->failure)
        return;
    struct buffer empty = f->piece;
    f->piece = f->lines;
    f->lines = empty;
    f->piece_begun = true;
    job_thread_begin(f->thread, write_piece, f);
}

/* All lines, to the disk. */
static void write_rest(struct sink_file *f)
{
    end_piece(f);
    if (f->lines.len > 0)
        note_begin(f);
    if (f->lines.len > 0 && !f->failure)
        f->failure = write_all(f->fd, &f->lines);
    buffer_clear(&f->lines);
    if (!f->failure && f->begun && fdatasync(f->fd) != 0)
        f->failure = errno;
}

/* Nothing of the open transaction stays in the file. */
static void take_back(struct sink_file *f)
{
    char path[512];
    end_piece(f);
    buffer_clear(&f->lines);
    f->failure = f->begun && ftruncate(f->fd, f->begin) != 0 ? errno : 0;
    f->begun = f->failure != 0; /* to be tried again; whatever is left of a line, the next opening cuts off */
    if (f->failure)
        log_error("messages_not_taken_back", "file=%s why=\"%s\"", log_quote(f->path, path, sizeof path),
                  strerror(f->failure));
}

static void file_write(struct sink *s, struct slice composed)
{
    struct sink_file *f = sink_file(s);
    if (!f->failure)
        buffer_add(&f->lines, composed.data, composed.len);
    if (f->lines.len >= PIECE_SIZE)
        begin_piece(f);
}

static int file_flush(struct sink *s)
{
    struct sink_file *f = sink_file(s);
    char path[512];
    write_rest(f);
    if (!f->failure) {
        f->begun = false;
        return 0;
    }
    log_error("messages_not_written", "file=%s why=\"%s\"", log_quote(f->path, path, sizeof path),
              strerror(f->failure));
    take_back(f);
    return E_IO;
}

static void file_discard(struct sink *s)
{
    take_back(sink_file(s));
}

static void file_reload(struct sink *s)
{
    struct sink_file *f = sink_file(s);
    struct detail why;
    char quoted[512];
    int fd = open_file(f->path, &why);
    if (fd < 0) {
        log_error("reopen_failed", "why=%s", log_quote(why.text, quoted, sizeof quoted));
        return; /* better the old one than none */
    }
    close(f->fd);
    f->fd = fd;
    f->begun = false; /* what could not be taken back stays in the old one */
    f->failure = 0;
}

static void file_free(struct sink *s)
{
    struct sink_file *f = sink_file(s);
    job_thread_free(f->thread);
    if (f->fd >= 0)
        close(f->fd);
    buffer_free(&f->lines);
    buffer_free(&f->piece);
    free(f);
}

static const struct sink_ops file_ops = {
    .free = file_free,
    .compose = file_compose,
    .write = file_write,
    .flush = file_flush,
    .discard = file_discard,
    .reload = file_reload,
};

int sink_file_new(struct sink **out, const struct settings *settings, struct detail *why)
{
    struct sink_file *f = xcalloc(1, sizeof *f);
    f->base = (struct sink){.name = "file", .ops = &file_ops};
    if (settings->notification.file[0])
        snprintf(f->path, sizeof f->path, "%s", settings->notification.file);
    else
        snprintf(f->path, sizeof f->path, "%s/notifications.ndjson", settings->store.dir);
    f->fd = open_file(f->path, why);
    if (f->fd < 0) {
        free(f);
        return E_IO;
    }
    if (job_thread_start(&f->thread) != 0) {
        detail_set(why, "no thread can be started: %s", strerror(errno));
        file_free(&f->base);
        return E_IO;
    }
    *out = &f->base;
    return 0;
}
