/* Making and checking order ids; the layout is in order_id.h. */
#include "common/pipeline/order_id.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

/* Where the parts of the 16 bytes begin (the header has them in bits). */
enum {
    IDENTITY_BYTES = 11,
    SHARD_AT = 11,
    MAC_AT = 12,
    MAC_BYTES = 4,
    ID_BYTES = ORDER_ID_BYTES,
};

enum { KDF_IDENTITY = 1, KDF_MAC = 2 }; /* numbers of the derived keys: never reuse one */

#define EPOCH_2020_MS 1577836800000LL
#define TIME_BITS     42
#define COUNT_BITS    46

/* A millisecond's count begins below this, so that it has room to count up: 2^40 ids. */
#define COUNT_START_MAX ((UINT64_C(1) << COUNT_BITS) - (UINT64_C(1) << 40))

struct derived {
    unsigned char identity[crypto_generichash_KEYBYTES];
    unsigned char mac[crypto_generichash_KEYBYTES];
};

struct order_id_key {
    size_t count;
    struct derived keys[ORDER_ID_KEYS_MAX]; /* the newest first */
};

/* The last id without a key that this process made: the next one is greater, whatever the wall clock does. */
static struct {
    pthread_mutex_t lock;
    uint64_t ms, count;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

int order_id_key_new(struct order_id_key **out, const void *bytes, size_t len, struct detail *why)
{
    if (sodium_init() < 0) {
        detail_set(why, "libsodium could not be started");
        return E_IO;
    }
    struct order_id_key *key = xcalloc(1, sizeof(*key));
    int rc = order_id_key_add(key, bytes, len, why);
    if (rc != 0)
        order_id_key_free(key);
    else
        *out = key;
    return rc;
}

int order_id_key_add(struct order_id_key *key, const void *bytes, size_t len, struct detail *why)
{
    if (len < 16) {
        detail_set(why, "the order id key has %zu bytes, and needs at least 16", len);
        return E_INVALID;
    }
    if (key->count == ORDER_ID_KEYS_MAX) {
        detail_set(why, "there are more than %d order id keys", ORDER_ID_KEYS_MAX);
        return E_FULL;
    }
    unsigned char master[crypto_kdf_KEYBYTES];
    struct derived *d = &key->keys[key->count++];
    crypto_generichash(master, sizeof(master), bytes, len, NULL, 0);
    crypto_kdf_derive_from_key(d->identity, sizeof(d->identity), KDF_IDENTITY, "order-id", master);
    crypto_kdf_derive_from_key(d->mac, sizeof(d->mac), KDF_MAC, "order-id", master);
    sodium_memzero(master, sizeof(master));
    return 0;
}

bool order_id_key_equals(const struct order_id_key *a, const struct order_id_key *b)
{
    return a->count == b->count && sodium_memcmp(a->keys, b->keys, sizeof(a->keys)) == 0;
}

bool order_id_key_retries_alike(const struct order_id_key *a, const struct order_id_key *b)
{
    return sodium_memcmp(&a->keys[a->count - 1], &b->keys[b->count - 1], sizeof(a->keys[0])) == 0;
}

void order_id_key_free(struct order_id_key *key)
{
    if (!key)
        return;
    sodium_memzero(key, sizeof(*key));
    free(key);
}

static void put_big_endian(unsigned char *out, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        out[i] = (unsigned char)(value & 0xff);
}

/* The shortest keyed BLAKE2b of libsodium has 128 bits; an id has room for the first 32 of them. */
static void compute_mac(const struct derived *key, const unsigned char id[ID_BYTES],
                        unsigned char mac[MAC_BYTES])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof(hash), id, MAC_AT, key->mac, sizeof(key->mac));
    memcpy(mac, hash, MAC_BYTES);
}

static const char alphabet[32] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A',
                                  'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N',
                                  'P', 'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z'};

