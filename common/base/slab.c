/* Pieces cut from chunks; those given back wait in a list for each size. See slab.h. */
#include "common/base/slab.h"

#include <stdlib.h>

#include "common/base/alloc.h"

/* The sanitizer knows of malloc only: it is told which pieces nobody may touch. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define CHUNK_BYTES ((size_t)256 * 1024)

struct slab_free_piece {
    struct slab_free_piece *next;
};

struct chunk {
    struct chunk *older;
    size_t unused; /* so that what follows is aligned as malloc's memory is */
};

static size_t grains_of(size_t size)
{
    return (size + SLAB_GRAIN - 1) / SLAB_GRAIN;
}

static void add_chunk(struct slab *s)
{
    struct chunk *c = xmalloc(CHUNK_BYTES);
    c->older = s->chunks;
    s->chunks = c;
    s->next = (char *)(c + 1);
    s->left = CHUNK_BYTES - sizeof *c;
    ASAN_POISON_MEMORY_REGION(s->next, s->left);
}

void *slab_take(struct slab *s, size_t size)
{
    size_t grains = grains_of(size), bytes = grains * SLAB_GRAIN;
    if (bytes > SLAB_SIZE_MAX)
        abort();
    struct slab_free_piece *piece = s->given_back[grains];
    if (piece) {
        ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
        s->given_back[grains] = piece->next;
        return piece;
    }
    if (s->left < bytes)
        add_chunk(s); /* the rest of the old one, less than SLAB_SIZE_MAX, stays unused */
    void *fresh = s->next;
    s->next += bytes;
    s->left -= bytes;
    ASAN_UNPOISON_MEMORY_REGION(fresh, bytes);
    return fresh;
}

void slab_give_back(struct slab *s, void *memory, size_t size)
{
    size_t grains = grains_of(size);
    struct slab_free_piece *piece = memory;
    piece->next = s->given_back[grains];
    s->given_back[grains] = piece;
    ASAN_POISON_MEMORY_REGION(piece, grains * SLAB_GRAIN);
}

void slab_free(struct slab *s)
{
    for (struct chunk *c = s->chunks, *older; c; c = older) {
        older = c->older;
        ASAN_UNPOISON_MEMORY_REGION(c, CHUNK_BYTES);
        free(c);
    }
    *s = (struct slab){0};
}
