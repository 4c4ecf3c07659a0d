/*
 * A growable run of bytes, and the little JSON that is written by hand because it is on the hot path: whole
 * lines are appended in one go, without a tree in between. (What is read, is read by jansson.)
 */
#ifndef SECKILL_BASE_BUFFER_H
#define SECKILL_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/slice.h"

struct buffer {
    char *data; /* owned; NULL while cap is 0 */
    size_t len;
    size_t cap;
};

/* A zeroed struct is an empty buffer. */
void buffer_free(struct buffer *b);  /* frees the bytes and leaves an empty buffer; b may be NULL */
void buffer_clear(struct buffer *b); /* len = 0, keeps the memory */
void buffer_grow(struct buffer *b, size_t more); /* buffer_reserve's rare half */

/* These are inline because lines are put together of a dozen pieces, most of them literals whose length the
 * compiler knows. */

/* Makes room for `more` bytes beyond len. */
static inline void buffer_reserve(struct buffer *b, size_t more)
{
    if (b->cap - b->len < more)
        buffer_grow(b, more);
}

static inline void buffer_add(struct buffer *b, const void *data, size_t len)
{
    if (len == 0)
        return; /* data may be NULL then, which memcpy forbids */
    buffer_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

static inline void buffer_add_text(struct buffer *b, const char *text)
{
    buffer_add(b, text, strlen(text));
}

void buffer_add_int(struct buffer *b, int64_t value); /* decimal */
void buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);
const char *buffer_text(struct buffer *b); /* the bytes with a NUL behind them (not counted in len) */

/* Appends text as a JSON string with its quotes. The bytes must be valid UTF-8; control characters, quotes
 * and backslashes are escaped, everything else goes out as it is. */
void buffer_add_json(struct buffer *b, struct slice text);

#endif
