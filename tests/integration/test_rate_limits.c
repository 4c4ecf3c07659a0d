/* The two rates, as settings in the file that SIGHUP takes over: who is limited, what he is told, and who is
 * not. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"

enum { STOCK = 100000, WAIT_SECONDS = 60, REFUSALS = 30 };

struct thresholds {
    int max_rate, user_rate, user_burst;
};

static const struct thresholds none = {.user_burst = 10};

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t room = 1 << 20, len;
    char *text = malloc(room);

    assert_non_null(f);
    assert_non_null(text);
    len = fread(text, 1, room - 1, f);
    text[len] = '\0';
    fclose(f);
    return text;
}

struct awaited_line {
    const char *path, *line;
};

static bool is_logged(void *context)
{
    const struct awaited_line *a = context;
    char *text = read_file(a->path);
    bool found = strstr(text, a->line) != NULL;

    free(text);
    return found;
}

/* Rewrites the stack's configuration with this behind it, and tells the front end. Each call's settings must
 * be others than those of the calls before it: its line in the log is waited for. */
static void reload(struct stack *s, const char *admission, const char *logged)
{
    static char *original;
    char log_path[STACK_PATH];
    struct awaited_line a = {.path = log_path, .line = logged};
    FILE *f;

    if (!original)
        original = read_file(s->config);
    f = fopen(s->config, "w");
    assert_non_null(f);
    fprintf(f, "%sadmission {\n%s}\n", original, admission);
    assert_int_equal(fclose(f), 0);
    snprintf(log_path, sizeof log_path, "%s/log/order.log", s->dir);
    assert_int_equal(kill(stack_pid(s, "seckill-order"), SIGHUP), 0);
    if (!wait_until(is_logged, &a, WAIT_SECONDS))
        fail_msg("not logged: %s", logged);
}

/* max_pending makes the settings of each call others than all before. */
static void set_thresholds(struct stack *s, struct thresholds t)
{
    static int max_pending = 150000;
    char admission[256], logged[256];

    max_pending++;
    snprintf(admission, sizeof admission,
             "  max_rate = %d\n  user_rate = %d\n  user_burst = %d\n  max_pending = %d\n", t.max_rate,
             t.user_rate, t.user_burst, max_pending);
    snprintf(logged, sizeof logged, "max_rate=%d user_rate=%d user_burst=%d max_pending=%d", t.max_rate,
             t.user_rate, t.user_burst, max_pending);
    reload(s, admission, logged);
}

static int64_t metric(struct stack *s, const char *name)
{
    struct http_response response;
    long long value = -1;
    const char *at;

    assert_int_equal(http_request(s->http_port, "GET", "/metrics", NULL, NULL, &response), 0);
    at = strstr(response.body, name);
    if (!at || sscanf(at + strlen(name), "%lld", &value) != 1)
        fail_msg("no metric %s", name);
    http_response_free(&response);
    return value;
}

/* Orders of this user until one is refused; that answer. A machine may be slow, but not for ever as slow as
 * the rate. */
static void post_until_limited(struct stack *s, const char *headers, const char *body,
                               struct http_response *response)
{
    int64_t deadline = clock_ms() + WAIT_SECONDS * 1000;

    for (;;) {
        post_order(s, headers, body, response);
        if (response->status != 202 || clock_ms() > deadline)
            return;
        http_response_free(response);
    }
}

/* ---- each user ---- */

static void test_user_gets_burst_and_rate_and_no_more(void **state)
{
    struct stack *s = *state;
    int64_t began, limited = metric(s, "seckill_order_rate_limited_total{threshold=\"user\"} ");
    struct orders_tally tally;
    int accepted, refused;
    struct load *l;

    set_thresholds(s, (struct thresholds){.user_rate = 1, .user_burst = 3});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "one-user", .stock = STOCK}), 0);
    began = clock_ms();
    l = load_run(&(struct load_spec){.port = s->http_port,
                                     .connections = 16,
                                     .max_orders = 500,
                                     .seconds = WAIT_SECONDS,
                                     .sku = "one-user",
                                     .user = "greedy"});
    accepted = load_count_status(l, 202);
    refused = load_count_code(l, "rate_limited");
    assert_int_equal(accepted + refused, load_count(l));
    assert_true(accepted >= 3);
    assert_true(accepted <= 3 + (clock_ms() - began) / 1000 + 1);
    for (int i = 0; i < load_count(l); i++) {
        if (load_answer(l, i)->status == 429)
            assert_true(load_answer(l, i)->has_retry_after);
    }
    assert_int_equal(metric(s, "seckill_order_rate_limited_total{threshold=\"user\"} "), limited + refused);
    assert_load_is_accounted_for(s, l, "one-user", STOCK, &tally);
    assert_int_equal(tally.confirmed, accepted);
    load_free(l);
}

