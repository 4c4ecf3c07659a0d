/* A browser without a script: the form, where it is sent, and what the pages say. And an order's life in the
 * log. */
#include <stdio.h>
#include <string.h>

#include "tests/integration/groups.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

#define BROWSER "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
#define FORM    "Content-Type: application/x-www-form-urlencoded\r\n"

enum { WAIT_SECONDS = 60 };

static int items_are_there(void **state)
{
    struct ctl_answer answer;
    int status;

    ctl(*state, &answer,
        (const char *[]){"item", "put", "odd\"sku'<&", "--name", "<script>alert('x')</script>&amp;",
                         "--unit-price", "5", "--stock", "1", NULL});
    status = answer.output.status;
    ctl_free(&answer);
    /* Those after it are waited for, and snapshots are whole. */
    if (status != 0 ||
        item_put(*state, &(struct item_terms){.sku = "pocket-phone", .stock = 1000, .unit_price = 99900}) < 0)
        return -1;
    return item_put(*state, &(struct item_terms){.sku = "gone", .stock = 0});
}

static void get_page(int port, const char *path, struct http_response *response)
{
    char value[HTTP_VALUE_SIZE];

    assert_int_equal(http_request(port, "GET", path, BROWSER, NULL, response), 0);
    assert_true(http_header(response, "Content-Type", value));
    assert_string_equal(value, "text/html; charset=utf-8");
    assert_true(http_header(response, "Cache-Control", value));
    assert_true(http_header(response, "Content-Security-Policy", value));
    assert_non_null(strstr(value, "default-src 'none'"));
    assert_null(strstr(value, "unsafe"));
    assert_null(strstr(response->body, "{{"));
    assert_non_null(strstr(response->body, "</html>"));
}

/* Posts a form as a browser does; fails unless it is sent to an address that begins so. */
static void post_form(int port, const char *body, const char *expected, char location[HTTP_VALUE_SIZE])
{
    struct http_response response;

    assert_int_equal(http_request(port, "POST", "/v1/orders", FORM BROWSER, body, &response), 0);
    if (response.status != 303 || !http_header(&response, "Location", location) ||
        strncmp(location, expected, strlen(expected)) != 0)
        fail_msg("%s: expected 303 to %s, got %d %s %s", body, expected, response.status, response.headers,
                 response.body);
    http_response_free(&response);
}

struct page {
    int port;
    const char *path, *text;
};

static bool page_says(void *context)
{
    const struct page *p = context;
    struct http_response response;
    bool says;

    get_page(p->port, p->path, &response);
    says = strstr(response.body, p->text) != NULL;
    /* While it is open the page asks again; then it rests. */
    assert_int_equal(strstr(response.body, "http-equiv=\"refresh\"") == NULL, says);
    http_response_free(&response);
    return says;
}

static void test_a_form_leads_to_the_orders_page(void **state)
{
    struct stack *s = *state;
    char location[HTTP_VALUE_SIZE];
    struct page page = {.port = s->http_port, .path = location, .text = "The order is yours"};

    post_form(s->http_port, "user_id=a+buyer&sku=pocket-phone&quantity=2", "/order?id=", location);
    assert_int_equal(strlen(location), strlen("/order?id=") + 26);
    assert_true(wait_until(page_says, &page, WAIT_SECONDS));
    page.text = "¥1998.00";
    assert_true(page_says(&page));
}

static void test_a_sold_out_item_leads_to_its_page(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char location[HTTP_VALUE_SIZE];

    post_form(s->http_port, "user_id=u1&sku=gone", "/sold-out", location);
    assert_string_equal(location, "/sold-out");
    get_page(s->http_port, location, &response);
    assert_int_equal(response.status, 200);
    http_response_free(&response);
}

