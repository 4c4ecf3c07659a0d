/* What operators send over HTTP: the question that comes of it, or the reason, named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "services/order/admin_request.h"

typedef enum admin_request_result reader(const struct admin_request *r, char **question, struct detail *why);

static const struct admin_request plain = {.sku = "tv", .body = {.data = "{}", .len = 2}};

static struct admin_request with_body(const char *body)
{
    struct admin_request r = plain;
    r.body = slice_of(body);
    return r;
}

/* The question must be this JSON. */
static void asks(reader *read, struct admin_request r, const char *expected)
{
    char *question = NULL;
    struct detail why = {.text = ""};
    if (read(&r, &question, &why) != ADMIN_REQUEST_OK)
        fail_msg("refused: %s", why.text);
    json_t *is = json_loads(question, 0, NULL), *should = json_loads(expected, 0, NULL);
    assert_non_null(should);
    if (!json_equal(is, should))
        fail_msg("%s instead of %s", question, expected);
    json_decref(is);
    json_decref(should);
    free(question);
}

static void refuses(reader *read, struct admin_request r, enum admin_request_result as, const char *word)
{
    char *question = NULL;
    struct detail why = {.text = ""};
    assert_int_equal(read(&r, &question, &why), as);
    assert_null(question);
    if (!strstr(why.text, word))
        fail_msg("\"%s\" does not name %s", why.text, word);
}

static void test_put_carries_what_is_there_and_the_sku_of_the_path(void **state)
{
    (void)state;
    asks(admin_request_put, plain, "{\"sku\":\"tv\"}");
    asks(admin_request_put,
         with_body("{\"name\":\"\\u7535\\u89c6\",\"unit_price\":0,\"stock\":5,\"limit_per_user\":0,"
                   "\"starts_at\":\"2026-11-11T00:00:00+08:00\",\"ends_at\":null,\"paused\":true}"),
         "{\"sku\":\"tv\",\"name\":\"电视\",\"unit_price\":0,\"stock\":5,\"limit_per_user\":0,"
         "\"starts_at\":\"2026-11-11T00:00:00+08:00\",\"ends_at\":null,\"paused\":true}");
}