static void test_limited_user_does_not_limit_others(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char body[96], order_id[27];
    struct load *l;

    set_thresholds(s, (struct thresholds){.user_rate = 1, .user_burst = 2});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "others", .stock = STOCK}), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 8,
                                       .max_orders = 1000000,
                                       .seconds = WAIT_SECONDS,
                                       .sku = "others",
                                       .user = "noisy",
                                       .pace_ms = 1});
    assert_true(load_wait_refused(l, 100, WAIT_SECONDS));
    for (int i = 0; i < 50; i++) {
        snprintf(body, sizeof body, "{\"user_id\":\"quiet-%d\",\"sku\":\"others\"}", i);
        for (int k = 0; k < 2; k++) {
            post_order(s, NULL, body, &response);
            assert_accepted(&response, order_id);
            http_response_free(&response);
        }
    }
    load_stop(l);
    load_join(l);
    load_free(l);
}

static void test_refused_user_is_told_when_and_about_what(void **state)
{
    static const char body[] = "{\"user_id\":\"keyed\",\"sku\":\"told\"}";
    static const char key[] = "Idempotency-Key: the-first\r\n";
    struct stack *s = *state;
    struct http_response response;
    char order_id[27], value[HTTP_VALUE_SIZE], first[HTTP_VALUE_SIZE] = "";
    bool differs = false;
    json_t *problem;

    set_thresholds(s, (struct thresholds){.user_rate = 1, .user_burst = 1});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "told", .stock = STOCK}), 0);
    post_order(s, key, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);

    /* A repeat is an order as well; its refusal names the order that stands. */
    post_until_limited(s, key, body, &response);
    problem = assert_problem(&response, 429, "rate_limited");
    assert_string_equal(json_text(problem, "order_id"), order_id);
    assert_true(http_header(&response, "Location", value));
    assert_string_equal(value + strlen("/v1/orders/"), order_id);
    assert_retry_after(&response);
    json_decref(problem);
    http_response_free(&response);

    for (int i = 0; i < REFUSALS; i++) {
        post_until_limited(s, NULL, body, &response);
        problem = assert_problem(&response, 429, "rate_limited");
        assert_string_equal(json_text(problem, "order_id"), "");
        assert_retry_after(&response);
        assert_true(http_header(&response, "Retry-After", value));
        differs = differs || (*first && strcmp(first, value) != 0);
        memcpy(first, value, sizeof first);
        json_decref(problem);
        http_response_free(&response);
    }
    assert_true(differs);
}

/* Who is not known by an order that can be read has no rate to spend. */
static void test_unreadable_orders_cost_nobody_a_token(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    set_thresholds(s, (struct thresholds){.user_rate = 1, .user_burst = 1});
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "typo", .stock = STOCK}), 0);
    for (int i = 0; i < 20; i++) {
        post_order(s, NULL, "{\"user_id\":\"clumsy\",\"sku\":\"typo\",\"quantitty\":1}", &response);
        json_decref(assert_problem(&response, 422, "invalid"));
        http_response_free(&response);
    }
    post_order(s, NULL, "{\"user_id\":\"clumsy\",\"sku\":\"typo\"}", &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
}

/* ---- the front end ---- */

static void test_front_end_takes_its_rate_and_sighup_raises_it(void **state)
{
    enum { RATE = 20, BURST = 10 };
    struct stack *s = *state;
    struct load_spec spec = {
        .port = s->http_port, .connections = 32, .max_orders = 2000, .seconds = WAIT_SECONDS, .sku = "all"};
    int64_t began, answers = metric(s, "seckill_order_answers_total{code=\"rate_limited\"} ");
    struct orders_tally tally;
    int accepted;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "all", .stock = STOCK}), 0);
    set_thresholds(s, (struct thresholds){.max_rate = RATE, .user_burst = 10});
    began = clock_ms();
    l = load_run(&spec);
    accepted = load_count_status(l, 202);
    assert_int_equal(accepted + load_count_code(l, "rate_limited"), load_count(l));
    assert_true(accepted >= BURST);
    assert_true(accepted <= BURST + (clock_ms() - began) * RATE / 1000 + 1);
    for (int i = 0; i < load_count(l); i++) {
        if (load_answer(l, i)->status == 429)
            assert_true(load_answer(l, i)->has_retry_after);
    }
    assert_int_equal(metric(s, "seckill_order_answers_total{code=\"rate_limited\"} "),
                     answers + load_count(l) - accepted);
    assert_load_is_accounted_for(s, l, "all", STOCK, &tally);
    load_free(l);

    set_thresholds(s, none);
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "raised", .stock = STOCK}), 0);
    spec.sku = "raised";
    l = load_run(&spec);
    if (load_count_status(l, 202) != load_count(l))
        load_print(l);
    assert_int_equal(load_count_status(l, 202), load_count(l));
    load_free(l);
}

