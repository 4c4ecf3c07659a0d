/* A count-min sketch of token buckets. */
#include "services/order/user_rate.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

enum { ROWS = 4, ROW_BITS = 16, BUCKETS = 1 << ROW_BITS, LOCKS = 64 };

_Static_assert(ROWS *ROW_BITS == 8 * crypto_shorthash_BYTES, "each row takes its own bits of the hash");
_Static_assert(USER_RATES_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key is SipHash's");

struct user_rates {
    unsigned char key[USER_RATES_KEY_BYTES];
    /* Takings of one user are one after the other: its hash names its lock. Users who meet in a bucket but
     * not in the lock only raise the same number, and the higher one stays. */
    pthread_mutex_t locks[LOCKS];
    _Atomic int64_t full_at_ns[ROWS][BUCKETS]; /* 0: full. See rate_limit.h */
};

struct user_rates *user_rates_new(const unsigned char *key)
{
    struct user_rates *u = xcalloc(1, sizeof *u);
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&u->locks[i], NULL);
    if (key)
        memcpy(u->key, key, sizeof u->key);
    else
        randombytes_buf(u->key, sizeof u->key);
    return u;
}

void user_rates_free(struct user_rates *u)
{
    if (!u)
        return;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&u->locks[i]);
    free(u);
}

static uint64_t hash_of(const struct user_rates *u, const char *user_id)
{
    unsigned char bytes[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(bytes, (const unsigned char *)user_id, strlen(user_id), u->key);
    memcpy(&hash, bytes, sizeof hash);
    return hash;
}

/* The bucket's level; one that a clock's step or another rate has left too far away is brought back. */
static int64_t level_of(_Atomic int64_t *bucket, struct rate rate, int64_t now_ns)
{
    int64_t held = atomic_load_explicit(bucket, memory_order_relaxed);
    for (;;) {
        int64_t level = rate_level(rate, held, now_ns);
        if (level == held || atomic_compare_exchange_weak_explicit(bucket, &held, level, memory_order_relaxed,
                                                                   memory_order_relaxed))
            return level;
    }
}

static void raise_to(_Atomic int64_t *bucket, int64_t full_at_ns)
{
    int64_t held = atomic_load_explicit(bucket, memory_order_relaxed);
    while (held < full_at_ns && !atomic_compare_exchange_weak_explicit(
                                    bucket, &held, full_at_ns, memory_order_relaxed, memory_order_relaxed))
        ;
}

/* Under the user's lock. */
static bool take(_Atomic int64_t *const buckets[ROWS], struct rate rate, int64_t now_ns, int64_t *wait_ns)
{
    int64_t fullest = INT64_MAX;
    for (int row = 0; row < ROWS; row++) {
        int64_t level = level_of(buckets[row], rate, now_ns);
        if (level < fullest)
            fullest = level;
    }
    int64_t next = rate_next(rate, fullest, now_ns);
    *wait_ns = next - now_ns - rate.span_ns;
    if (*wait_ns > 0)
        return false;
    for (int row = 0; row < ROWS; row++)
        raise_to(buckets[row], next);
    return true;
}

bool user_rates_take(struct user_rates *u, const char *user_id, struct rate rate, int64_t now_ns,
                     int64_t *wait_ns)
{
    if (rate.interval_ns == 0)
        return true;
    uint64_t hash = hash_of(u, user_id);
    _Atomic int64_t *buckets[ROWS];
    for (int row = 0; row < ROWS; row++)
        buckets[row] = &u->full_at_ns[row][hash >> (row * ROW_BITS) & (BUCKETS - 1)];
    pthread_mutex_t *lock = &u->locks[hash % LOCKS];
    pthread_mutex_lock(lock);
    bool taken = take(buckets, rate, now_ns, wait_ns);
    pthread_mutex_unlock(lock);
    return taken;
}
