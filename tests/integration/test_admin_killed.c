/* Inventory killed between an operator's question and its answer: whoever asked is told that there is no
 * telling, never a wrong answer and never another's; and what is sent again counts once. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/admin.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/faults.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"

enum { WAIT_SECONDS = 60, STOCK = 10, MORE = 5, ASKERS = 8 };

#define TV "{\"unit_price\":5,\"stock\":10}"

static void restart_with(struct stack *s, struct armed *a, const char *faults)
{
    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(faults_start(a, s, "inventory", faults, NULL), 0);
    assert_true(stack_wait_ready(s, WAIT_SECONDS));
}

static bool snapshot_is_fresh(void *context)
{
    struct stack *s = context;
    struct http_response response;
    bool fresh = http_request(s->http_port, "GET", "/readyz", NULL, NULL, &response) == 0 &&
                 strstr(response.body, "\"ready\"");

    http_response_free(&response);
    return fresh;
}

/* The answer to whoever asked what was not answered. */
static void assert_no_telling(struct http_response *response, const char *word)
{
    json_t *body = assert_problem(response, 504, "outcome_unknown");

    assert_non_null(strstr(json_text(body, "detail"), "may or may not"));
    assert_non_null(strstr(json_text(body, "detail"), word));
    json_decref(body);
    http_response_free(response);
}

/* Killed before its commit, and after it: both times the restock is told of as unknown, and the same again
 * adds it once. */
static void test_a_restock_sent_again_counts_once_whenever_inventory_was_killed(void **state)
{
    static const struct {
        const char *point;
        bool is_done; /* by then */
    } cases[] = {{"item.before_commit:kill", false}, {"item.committed:kill", true}};
    struct stack *s = *state;
    int64_t stock = STOCK;

    json_decref(admin_put(s, s->http_port, "restocked", TV, 201));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response;
        struct armed a;
        char headers[64];

        restart_with(s, &a, cases[i].point);
        assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
        snprintf(headers, sizeof headers, "Idempotency-Key: kill-%zu\r\n", i);
        admin_send(s, s->http_port, "POST", "/v1/items/restocked/restock", headers, "{\"quantity\":5}",
                   &response);
        assert_true(faults_wait_killed(&a, WAIT_SECONDS));
        assert_no_telling(&response, "Idempotency-Key");
        assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
        assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
        assert_int_equal(item_left(s, "restocked"), stock + (cases[i].is_done ? MORE : 0));
        stock += MORE;
        for (int again = 0; again < 2; again++) {
            snprintf(headers, sizeof headers, "kill-%zu", i);
            json_t *answer = admin_restock(s, s->http_port, "restocked", headers, MORE, 200);
            assert_int_equal(json_number(answer, "stock_total"), stock);
            json_decref(answer);
        }
        assert_int_equal(item_left(s, "restocked"), stock);
    }
}

struct asker {
    pthread_t thread;
    struct stack *stack;
    int number;
    struct http_response response;
};

static void *ask(void *context)
{
    struct asker *a = context;
    char path[64], body[64];

    snprintf(path, sizeof path, "/v1/items/mine-%d", a->number);
    snprintf(body, sizeof body, "{\"unit_price\":%d,\"stock\":1}", 1000 + a->number);
    admin_send(a->stack, a->stack->http_port, "PUT", path, NULL, body, &a->response);
    return NULL;
}

/* Many ask at once, and the server dies in their midst: who has an answer has his own, and it is true. */
static void test_nobody_gets_anothers_answer(void **state)
{
    struct stack *s = *state;
    struct asker askers[ASKERS];
    struct armed a;
    int answered = 0, unknown = 0;

    restart_with(s, &a, "item.committed:kill@4");
    assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.stack = s, .number = i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++)
        pthread_join(askers[i].thread, NULL);
    assert_true(faults_wait_killed(&a, WAIT_SECONDS));
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    for (int i = 0; i < ASKERS; i++) {
        struct http_response *r = &askers[i].response;
        char sku[32];

        snprintf(sku, sizeof sku, "mine-%d", i);
        if (r->status == 201) {
            json_t *item = json_body(r);

            assert_string_equal(json_text(item, "sku"), sku);
            assert_int_equal(json_number(item, "unit_price"), 1000 + i);
            assert_int_equal(item_left(s, sku), 1);
            json_decref(item);
            http_response_free(r);
            answered++;
        } else {
            assert_no_telling(r, "look at the item");
            unknown++;
        }
    }
    /* Those before the fourth were answered, the fourth was not. */
    assert_in_range(answered, 1, ASKERS - 1);
    assert_in_range(unknown, 1, ASKERS - 3);
}

/* An answer that comes after the asker was told that there is none, is nobody's: the next one gets his own.
 */
static void test_a_late_answer_is_not_the_next_ones(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    struct armed a;

    restart_with(s, &a, "item.committed:delay=6000");
    assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
    admin_send(s, s->http_port, "PUT", "/v1/items/late", NULL, TV, &response);
    assert_no_telling(&response, "look at the item");
    assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
    json_t *item = admin_put(s, s->http_port, "next", "{\"unit_price\":77,\"stock\":1}", 201);
    assert_string_equal(json_text(item, "sku"), "next");
    assert_int_equal(json_number(item, "unit_price"), 77);
    json_decref(item);
    json_decref(admin_put(s, s->http_port, "late", TV, 200)); /* it had been made */
}

/* Under load, with a kill -9 between the commit and the answer. */
static void test_a_restock_under_load_survives_a_kill(void **state)
{
    struct stack *s = *state;
    struct http_response response;
    struct orders_tally tally;
    struct armed a;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "hot", .stock = 100}), 0);
    restart_with(s, &a, "item.committed:kill");
    assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
    struct load *l = load_start(&(struct load_spec){.port = s->http_port,
                                                    .connections = 32,
                                                    .max_orders = 100000,
                                                    .seconds = 60,
                                                    .sku = "hot",
                                                    .backoff_ms = 5});
    assert_true(load_wait_refused(l, 1, WAIT_SECONDS)); /* sold out */
    admin_send(s, s->http_port, "POST", "/v1/items/hot/restock", "Idempotency-Key: k\r\n",
               "{\"quantity\":400}", &response);
    assert_true(faults_wait_killed(&a, WAIT_SECONDS));
    assert_no_telling(&response, "Idempotency-Key");
    assert_int_equal(stack_do(s, "start", "inventory", NULL), 0);
    assert_true(wait_until(snapshot_is_fresh, s, WAIT_SECONDS));
    json_t *answer = admin_restock(s, s->http_port, "hot", "k", 400, 200);
    assert_int_equal(json_number(answer, "stock_total"), 500);
    json_decref(answer);
    front_end_assert_left(s->http_port, "hot", 0);
    load_stop(l);
    load_join(l);
    assert_load_is_accounted_for(s, l, "hot", 500, &tally);
    assert_int_equal(tally.confirmed_units, 500);
    load_free(l);
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_restock_sent_again_counts_once_whenever_inventory_was_killed),
        cmocka_unit_test_setup(test_nobody_gets_anothers_answer, everything_runs),
        cmocka_unit_test_setup(test_a_late_answer_is_not_the_next_ones, everything_runs),
        cmocka_unit_test_setup(test_a_restock_under_load_survives_a_kill, everything_runs),
        STACK_END,
    };

    return run_with_stack("admin_killed", tests, sizeof tests / sizeof *tests, sets);
}
