/* POST /v1/orders as a client sees it: accepted, refused by the catalogue, asked about; and the routes around
 * it. */
#include <stdio.h>
#include <string.h>

#include "common/trace/trace_reader.h"
#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

enum { HOUR_MS = 3600 * 1000 };

static void put(struct stack *s, struct item_terms terms)
{
    assert_int_equal(item_put(s, &terms), 0);
}

/* Sends the order, which must be refused so. Returns the problem. */
static json_t *refused(struct stack *s, const char *headers, const char *body, int status, const char *code)
{
    struct http_response response;
    json_t *problem;

    post_order(s, headers, body, &response);
    problem = assert_problem(&response, status, code);
    http_response_free(&response);
    return problem;
}

static void test_accepted_order_is_found_confirmed(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];
    json_t *order;

    put(s, (struct item_terms){.sku = "phone", .stock = 10, .unit_price = 250});
    post_order(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"phone\",\"quantity\":3}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    order = assert_becomes(s, order_id, "confirmed");
    assert_string_equal(json_text(order, "user_id"), "u1");
    assert_string_equal(json_text(order, "sku"), "phone");
    assert_int_equal(json_number(order, "quantity"), 3);
    assert_int_equal(json_number(order, "unit_price"), 250);
    assert_int_equal(json_number(order, "total"), 750);
    assert_true(json_number(order, "receipt_no") >= 1);
    assert_string_not_equal(json_text(order, "decided_at"), "");
    json_decref(order);
    assert_int_equal(item_left(s, "phone"), 7);
}

static void test_html_form_is_an_order_too(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];
    json_t *order;

    put(s, (struct item_terms){.sku = "form", .stock = 10});
    post_order(s, "Content-Type: application/x-www-form-urlencoded\r\n",
               "user_id=u+%26+v&sku=form&quantity=2", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    order = assert_becomes(s, order_id, "confirmed");
    assert_string_equal(json_text(order, "user_id"), "u & v");
    assert_int_equal(json_number(order, "quantity"), 2);
    json_decref(order);
}

static void test_quantity_is_one_unless_given(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    put(s, (struct item_terms){.sku = "single", .stock = 10});
    post_order(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"single\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_int_equal(item_left(s, "single"), 9);
}

static void test_second_order_over_limit_is_rejected(void **state)
{
    static const char body[] = "{\"user_id\":\"u1\",\"sku\":\"limited\",\"quantity\":2}";
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];
    json_t *order;

    put(s, (struct item_terms){.sku = "limited", .stock = 10, .limit = 3});
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    order = assert_becomes(s, order_id, "rejected");
    assert_string_equal(json_text(order, "reason"), "limit_exceeded");
    json_decref(order);
    assert_int_equal(item_left(s, "limited"), 8);
}

static void test_unknown_item_is_refused(void **state)
{
    json_decref(refused(*state, NULL, "{\"user_id\":\"u1\",\"sku\":\"no-such-thing\"}", 422, "unknown_item"));
}

static void test_sale_window_is_kept(void **state)
{
    struct stack *s = *state;
    char starts[RFC3339_SIZE];
    json_t *problem;
    int64_t now = clock_wall_ms();

    put(s, (struct item_terms){.sku = "early", .stock = 10, .starts_ms = now + HOUR_MS});
    problem = refused(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"early\"}", 409, "sale_not_started");
    assert_int_equal(strncmp(json_text(problem, "starts_at"), rfc3339(now + HOUR_MS, starts), 19), 0);
    json_decref(problem);
    put(s, (struct item_terms){
               .sku = "late", .stock = 10, .starts_ms = now - 2 * HOUR_MS, .ends_ms = now - HOUR_MS});
    json_decref(refused(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"late\"}", 409, "sale_ended"));
}

