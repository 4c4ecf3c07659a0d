/* Reads a trace: bytes from the file, through zstd where it is compressed, cut into lines, parsed by jansson.
 */
#include "common/trace/trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/clock.h"

#define LINE_MAX_BYTES 4096
#define CHUNK          65536
#define WINDOW_LOG_MAX 23 /* 8 MiB; the writer's level needs 2 */

struct trace_reader {
    int fd;
    char *path;
    ZSTD_DCtx *zstd; /* NULL: not compressed */
    bool in_frame;   /* zstd has begun a frame and not ended it */
    char *packed;    /* CHUNK bytes of the file; a part of them is not unpacked yet */
    ZSTD_inBuffer unread;
    bool at_end; /* of the file */
    bool truncated;

    struct buffer text; /* what was read and not yet given out: from `taken` on */
    size_t taken;
    int64_t line_number;

    json_t *line; /* the current record, which its slices point into */
    json_t *header_line;
    struct trace_header header;
};

/* ---- Bytes ---- */

static int fail_io(const struct trace_reader *r, struct detail *why)
{
    detail_set(why, "%s: cannot read: %s", r->path, strerror(errno));
    return E_IO;
}

static ssize_t read_chunk(struct trace_reader *r, char *data, size_t size)
{
    ssize_t n;
    do {
        n = read(r->fd, data, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Appends to r->text what is there to be unpacked next, which may be nothing. */
static int unpack_more(struct trace_reader *r, struct detail *why)
{
    if (r->unread.pos == r->unread.size) {
        ssize_t n = read_chunk(r, r->packed, CHUNK);
        if (n < 0)
            return fail_io(r, why);
        r->at_end = n == 0;
        r->unread = (ZSTD_inBuffer){.src = r->packed, .size = (size_t)n};
    }
    buffer_reserve(&r->text, CHUNK);
    ZSTD_outBuffer out = {.dst = r->text.data + r->text.len, .size = CHUNK};
    if (!r->at_end || r->in_frame) { /* at the end there may still be something inside of zstd */
        size_t left = ZSTD_decompressStream(r->zstd, &out, &r->unread);
        if (ZSTD_isError(left)) {
            detail_set(why, "%s: after line %lld: damaged: %s", r->path, (long long)r->line_number,
                       ZSTD_getErrorName(left));
            return E_CORRUPT;
        }
        r->in_frame = left != 0;
    }
    r->text.len += out.pos;
    if (r->at_end && out.pos > 0)
        r->at_end = false; /* there may be more inside */
    return 0;
}

static int read_more(struct trace_reader *r, struct detail *why)
{
    buffer_reserve(&r->text, CHUNK);
    ssize_t n = read_chunk(r, r->text.data + r->text.len, CHUNK);
    if (n < 0)
        return fail_io(r, why);
    r->text.len += (size_t)n;
    r->at_end = n == 0;
    return 0;
}

/* ---- Lines ---- */

static int corrupt(const struct trace_reader *r, struct detail *why, const char *what)
{
    detail_set(why, "%s: line %lld: %s", r->path, (long long)r->line_number, what);
    return E_CORRUPT;
}

static void drop_taken(struct trace_reader *r)
{
    if (r->taken == 0)
        return;
    memmove(r->text.data, r->text.data + r->taken, r->text.len - r->taken);
    r->text.len -= r->taken;
    r->taken = 0;
}

/* 1: *line is the next one, without its line feed; 0: the end. */
static int next_line(struct trace_reader *r, struct slice *line, struct detail *why)
{
    for (;;) {
        const char *begin = r->text.data + r->taken;
        const size_t len = r->text.len - r->taken;
        const char *end = len > 0 ? memchr(begin, '\n', len) : NULL;
        if (end && (size_t)(end - begin) <= LINE_MAX_BYTES) {
            *line = (struct slice){.data = begin, .len = (size_t)(end - begin)};
            r->taken += line->len + 1;
            r->line_number++;
            return 1;
        }
        if (len > LINE_MAX_BYTES) {
            r->line_number++;
            return corrupt(r, why, "too long");
        }
        if (r->at_end) {
            r->truncated = len > 0 || r->in_frame;
            return 0;
        }
        drop_taken(r);
        int rc = r->zstd ? unpack_more(r, why) : read_more(r, why);
        if (rc)
            return rc;
    }
}

/* ---- Members ---- */

/* A text of at most max bytes that may be missing. */
static int take_text(const json_t *object, const char *name, size_t max, struct slice *out)
{
    const json_t *value = json_object_get(object, name);
    *out = (struct slice){0};
    if (!value)
        return 0;
    if (!json_is_string(value))
        return E_CORRUPT;
    *out = (struct slice){.data = json_string_value(value), .len = json_string_length(value)};
    if (out->len == 0 || out->len > max)
        return E_CORRUPT;
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->data[i] < 0x20 || out->data[i] == 0x7f)
            return E_CORRUPT;
    return 0;
}

static int take_int(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        return E_CORRUPT;
    *out = json_integer_value(value);
    return *out < min || *out > max ? E_CORRUPT : 0;
}

/* Visible ASCII alone: it becomes a header. */
static bool is_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] < '!' || key.data[i] > '~')
            return false;
    return true;
}

