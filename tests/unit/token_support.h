/* HS256 tokens by libsodium's HMAC, which libjwt does not use. */
#ifndef SECKILL_TESTS_TOKEN_SUPPORT_H
#define SECKILL_TESTS_TOKEN_SUPPORT_H

#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* header.claims with the HMAC of these bytes; valid until the next call. */
static inline const char *hs256_token(const char *secret, size_t secret_len, const char *header,
                                      const char *claims)
{
    static char token[8192];
    char part[2][2048], signature[64];
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state hmac;
    const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    sodium_bin2base64(part[0], sizeof part[0], (const unsigned char *)header, strlen(header), variant);
    sodium_bin2base64(part[1], sizeof part[1], (const unsigned char *)claims, strlen(claims), variant);
    int len = snprintf(token, sizeof token, "%s.%s", part[0], part[1]);
    crypto_auth_hmacsha256_init(&hmac, (const unsigned char *)secret, secret_len);
    crypto_auth_hmacsha256_update(&hmac, (const unsigned char *)token, strlen(token));
    crypto_auth_hmacsha256_final(&hmac, mac);
    sodium_bin2base64(signature, sizeof signature, mac, sizeof mac, variant);
    snprintf(token + len, sizeof token - (size_t)len, ".%s", signature);
    return token;
}

#endif
