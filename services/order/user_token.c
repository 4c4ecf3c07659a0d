/* Strict reading first, then the claims, and what costs most at last: libjwt, for the signature. */
#include "services/order/user_token.h"

#include <jansson.h>
#include <jwt.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"

#define BASE64URL  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define SECOND_MAX 253402300799.0 /* the end of the year 9999 */

#define CHALLENGE(description)                                                                               \
    "Bearer realm=\"seckill\", error=\"invalid_token\", error_description=\"" description "\""

#define VERDICT(text)                                                                                        \
    {                                                                                                        \
        text, CHALLENGE(text)                                                                                \
    }

static const struct {
    const char *detail, *challenge;
} words[TOKEN_VERDICT_COUNT] = {
    [TOKEN_MISSING] = {"a token is needed: Authorization: Bearer TOKEN", "Bearer realm=\"seckill\""},
    [TOKEN_MALFORMED] = VERDICT("this is not a JSON Web Token"),
    [TOKEN_ALGORITHM] = VERDICT("the token is signed with another algorithm than is expected here"),
    [TOKEN_UNKNOWN_KEY] = VERDICT("the token's kid names no key that is known here"),
    [TOKEN_SIGNATURE] = VERDICT("the token's signature is not by a key that is known here"),
    [TOKEN_EXPIRED] = VERDICT("the token has expired"),
    [TOKEN_NOT_YET] = VERDICT("the token is not valid yet"),
    [TOKEN_AUDIENCE] = VERDICT("the token is for another audience"),
    [TOKEN_NO_SUBJECT] = VERDICT("the token's sub is no user id"),
    [TOKEN_NO_EXPIRY] = VERDICT("the token has no exp"),
    [TOKEN_TYPE] = VERDICT("the token's typ is not JWT"),
    [TOKEN_CROWD] = {"too many tokens with a false signature come here; this one was not looked at",
                     "Bearer realm=\"seckill\""},
};

const char *token_verdict_detail(enum token_verdict verdict)
{
    return words[verdict].detail;
}

const char *token_verdict_challenge(enum token_verdict verdict)
{
    return words[verdict].challenge;
}

/* ---- header and claims as JSON ---- */

struct parts {
    struct slice header, claims, signature;
};

/* Three non-empty parts of the base64url alphabet, no more than that, and no padding. */
static bool split(const char *token, struct parts *out)
{
    struct slice *const parts[] = {&out->header, &out->claims, &out->signature};
    if (strnlen(token, USER_TOKEN_MAX + 1) > USER_TOKEN_MAX)
        return false;
    for (size_t i = 0; i < 3; i++) {
        size_t len = strspn(token, BASE64URL);
        if (len == 0 || len % 4 == 1 || token[len] != (i < 2 ? '.' : '\0'))
            return false;
        *parts[i] = (struct slice){.data = token, .len = len};
        token += len + 1;
    }
    return true;
}

/* The object that a part holds; NULL: it is none, or names a member twice. */
static json_t *object_in(struct slice part)
{
    unsigned char bytes[USER_TOKEN_MAX];
    size_t len = 0;
    if (sodium_base642bin(bytes, sizeof bytes, part.data, part.len, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return NULL;
    json_t *value = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* ---- the signature ---- */

static const jwt_alg_t algorithms[TOKEN_ALGORITHM_COUNT] = {
    [TOKEN_HS256] = JWT_ALG_HS256,
    [TOKEN_RS256] = JWT_ALG_RS256,
    [TOKEN_ES256] = JWT_ALG_ES256,
};

/* Assumes: the header's alg is the key's. That the library saw it the same way is looked at once more. */
static bool is_signed_by(const char *token, const struct token_key *key)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, (const unsigned char *)key->bytes.data, (int)key->bytes.len) != 0)
        return false;
    bool is_signed = jwt_get_alg(jwt) == algorithms[key->algorithm];
    jwt_free(jwt);
    return is_signed;
}

/* A kid chooses the key of that name; where none has it, those without a name are tried. A token without one
 * is tried with each key. Only keys of the token's algorithm count. */
