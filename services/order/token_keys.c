/* Reading keys, and refusing what would not do what its algorithm promises. */
#include "services/order/token_keys.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "common/base/list.h"

#define SECRET_MIN 32 /* RFC 7518, 3.2: as long as the hash at least */
#define PEM_MAX    16384
#define RSA_MIN    2048
#define ENTRY_SIZE 4096

static const char *const algorithm_names[TOKEN_ALGORITHM_COUNT] = {
    [TOKEN_HS256] = "HS256",
    [TOKEN_RS256] = "RS256",
    [TOKEN_ES256] = "ES256",
};

const char *token_algorithm_name(enum token_algorithm algorithm)
{
    return algorithm_names[algorithm];
}

static int read_algorithm(const char *word, enum token_algorithm *out, struct detail *why)
{
    for (int i = 0; i < TOKEN_ALGORITHM_COUNT; i++)
        if (strcmp(word, algorithm_names[i]) == 0) {
            *out = (enum token_algorithm)i;
            return 0;
        }
    detail_set(why, "auth.jwt_algorithm: expected HS256, RS256 or ES256, got \"%s\"", word);
    return E_INVALID;
}

/* Is the PEM text a public key of the algorithm's kind? */
static int check_public_key(const struct token_key *key, const char *path, struct detail *why)
{
    const gnutls_datum_t pem = {.data = (unsigned char *)key->bytes.data, .size = (unsigned)key->bytes.len};
    gnutls_pubkey_t public;
    unsigned bits = 0;
    int rc = E_INVALID;
    if (gnutls_pubkey_init(&public) != 0) {
        detail_set(why, "%s: GnuTLS has no memory for a key", path);
        return E_IO;
    }
    int status = gnutls_pubkey_import(public, &pem, GNUTLS_X509_FMT_PEM);
    int kind = status == 0 ? gnutls_pubkey_get_pk_algorithm(public, &bits) : 0;
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    if (status != 0)
        detail_set(why, "%s: not a public key in PEM (-----BEGIN PUBLIC KEY-----): %s", path,
                   gnutls_strerror(status));
    else if (key->algorithm == TOKEN_RS256 && (kind != GNUTLS_PK_RSA || bits < RSA_MIN))
        detail_set(why, "%s: RS256 needs an RSA key of %d bits or more", path, RSA_MIN);
    else if (key->algorithm == TOKEN_ES256 &&
             (kind != GNUTLS_PK_ECDSA || gnutls_pubkey_export_ecc_raw(public, &curve, NULL, NULL) != 0 ||
              curve != GNUTLS_ECC_CURVE_SECP256R1))
        detail_set(why, "%s: ES256 needs a key on the curve P-256", path);
    else
        rc = 0;
    gnutls_pubkey_deinit(public);
    return rc;
}

/* A PEM file is no secret: whoever has the public key could sign with it. */
static int read_secret(struct token_key *key, const char *path, struct detail *why)
{
    int rc = file_read_secret(path, SECRET_MIN, &key->bytes, why);
    if (rc != 0 || !memmem(key->bytes.data, key->bytes.len, "-----BEGIN", strlen("-----BEGIN")))
        return rc;
    detail_set(why, "%s: HS256 needs a secret, and this is a key or certificate in PEM", path);
    return E_INVALID;
}

/* "FILE" or "KID=FILE". */
static int read_key(struct token_key *key, const char *entry, struct detail *why)
{
    const char *equals = strchr(entry, '=');
    const char *path = equals ? equals + 1 : entry;
    size_t kid_len = equals ? (size_t)(equals - entry) : 0;
    if (*path == '\0' || kid_len >= TOKEN_KID_SIZE || (equals && kid_len == 0)) {
        detail_set(why, "auth.jwt_keys: expected FILE or KID=FILE (a KID of 1 to %d bytes), got \"%.80s\"",
                   TOKEN_KID_SIZE - 1, entry);
        return E_INVALID;
    }
    memcpy(key->kid, entry, kid_len);
    if (key->algorithm == TOKEN_HS256)
        return read_secret(key, path, why);
    int rc = file_read(path, PEM_MAX, &key->bytes, why);
    return rc ? rc : check_public_key(key, path, why);
}

/* The algorithm of the key at this place: the list has one for all, or one for each. */
static int algorithm_at(const char *algorithms, size_t place, size_t count, enum token_algorithm *out,
                        struct detail *why)
{
    char word[ENTRY_SIZE];
    size_t words = list_count(algorithms);
    if (words != 1 && words != count) {
        detail_set(why,
                   "auth.jwt_algorithm: expected one algorithm, or one for each of the %zu keys, got %zu",
                   count, words);
        return E_INVALID;
    }
    if (!list_at(algorithms, words == 1 ? 0 : place, word, sizeof word))
        word[0] = '\0';
    return read_algorithm(word, out, why);
}

int token_keys_load(struct token_keys **out, const char *files, const char *algorithms, struct detail *why)
{
    size_t count = list_count(files);
    if (count == 0 || count > TOKEN_KEYS_MAX) {
        detail_set(why, "auth.jwt_keys: expected 1 to %d files, got %zu", TOKEN_KEYS_MAX, count);
        return E_INVALID;
    }
    struct token_keys *keys = xcalloc(1, sizeof *keys);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        char entry[ENTRY_SIZE];
        struct token_key *key = &keys->items[keys->count++];
        rc = algorithm_at(algorithms, i, count, &key->algorithm, why);
        if (rc == 0 && !list_at(files, i, entry, sizeof entry)) {
            detail_set(why, "auth.jwt_keys: entry %zu is empty, or longer than %d bytes", i + 1,
                       ENTRY_SIZE - 1);
            rc = E_INVALID;
        }
        if (rc == 0)
            rc = read_key(key, entry, why);
    }
    if (rc) {
        token_keys_free(keys);
        return rc;
    }
    *out = keys;
    return 0;
}

void token_keys_free(struct token_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        file_wipe(&keys->items[i].bytes);
    free(keys);
}
