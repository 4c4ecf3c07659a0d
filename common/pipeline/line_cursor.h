/*
 * The fast way of reading a line (see message.c): a cursor over it, and what can be taken off its front. Each
 * function returns false, and the line is then jansson's, if what comes next is not exactly that. Inline,
 * since every order passes here. For the files that read lines, and no others.
 */
#ifndef SECKILL_PIPELINE_LINE_CURSOR_H
#define SECKILL_PIPELINE_LINE_CURSOR_H

#include "common/pipeline/message.h"

struct cursor {
    const char *at, *end;
};

static inline bool take(struct cursor *c, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, literal, len) != 0)
        return false;
    c->at += len;
    return true;
}

/* The bytes up to the closing quote, which is taken too. Control characters and bad UTF-8 are the caller's to
 * check. */
static inline bool take_string(struct cursor *c, struct slice *out)
{
    const char *quote = memchr(c->at, '"', (size_t)(c->end - c->at));
    if (!quote)
        return false;
    *out = (struct slice){.data = c->at, .len = (size_t)(quote - c->at)};
    if (memchr(out->data, '\\', out->len))
        return false;
    c->at = quote + 1;
    return true;
}

/* Names are nearly always short, printable ASCII: one look at each byte then says all. */
static inline bool take_ascii_name(struct cursor *c, char out[NAME_SIZE])
{
    size_t left = (size_t)(c->end - c->at), len = 0;
    const unsigned char *s = (const unsigned char *)c->at;
    while (len < left && len <= NAME_MAX_BYTES && s[len] >= 0x20 && s[len] < 0x7f && s[len] != '"' &&
           s[len] != '\\')
        len++;
    if (len == 0 || len == left || len > NAME_MAX_BYTES || s[len] != '"')
        return false;
    memcpy(out, s, len);
    out[len] = '\0';
    c->at += len + 1;
    return true;
}

static inline bool take_name(struct cursor *c, char out[NAME_SIZE])
{
    struct slice text;
    if (take_ascii_name(c, out))
        return true;
    if (!take_string(c, &text) || !name_is_valid(text))
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static inline bool take_order_id(struct cursor *c, char out[ORDER_ID_SIZE])
{
    if (c->end - c->at <= ORDER_ID_CHARS || c->at[ORDER_ID_CHARS] != '"' ||
        !order_id_is_well_formed(c->at, ORDER_ID_CHARS))
        return false;
    memcpy(out, c->at, ORDER_ID_CHARS);
    out[ORDER_ID_CHARS] = '\0';
    c->at += ORDER_ID_CHARS + 1;
    return true;
}

/* An integer without sign in [min, max]; at most 18 digits, so that nothing can overflow here. */
static inline bool take_number(struct cursor *c, int64_t min, int64_t max, int64_t *out)
{
    const char *begin = c->at;
    int64_t value = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9' && c->at - begin < 18)
        value = value * 10 + (*c->at++ - '0');
    if (c->at == begin || (*begin == '0' && c->at - begin > 1) || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static inline bool at_end(const struct cursor *c)
{
    return c->at == c->end;
}

#endif
