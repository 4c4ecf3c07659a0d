#include "services/order/admin_token.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/file.h"

#define SCHEME "Bearer"

struct admin_token {
    char *path; /* "": none */
    unsigned char key[crypto_generichash_KEYBYTES];
    pthread_rwlock_t lock; /* over the digest */
    unsigned char digest[crypto_generichash_BYTES];
};

static void hash(const struct admin_token *t, const char *token, size_t len,
                 unsigned char digest[crypto_generichash_BYTES])
{
    crypto_generichash(digest, crypto_generichash_BYTES, (const unsigned char *)token, len, t->key,
                       sizeof t->key);
}

int admin_token_reload(struct admin_token *t, struct detail *why)
{
    struct buffer secret = {0};
    unsigned char digest[crypto_generichash_BYTES];
    if (*t->path == '\0')
        return 0;
    int error = file_read_secret(t->path, ADMIN_TOKEN_MIN, &secret, why);
    if (error)
        return error;
    hash(t, secret.data, secret.len, digest);
    file_wipe(&secret);
    pthread_rwlock_wrlock(&t->lock);
    memcpy(t->digest, digest, sizeof digest);
    pthread_rwlock_unlock(&t->lock);
    return 0;
}

int admin_token_new(struct admin_token **out, const char *path, struct detail *why)
{
    if (sodium_init() < 0) {
        detail_set(why, "libsodium does not start");
        return E_IO;
    }
    struct admin_token *t = xcalloc(1, sizeof *t);
    t->path = xstrdup(path);
    pthread_rwlock_init(&t->lock, NULL);
    randombytes_buf(t->key, sizeof t->key);
    int error = admin_token_reload(t, why);
    if (error) {
        admin_token_free(t);
        return error;
    }
    *out = t;
    return 0;
}

void admin_token_free(struct admin_token *t)
{
    if (!t)
        return;
    pthread_rwlock_destroy(&t->lock);
    sodium_memzero(t->key, sizeof t->key);
    sodium_memzero(t->digest, sizeof t->digest);
    free(t->path);
    free(t);
}

/* What stands behind "Bearer" and its blanks; NULL: it is another scheme, or nothing. */
static const char *bearer_token(const char *authorization)
{
    const size_t len = strlen(SCHEME);
    if (!authorization || strncasecmp(authorization, SCHEME, len) != 0 || authorization[len] != ' ')
        return NULL;
    const char *token = authorization + len + strspn(authorization + len, " ");
    return *token ? token : NULL;
}

enum admin_access admin_token_check(struct admin_token *t, const char *authorization)
{
    unsigned char digest[crypto_generichash_BYTES];
    if (*t->path == '\0')
        return ADMIN_CLOSED;
    const char *token = bearer_token(authorization);
    if (!token)
        return ADMIN_MISSING;
    hash(t, token, strlen(token), digest);
    pthread_rwlock_rdlock(&t->lock);
    bool is_same = sodium_memcmp(digest, t->digest, sizeof digest) == 0;
    pthread_rwlock_unlock(&t->lock);
    return is_same ? ADMIN_GRANTED : ADMIN_WRONG;
}
