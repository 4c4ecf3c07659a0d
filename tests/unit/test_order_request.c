/* What clients send, good and bad, and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/order/order_request.h"

static struct order_request request;
static struct detail why;

static enum order_request_result parse_bytes(enum body_type type, const char *body, size_t len)
{
    why.text[0] = '\0';
    return order_request_parse(type, (struct slice){.data = body, .len = len}, &request, &why);
}

static void assert_json_is_taken(const char *body)
{
    if (parse_bytes(BODY_JSON, body, strlen(body)) != ORDER_REQUEST_OK)
        fail_msg("%s: %s", body, why.text);
}

struct refusal {
    const char *body;
    const char *text; /* that the detail contains */
};

static void assert_refused(enum body_type type, enum order_request_result expected, const struct refusal *r)
{
    enum order_request_result result = parse_bytes(type, r->body, strlen(r->body));
    if (result != expected)
        fail_msg("%s: result %d, expected %d: %s", r->body, (int)result, (int)expected, why.text);
    if (!strstr(why.text, r->text))
        fail_msg("%s: \"%s\" does not say \"%s\"", r->body, why.text, r->text);
}

static void assert_all_refused(enum body_type type, enum order_request_result expected,
                               const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refused(type, expected, &refusals[i]);
}

#define ALL(array) array, sizeof(array) / sizeof(array)[0]

static void test_whole_json_order_is_taken(void **state)
{
    (void)state;
    assert_json_is_taken(" {\"quantity\": 3, \"sku\":\"phone-1\",\n\"user_id\":\"u1\"}\n");
    assert_string_equal(request.user_id, "u1");
    assert_string_equal(request.sku, "phone-1");
    assert_int_equal(request.quantity, 3);
}

static void test_quantity_is_one_by_default(void **state)
{
    (void)state;
    assert_json_is_taken("{\"user_id\":\"u1\",\"sku\":\"s\"}");
    assert_int_equal(request.quantity, 1);
}

static void test_edges_of_quantity_are_taken(void **state)
{
    (void)state;
    assert_json_is_taken("{\"user_id\":\"u1\",\"sku\":\"s\",\"quantity\":1}");
    assert_json_is_taken("{\"user_id\":\"u1\",\"sku\":\"s\",\"quantity\":1000}");
    assert_int_equal(request.quantity, 1000);
}

static void test_names_may_be_64_bytes_of_any_language(void **state)
{
    (void)state;
    char body[256];
    assert_json_is_taken("{\"user_id\":\"用户\",\"sku\":\"手机 \\u624b\\\"\"}");
    assert_string_equal(request.user_id, "用户");
    assert_string_equal(request.sku, "手机 手\"");
    snprintf(body, sizeof body, "{\"user_id\":\"%064d\",\"sku\":\"s\"}", 0);
    assert_json_is_taken(body);
    snprintf(body, sizeof body, "{\"user_id\":\"%065d\",\"sku\":\"s\"}", 0);
    assert_refused(BODY_JSON, ORDER_REQUEST_INVALID,
                   &(struct refusal){body, "user_id must be 1 to 64 bytes"});
}

static void test_bytes_that_are_no_json_are_malformed(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"{", "not valid JSON"},
        {"nonsense", "not valid JSON"},
        {"{\"user_id\":\"u\",\"sku\":\"s\"} x", "end of file expected"},
        {"{\"user_id\":\"u\",\"sku\":\"s\"}{}", "end of file expected"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",}", "not valid JSON"},
        {"{'user_id':'u','sku':'s'}", "not valid JSON"},
        {"{\"user_id\":\"u\xff\",\"sku\":\"s\"}", "unable to decode byte 0xff"},
        {"{\"user_id\":\"u\xed\xa0\x80\",\"sku\":\"s\"}", "unable to decode byte"},
        {"{\"user_id\":\"\\ud800\",\"sku\":\"s\"}", "not valid JSON"},
        {"{\"user_id\":\"u\n\",\"sku\":\"s\"}", "not valid JSON"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"quantity\":01}", "not valid JSON"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"quantity\":+1}", "not valid JSON"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"quantity\":99999999999999999999}", "too big integer"},
        {"{\"a\\u0000b\":1}", "not valid JSON"},
    };
    assert_all_refused(BODY_JSON, ORDER_REQUEST_MALFORMED, ALL(refusals));
}

