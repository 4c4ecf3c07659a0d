/* A tree of addresses under one lock, which is taken twice for a connection and never for a request. */
#include "services/order/address_limit.h"

#include <netinet/in.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

#define KEY_SIZE 16

struct address_entry {
    unsigned char key[KEY_SIZE]; /* first, so that a key alone can be looked for */
    int64_t count;
};

struct address_limit {
    int64_t most;
    pthread_mutex_t lock;
    void *tree; /* of struct address_entry, by tsearch(3): red-black in glibc */
};

static int by_key(const void *a, const void *b)
{
    return memcmp(a, b, KEY_SIZE);
}

struct address_limit *address_limit_new(int64_t most)
{
    struct address_limit *l = xcalloc(1, sizeof *l);
    l->most = most;
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void address_limit_free(struct address_limit *l)
{
    if (!l)
        return;
    tdestroy(l->tree, free);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* IPv4 as ::ffff:a.b.c.d, IPv6 as its /64. false: loopback, or no internet address. */
static bool key_of(const struct sockaddr *address, unsigned char key[KEY_SIZE])
{
    struct in6_addr in = IN6ADDR_ANY_INIT;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        in.s6_addr[10] = in.s6_addr[11] = 0xff;
        memcpy(&in.s6_addr[12], &v4.sin_addr, sizeof v4.sin_addr);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        in = v6.sin6_addr;
    } else {
        return false;
    }
    bool is_v4 = IN6_IS_ADDR_V4MAPPED(&in);
    if (IN6_IS_ADDR_LOOPBACK(&in) || (is_v4 && in.s6_addr[12] == 127))
        return false;
    memcpy(key, in.s6_addr, KEY_SIZE);
    if (!is_v4)
        memset(key + 8, 0, 8);
    return true;
}

bool address_limit_allows(struct address_limit *l, const struct sockaddr *address)
{
    unsigned char key[KEY_SIZE];
    if (l->most == 0 || !key_of(address, key))
        return true;
    pthread_mutex_lock(&l->lock);
    struct address_entry **found = tfind(key, &l->tree, by_key);
    bool allows = !found || (*found)->count < l->most;
    pthread_mutex_unlock(&l->lock);
    return allows;
}

struct address_entry *address_limit_enter(struct address_limit *l, const struct sockaddr *address)
{
    unsigned char key[KEY_SIZE];
    if (l->most == 0 || !key_of(address, key))
        return NULL;
    struct address_entry *fresh = xcalloc(1, sizeof *fresh), *entry = NULL;
    memcpy(fresh->key, key, KEY_SIZE);
    pthread_mutex_lock(&l->lock);
    struct address_entry **place = tsearch(fresh, &l->tree, by_key);
    if (place) { /* NULL: no memory for the node; then it is not counted */
        entry = *place;
        entry->count++;
    }
    pthread_mutex_unlock(&l->lock);
    if (entry != fresh)
        free(fresh);
    return entry;
}

void address_limit_leave(struct address_limit *l, struct address_entry *entry)
{
    if (!entry)
        return;
    pthread_mutex_lock(&l->lock);
    bool is_last = --entry->count == 0;
    if (is_last)
        tdelete(entry, &l->tree, by_key);
    pthread_mutex_unlock(&l->lock);
    if (is_last)
        free(entry);
}
