/*
 * Allocation that succeeds or ends the process: on a machine that overcommits, a NULL from malloc is no
 * condition that a half-done order could be saved from, and the broker still has everything.
 */
#ifndef SECKILL_BASE_ALLOC_H
#define SECKILL_BASE_ALLOC_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull)); /* zeroed; checks the product */
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));

#endif