static void test_paused_sale_is_refused_until_it_goes_on(void **state)
{
    static const char body[] = "{\"user_id\":\"u1\",\"sku\":\"paused\"}";
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    put(s, (struct item_terms){.sku = "paused", .stock = 10, .paused = true});
    json_decref(refused(s, NULL, body, 409, "sale_paused"));
    put(s, (struct item_terms){.sku = "paused", .stock = 10});
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

static void test_more_than_is_left_is_sold_out(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];
    json_t *problem;

    put(s, (struct item_terms){.sku = "rare", .stock = 2});
    problem = refused(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"rare\",\"quantity\":3}", 409, "sold_out");
    assert_int_equal(json_number(problem, "stock_left"), 2);
    json_decref(problem);
    post_order(s, NULL, "{\"user_id\":\"u1\",\"sku\":\"rare\",\"quantity\":2}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

static void test_keyed_refusal_names_the_order_of_that_key(void **state)
{
    static const char key[] = "Idempotency-Key: k-1\r\n";
    static const char body[] = "{\"user_id\":\"u9\",\"sku\":\"soon\"}";
    struct stack *s = *state;
    struct http_response response;
    char location[HTTP_VALUE_SIZE], order_id[27];
    json_t *problem;

    put(s, (struct item_terms){.sku = "soon", .stock = 5, .paused = true});
    post_order(s, key, body, &response);
    problem = assert_problem(&response, 409, "sale_paused");
    snprintf(order_id, sizeof order_id, "%.26s", json_text(problem, "order_id"));
    assert_int_equal(strlen(order_id), 26);
    assert_true(http_header(&response, "Location", location));
    assert_string_equal(location + strlen("/v1/orders/"), order_id);
    json_decref(problem);
    http_response_free(&response);
    put(s, (struct item_terms){.sku = "soon", .stock = 5});
    post_order(s, key, body, &response);
    assert_accepted(&response, location);
    http_response_free(&response);
    assert_string_equal(location, order_id);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

static void test_first_body_of_a_key_stands(void **state)
{
    static const char key[] = "Idempotency-Key: the-key\r\n";
    struct stack *s = *state;
    struct http_response response;
    char first[27], second[27], other[27];
    json_t *order;

    put(s, (struct item_terms){.sku = "keyed", .stock = 10});
    post_order(s, key, "{\"user_id\":\"u1\",\"sku\":\"keyed\",\"quantity\":1}", &response);
    assert_accepted(&response, first);
    http_response_free(&response);
    post_order(s, key, "{\"user_id\":\"u1\",\"sku\":\"keyed\",\"quantity\":4}", &response);
    assert_accepted(&response, second);
    http_response_free(&response);
    assert_string_equal(first, second);
    post_order(s, key, "{\"user_id\":\"u2\",\"sku\":\"keyed\",\"quantity\":1}", &response);
    assert_accepted(&response, other);
    http_response_free(&response);
    assert_string_not_equal(first, other);
    json_decref(assert_becomes(s, other, "confirmed"));
    order = assert_becomes(s, first, "confirmed");
    assert_int_equal(json_number(order, "quantity"), 1);
    json_decref(order);
    assert_int_equal(item_left(s, "keyed"), 8);
}

static void test_request_id_comes_back(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char value[HTTP_VALUE_SIZE] = "";

    post_order(s, "X-Request-Id: trace-42\r\n", "{\"user_id\":\"u1\",\"sku\":\"no-such-thing\"}", &response);
    http_header(&response, "X-Request-Id", value);
    assert_string_equal(value, "trace-42");
    http_response_free(&response);
}

static void test_ids_that_nobody_issued_are_not_found(void **state)
{
    /* No id at all; too long; the alphabet, but not our MAC. */
    static const char *const ids[] = {"x", "0123456789ABCDEFGHJKMNPQRST", "01ARZ3NDEKTSV4RRFFQ69G5FAV"};
    struct stack *s = *state;

    for (int i = 0; i < 3; i++) {
        struct http_response response;
        char path[100];

        snprintf(path, sizeof path, "/v1/orders/%s", ids[i]);
        assert_int_equal(http_request(s->http_port, "GET", path, NULL, NULL, &response), 0);
        json_decref(assert_problem(&response, 404, "not_found"));
        http_response_free(&response);
    }
}

static void test_unknown_paths_and_methods_are_refused(void **state)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *allow; /* a method that Allow must name */
    } cases[] = {
        {"GET", "/nothing/here", 404, NULL},
        {"POST", "/v1/order", 404, NULL},
        {"DELETE", "/v1/orders", 405, "POST"},
        {"GET", "/v1/orders", 405, "POST"},
        {"PUT", "/v1/orders", 405, "POST"},
        {"POST", "/healthz", 405, "GET"},
        {"DELETE", "/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV", 405, "GET"},
    };
    struct stack *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response;
        char allow[HTTP_VALUE_SIZE] = "";

        assert_int_equal(http_request(s->http_port, cases[i].method, cases[i].path, NULL, NULL, &response),
                         0);
        if (response.status != cases[i].status)
            fail_msg("%s %s: %d", cases[i].method, cases[i].path, response.status);
        if (cases[i].allow && (!http_header(&response, "Allow", allow) || !strstr(allow, cases[i].allow)))
            fail_msg("%s %s: Allow is '%s'", cases[i].method, cases[i].path, allow);
        json_decref(assert_problem(&response, cases[i].status,
                                   cases[i].status == 404 ? "not_found" : "method_not_allowed"));
        http_response_free(&response);
    }
}

static void test_head_answers_as_get_without_a_body(void **state)
{
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics", "/nothing/here", "/v1/orders/x"};
    struct stack *s = *state;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct http_response get, head;

        assert_int_equal(http_request(s->http_port, "GET", paths[i], NULL, NULL, &get), 0);
        assert_int_equal(http_request(s->http_port, "HEAD", paths[i], NULL, NULL, &head), 0);
        assert_int_equal(head.status, get.status);
        assert_int_equal(head.body_len, 0);
        assert_true(get.body_len > 0);
        http_response_free(&get);
        http_response_free(&head);
    }
}