static enum token_verdict find_key(const struct token_keys *keys, const char *token, const char *algorithm,
                                   const char *kid)
{
    enum token_verdict verdict = TOKEN_ALGORITHM;
    bool is_named = false, has_candidate = false;
    for (size_t i = 0; kid && i < keys->count; i++)
        is_named |= strcmp(keys->items[i].kid, kid) == 0;
    for (size_t i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->items[i];
        if (strcmp(token_algorithm_name(key->algorithm), algorithm) != 0)
            continue;
        if (!has_candidate)
            verdict = TOKEN_UNKNOWN_KEY;
        if (kid && strcmp(key->kid, is_named ? kid : "") != 0)
            continue;
        has_candidate = true;
        verdict = TOKEN_SIGNATURE;
        if (is_signed_by(token, key))
            return TOKEN_GOOD;
    }
    return verdict;
}

/* What a header may not leave open: "crit" names extensions that must be understood, and none is. */
static enum token_verdict judge_header(const struct token_rules *rules, const char *token, struct slice part)
{
    json_t *header = object_in(part);
    if (!header)
        return TOKEN_MALFORMED;
    const json_t *kid = json_object_get(header, "kid"), *type = json_object_get(header, "typ");
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    enum token_verdict verdict = TOKEN_MALFORMED;
    if (json_is_string(type) && strcasecmp(json_string_value(type), "JWT") != 0)
        verdict = TOKEN_TYPE;
    else if (algorithm && !json_object_get(header, "crit") && (!kid || json_string_length(kid) > 0) &&
             (!type || json_is_string(type)))
        verdict = find_key(rules->keys, token, algorithm, json_string_value(kid));
    json_decref(header);
    return verdict;
}

/* ---- the claims ---- */

/* A NumericDate, which may have a fraction. */
static bool read_second(const json_t *claim, int64_t *out)
{
    double seconds = json_number_value(claim);
    if (!json_is_number(claim) || !(seconds >= 0 && seconds <= SECOND_MAX))
        return false;
    *out = (int64_t)floor(seconds);
    return true;
}

static bool has_audience(const json_t *claim, const char *audience)
{
    const char *text = json_string_value(claim);
    if (text)
        return strcmp(text, audience) == 0;
    for (size_t i = 0; i < json_array_size(claim); i++) {
        text = json_string_value(json_array_get(claim, i));
        if (text && strcmp(text, audience) == 0)
            return true;
    }
    return false;
}

static enum token_verdict judge_claims(const struct token_rules *rules, const json_t *claims, int64_t now_s,
                                       struct token_subject *out)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    const json_t *sub = json_object_get(claims, "sub");
    int64_t expires_s, begins_s = 0;
    if (!exp)
        return TOKEN_NO_EXPIRY;
    if (!read_second(exp, &expires_s) || (nbf && !read_second(nbf, &begins_s)))
        return TOKEN_MALFORMED;
    if (now_s >= expires_s + rules->leeway_s)
        return TOKEN_EXPIRED;
    if (nbf && now_s < begins_s - rules->leeway_s)
        return TOKEN_NOT_YET;
    if (*rules->audience && !has_audience(json_object_get(claims, "aud"), rules->audience))
        return TOKEN_AUDIENCE;
    struct slice user = {.data = json_string_value(sub), .len = json_string_length(sub)};
    if (!user.data || !name_is_valid(user))
        return TOKEN_NO_SUBJECT;
    memcpy(out->user_id, user.data, user.len);
    out->user_id[user.len] = '\0';
    out->until_s = expires_s + rules->leeway_s;
    return TOKEN_GOOD;
}

enum token_verdict user_token_judge(const struct token_rules *rules, const char *token, int64_t now_s,
                                    struct token_subject *out)
{
    struct parts parts;
    if (!split(token, &parts))
        return TOKEN_MALFORMED;
    json_t *claims = object_in(parts.claims);
    enum token_verdict verdict = claims ? judge_claims(rules, claims, now_s, out) : TOKEN_MALFORMED;
    json_decref(claims);
    return verdict == TOKEN_GOOD ? judge_header(rules, token, parts.header) : verdict;
}
