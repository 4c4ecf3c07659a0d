/* A table of sets of four. */
#include "services/order/token_cache.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#define SETS 16384 /* a power of two; with four places each some 6 MiB */
#define WAYS 4

struct token_cache {
    pthread_mutex_t lock;
    unsigned char key[crypto_generichash_KEYBYTES];
    struct place {
        struct token_mark mark;
        struct token_subject subject; /* until_s 0: empty */
    } places[SETS][WAYS];             /* the newest first */
};

struct token_cache *token_cache_new(void)
{
    struct token_cache *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    randombytes_buf(c->key, sizeof c->key);
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct token_mark token_cache_mark(const struct token_cache *c, const char *token)
{
    struct token_mark mark;
    crypto_generichash(mark.bytes, sizeof mark.bytes, (const unsigned char *)token, strlen(token), c->key,
                       sizeof c->key);
    return mark;
}

static struct place *set_of(struct token_cache *c, const struct token_mark *mark)
{
    uint32_t number;
    memcpy(&number, mark->bytes, sizeof number);
    return c->places[number & (SETS - 1)];
}

bool token_cache_find(struct token_cache *c, const struct token_mark *mark, int64_t now_s,
                      struct token_subject *out)
{
    bool is_found = false;
    pthread_mutex_lock(&c->lock);
    const struct place *set = set_of(c, mark);
    for (int i = 0; i < WAYS && !is_found; i++)
        if (now_s < set[i].subject.until_s && memcmp(&set[i].mark, mark, sizeof *mark) == 0) {
            *out = set[i].subject;
            is_found = true;
        }
    pthread_mutex_unlock(&c->lock);
    return is_found;
}

void token_cache_put(struct token_cache *c, const struct token_mark *mark,
                     const struct token_subject *subject)
{
    pthread_mutex_lock(&c->lock);
    struct place *set = set_of(c, mark);
    memmove(set + 1, set, (WAYS - 1) * sizeof *set);
    set[0] = (struct place){.mark = *mark, .subject = *subject};
    pthread_mutex_unlock(&c->lock);
}

void token_cache_clear(struct token_cache *c)
{
    pthread_mutex_lock(&c->lock);
    memset(c->places, 0, sizeof c->places);
    pthread_mutex_unlock(&c->lock);
}