static void test_catalogue_is_shown(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    json_t *body;

    put(s, (struct item_terms){.sku = "shown", .stock = 10, .unit_price = 1999, .limit = 2});
    assert_int_equal(http_request(s->http_port, "GET", "/v1/items/shown", NULL, NULL, &response), 0);
    body = json_body(&response);
    assert_string_equal(json_text(body, "sku"), "shown");
    assert_int_equal(json_number(body, "unit_price"), 1999);
    assert_int_equal(json_number(body, "stock_left"), 10);
    assert_true(json_number(body, "age_ms") >= 0);
    json_decref(body);
    http_response_free(&response);
    assert_int_equal(http_request(s->http_port, "GET", "/v1/items", NULL, NULL, &response), 0);
    body = json_body(&response);
    assert_true(json_array_size(json_object_get(body, "items")) >= 1);
    json_decref(body);
    http_response_free(&response);
    assert_int_equal(http_request(s->http_port, "GET", "/v1/items/no-such-thing", NULL, NULL, &response), 0);
    json_decref(assert_problem(&response, 404, "not_found"));
    http_response_free(&response);
}

static void test_metrics_count_the_answers(void **state)
{
    struct stack *s = *state;
    struct http_response response;

    assert_int_equal(http_request(s->http_port, "GET", "/metrics", NULL, NULL, &response), 0);
    assert_int_equal(response.status, 200);
    assert_non_null(strstr(response.body, "# TYPE "));
    assert_non_null(strstr(response.body, "seckill_"));
    http_response_free(&response);
}

/* ---- recording ---- */

static void assert_recorded(struct trace_reader *r, const char *user, const char *key, const char *verdict)
{
    struct trace_record record;
    struct detail why = {.text = ""};

    if (trace_reader_next(r, &record, &why) != 1)
        fail_msg("no record of %s: %s", verdict, why.text);
    assert_true(slice_is(record.verdict, verdict));
    assert_true(slice_is(record.user, user));
    assert_true(slice_is(record.key, key));
    assert_true(slice_is(record.sku, *user ? "recorded" : ""));
}

/* One client, one after another: the trace has each, in this order, whether it was taken or turned away. */
static void test_what_a_front_end_was_sent_is_recorded(void **state)
{
    struct stack *s = *state;
    char setting[STACK_PATH], id[27];
    const char *file = setting + strlen("trace.file=");
    const char *const sets[] = {"--set", setting, NULL};
    struct trace_reader *r = NULL;
    struct detail why = {.text = ""};
    struct http_response response;
    struct trace_record record;

    snprintf(setting, sizeof setting, "trace.file=%s/sale.ndjson.zst", s->base);
    put(s, (struct item_terms){.sku = "recorded", .stock = 1});
    int port = front_end_start(s, "order@2", sets);
    assert_int_equal(front_end_order(port, "u1", "recorded", "k-1", id), 202);
    assert_int_equal(front_end_order(port, "u1", "recorded", "k-1", id), 202);
    front_end_assert_left(port, "recorded", 0);
    assert_int_equal(front_end_order(port, "u2", "recorded", NULL, id), 409);
    assert_int_equal(
        http_request(port, "POST", "/v1/orders", "Content-Type: application/json\r\n", "{", &response), 0);
    assert_int_equal(response.status, 400);
    http_response_free(&response);
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);

    if (trace_reader_open(&r, file, &why) != 0)
        fail_msg("%s", why.text);
    assert_false(trace_reader_header(r)->users_hashed);
    assert_recorded(r, "u1", "k-1", "accepted");
    assert_recorded(r, "u1", "k-1", "accepted");
    assert_recorded(r, "u2", "", "sold_out");
    assert_recorded(r, "", "", "malformed");
    assert_int_equal(trace_reader_next(r, &record, &why), 0);
    assert_false(trace_reader_is_truncated(r));
    trace_reader_close(r);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_accepted_order_is_found_confirmed),
    cmocka_unit_test(test_html_form_is_an_order_too),
    cmocka_unit_test(test_quantity_is_one_unless_given),
    cmocka_unit_test(test_second_order_over_limit_is_rejected),
    cmocka_unit_test(test_unknown_item_is_refused),
    cmocka_unit_test(test_sale_window_is_kept),
    cmocka_unit_test(test_paused_sale_is_refused_until_it_goes_on),
    cmocka_unit_test(test_more_than_is_left_is_sold_out),
    cmocka_unit_test(test_keyed_refusal_names_the_order_of_that_key),
    cmocka_unit_test(test_first_body_of_a_key_stands),
    cmocka_unit_test(test_request_id_comes_back),
    cmocka_unit_test(test_ids_that_nobody_issued_are_not_found),
    cmocka_unit_test(test_unknown_paths_and_methods_are_refused),
    cmocka_unit_test(test_head_answers_as_get_without_a_body),
    cmocka_unit_test(test_catalogue_is_shown),
    cmocka_unit_test(test_metrics_count_the_answers),
    cmocka_unit_test(test_what_a_front_end_was_sent_is_recorded),
};

const struct test_group answers_tests = {"answers", tests, sizeof tests / sizeof *tests};