static void test_repeated_member_is_malformed_and_named(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"sku\":\"t\"}", "duplicate object key near '\"sku\"'"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"quantity\":1,\"quantity\":1}",
         "duplicate object key near '\"quantity\"'"},
    };
    assert_all_refused(BODY_JSON, ORDER_REQUEST_MALFORMED, ALL(refusals));
}

static void test_empty_and_too_long_bodies_are_malformed(void **state)
{
    (void)state;
    static char spaces[ORDER_BODY_MAX + 1];
    memset(spaces, ' ', sizeof spaces);
    assert_int_equal(parse_bytes(BODY_JSON, "", 0), ORDER_REQUEST_MALFORMED);
    assert_string_equal(why.text, "the body is empty");
    assert_int_equal(parse_bytes(BODY_FORM, NULL, 0), ORDER_REQUEST_MALFORMED);
    assert_int_equal(parse_bytes(BODY_JSON, spaces, sizeof spaces), ORDER_REQUEST_MALFORMED);
    assert_string_equal(why.text, "the body is too long");
    assert_int_equal(parse_bytes(BODY_JSON, spaces, ORDER_BODY_MAX), ORDER_REQUEST_MALFORMED);
}

static void test_raw_nul_is_malformed_and_escaped_nul_is_invalid(void **state)
{
    (void)state;
    static const char raw[] = "{\"user_id\":\"u\0v\",\"sku\":\"s\"}";
    assert_int_equal(parse_bytes(BODY_JSON, raw, sizeof raw - 1), ORDER_REQUEST_MALFORMED);
    assert_refused(BODY_JSON, ORDER_REQUEST_INVALID,
                   &(struct refusal){"{\"user_id\":\"u\\u0000v\",\"sku\":\"s\"}", "user_id must be"});
}

static void test_deep_nesting_is_malformed(void **state)
{
    (void)state;
    static char body[ORDER_BODY_MAX];
    memset(body, '[', sizeof body);
    assert_int_equal(parse_bytes(BODY_JSON, body, sizeof body), ORDER_REQUEST_MALFORMED);
}

static void test_json_that_is_no_order_is_invalid(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"[]", "must be a JSON object"},
        {"5", "must be a JSON object"},
        {"null", "must be a JSON object"},
        {"\"user_id\"", "must be a JSON object"},
        {"{}", "user_id is missing"},
        {"{\"user_id\":\"u\"}", "sku is missing"},
        {"{\"sku\":\"s\"}", "user_id is missing"},
        {"{\"user_id\":1,\"sku\":\"s\"}", "user_id must be a string"},
        {"{\"user_id\":\"u\",\"sku\":null}", "sku must be a string"},
        {"{\"user_id\":\"u\",\"sku\":[\"s\"]}", "sku must be a string"},
        {"{\"user_id\":\"\",\"sku\":\"s\"}", "user_id must be 1 to 64 bytes"},
        {"{\"user_id\":\"u\",\"sku\":\"\"}", "sku must be 1 to 64 bytes"},
        {"{\"user_id\":\"u\\n\",\"sku\":\"s\"}", "user_id must be"},
        {"{\"user_id\":\"u\",\"sku\":\"\\u007f\"}", "sku must be"},
        {"{\"user_id\":\"u\",\"sku\":\"\\u0085\"}", "sku must be"},
    };
    assert_all_refused(BODY_JSON, ORDER_REQUEST_INVALID, ALL(refusals));
}

static void test_bad_quantities_are_invalid(void **state)
{
    (void)state;
    static const char *const quantities[] = {
        "0", "-1", "1001", "9223372036854775807", "1.0", "1e2", "\"1\"", "true", "null", "[]", "{}"};
    for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"user_id\":\"u\",\"sku\":\"s\",\"quantity\":%s}", quantities[i]);
        assert_refused(BODY_JSON, ORDER_REQUEST_INVALID,
                       &(struct refusal){body, "quantity must be an integer from 1 to 1000"});
    }
}

static void test_unknown_member_is_invalid_and_quoted(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"quantitty\":2}", "unknown member \"quantitty\""},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"SKU\":\"s\"}", "unknown member \"SKU\""},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"数量\":2}", "unknown member \"数量\""},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"\":2}", "unknown member: an order has"},
        {"{\"user_id\":\"u\",\"sku\":\"s\",\"a\\nb\":2}", "unknown member: an order has"},
        /* cut at 40 bytes, and not within a character */
        {"{\"0123456789012345678901234567890123456789x\":2}",
         "unknown member \"0123456789012345678901234567890123456789…\""},
        {"{\"012345678901234567890123456789012345678量x\":2}",
         "unknown member \"012345678901234567890123456789012345678…\""},
    };
    assert_all_refused(BODY_JSON, ORDER_REQUEST_INVALID, ALL(refusals));
}

