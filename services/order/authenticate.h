/*
 * Who sends a request, by its Authorization header: a user with a token, the administrator, or nobody. Holds
 * the keys, the rules and the cache of tokens found good. Any thread; a reload waits for the checks under
 * way.
 */
#ifndef SECKILL_ORDER_AUTHENTICATE_H
#define SECKILL_ORDER_AUTHENTICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pipeline/settings.h"
#include "services/order/admin_token.h"
#include "services/order/user_token.h"

struct authenticator;

/* Zeroed it is nobody, so that what was never asked for is not granted. */
enum identity_kind {
    IDENTITY_NOBODY, /* `verdict` says why */
    IDENTITY_ANYONE, /* auth.mode = none: who it is makes no difference */
    IDENTITY_ADMIN,  /* has the admin token; only where auth.mode is not none */
    IDENTITY_USER,
};

struct identity {
    enum identity_kind kind;
    enum token_verdict verdict;
    char user_id[NAME_SIZE]; /* IDENTITY_USER; else "" */
};

/* Reads the keys that the settings name; admin is the caller's. E_INVALID, E_NOT_FOUND, E_IO with detail.
 * auth.mode does not change afterwards. */
int authenticator_new(struct authenticator **out, const struct settings *settings, struct admin_token *admin,
                      struct detail *why) MUST_USE;
void authenticator_free(struct authenticator *a); /* NULL is fine */

/* Takes over keys and rules, and forgets the tokens found good. On failure all stays as it is. */
int authenticator_reload(struct authenticator *a, const struct settings *settings,
                         struct detail *why) MUST_USE;

bool authenticator_is_on(const struct authenticator *a); /* auth.mode is not none */

/* header: the value of Authorization, or NULL. While more than a hundred tokens a second have a false
 * signature, those that are not known to be good are not judged (TOKEN_CROWD): to be answered 429, not 401.
 */
void authenticate(struct authenticator *a, const char *header, int64_t now_s, struct identity *who);

/* The same for a request that is refused anyhow, and must cost no signature: a token that is not among those
 * found good is nobody's. */
void authenticate_if_known(struct authenticator *a, const char *header, int64_t now_s, struct identity *who);

/* May this one see what this user ordered, or order in their name? */
bool identity_may_see(const struct identity *who, const char *user_id);
bool identity_may_order(const struct identity *who, const char *user_id);

#endif