static void test_limited_front_end_names_the_keyed_order_and_answers_other_questions(void **state)
{
    static const char body[] = "{\"user_id\":\"ann\",\"sku\":\"named\"}";
    static const char key[] = "Idempotency-Key: ann-1\r\n";
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];
    json_t *problem;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "named", .stock = STOCK}), 0);
    set_thresholds(s, (struct thresholds){.max_rate = 1, .user_burst = 10});
    /* Its one token may be gone already; a second later there is another. */
    for (;;) {
        post_order(s, key, body, &response);
        if (response.status == 202)
            break;
        json_decref(assert_problem(&response, 429, "rate_limited"));
        http_response_free(&response);
    }
    assert_accepted(&response, order_id);
    http_response_free(&response);
    post_until_limited(s, key, body, &response);
    problem = assert_problem(&response, 429, "rate_limited");
    assert_string_equal(json_text(problem, "order_id"), order_id);
    json_decref(problem);
    http_response_free(&response);
    post_until_limited(s, NULL, "not an order at all", &response);
    while (response.status == 400) { /* a token came */
        http_response_free(&response);
        post_until_limited(s, NULL, "not an order at all", &response);
    }
    json_decref(assert_problem(&response, 429, "rate_limited"));
    http_response_free(&response);

    for (int i = 0; i < 20; i++) {
        assert_int_equal(http_request(s->http_port, "GET", "/v1/items/named", NULL, NULL, &response), 0);
        assert_int_equal(response.status, 200);
        http_response_free(&response);
    }
    json_decref(assert_becomes(s, order_id, "confirmed"));
    set_thresholds(s, none);
}

static void test_wrong_setting_leaves_the_thresholds_as_they_are(void **state)
{
    static const char body[] = "{\"user_id\":\"steady\",\"sku\":\"wrong\"}";
    struct stack *s = *state;
    struct http_response response;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "wrong", .stock = STOCK}), 0);
    set_thresholds(s, (struct thresholds){.user_rate = 1, .user_burst = 1});
    reload(s, "  user_rate = lots\n", "reload_failed");
    post_until_limited(s, NULL, body, &response);
    json_decref(assert_problem(&response, 429, "rate_limited"));
    http_response_free(&response);
    set_thresholds(s, none);
}

/* Nothing set: 5 orders a second of a user, 10 at once. */
static void test_defaults_let_ten_orders_of_a_user_in_at_once(void **state)
{
    static const char body[] = "{\"user_id\":\"usual\",\"sku\":\"default\"}";
    struct stack *s = *state;
    struct http_response response;
    char order_id[27];

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "default", .stock = STOCK}), 0);
    for (int i = 0; i < 10; i++) {
        post_order(s, NULL, body, &response);
        assert_accepted(&response, order_id);
        http_response_free(&response);
    }
    post_until_limited(s, NULL, body, &response);
    json_decref(assert_problem(&response, 429, "rate_limited"));
    http_response_free(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_let_ten_orders_of_a_user_in_at_once),
        cmocka_unit_test(test_user_gets_burst_and_rate_and_no_more),
        cmocka_unit_test(test_limited_user_does_not_limit_others),
        cmocka_unit_test(test_refused_user_is_told_when_and_about_what),
        cmocka_unit_test(test_unreadable_orders_cost_nobody_a_token),
        cmocka_unit_test(test_front_end_takes_its_rate_and_sighup_raises_it),
        cmocka_unit_test(test_limited_front_end_names_the_keyed_order_and_answers_other_questions),
        cmocka_unit_test(test_wrong_setting_leaves_the_thresholds_as_they_are),
        STACK_END,
    };

    return run_with_stack("rate_limits", tests, sizeof tests / sizeof *tests, NULL);
}