static void test_form_says_the_same_as_json(void **state)
{
    (void)state;
    static const char body[] = "user_id=u%201+%E6%89%8B&sku=a%26b%3dc&quantity=7";
    assert_int_equal(parse_bytes(BODY_FORM, body, sizeof body - 1), ORDER_REQUEST_OK);
    assert_string_equal(request.user_id, "u 1 手");
    assert_string_equal(request.sku, "a&b=c");
    assert_int_equal(request.quantity, 7);
}

static void test_bad_forms_are_refused(void **state)
{
    (void)state;
    static const struct refusal malformed[] = {
        {"user_id=u&sku=%", "hexadecimal digits"},           {"user_id=u&sku=%4", "hexadecimal digits"},
        {"user_id=u&sku=%4g", "hexadecimal digits"},         {"user_id=u&sku=s&sku=t", "sku is there twice"},
        {"user_id=u&user%5fid=u", "user_id is there twice"},
    };
    static const struct refusal bad[] = {
        {"user_id=u", "sku is missing"},
        {"user_id=&sku=s", "user_id must be"},
        {"user_id&sku=s", "user_id must be"},
        {"user_id=%ff&sku=s", "user_id must be"},
        {"user_id=u%00&sku=s", "user_id must be"},
        {"user_id=u&sku=s&quantity=", "quantity must be"},
        {"user_id=u&sku=s&quantity=1.0", "quantity must be"},
        {"user_id=u&sku=s&quantity=+1", "quantity must be"},
        {"user_id=u&sku=s&quantity=0", "quantity must be"},
        {"user_id=u&sku=s&quantity=1001", "quantity must be"},
        {"user_id=u&sku=s&color=red", "unknown member \"color\""},
        {"user_id=u&sku=s&%ff=1", "unknown member: an order has"},
        {"user_id=u&&sku=s", "unknown member: an order has"},
    };
    assert_all_refused(BODY_FORM, ORDER_REQUEST_MALFORMED, ALL(malformed));
    assert_all_refused(BODY_FORM, ORDER_REQUEST_INVALID, ALL(bad));
}

static void test_form_of_the_greatest_length_fits(void **state)
{
    (void)state;
    static char body[ORDER_BODY_MAX];
    memset(body, 'x', sizeof body);
    assert_int_equal(parse_bytes(BODY_FORM, body, sizeof body), ORDER_REQUEST_INVALID);
    memset(body, '=', sizeof body);
    assert_int_equal(parse_bytes(BODY_FORM, body, sizeof body), ORDER_REQUEST_INVALID);
}

