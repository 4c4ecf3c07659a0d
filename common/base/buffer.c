/* A growable run of bytes, and the JSON of the hot path. Memory is never short here: see alloc.h. */
#include "common/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"

#define FIRST_CAPACITY 64

void buffer_free(struct buffer *b)
{
    if (!b)
        return;
    free(b->data);
    *b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
}

/* Doubles, so that n bytes appended one by one are copied at most about twice. */
void buffer_grow(struct buffer *b, size_t more)
{
    size_t needed;
    if (__builtin_add_overflow(b->len, more, &needed) || needed > SIZE_MAX / 2)
        log_panic("buffer_too_large", "len=%zu more=%zu", b->len, more);
    size_t cap = b->cap > 0 ? b->cap : FIRST_CAPACITY;
    while (cap < needed)
        cap *= 2;
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
}

#define DIGITS_MAX 20 /* "-9223372036854775808" */

/* Two digits a division: a line has some forty of them. */
static const char pairs[200] = "00010203040506070809101112131415161718192021222324"
                               "25262728293031323334353637383940414243444546474849"
                               "50515253545556575859606162636465666768697071727374"
                               "75767778798081828384858687888990919293949596979899";

void buffer_add_int(struct buffer *b, int64_t value)
{
    char digits[DIGITS_MAX];
    char *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; rest >= 100; rest /= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (rest % 100), 2);
    }
    if (rest >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * rest, 2);
    } else {
        *--p = (char)('0' + rest);
    }
    if (value < 0)
        *--p = '-';
    buffer_add(b, p, (size_t)(digits + sizeof digits - p));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = b->cap - b->len;
    int len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, format, args);
    if (len < 0)
        log_panic("bad_format", "format=\"%s\"", format);
    if ((size_t)len >= room) {
        buffer_reserve(b, (size_t)len + 1);
        vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
    }
    b->len += (size_t)len;
    va_end(again);
    va_end(args);
}

const char *buffer_text(struct buffer *b)
{
    buffer_reserve(b, 1);
    b->data[b->len] = '\0';
    return b->data;
}

/* What follows the backslash; 'u' stands for \u00XX; 0: the byte goes out as it is. */
static const char escapes[256] = {
    [0] = 'u',  [1] = 'u',    [2] = 'u',    [3] = 'u',    [4] = 'u',   [5] = 'u',     [6] = 'u',
    [7] = 'u',  ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', [11] = 'u',  ['\f'] = 'f',  ['\r'] = 'r',
    [14] = 'u', [15] = 'u',   [16] = 'u',   [17] = 'u',   [18] = 'u',  [19] = 'u',    [20] = 'u',
    [21] = 'u', [22] = 'u',   [23] = 'u',   [24] = 'u',   [25] = 'u',  [26] = 'u',    [27] = 'u',
    [28] = 'u', [29] = 'u',   [30] = 'u',   [31] = 'u',   ['"'] = '"', ['\\'] = '\\',
};

static char *put_escape(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = escapes[c];
    if (escapes[c] == 'u') {
        *out++ = '0';
        *out++ = '0';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    return out;
}

#define ESCAPED_SIZE 6 /* "\u001f" */

/* Whether none of eight bytes needs an escape. A byte b of x is less than n (at most 0x80) where the highest
 * bit of (x - n) & ~x is set: Bit Twiddling Hacks, "Determine if a word has a byte less than n". */
static bool are_plain(const char *bytes)
{
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    const uint64_t each = 0x0101010101010101, high = 0x80 * each;
    const uint64_t quote = eight ^ ('"' * each), backslash = eight ^ ('\\' * each); /* 0 where it is one */
    const uint64_t found =
        ((eight - 0x20 * each) & ~eight) | ((quote - each) & ~quote) | ((backslash - each) & ~backslash);
    return (found & high) == 0;
}

void buffer_add_json(struct buffer *b, struct slice text)
{
    /* Room for the worst that a piece can become is asked for before it, so that the inner loop looks at
     * nothing but the text, and a long one does not ask for six times its length. */
    enum { PIECE = 256, WORD = 8 };
    buffer_reserve(b, 1);
    b->data[b->len++] = '"';
    for (size_t start = 0; start < text.len; start += PIECE) {
        const char *in = text.data + start;
        const char *const end = in + (text.len - start < PIECE ? text.len - start : PIECE);
        buffer_reserve(b, (size_t)(end - in) * ESCAPED_SIZE);
        char *out = b->data + b->len;
        while (in < end) {
            if (end - in >= WORD && are_plain(in)) {
                memcpy(out, in, WORD);
                in += WORD;
                out += WORD;
                continue;
            }
            unsigned char c = (unsigned char)*in++;
            if (escapes[c] == 0)
                *out++ = (char)c;
            else
                out = put_escape(out, c);
        }
        b->len = (size_t)(out - b->data);
    }
    buffer_reserve(b, 1);
    b->data[b->len++] = '"';
}