static int parse_record(const struct trace_reader *r, struct trace_record *record, struct detail *why)
{
    const json_t *o = r->line;
    *record = (struct trace_record){0};
    if (take_int(o, "t", 0, TRACE_AT_MAX_US, &record->at_us) != 0)
        return corrupt(r, why, "\"t\" must be microseconds from the start");
    if (take_text(o, "user", TRACE_NAME_MAX, &record->user) != 0)
        return corrupt(r, why, "\"user\" must be a text of 1 to 64 bytes");
    if (take_text(o, "sku", TRACE_NAME_MAX, &record->sku) != 0)
        return corrupt(r, why, "\"sku\" must be a text of 1 to 64 bytes");
    if ((record->user.len > 0) != (record->sku.len > 0))
        return corrupt(r, why, "\"user\" and \"sku\" stand together or not at all");
    if (record->user.len > 0 && take_int(o, "quantity", 1, TRACE_QUANTITY_MAX, &record->quantity) != 0)
        return corrupt(r, why, "\"quantity\" must be an integer from 1 to 1000");
    if (take_text(o, "key", TRACE_KEY_MAX, &record->key) != 0 || !is_key(record->key))
        return corrupt(r, why, "\"key\" must be a text of 1 to 128 visible ASCII characters");
    if (take_text(o, "verdict", TRACE_VERDICT_MAX, &record->verdict) != 0)
        return corrupt(r, why, "\"verdict\" must be a text of 1 to 32 bytes");
    return 0;
}

static int parse_header(struct trace_reader *r, struct detail *why)
{
    const json_t *o = r->header_line;
    int64_t version;
    struct slice started, users;
    if (take_int(o, "seckill_trace", 1, INT64_MAX, &version) != 0)
        return corrupt(r, why, "this is no trace: its first line has no \"seckill_trace\" with a version");
    if (version != TRACE_VERSION) {
        detail_set(why, "%s: a trace of version %lld; this program reads version %d", r->path,
                   (long long)version, TRACE_VERSION);
        return E_NEWER;
    }
    if (take_text(o, "started", RFC3339_SIZE, &started) != 0 || started.len == 0 ||
        rfc3339_parse(started.data, &r->header.started_ms) != 0)
        return corrupt(r, why, "\"started\" must be a time as in 2026-11-11T00:00:00Z");
    if (take_text(o, "by", TRACE_BY_MAX, &r->header.by) != 0)
        return corrupt(r, why, "\"by\" must be a text of 1 to 64 bytes");
    if (take_text(o, "users", TRACE_NAME_MAX, &users) != 0 ||
        (users.len > 0 && !slice_is(users, "plain") && !slice_is(users, "hashed")))
        return corrupt(r, why, "\"users\" must be \"plain\" or \"hashed\"");
    r->header.users_hashed = slice_is(users, "hashed");
    return 0;
}

/* 1 with the next line parsed; 0: the end. */
static int next_object(struct trace_reader *r, json_t **out, struct detail *why)
{
    struct slice line;
    json_error_t error;
    int rc = next_line(r, &line, why);
    if (rc <= 0)
        return rc;
    *out = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, &error);
    if (!*out)
        return corrupt(r, why, error.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return corrupt(r, why, "not a JSON object");
    }
    return 1;
}

int trace_reader_next(struct trace_reader *r, struct trace_record *record, struct detail *why)
{
    json_decref(r->line);
    r->line = NULL;
    int rc = next_object(r, &r->line, why);
    if (rc <= 0)
        return rc;
    rc = parse_record(r, record, why);
    return rc ? rc : 1;
}

/* ---- The reader ---- */

const struct trace_header *trace_reader_header(const struct trace_reader *r)
{
    return &r->header;
}

bool trace_reader_is_truncated(const struct trace_reader *r)
{
    return r->truncated;
}

void trace_reader_close(struct trace_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    ZSTD_freeDCtx(r->zstd);
    json_decref(r->line);
    json_decref(r->header_line);
    buffer_free(&r->text);
    free(r->packed);
    free(r->path);
    free(r);
}

static int start_unpacking(struct trace_reader *r, struct detail *why)
{
    r->zstd = ZSTD_createDCtx();
    if (!r->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        detail_set(why, "%s: zstd does not start", r->path);
        return E_IO;
    }
    r->packed = xmalloc(CHUNK);
    return 0;
}

static int read_header(struct trace_reader *r, struct detail *why)
{
    int rc = next_object(r, &r->header_line, why);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        detail_set(why, "%s: this is no trace: it has no first line", r->path);
        return E_CORRUPT;
    }
    return parse_header(r, why);
}

int trace_reader_open(struct trace_reader **out, const char *path, struct detail *why)
{
    struct trace_reader *r = xcalloc(1, sizeof *r);
    int rc = 0;
    r->path = xstrdup(path);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        rc = errno == ENOENT || errno == ENOTDIR ? E_NOT_FOUND : E_IO;
        detail_set(why, "%s: cannot open: %s", path, strerror(errno));
    }
    if (rc == 0 && trace_name_is_compressed(path))
        rc = start_unpacking(r, why);
    if (rc == 0)
        rc = read_header(r, why);
    if (rc) {
        trace_reader_close(r);
        return rc;
    }
    *out = r;
    return 0;
}
