/* Orders that are none: each gets its 4xx and a text that names what is wrong. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

static int an_item_is_there(void **state)
{
    return item_put(*state, &(struct item_terms){.sku = "phone", .stock = 100000});
}

/* A line for the log of a failed test. */
static void expect_problem(struct stack *s, const char *headers, const char *body, int status,
                           const char *code, const char *naming)
{
    struct http_response response;
    json_t *problem;

    post_order(s, headers, body, &response);
    if (response.status != status)
        fail_msg("%.200s: expected %d, got %d %s", body, status, response.status, response.body);
    problem = assert_problem(&response, status, code);
    if (naming && !strstr(json_text(problem, "detail"), naming))
        fail_msg("%.200s: the detail does not name %s: %s", body, naming, json_text(problem, "detail"));
    json_decref(problem);
    http_response_free(&response);
}

static void test_malformed_body_is_400(void **state)
{
    static const char *const bodies[] = {
        "",
        " ",
        "{",
        "nonsense",
        "{\"user_id\":\"u1\",\"sku\":\"phone\"",
        "{\"user_id\":\"u1\",\"sku\":\"phone\"} and more",
        "{\"user_id\":\"u1\",\"sku\":\"phone\",}",
        "{\"user_id\":\"\xff\xfe\",\"sku\":\"phone\"}",
        "{\"user_id\":\"\xc0\x80\",\"sku\":\"phone\"}",
        "{'user_id':'u1','sku':'phone'}",
        "{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1e}",
    };

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        expect_problem(*state, NULL, bodies[i], 400, "malformed", NULL);
}

#define LONG_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define KANJI_8                                                                                              \
    "\xe7\xa7\x92\xe6\x9d\x80\xe7\xa7\x92\xe6\x9d\x80\xe7\xa7\x92\xe6\x9d\x80\xe7\xa7\x92\xe6\x9d\x80"

static void test_invalid_member_is_422_and_named(void **state)
{
    static const struct {
        const char *body, *naming;
    } cases[] = {
        {"{\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":7,\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":null,\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":[\"u1\"],\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"" LONG_64 "x\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"" KANJI_8 KANJI_8 KANJI_8 "\",\"sku\":\"phone\"}",
         "user_id"}, /* 24 characters, 72 bytes */
        {"{\"user_id\":\"a\\u0000b\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"a\\nb\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"a\\u007fb\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"a\\u0085b\",\"sku\":\"phone\"}", "user_id"},
        {"{\"user_id\":\"u1\"}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":\"\"}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":true}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":{}}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":\"" LONG_64 "x\"}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":\"ph\\tone\"}", "sku"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":0}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":-1}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1001}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":4294967297}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1.0}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1.5}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1e2}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":\"1\"}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":null}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":false}", "quantity"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantitty\":2}", "quantitty"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"order_id\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}", "order_id"},
        {"{\"user_id\":\"u1\",\"sku\":\"phone\",\"\":1}", NULL},
        {"[]", NULL},
        {"\"order\"", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_problem(*state, NULL, cases[i].body, 422, "invalid", cases[i].naming);
}

/* Whether a repeated member is bad JSON or a bad order is a matter of taste; that it buys nothing is not. */
static void test_repeated_member_is_refused_and_named(void **state)
{
    struct http_response response;
    json_t *problem;

    post_order(*state, NULL, "{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":1,\"quantity\":9}",
               &response);
    problem = response.status == 400 ? assert_problem(&response, 400, "malformed")
                                     : assert_problem(&response, 422, "invalid");
    assert_non_null(strstr(json_text(problem, "detail"), "quantity"));
    json_decref(problem);
    http_response_free(&response);
}

static void test_longest_names_are_taken(void **state)
{
    static const char *const users[] = {LONG_64, KANJI_8 KANJI_8 "0123456789012345", "a \\\"b\\\" \\\\ /"};
    struct http_response response;
    char body[300], order_id[27];

    for (int i = 0; i < 3; i++) {
        snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"phone\"}", users[i]);
        post_order(*state, NULL, body, &response);
        assert_accepted(&response, order_id);
        http_response_free(&response);
        json_decref(assert_becomes(*state, order_id, "confirmed"));
    }
}

static void test_bad_idempotency_key_is_422_and_named(void **state)
{
    static const char body[] = "{\"user_id\":\"u1\",\"sku\":\"phone\"}";
    struct http_response response;
    char order_id[27];

    expect_problem(*state, "Idempotency-Key: two words\r\n", body, 422, "invalid", "Idempotency-Key");
    expect_problem(*state, "Idempotency-Key: caf\xc3\xa9\r\n", body, 422, "invalid", "Idempotency-Key");
    expect_problem(*state, "Idempotency-Key: " LONG_64 LONG_64 "x\r\n", body, 422, "invalid",
                   "Idempotency-Key");
    post_order(*state, "Idempotency-Key: " LONG_64 LONG_64 "\r\n", body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(*state, order_id, "confirmed"));
}

