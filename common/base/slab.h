/*
 * Memory for very many small things of a few sizes that come and go in any order. It lies apart from all
 * other memory, so that none of it is kept from use by what others allocate between: what is given back
 * serves the next one of its size. What a slab has taken from the system it keeps until slab_free. No lock.
 */
#ifndef SECKILL_BASE_SLAB_H
#define SECKILL_BASE_SLAB_H

#include <stddef.h>

#define SLAB_GRAIN    16 /* bytes: sizes are rounded up to it */
#define SLAB_SIZE_MAX 512

struct slab_free_piece;

struct slab { /* a zeroed struct is an empty one */
    void *chunks;
    char *next; /* what is left of the newest chunk */
    size_t left;
    struct slab_free_piece *given_back[SLAB_SIZE_MAX / SLAB_GRAIN + 1];
};

/* size: 1 to SLAB_SIZE_MAX bytes; aligned for anything, not zeroed. Ends the process if there is no memory.
 */
void *slab_take(struct slab *s, size_t size) __attribute__((returns_nonnull));

/* size: as it was taken. */
void slab_give_back(struct slab *s, void *piece, size_t size);

/* Everything at once, what was not given back too. The slab is empty then. */
void slab_free(struct slab *s);

#endif
