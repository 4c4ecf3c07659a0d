/*
 * One user's token (a JWT, RFC 7519 and 8725): is it good, and whose is it? Pure: the keys, the rules and the
 * time are given. The only file beside its own that knows libjwt is user_token.c.
 *
 * libjwt 1.10 checks a signature by the algorithm that the token itself names, skips the check altogether for
 * "none" where it is given no key, and decodes base64 with anything in between. So header and claims are read
 * here, strictly, and the library is asked for the signature alone, once the algorithm is known to be the
 * key's.
 */
#ifndef SECKILL_ORDER_USER_TOKEN_H
#define SECKILL_ORDER_USER_TOKEN_H

#include <stdint.h>

#include "common/pipeline/message.h"
#include "services/order/token_keys.h"

#define USER_TOKEN_MAX 4096 /* bytes */

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_MISSING,     /* no Authorization header with a bearer token */
    TOKEN_MALFORMED,   /* not three parts of base64url, or not the JSON that they should be */
    TOKEN_ALGORITHM,   /* its algorithm is none of the keys' ("none" never is) */
    TOKEN_UNKNOWN_KEY, /* its kid names none of the keys */
    TOKEN_SIGNATURE,   /* no key made it */
    TOKEN_EXPIRED,     /* exp */
    TOKEN_NOT_YET,     /* nbf */
    TOKEN_AUDIENCE,    /* aud */
    TOKEN_NO_SUBJECT,  /* sub is missing, or no user id */
    TOKEN_NO_EXPIRY,   /* exp is missing */
    TOKEN_TYPE,        /* typ is there and not JWT: libjwt takes no other */
    TOKEN_CROWD,       /* not judged: see authenticate.h */
    TOKEN_VERDICT_COUNT
};

struct token_rules {
    const struct token_keys *keys;
    const char *audience; /* aud must have it; "": aud is not looked at */
    int64_t leeway_s;     /* by which the issuer's clock may differ from ours */
};

struct token_subject {
    char user_id[NAME_SIZE]; /* sub */
    int64_t until_s;         /* good before this second of the wall clock: exp and the leeway */
};

/* Any thread. What costs least is looked at first, the signature last. TOKEN_GOOD: *out is set. A token
 * without exp is refused: nobody could ever take it back. */
enum token_verdict user_token_judge(const struct token_rules *rules, const char *token, int64_t now_s,
                                    struct token_subject *out);

/* A sentence for the client, and the value of WWW-Authenticate that goes with it: constants. */
const char *token_verdict_detail(enum token_verdict verdict);
const char *token_verdict_challenge(enum token_verdict verdict);

#endif
