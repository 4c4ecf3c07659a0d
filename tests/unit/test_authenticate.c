/* Who asks, the cache of tokens found good, and what a reload makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/order/authenticate.h"
#include "services/order/token_cache.h"
#include "tests/unit/token_support.h"

#define NOW 1800000000

static char dir[] = "/tmp/test_authenticate.XXXXXX";
static char key[128], admin[128];
static struct settings settings;
static struct admin_token *admin_token;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir) || sodium_init() < 0)
        return -1;
    umask(077);
    snprintf(key, sizeof key, "%s/key", dir);
    snprintf(admin, sizeof admin, "%s/admin", dir);
    write_file(admin, "an-admin-token-0123456789\n");
    settings.auth.mode = AUTH_JWT;
    settings.auth.jwt_keys = key;
    settings.auth.jwt_algorithm = "HS256";
    settings.auth.jwt_audience = "";
    return admin_token_new(&admin_token, admin, NULL);
}

static int clean_up(void **state)
{
    (void)state;
    admin_token_free(admin_token);
    unlink(key);
    unlink(admin);
    return rmdir(dir);
}

#define SECRET_1 "the-first-secret-of-32-bytes-or-more"
#define SECRET_2 "another-secret-of-32-bytes-or-more.."

static const char *header_for(const char *secret, const char *user, long expires_s)
{
    static char header[1024];
    char claims[256];
    snprintf(claims, sizeof claims, "{\"sub\":\"%s\",\"exp\":%ld}", user, expires_s);
    snprintf(header, sizeof header, "Bearer %.1000s",
             hs256_token(secret, strlen(secret), "{\"alg\":\"HS256\"}", claims));
    return header;
}

static struct authenticator *start(const char *secret)
{
    struct authenticator *a = NULL;
    struct detail why;
    write_file(key, secret);
    if (authenticator_new(&a, &settings, admin_token, &why) != 0)
        fail_msg("%s", why.text);
    return a;
}

static void test_users_the_administrator_and_nobody(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    authenticate(a, header_for(SECRET_1, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    assert_string_equal(who.user_id, "u1");
    assert_true(identity_may_order(&who, "u1") && identity_may_see(&who, "u1"));
    assert_false(identity_may_order(&who, "u2") || identity_may_see(&who, "u2"));

    authenticate(a, "Bearer an-admin-token-0123456789", NOW, &who);
    assert_int_equal(who.kind, IDENTITY_ADMIN);
    assert_true(identity_may_see(&who, "u2"));
    assert_false(identity_may_order(&who, "u2"));

    static const char *const missing[] = {
        NULL, "", "Bearer", "Bearer ", "Basic dTE6eA==", "an-admin-token-0123456789"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        authenticate(a, missing[i], NOW, &who);
        assert_int_equal(who.kind, IDENTITY_NOBODY);
        assert_int_equal(who.verdict, TOKEN_MISSING);
        assert_false(identity_may_see(&who, ""));
    }
    authenticate(a, "Bearer an-admin-token-012345678", NOW, &who);
    assert_int_equal(who.kind, IDENTITY_NOBODY);
    authenticator_free(a);
}

static void test_without_authentication_it_is_anyone(void **state)
{
    (void)state;
    struct settings off = {.auth = {.mode = AUTH_NONE}};
    struct authenticator *a = NULL;
    struct identity who;
    assert_int_equal(authenticator_new(&a, &off, admin_token, NULL), 0);
    authenticate(a, NULL, NOW, &who);
    assert_int_equal(who.kind, IDENTITY_ANYONE);
    assert_true(identity_may_order(&who, "u1") && identity_may_see(&who, "u1"));
    assert_int_equal(authenticator_reload(a, &off, NULL), 0);
    authenticator_free(a);
}

static void test_a_token_found_good_is_known_until_it_expires(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    const char *header = header_for(SECRET_1, "u1", NOW + 60);
    authenticate_if_known(a, header, NOW, &who);
    assert_int_equal(who.kind, IDENTITY_NOBODY);
    authenticate(a, header, NOW, &who);
    authenticate_if_known(a, header, NOW + 59, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    authenticate_if_known(a, header, NOW + 60, &who);
    assert_int_equal(who.kind, IDENTITY_NOBODY);
    authenticate(a, header, NOW + 60, &who);
    assert_int_equal(who.verdict, TOKEN_EXPIRED);
    authenticator_free(a);
}

static void test_a_reload_forgets_what_the_old_key_made(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    authenticate(a, header_for(SECRET_1, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    write_file(key, SECRET_2);
    authenticate(a, header_for(SECRET_1, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER); /* nothing changes by itself */
    assert_int_equal(authenticator_reload(a, &settings, NULL), 0);
    authenticate(a, header_for(SECRET_1, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.verdict, TOKEN_SIGNATURE);
    authenticate(a, header_for(SECRET_2, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    authenticator_free(a);
}

/* Whoever makes tokens up pays nothing for it, and each costs a signature here. */
static void test_a_flood_of_false_tokens_is_not_looked_at(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    long tries = 0;
    authenticate(a, header_for(SECRET_1, "known", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    do
        authenticate(a, header_for(SECRET_2, "u1", NOW + 60), NOW, &who);
    while (who.verdict == TOKEN_SIGNATURE && ++tries < 1000000);
    assert_int_equal(who.kind, IDENTITY_NOBODY);
    assert_int_equal(who.verdict, TOKEN_CROWD);
    authenticate(a, header_for(SECRET_1, "known", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    do /* and it is over by itself */
        authenticate(a, header_for(SECRET_1, "u2", NOW + 60), NOW, &who);
    while (who.verdict == TOKEN_CROWD);
    assert_int_equal(who.kind, IDENTITY_USER);
    authenticator_free(a);
}

/* What costs no signature is not counted among them. */
static void test_tokens_that_have_expired_are_no_flood(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    for (int i = 0; i < 10000; i++) {
        authenticate(a, header_for(SECRET_2, "u1", NOW - 60), NOW, &who);
        assert_int_equal(who.verdict, TOKEN_EXPIRED);
    }
    authenticator_free(a);
}

static void test_a_key_that_cannot_be_read_leaves_the_old_one(void **state)
{
    (void)state;
    struct authenticator *a = start(SECRET_1);
    struct identity who;
    struct detail why;
    write_file(key, "short");
    assert_int_equal(authenticator_reload(a, &settings, &why), E_INVALID);
    assert_non_null(strstr(why.text, key));
    assert_null(strstr(why.text, "short"));
    authenticate(a, header_for(SECRET_1, "u1", NOW + 60), NOW, &who);
    assert_int_equal(who.kind, IDENTITY_USER);
    authenticator_free(a);
}

static void test_the_cache_is_bounded_and_finds_the_latest(void **state)
{
    (void)state;
    struct token_cache *c = token_cache_new();
    struct token_subject subject = {.until_s = NOW + 1}, found;
    struct token_mark mark;
    enum { MANY = 300000, LATE = 1000 };
    int kept = 0;
    for (int i = 0; i < MANY; i++) {
        char token[32];
        snprintf(token, sizeof token, "token %d", i);
        snprintf(subject.user_id, sizeof subject.user_id, "u%d", i);
        mark = token_cache_mark(c, token);
        token_cache_put(c, &mark, &subject);
    }
    for (int i = MANY - LATE; i < MANY; i++) {
        char token[32], user[32];
        snprintf(token, sizeof token, "token %d", i);
        snprintf(user, sizeof user, "u%d", i);
        mark = token_cache_mark(c, token);
        if (token_cache_find(c, &mark, NOW, &found)) {
            assert_string_equal(found.user_id, user);
            kept++;
        }
    }
    assert_int_equal(
        kept, LATE); /* four places each: the last thousand of 300 000 lose none but by a rare chance */
    token_cache_clear(c);
    assert_false(token_cache_find(c, &mark, NOW, &found));
    token_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users_the_administrator_and_nobody),
        cmocka_unit_test(test_without_authentication_it_is_anyone),
        cmocka_unit_test(test_a_token_found_good_is_known_until_it_expires),
        cmocka_unit_test(test_a_reload_forgets_what_the_old_key_made),
        cmocka_unit_test(test_a_flood_of_false_tokens_is_not_looked_at),
        cmocka_unit_test(test_tokens_that_have_expired_are_no_flood),
        cmocka_unit_test(test_a_key_that_cannot_be_read_leaves_the_old_one),
        cmocka_unit_test(test_the_cache_is_bounded_and_finds_the_latest),
    };
    return cmocka_run_group_tests_name("authenticate", tests, set_up, clean_up);
}
