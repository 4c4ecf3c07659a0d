/* Allocation that succeeds or ends the process. Nothing here or in the log allocates once memory is out. */
#include "common/base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"

static void *checked(void *memory, size_t size)
{
    if (!memory)
        log_panic("out_of_memory", "bytes=%zu", size);
    return memory;
}

/* malloc(0) may return NULL; one byte keeps "never NULL" simple. */
static size_t at_least_one(size_t size)
{
    return size > 0 ? size : 1;
}

void *xmalloc(size_t size)
{
    return checked(malloc(at_least_one(size)), size);
}

void *xcalloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        log_panic("out_of_memory", "count=%zu size=%zu", count, size);
    return checked(calloc(1, at_least_one(total)), total);
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, at_least_one(size)), size);
}

char *xstrdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(xmalloc(size), text, size);
}
