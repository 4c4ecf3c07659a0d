/* One HTTP/1.1 answer. */
#include "loadtest/replay/response.h"

#include <string.h>
#include <strings.h>

#include "common/base/number.h"

#define CHUNK_LINE_MAX 256

struct head {
    size_t len;           /* with its empty line */
    int64_t length;       /* of Content-Length; -1: none */
    bool keep_alive, old; /* old: HTTP/1.0 */
};

static bool is_name(struct slice s, const char *name)
{
    return s.len == strlen(name) && strncasecmp(s.data, name, s.len) == 0;
}

static struct slice trimmed(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct slice){.data = begin, .len = (size_t)(end - begin)};
}

/* "close, Foo" has the word "close". */
static bool has_word(struct slice list, const char *word)
{
    const char *p = list.data, *end = list.data + list.len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        if (is_name(trimmed(p, stop), word))
            return true;
        p = stop + 1;
    }
    return false;
}

static int take_field(const char *line, const char *end, struct head *h, struct response *out)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon || colon == line || line[0] == ' ' || line[0] == '\t' || colon[-1] == ' ')
        return RESPONSE_BROKEN;
    const struct slice name = {.data = line, .len = (size_t)(colon - line)};
    switch (name.len) { /* most fields are none of these */
    case 10:
        if (is_name(name, "Connection")) {
            const struct slice value = trimmed(colon + 1, end);
            out->close = out->close || has_word(value, "close");
            h->keep_alive = h->keep_alive || has_word(value, "keep-alive");
        }
        return 0;
    case 14:
        if (is_name(name, "Content-Length")) {
            const struct slice value = trimmed(colon + 1, end);
            if (h->length >= 0 || number_parse_bytes(value.data, value.len, 0, INT64_MAX, &h->length) != 0)
                return RESPONSE_BROKEN;
        }
        return 0;
    case 17:
        if (is_name(name, "Transfer-Encoding")) {
            if (out->chunked || !is_name(trimmed(colon + 1, end), "chunked"))
                return RESPONSE_BROKEN;
            out->chunked = true;
        }
        return 0;
    default:
        return 0;
    }
}

/* "HTTP/1.1 202 Accepted" */
static int take_status(const char *line, size_t len, struct head *h, struct response *out)
{
    int64_t status;
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') || line[8] != ' ' ||
        (len > 12 && line[12] != ' ') || number_parse_bytes(line + 9, 3, 100, 599, &status) != 0)
        return RESPONSE_BROKEN;
    out->status = (int)status;
    h->old = line[7] == '0';
    return 0;
}

/* The end of the head's line that begins here; NULL if it is not there yet. */
static const char *line_end(const char *line, const char *end, const char **next)
{
    const char *feed = memchr(line, '\n', (size_t)(end - line));
    if (!feed)
        return NULL;
    *next = feed + 1;
    return feed > line && feed[-1] == '\r' ? feed - 1 : feed;
}

/* 1, RESPONSE_INCOMPLETE, RESPONSE_BROKEN */
static int parse_head(const char *data, size_t len, struct head *h, struct response *out)
{
    static const char protocol[] = "HTTP/1.";
    const size_t seen = len < sizeof protocol - 1 ? len : sizeof protocol - 1;
    const char *end = data + (len < RESPONSE_HEAD_MAX ? len : RESPONSE_HEAD_MAX);
    const char *line = data, *next, *stop;
    *h = (struct head){.length = -1};
    *out = (struct response){0};
    if (memcmp(data, protocol, seen) != 0)
        return RESPONSE_BROKEN;
    for (bool first = true;; first = false) {
        stop = line_end(line, end, &next);
        if (!stop)
            return len >= RESPONSE_HEAD_MAX ? RESPONSE_BROKEN : RESPONSE_INCOMPLETE;
        if (stop == line && !first)
            break;
        if ((first ? take_status(line, (size_t)(stop - line), h, out) : take_field(line, stop, h, out)) != 0)
            return RESPONSE_BROKEN;
        line = next;
    }
    h->len = (size_t)(next - data);
    out->close = out->close || (h->old && !h->keep_alive);
    return out->chunked && h->length >= 0 ? RESPONSE_BROKEN : 1;
}