static void test_other_media_type_is_415(void **state)
{
    static const char *const types[] = {"text/plain", "application/xml", "application/jsonx",
                                        "multipart/form-data"};
    static const char body[] = "{\"user_id\":\"u1\",\"sku\":\"phone\"}";
    struct http_response response;
    char header[100], order_id[27];

    for (int i = 0; i < 4; i++) {
        snprintf(header, sizeof header, "Content-Type: %s\r\n", types[i]);
        expect_problem(*state, header, body, 415, "unsupported_media_type", NULL);
    }
    post_order(*state, "Content-Type: Application/JSON; charset=utf-8\r\n", body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(*state, order_id, "confirmed"));
}

/* An order in a body of exactly this many bytes. */
static void add_padded_order(struct text *out, int bytes)
{
    static const char order[] = "{\"user_id\":\"u1\",\"sku\":\"phone\"}";

    text_format(out, "%s%*s", order, bytes - (int)strlen(order), "");
}

static void test_body_over_4_kib_is_413(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    struct text body = {0};
    char order_id[27];

    add_padded_order(&body, 4096);
    post_order(s, NULL, text_c(&body), &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    text_clear(&body);
    add_padded_order(&body, 4097);
    expect_problem(s, NULL, text_c(&body), 413, "too_large", NULL);
    text_free(&body);
}

/* The length alone is enough: nobody has to send, or to take in, what will be refused. */
static void test_announced_length_is_refused_before_the_body(void **state)
{
    static const char head[] = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                               "Content-Length: 1000000000\r\n\r\n{";
    struct stack *s = *state;
    struct http_connection c;
    struct http_response response;

    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, head, strlen(head)), 0);
    assert_int_equal(http_receive(&c, false, &response), 0);
    json_decref(assert_problem(&response, 413, "too_large"));
    http_response_free(&response);
    assert_true(http_is_closed_by_server(&c));
    http_close(&c);
}

static const char chunked_head[] = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n";

static void test_chunked_body_over_4_kib_is_413(void **state)
{
    struct stack *s = *state;
    struct http_connection c;
    struct http_response response;
    struct text request = {0};

    text_format(&request, "%s1001\r\n%04097d\r\n0\r\n\r\n", chunked_head, 0);
    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, text_c(&request), request.len), 0);
    assert_int_equal(http_receive(&c, false, &response), 0);
    json_decref(assert_problem(&response, 413, "too_large"));
    http_response_free(&response);
    http_close(&c);
    text_free(&request);
}

/* A body without a length and without an end: it is not taken in for ever. */
static void test_endless_chunked_body_is_cut_off(void **state)
{
    enum { CHUNK = 4096, CHUNKS = 2048 };
    struct stack *s = *state;
    struct http_connection c;
    struct text chunk = {0};
    int sent = 0;

    text_format(&chunk, "1000\r\n%0*d\r\n", CHUNK, 0);
    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, chunked_head, strlen(chunked_head)), 0);
    while (sent < CHUNKS && http_send(&c, text_c(&chunk), chunk.len) == 0)
        sent++;
    assert_true(sent < CHUNKS);
    http_close(&c);
    text_free(&chunk);
    assert_true(stack_is_ready(s));
}

static void test_chunked_order_is_taken(void **state)
{
    static const char request[] = "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n"
                                  "10\r\n{\"user_id\":\"u1\",\r\ne\r\n\"sku\":\"phone\"}\r\n0\r\n\r\n";
    struct stack *s = *state;
    struct http_connection c;
    struct http_response response;
    char order_id[27];

    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, request, strlen(request)), 0);
    assert_int_equal(http_receive(&c, false, &response), 0);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    http_close(&c);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_malformed_body_is_400, an_item_is_there),
    cmocka_unit_test(test_invalid_member_is_422_and_named),
    cmocka_unit_test(test_repeated_member_is_refused_and_named),
    cmocka_unit_test(test_longest_names_are_taken),
    cmocka_unit_test(test_bad_idempotency_key_is_422_and_named),
    cmocka_unit_test(test_other_media_type_is_415),
    cmocka_unit_test(test_body_over_4_kib_is_413),
    cmocka_unit_test(test_announced_length_is_refused_before_the_body),
    cmocka_unit_test(test_chunked_body_over_4_kib_is_413),
    cmocka_unit_test(test_endless_chunked_body_is_cut_off),
    cmocka_unit_test(test_chunked_order_is_taken),
};

const struct test_group bad_input_tests = {"bad_input", tests, sizeof tests / sizeof *tests};
