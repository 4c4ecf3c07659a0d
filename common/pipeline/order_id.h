/*
 * Order ids: 128 bits, written as 26 characters of Crockford base32 (upper case; the first is 0–7).
 *
 *   bits 127..40   identity   without a key: 42 bits of milliseconds since 2020-01-01, then 46 bits that
 * begin at random in each millisecond and count up in it, so ids of one process never meet and grow with
 * time; with a key: the first 88 bits of BLAKE2b-256, keyed, of (user, item, key) bits  39..32   shard the
 * item's, so that any front end knows whom to ask bits  31..0    MAC        BLAKE2b keyed, over the 12 bytes
 * before it: tells an issued id from a guess (1 in 2^32)
 *
 * Two processes that make ids without a key in the same millisecond meet with a chance of about 80 / 2^46 at
 * 40 orders each. The keys for MAC and hash are derived from order.id_key_file by crypto_kdf (libsodium), so
 * a key that leaks from one use says nothing of the other.
 */
#ifndef SECKILL_PIPELINE_ORDER_ID_H
#define SECKILL_PIPELINE_ORDER_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

#define ORDER_ID_CHARS 26
#define ORDER_ID_SIZE  (ORDER_ID_CHARS + 1) /* with NUL */
#define ORDER_ID_BYTES 16                   /* the 128 bits themselves, the highest first */

/*
 * While a deployment goes from one key to the next, it has several, the newest first. They have three parts
 * to play, so that no promise depends on who has which key already:
 *
 *  - all of them: an id whose MAC is by any of them was issued by this deployment;
 *  - the first makes ids for orders without an Idempotency-Key: such an id is made once, so it may be by any
 * key;
 *  - the last makes those of orders with one, MAC included: the same user, item and key must give the same id
 *    before, during and after the first key came in, or a retry would be a second order.
 *
 * So the last key may only be dropped, on all front ends, when nobody will retry an order from before that.
 */
struct order_id_key;

#define ORDER_ID_KEYS_MAX 8

/* Makes the keys from the bytes of the id key file (any length ≥ 16; hashed). Calls sodium_init. */
int order_id_key_new(struct order_id_key **out, const void *bytes, size_t len, struct detail *why) MUST_USE;

/* One more, behind those that are there; before any thread uses them. E_FULL: there are ORDER_ID_KEYS_MAX. */
int order_id_key_add(struct order_id_key *key, const void *bytes, size_t len, struct detail *why) MUST_USE;

/* Are they the same keys in the same order? Do they make the same ids of orders with an Idempotency-Key? */
bool order_id_key_equals(const struct order_id_key *a, const struct order_id_key *b);
bool order_id_key_retries_alike(const struct order_id_key *a, const struct order_id_key *b);

void order_id_key_free(struct order_id_key *key); /* wiped; NULL is fine */

/* A new id, time-ordered, for an order without a key. Any thread; now_ms is the wall clock. */
void order_id_make(const struct order_id_key *key, int64_t now_ms, uint8_t shard, char out[ORDER_ID_SIZE]);

/* The id that this user, item and key always have. Any thread. */
void order_id_make_keyed(const struct order_id_key *key, const char *user_id, const char *sku,
                         const char *idempotency_key, uint8_t shard, char out[ORDER_ID_SIZE]);

/* 26 characters of the alphabet, the first 0–7, upper case: could be anybody's id. text need not end with a
 * NUL. */
bool order_id_is_well_formed(const char *text, size_t len);

/* The bits of these ORDER_ID_CHARS characters, and the other way. false: they are not well-formed. */
bool order_id_pack(const char *text, unsigned char out[ORDER_ID_BYTES]) MUST_USE;
void order_id_unpack(const unsigned char id[ORDER_ID_BYTES], char out[ORDER_ID_SIZE]);

/* Well-formed, and its MAC is ours: a front end of this deployment issued it. */
bool order_id_is_issued(const struct order_id_key *key, const char *text, size_t len);

/* The highest id of this millisecond (and of those before it): no id without a key that was made by then is
 * above it. */
void order_id_ceiling(int64_t wall_ms, char out[ORDER_ID_SIZE]);

/* The shard inside; the id must be well-formed. */
uint8_t order_id_shard(const char id[ORDER_ID_SIZE]);

#endif