/* The size in a chunk's first line. */
static int chunk_size(const char *line, size_t len, size_t *size)
{
    size_t i = 0;
    *size = 0;
    for (; i < len; i++) {
        const char c = line[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            break;
        if (*size > RESPONSE_BODY_MAX)
            return RESPONSE_BROKEN;
        *size = *size * 16 + (size_t)digit;
    }
    return i == 0 || (i < len && line[i] != ';' && line[i] != ' ') ? RESPONSE_BROKEN : 0;
}

static long parse_chunks(const char *data, size_t len, struct response *out, struct buffer *joined)
{
    const char *p = data, *end = data + len, *next;
    buffer_clear(joined);
    for (;;) {
        size_t size;
        const char *stop = line_end(p, end, &next);
        if (!stop)
            return end - p > CHUNK_LINE_MAX ? RESPONSE_BROKEN : RESPONSE_INCOMPLETE;
        if (chunk_size(p, (size_t)(stop - p), &size) != 0 || joined->len + size > RESPONSE_BODY_MAX)
            return RESPONSE_BROKEN;
        p = next;
        if (size == 0)
            break;
        if ((size_t)(end - p) < size + 2)
            return RESPONSE_INCOMPLETE;
        buffer_add(joined, p, size);
        if (p[size] != '\r' || p[size + 1] != '\n')
            return RESPONSE_BROKEN;
        p += size + 2;
    }
    for (;;) { /* trailers, to the empty line */
        const char *stop = line_end(p, end, &next);
        if (!stop)
            return end - p > RESPONSE_HEAD_MAX ? RESPONSE_BROKEN : RESPONSE_INCOMPLETE;
        const bool last = stop == p;
        p = next;
        if (last)
            break;
    }
    out->body = (struct slice){.data = joined->data, .len = joined->len};
    return p - data;
}

static long parse_body(const char *data, size_t len, bool at_end, const struct head *h, struct response *out,
                       struct buffer *joined)
{
    if (out->status == 204 || out->status == 304)
        return 0;
    if (out->chunked)
        return parse_chunks(data, len, out, joined);
    if (h->length >= 0) {
        if ((uint64_t)h->length > RESPONSE_BODY_MAX)
            return RESPONSE_BROKEN;
        if (len < (size_t)h->length)
            return RESPONSE_INCOMPLETE;
        out->body = (struct slice){.data = data, .len = (size_t)h->length};
        return (long)h->length;
    }
    if (len > RESPONSE_BODY_MAX)
        return RESPONSE_BROKEN;
    out->close = true;
    out->body = (struct slice){.data = data, .len = len};
    return at_end ? (long)len : RESPONSE_INCOMPLETE;
}

long response_parse(const char *data, size_t len, bool at_end, struct response *out, struct buffer *joined)
{
    struct head h;
    size_t before = 0; /* of interim answers */
    do {
        if (before == len)
            return RESPONSE_INCOMPLETE;
        const int rc = parse_head(data + before, len - before, &h, out);
        if (rc <= 0)
            return rc;
        before += h.len;
        if (before > 4 * RESPONSE_HEAD_MAX || out->status == 101)
            return RESPONSE_BROKEN;
    } while (out->status < 200);

    const bool has_end = out->status == 204 || out->status == 304 || h.length == 0;
    const long body = parse_body(data + before, len - before, at_end, &h, out, joined);
    if (body == RESPONSE_BROKEN)
        return RESPONSE_BROKEN;
    if (body == 0 && !has_end && !(at_end && h.length < 0 && !out->chunked))
        return RESPONSE_INCOMPLETE;
    return (long)before + body;
}

struct slice response_member(struct slice body, const char *quoted_name)
{
    const size_t name_len = strlen(quoted_name);
    const char *p = body.len > 0 ? memmem(body.data, body.len, quoted_name, name_len) : NULL;
    const char *end = body.data + body.len;
    if (!p)
        return (struct slice){0};
    p += name_len;
    while (p < end && (*p == ' ' || *p == ':'))
        p++;
    if (p == end || *p != '"')
        return (struct slice){0};
    const char *begin = ++p;
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p < end && *p == '"' ? (struct slice){.data = begin, .len = (size_t)(p - begin)}
                                : (struct slice){0};
}