/* What has no page of its own, and whoever does not prefer one, is told in JSON. */
static void test_other_answers_stay_json(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    assert_int_equal(
        http_request(s->http_port, "POST", "/v1/orders", FORM BROWSER, "user_id=u1&sku=nothing", &response),
        0);
    json_decref(assert_problem(&response, 422, "unknown_item"));
    http_response_free(&response);
    post_order(s, "Accept: application/json, text/html;q=0.9\r\n", "{\"user_id\":\"u1\",\"sku\":\"gone\"}",
               &response);
    json_decref(assert_problem(&response, 409, "sold_out"));
    http_response_free(&response);
    post_order(s, "Accept: */*\r\n", "{\"user_id\":\"u1\",\"sku\":\"pocket-phone\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
}

static void test_pages_are_escaped(void **state)
{
    struct stack *s = *state;
    struct http_response response;

    get_page(s->http_port, "/", &response);
    assert_null(strstr(response.body, "<script>"));
    assert_non_null(strstr(response.body, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;"));
    assert_non_null(strstr(response.body, "value=\"odd&quot;sku&#39;&lt;&amp;\""));
    http_response_free(&response);
    get_page(s->http_port, "/order?id=%3Cscript%3E", &response);
    assert_int_equal(response.status, 404);
    assert_null(strstr(response.body, "<script>"));
    http_response_free(&response);
}

static void test_every_page_answers_get_and_head_alone(void **state)
{
    static const char *const paths[] = {"/", "/order", "/busy", "/sold-out", "/dashboard", "/style.css"};
    struct stack *s = *state;
    struct http_response response;
    char value[HTTP_VALUE_SIZE];

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_int_equal(http_request(s->http_port, "HEAD", paths[i], NULL, NULL, &response), 0);
        assert_int_equal(response.status, strcmp(paths[i], "/order") == 0 ? 404 : 200);
        assert_int_equal(response.body_len, 0);
        http_response_free(&response);
        assert_int_equal(http_request(s->http_port, "POST", paths[i], NULL, "{}", &response), 0);
        json_decref(assert_problem(&response, 405, "method_not_allowed"));
        assert_true(http_header(&response, "Allow", value));
        assert_string_equal(value, "GET, HEAD");
        http_response_free(&response);
    }
}

/* Another front end, for pages that live elsewhere, and a user's rate that is soon used up. */
static void test_pages_may_be_elsewhere(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char location[HTTP_VALUE_SIZE], port_text[16];
    int port = stack_free_port();

    snprintf(port_text, sizeof port_text, "%d", port);
    assert_int_equal(
        stack_do(s, "start", "order@2",
                 (const char *[]){"--http-port", port_text, "--set",
                                  "http.order_page=https://shop.example/o?lang=zh", "--set",
                                  "http.busy_page=https://shop.example/busy", "--set",
                                  "admission.user_rate=1", "--set", "admission.user_burst=1", NULL}),
        0);
    post_form(port, "user_id=hasty&sku=pocket-phone", "https://shop.example/o?lang=zh&id=", location);
    post_form(port, "user_id=hasty&sku=pocket-phone", "https://shop.example/busy", location);
    get_page(port, "/", &response);
    assert_true(http_header(&response, "Content-Security-Policy", location));
    assert_non_null(strstr(location, "form-action 'self' http: https:"));
    http_response_free(&response);
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
}

/* ---- the log ---- */

static bool log_has(struct stack *s, const char *service, const char *event, const char *order_id,
                    const char *more)
{
    char path[STACK_PATH], pattern[200];
    struct text log = {0};
    bool found = false;

    snprintf(path, sizeof path, "%s/log/%s.log", s->dir, service);
    snprintf(pattern, sizeof pattern, " %s order=%s", event, order_id);
    if (text_add_file(&log, path) == 0) {
        const char *line = strstr(text_c(&log), pattern);
        size_t len = line ? strcspn(line, "\n") : 0;

        found = line && memmem(line, len, more, strlen(more)) != NULL;
    }
    text_free(&log);
    if (!found)
        fprintf(stderr, "%s: no line \"%s … %s\"\n", path, pattern, more);
    return found;
}

static void test_one_grep_tells_an_orders_life(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    post_order(s, "X-Request-Id: trace-7\r\n", "{\"user_id\":\"a b\",\"sku\":\"pocket-phone\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
    assert_true(log_has(s, "order", "order_received", order_id,
                        "user=\"a b\" sku=pocket-phone quantity=1 request_id=trace-7"));
    assert_true(log_has(s, "order", "order_submitted", order_id, "batch="));
    assert_true(log_has(s, "order", "order_confirmed", order_id, ""));
    assert_true(log_has(s, "order", "order_answered", order_id, "status=202 code=accepted"));
    assert_true(log_has(s, "order", "order_decided", order_id, "status=confirmed"));
    assert_true(log_has(s, "inventory", "order_decided", order_id, "status=confirmed receipt_no="));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(test_a_form_leads_to_the_orders_page, items_are_there),
    cmocka_unit_test(test_a_sold_out_item_leads_to_its_page),
    cmocka_unit_test(test_other_answers_stay_json),
    cmocka_unit_test(test_pages_are_escaped),
    cmocka_unit_test(test_every_page_answers_get_and_head_alone),
    cmocka_unit_test(test_pages_may_be_elsewhere),
    cmocka_unit_test(test_one_grep_tells_an_orders_life),
};

const struct test_group pages_tests = {"pages", tests, sizeof tests / sizeof *tests};
