/* A run of bytes that somebody else owns. Not terminated by a NUL. */
#ifndef SECKILL_BASE_SLICE_H
#define SECKILL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){.data = text, .len = text ? strlen(text) : 0};
}

static inline bool slice_is(struct slice s, const char *text)
{
    return s.len == strlen(text) && (s.len == 0 || memcmp(s.data, text, s.len) == 0);
}

#endif
