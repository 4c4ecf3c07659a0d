/* Writes a trace: lines gather in one buffer, which goes to the file as it is or through zstd. */
#include "common/trace/trace_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/clock.h"

#define GATHERED_MAX 65536
#define LEVEL        3 /* zstd's default: some 300 MB/s, a tenth of the size */

struct trace_writer {
    int fd;
    char *path;
    ZSTD_CCtx *zstd; /* NULL: not compressed */
    struct buffer lines;
    char *packed; /* packed_size bytes */
    size_t packed_size;
    int rc; /* the first failure */
    struct detail why;
};

bool trace_name_is_compressed(const char *path)
{
    static const char ending[] = ".zst";
    const size_t len = strlen(path);
    return len >= sizeof ending - 1 && strcmp(path + len - (sizeof ending - 1), ending) == 0;
}

static int fail(struct trace_writer *w, const char *reason)
{
    if (w->rc == 0) {
        w->rc = E_IO;
        detail_set(&w->why, "%s: cannot write: %s", w->path, reason);
    }
    return w->rc;
}

static int write_all(struct trace_writer *w, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(w->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(w, strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_packed(struct trace_writer *w, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {.src = w->lines.data, .size = w->lines.len};
    for (;;) {
        ZSTD_outBuffer out = {.dst = w->packed, .size = w->packed_size};
        size_t left = ZSTD_compressStream2(w->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return fail(w, ZSTD_getErrorName(left));
        if (write_all(w, w->packed, out.pos) != 0)
            return w->rc;
        if (how == ZSTD_e_continue ? in.pos == in.size : left == 0)
            return 0;
    }
}

/* Hands the gathered lines on. */
static int hand_on(struct trace_writer *w, ZSTD_EndDirective how)
{
    if (w->rc == 0)
        w->rc = w->zstd ? write_packed(w, how) : write_all(w, w->lines.data, w->lines.len);
    buffer_clear(&w->lines);
    return w->rc;
}

static void add_member(struct buffer *b, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    buffer_add_text(b, name);
    buffer_add_json(b, value);
}

static void add_header(struct buffer *b, const struct trace_header *header)
{
    char started[RFC3339_SIZE];
    buffer_printf(b, "{\"seckill_trace\":%d,\"started\":\"%s\",\"by\":", TRACE_VERSION,
                  rfc3339_format(header->started_ms, started));
    buffer_add_json(b, header->by);
    buffer_printf(b, ",\"users\":\"%s\"}\n", header->users_hashed ? "hashed" : "plain");
}

int trace_writer_add(struct trace_writer *w, const struct trace_record *record)
{
    struct buffer *b = &w->lines;
    if (w->rc)
        return w->rc;
    buffer_add_text(b, "{\"t\":");
    buffer_add_int(b, record->at_us);
    if (record->user.len > 0) {
        add_member(b, ",\"user\":", record->user);
        add_member(b, ",\"sku\":", record->sku);
        buffer_add_text(b, ",\"quantity\":");
        buffer_add_int(b, record->quantity);
    }
    add_member(b, ",\"key\":", record->key);
    add_member(b, ",\"verdict\":", record->verdict);
    buffer_add_text(b, "}\n");
    return b->len >= GATHERED_MAX ? hand_on(w, ZSTD_e_continue) : 0;
}

int trace_writer_flush(struct trace_writer *w)
{
    return hand_on(w, ZSTD_e_flush);
}

const char *trace_writer_why(const struct trace_writer *w)
{
    return w->rc ? w->why.text : "";
}

static void writer_free(struct trace_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    ZSTD_freeCCtx(w->zstd);
    buffer_free(&w->lines);
    free(w->packed);
    free(w->path);
    free(w);
}

static int start_compression(struct trace_writer *w)
{
    w->zstd = ZSTD_createCCtx();
    if (!w->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1)))
        return fail(w, "zstd does not start");
    w->packed_size = ZSTD_CStreamOutSize();
    w->packed = xmalloc(w->packed_size);
    return 0;
}

int trace_writer_open(struct trace_writer **out, const char *path, const struct trace_header *header,
                      struct detail *why)
{
    struct trace_writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (w->fd < 0) {
        w->rc = errno == EEXIST ? E_EXISTS : E_IO;
        detail_set(&w->why, "%s: cannot make the trace: %s", path, strerror(errno));
    } else if (trace_name_is_compressed(path)) {
        start_compression(w);
    }
    if (w->rc == 0) {
        add_header(&w->lines, header);
        w->rc = hand_on(w, ZSTD_e_flush);
    }
    if (w->rc) {
        const int rc = w->rc;
        detail_set(why, "%s", w->why.text);
        writer_free(w);
        return rc;
    }
    *out = w;
    return 0;
}

int trace_writer_close(struct trace_writer *w, struct detail *why)
{
    if (!w)
        return 0;
    hand_on(w, ZSTD_e_end);
    if (close(w->fd) != 0)
        fail(w, strerror(errno));
    w->fd = -1;
    const int rc = w->rc;
    if (rc)
        detail_set(why, "%s", w->why.text);
    writer_free(w);
    return rc;
}