static void test_body_type_by_media_type(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum body_type type;
    } cases[] = {
        {NULL, BODY_JSON},
        {"application/json", BODY_JSON},
        {"Application/JSON", BODY_JSON},
        {"application/json; charset=utf-8", BODY_JSON},
        {"application/json;charset=utf-8", BODY_JSON},
        {"application/json ", BODY_JSON},
        {"application/x-www-form-urlencoded", BODY_FORM},
        {"application/x-www-form-urlencoded; charset=UTF-8", BODY_FORM},
        {"", BODY_UNSUPPORTED},
        {"application/jsonx", BODY_UNSUPPORTED},
        {"application/json-patch+json", BODY_UNSUPPORTED},
        {"text/plain", BODY_UNSUPPORTED},
        {"multipart/form-data; boundary=x", BODY_UNSUPPORTED},
        {"application", BODY_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (order_request_body_type(cases[i].header) != cases[i].type)
            fail_msg("%s", cases[i].header ? cases[i].header : "(none)");
}

static void test_idempotency_keys(void **state)
{
    (void)state;
    char key[IDEMPOTENCY_KEY_MAX + 2];
    memset(key, 'k', sizeof key);
    key[IDEMPOTENCY_KEY_MAX] = '\0';
    assert_true(idempotency_key_is_valid(key));
    key[IDEMPOTENCY_KEY_MAX] = 'k';
    key[IDEMPOTENCY_KEY_MAX + 1] = '\0';
    assert_false(idempotency_key_is_valid(key));
    assert_true(idempotency_key_is_valid("!~"));
    assert_true(idempotency_key_is_valid("6f9619ff-8b86-d011-b42d-00cf4fc964ff"));
    assert_false(idempotency_key_is_valid(""));
    assert_false(idempotency_key_is_valid("a b"));
    assert_false(idempotency_key_is_valid("a\t"));
    assert_false(idempotency_key_is_valid("\x7f"));
    assert_false(idempotency_key_is_valid("ключ"));
}

/* Does the library read an order out of it, by the rules alone? The oracle for the test below. */
static bool library_reads(const char *body, size_t len, struct order_request *out)
{
    json_t *root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    json_t *user = json_object_get(root, "user_id"), *sku = json_object_get(root, "sku");
    json_t *quantity = json_object_get(root, "quantity");
    struct slice user_id = {.data = json_string_value(user), .len = json_string_length(user)};
    struct slice item = {.data = json_string_value(sku), .len = json_string_length(sku)};
    bool reads = json_is_object(root) && json_object_size(root) == (quantity ? 3 : 2) &&
                 json_is_string(user) && json_is_string(sku) && name_is_valid(user_id) &&
                 name_is_valid(item) &&
                 (!quantity || (json_is_integer(quantity) && json_integer_value(quantity) >= 1 &&
                                json_integer_value(quantity) <= QUANTITY_MAX));
    if (reads) {
        snprintf(out->user_id, sizeof out->user_id, "%s", user_id.data);
        snprintf(out->sku, sizeof out->sku, "%s", item.data);
        out->quantity = quantity ? (int32_t)json_integer_value(quantity) : 1;
    }
    json_decref(root);
    return reads;
}

/* Plain orders are read without the library: for whatever bytes, with the same result. */
static void test_quick_reader_agrees_with_the_library(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "{\"user_id\":\"u1\",\"sku\":\"phone-1\",\"quantity\":1}",
        " { \"quantity\" : 1000 , \"sku\" : \"p\" , \"user_id\" : \"u\" } ",
        "{\"sku\":\"\\u00e9\",\"user_id\":\"\xc3\xa9\"}",
        "{\"user_id\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"sku\":\"s\"}",
    };
    static const char letters[] = "{}\":,\\ \t\n01239e.-+uskq\x7f\x1f\xc3\xa9";
    int taken = 0;
    srand(20261122);
    for (int i = 0; i < 200000; i++) {
        char body[160];
        const char *seed = seeds[rand() % 4];
        size_t len = strlen(seed);
        memcpy(body, seed, len);
        for (int changes = rand() % 4; changes > 0 && len > 1; changes--) {
            size_t at = (size_t)rand() % len;
            char letter = letters[(size_t)rand() % sizeof letters]; /* its NUL too */
            switch (rand() % 3) {
            case 0:
                body[at] = letter;
                break;
            case 1:
                memmove(body + at + 1, body + at, len++ - at);
                body[at] = letter;
                break;
            default:
                memmove(body + at, body + at + 1, --len - at);
            }
        }
        struct order_request expected = {0};
        bool is_order = library_reads(body, len, &expected);
        if ((parse_bytes(BODY_JSON, body, len) == ORDER_REQUEST_OK) != is_order)
            fail_msg("%.*s: %s", (int)len, body, is_order ? why.text : "taken");
        if (!is_order)
            continue;
        taken++;
        assert_string_equal(request.user_id, expected.user_id);
        assert_string_equal(request.sku, expected.sku);
        assert_int_equal(request.quantity, expected.quantity);
    }
    assert_in_range(taken, 50000, 199999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_json_order_is_taken),
        cmocka_unit_test(test_quantity_is_one_by_default),
        cmocka_unit_test(test_edges_of_quantity_are_taken),
        cmocka_unit_test(test_names_may_be_64_bytes_of_any_language),
        cmocka_unit_test(test_bytes_that_are_no_json_are_malformed),
        cmocka_unit_test(test_repeated_member_is_malformed_and_named),
        cmocka_unit_test(test_empty_and_too_long_bodies_are_malformed),
        cmocka_unit_test(test_raw_nul_is_malformed_and_escaped_nul_is_invalid),
        cmocka_unit_test(test_deep_nesting_is_malformed),
        cmocka_unit_test(test_json_that_is_no_order_is_invalid),
        cmocka_unit_test(test_bad_quantities_are_invalid),
        cmocka_unit_test(test_unknown_member_is_invalid_and_quoted),
        cmocka_unit_test(test_quick_reader_agrees_with_the_library),
        cmocka_unit_test(test_form_says_the_same_as_json),
        cmocka_unit_test(test_bad_forms_are_refused),
        cmocka_unit_test(test_form_of_the_greatest_length_fits),
        cmocka_unit_test(test_body_type_by_media_type),
        cmocka_unit_test(test_idempotency_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