/* A character's value plus one; 0 for what is not in the alphabet. */
static const unsigned char value_of[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['G'] = 17, ['H'] = 18, ['J'] = 19, ['K'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24,
    ['R'] = 25, ['S'] = 26, ['T'] = 27, ['V'] = 28, ['W'] = 29, ['X'] = 30, ['Y'] = 31, ['Z'] = 32,
};

/* 128 bits are 26 digits of 5 bits, the first of which has only 3 to hold; written from the last to the
 * first. */
static void write_text(const unsigned char id[ID_BYTES], char out[ORDER_ID_SIZE])
{
    unsigned int bits = 0, have = 0;
    int next = ID_BYTES - 1;
    out[ORDER_ID_CHARS] = '\0';
    for (int i = ORDER_ID_CHARS - 1; i >= 0; i--) {
        if (have < 5 && next >= 0) {
            bits |= (unsigned int)id[next--] << have;
            have += 8;
        }
        out[i] = alphabet[bits & 31];
        bits >>= 5;
        have = have > 5 ? have - 5 : 0;
    }
}

/* The other way; text is well-formed. */
static void read_text(const char *text, unsigned char id[ID_BYTES])
{
    unsigned int bits = 0, have = 0;
    int next = ID_BYTES - 1;
    for (int i = ORDER_ID_CHARS - 1; i >= 0; i--) {
        bits |= (unsigned int)(value_of[(unsigned char)text[i]] - 1) << have;
        have += 5;
        if (have >= 8 && next >= 0) {
            id[next--] = (unsigned char)(bits & 0xff);
            bits >>= 8;
            have -= 8;
        }
    }
}

static void finish(const struct derived *key, unsigned char id[ID_BYTES], uint8_t shard,
                   char out[ORDER_ID_SIZE])
{
    id[SHARD_AT] = shard;
    compute_mac(key, id, id + MAC_AT);
    write_text(id, out);
}

void order_id_make(const struct order_id_key *key, int64_t now_ms, uint8_t shard, char out[ORDER_ID_SIZE])
{
    uint64_t now = now_ms > EPOCH_2020_MS ? (uint64_t)(now_ms - EPOCH_2020_MS) : 0;

    pthread_mutex_lock(&last.lock);
    if (now > last.ms || last.count + 1 >= UINT64_C(1) << COUNT_BITS) {
        last.ms = now > last.ms ? now : last.ms + 1;
        randombytes_buf(&last.count, sizeof(last.count));
        last.count %= COUNT_START_MAX;
    } else {
        last.count++;
    }
    uint64_t ms = last.ms, count = last.count;
    pthread_mutex_unlock(&last.lock);

    /* 42 bits and 46 bits, written as 64 bits (time and the count's first 22) and 24 bits (its last). */
    unsigned char id[ID_BYTES];
    put_big_endian(id, ms << (64 - TIME_BITS) | count >> 24, 8);
    put_big_endian(id + 8, count, 3);
    finish(&key->keys[0], id, shard, out);
}

void order_id_make_keyed(const struct order_id_key *key, const char *user_id, const char *sku,
                         const char *idempotency_key, uint8_t shard, char out[ORDER_ID_SIZE])
{
    /* Each part with its NUL, which none of them can contain: ("ab", "c") and ("a", "bc") do not meet. */
    const char *parts[] = {user_id, sku, idempotency_key};
    unsigned char hash[crypto_generichash_BYTES], id[ID_BYTES];
    crypto_generichash_state state;
    const struct derived *oldest = &key->keys[key->count - 1];
    crypto_generichash_init(&state, oldest->identity, sizeof(oldest->identity), sizeof(hash));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        crypto_generichash_update(&state, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
    crypto_generichash_final(&state, hash, sizeof(hash));
    memcpy(id, hash, IDENTITY_BYTES);
    finish(oldest, id, shard, out);
}

void order_id_ceiling(int64_t wall_ms, char out[ORDER_ID_SIZE])
{
    unsigned char id[ID_BYTES];
    uint64_t ms = wall_ms > EPOCH_2020_MS ? (uint64_t)(wall_ms - EPOCH_2020_MS) : 0;
    memset(id, 0xff, sizeof(id));
    if (ms < UINT64_C(1) << TIME_BITS)
        put_big_endian(id, ms << (64 - TIME_BITS) | (UINT64_MAX >> TIME_BITS), 8);
    write_text(id, out);
}

bool order_id_is_well_formed(const char *text, size_t len)
{
    if (len != ORDER_ID_CHARS || text[0] < '0' || text[0] > '7')
        return false;
    for (size_t i = 1; i < ORDER_ID_CHARS; i++)
        if (!value_of[(unsigned char)text[i]])
            return false;
    return true;
}

bool order_id_pack(const char *text, unsigned char out[ORDER_ID_BYTES])
{
    if (!order_id_is_well_formed(text, ORDER_ID_CHARS))
        return false;
    read_text(text, out);
    return true;
}

void order_id_unpack(const unsigned char id[ORDER_ID_BYTES], char out[ORDER_ID_SIZE])
{
    write_text(id, out);
}

bool order_id_is_issued(const struct order_id_key *key, const char *text, size_t len)
{
    if (!order_id_is_well_formed(text, len))
        return false;
    unsigned char id[ID_BYTES], mac[MAC_BYTES];
    read_text(text, id);
    for (size_t i = 0; i < key->count; i++) {
        compute_mac(&key->keys[i], id, mac);
        if (sodium_memcmp(mac, id + MAC_AT, MAC_BYTES) == 0)
            return true;
    }
    return false;
}

uint8_t order_id_shard(const char id[ORDER_ID_SIZE])
{
    unsigned char bytes[ID_BYTES];
    read_text(id, bytes);
    return bytes[SHARD_AT];
}