static void test_put_names_what_is_wrong(void **state)
{
    static const struct {
        const char *body;
        enum admin_request_result as;
        const char *word;
    } cases[] = {
        {"", ADMIN_REQUEST_MALFORMED, "empty"},
        {"{", ADMIN_REQUEST_MALFORMED, "JSON"},
        {"{\"paused\":true,\"paused\":true}", ADMIN_REQUEST_MALFORMED, "duplicate"},
        {"{\"name\":\"\xff\"}", ADMIN_REQUEST_MALFORMED, "JSON"},
        {"[]", ADMIN_REQUEST_INVALID, "object"},
        {"7", ADMIN_REQUEST_INVALID, "object"},
        {"{\"unit_prise\":1}", ADMIN_REQUEST_INVALID, "unit_prise"},
        {"{\"sku\":\"other\"}", ADMIN_REQUEST_INVALID, "sku"},
        {"{\"if_match\":\"*\"}", ADMIN_REQUEST_INVALID, "if_match"},
        {"{\"stock_left\":1}", ADMIN_REQUEST_INVALID, "stock_left"},
        {"{\"unit_price\":-1}", ADMIN_REQUEST_INVALID, "unit_price"},
        {"{\"unit_price\":1.0}", ADMIN_REQUEST_INVALID, "unit_price"},
        {"{\"unit_price\":null}", ADMIN_REQUEST_INVALID, "unit_price"},
        {"{\"stock\":-1}", ADMIN_REQUEST_INVALID, "stock"},
        {"{\"stock\":1000000001}", ADMIN_REQUEST_INVALID, "stock"},
        {"{\"limit_per_user\":\"2\"}", ADMIN_REQUEST_INVALID, "limit_per_user"},
        {"{\"paused\":1}", ADMIN_REQUEST_INVALID, "paused"},
        {"{\"name\":\"a\\u0000b\"}", ADMIN_REQUEST_INVALID, "name"},
        {"{\"starts_at\":\"2026-02-30T00:00:00Z\"}", ADMIN_REQUEST_INVALID, "starts_at"},
        {"{\"ends_at\":1795348800}", ADMIN_REQUEST_INVALID, "ends_at"},
        {"{\"starts_at\":\"2026-11-11T00:00:00Z\",\"ends_at\":\"2026-11-11T00:00:00Z\"}",
         ADMIN_REQUEST_INVALID, "ends_at"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuses(admin_request_put, with_body(cases[i].body), cases[i].as, cases[i].word);
    struct admin_request r = plain;
    r.sku = "";
    refuses(admin_request_put, r, ADMIN_REQUEST_INVALID, "sku");
    r.sku = "a\nb";
    refuses(admin_request_put, r, ADMIN_REQUEST_INVALID, "sku");
    r.sku = "0123456789012345678901234567890123456789012345678901234567890123x";
    refuses(admin_request_put, r, ADMIN_REQUEST_INVALID, "sku");
}

/* What a client calls a member is quoted, cut between characters: the answer must be UTF-8. */
static void test_long_unknown_member_is_cut_between_characters(void **state)
{
    char body[256] = "{\"x", *question = NULL;
    (void)state;
    for (int i = 0; i < 60; i++)
        strcat(body, "é");
    strcat(body, "\":1}");
    struct admin_request r = with_body(body);
    struct detail why = {.text = ""};
    assert_int_equal(admin_request_put(&r, &question, &why), ADMIN_REQUEST_INVALID);
    json_t *as_json = json_string(why.text); /* NULL unless it is UTF-8 */
    assert_non_null(as_json);
    json_decref(as_json);
}

static void test_if_match(void **state)
{
    static const struct {
        const char *value, *question;
    } good[] = {
        {"*", "{\"sku\":\"tv\",\"if_match\":\"*\"}"},
        {"\"3\"", "{\"sku\":\"tv\",\"if_match\":[3]}"},
        {" \"3\" , \"17\"\t", "{\"sku\":\"tv\",\"if_match\":[3,17]}"},
        {"W/\"3\"", "{\"sku\":\"tv\",\"if_match\":[]}"}, /* a weak one matches nothing */
        {"\"abc\", \"-1\", \"0\", \"03x\"", "{\"sku\":\"tv\",\"if_match\":[]}"},
    };
    static const char *const bad[] = {"", "3", "\"3", "\"3\",", "\"3\" \"4\"", "*, \"3\"", "W\"3\""};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct admin_request r = plain;
        r.if_match = good[i].value;
        asks(admin_request_put, r, good[i].question);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct admin_request r = plain;
        r.if_match = bad[i];
        refuses(admin_request_put, r, ADMIN_REQUEST_MALFORMED, "If-Match");
    }
    struct admin_request r = plain;
    r.if_none_match = "*";
    asks(admin_request_put, r, "{\"sku\":\"tv\",\"if_absent\":true}");
    r.if_none_match = "\"3\"";
    refuses(admin_request_put, r, ADMIN_REQUEST_INVALID, "If-None-Match");
}

static void test_restock_needs_a_key_and_a_quantity(void **state)
{
    char long_key[130];
    (void)state;
    memset(long_key, 'k', sizeof long_key);
    long_key[129] = '\0';
    struct admin_request r = with_body("{\"quantity\":5}");
    refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "Idempotency-Key");
    r.idempotency_key = "a b";
    refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "Idempotency-Key");
    r.idempotency_key = "";
    refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "Idempotency-Key");
    r.idempotency_key = long_key;
    refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "Idempotency-Key");
    r.idempotency_key = "k-1";
    asks(admin_request_restock, r, "{\"sku\":\"tv\",\"quantity\":5,\"key\":\"k-1\"}");
    static const char *const bad[] = {"{}",
                                      "{\"quantity\":0}",
                                      "{\"quantity\":-5}",
                                      "{\"quantity\":\"5\"}",
                                      "{\"quantity\":5.0}",
                                      "{\"quantity\":1000000001}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r.body = slice_of(bad[i]);
        refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "quantity");
    }
    r.body = slice_of("{\"quantity\":5,\"key\":\"other\"}");
    refuses(admin_request_restock, r, ADMIN_REQUEST_INVALID, "key");
    r.body = slice_of("{\"quantity\":5,\"quantity\":5}");
    refuses(admin_request_restock, r, ADMIN_REQUEST_MALFORMED, "duplicate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_carries_what_is_there_and_the_sku_of_the_path),
        cmocka_unit_test(test_put_names_what_is_wrong),
        cmocka_unit_test(test_long_unknown_member_is_cut_between_characters),
        cmocka_unit_test(test_if_match),
        cmocka_unit_test(test_restock_needs_a_key_and_a_quantity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
