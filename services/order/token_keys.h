/*
 * The keys by which users' tokens are verified: files, each with the one algorithm that it is for. A key
 * never serves another algorithm, whatever a token's header says: an RSA key's public half must not be taken
 * for the secret of an HMAC.
 */
#ifndef SECKILL_ORDER_TOKEN_KEYS_H
#define SECKILL_ORDER_TOKEN_KEYS_H

#include <stddef.h>

#include "common/base/buffer.h"
#include "common/base/error.h"

enum token_algorithm { TOKEN_HS256, TOKEN_RS256, TOKEN_ES256, TOKEN_ALGORITHM_COUNT };

const char *token_algorithm_name(enum token_algorithm algorithm); /* "RS256" */

#define TOKEN_KEYS_MAX 16
#define TOKEN_KID_SIZE 65

struct token_key {
    char kid[TOKEN_KID_SIZE]; /* "": it has no name */
    enum token_algorithm algorithm;
    struct buffer bytes; /* HS256: the secret; else a public key in PEM */
};

struct token_keys {
    size_t count;
    struct token_key items[TOKEN_KEYS_MAX];
};

/*
 * files: "FILE" or "KID=FILE", separated by commas. algorithms: one for all of them, or one for each,
 * separated by commas. E_INVALID, E_NOT_FOUND, E_IO with a detail that names setting or file, and never what
 * is in it:
 *
 *  - HS256: a secret of 32 bytes or more (white space at its end is not a part of it);
 *  - RS256: a PEM public key, RSA of 2048 bits or more; ES256: one on the curve P-256.
 */
int token_keys_load(struct token_keys **out, const char *files, const char *algorithms,
                    struct detail *why) MUST_USE;
void token_keys_free(struct token_keys *keys); /* wiped; NULL is fine */

#endif
