/* The latest catalogue snapshot of each shard. See catalogue.h. */
#include "services/order/catalogue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/pipeline/names.h"

struct shard_catalogue {
    struct snapshot snapshot; /* items sorted by sku */
    _Atomic int64_t seen_ns;  /* when it came; 0: never */
};

struct catalogue {
    pthread_rwlock_t lock; /* over the snapshots */
    int shard_count;
    struct shard_catalogue shards[];
};

struct catalogue *catalogue_new(int shards)
{
    struct catalogue *c = xcalloc(1, sizeof *c + (size_t)shards * sizeof c->shards[0]);
    pthread_rwlock_init(&c->lock, NULL);
    c->shard_count = shards;
    return c;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->shard_count; i++)
        snapshot_free(&c->shards[i].snapshot);
    pthread_rwlock_destroy(&c->lock);
    free(c);
}

static int compare_sku(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->sku, ((const struct item *)b)->sku);
}

static int compare_key(const void *sku, const void *item)
{
    return strcmp(sku, ((const struct item *)item)->sku);
}

static bool is_newer(const struct snapshot *s, const struct snapshot *held)
{
    return s->epoch != held->epoch ? s->epoch > held->epoch : s->seq > held->seq;
}

bool catalogue_update(struct catalogue *c, struct snapshot *s, int64_t now_ns)
{
    if (s->shard >= c->shard_count)
        return false;
    struct shard_catalogue *shard = &c->shards[s->shard];
    if (s->count > 0)
        qsort(s->items, s->count, sizeof *s->items, compare_sku);

    pthread_rwlock_wrlock(&c->lock);
    bool newer = atomic_load(&shard->seen_ns) == 0 || is_newer(s, &shard->snapshot);
    struct snapshot old = {0};
    if (newer) {
        old = shard->snapshot;
        shard->snapshot = *s;
        *s = (struct snapshot){0};
        atomic_store(&shard->seen_ns, now_ns);
    }
    pthread_rwlock_unlock(&c->lock);
    snapshot_free(&old);
    return newer;
}

bool catalogue_find(struct catalogue *c, const char *sku, struct catalogue_entry *out)
{
    bool found = false;
    pthread_rwlock_rdlock(&c->lock);
    for (int i = 0; i < c->shard_count && !found; i++) {
        const struct snapshot *s = &c->shards[i].snapshot;
        const struct item *item =
            s->count > 0 ? bsearch(sku, s->items, s->count, sizeof *s->items, compare_key) : NULL;
        if (item) {
            *out = (struct catalogue_entry){
                .stock_left = item->stock_left,
                .starts_ms = item->starts_ms,
                .ends_ms = item->ends_ms,
                .paused = item->paused,
                .shard = (uint8_t)i,
            };
            found = true;
        }
    }
    pthread_rwlock_unlock(&c->lock);
    return found;
}

void catalogue_visit(struct catalogue *c, int64_t now_ns,
                     void (*visit)(void *context, const struct item *item, int64_t age_ms), void *context)
{
    pthread_rwlock_rdlock(&c->lock);
    for (int i = 0; i < c->shard_count; i++) {
        const struct shard_catalogue *shard = &c->shards[i];
        int64_t age_ms = (now_ns - atomic_load(&shard->seen_ns)) / NS_PER_MS;
        for (size_t j = 0; j < shard->snapshot.count; j++)
            visit(context, &shard->snapshot.items[j], age_ms);
    }
    pthread_rwlock_unlock(&c->lock);
}

bool catalogue_is_complete(struct catalogue *c)
{
    for (int i = 0; i < c->shard_count; i++)
        if (atomic_load(&c->shards[i].seen_ns) == 0)
            return false;
    return true;
}

int64_t catalogue_shard_age_ms(struct catalogue *c, int shard, int64_t now_ns)
{
    int64_t seen = atomic_load(&c->shards[shard].seen_ns);
    return seen == 0 ? -1 : (now_ns - seen) / NS_PER_MS;
}

int64_t catalogue_age_ms(struct catalogue *c, int64_t now_ns)
{
    int64_t oldest = 0;
    for (int i = 0; i < c->shard_count; i++) {
        int64_t age = catalogue_shard_age_ms(c, i, now_ns);
        if (age < 0)
            return -1;
        if (age > oldest)
            oldest = age;
    }
    return oldest;
}
