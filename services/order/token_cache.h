/*
 * Tokens that were found good a moment ago, so that a user who sends order after order does not cost a
 * signature each. Bounded: a fixed number of places, of which a token has four; there the one that was taken
 * longest ago is given up. A place holds a keyed hash of the token (128 bits under a random key), never the
 * token.
 *
 * Any thread; one short lock.
 */
#ifndef SECKILL_ORDER_TOKEN_CACHE_H
#define SECKILL_ORDER_TOKEN_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "services/order/user_token.h"

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *c); /* NULL is fine */

#define TOKEN_MARK_SIZE 16
struct token_mark {
    unsigned char bytes[TOKEN_MARK_SIZE];
};
struct token_mark token_cache_mark(const struct token_cache *c, const char *token);

/* true: *out is what was put in, and still good at now_s. */
bool token_cache_find(struct token_cache *c, const struct token_mark *mark, int64_t now_s,
                      struct token_subject *out);
void token_cache_put(struct token_cache *c, const struct token_mark *mark,
                     const struct token_subject *subject);
void token_cache_clear(struct token_cache *c);

#endif
