/* kill -9 under load: whatever dies, every 202 that a client holds is decided once it is back, and the audit
 * passes. */
#include <signal.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

enum { WAIT_SECONDS = 60, STOCK = 1000000 };

/* A steady load, slow enough to last while things are killed and started. */
static struct load *begin_load(struct stack *s, const char *sku, int connections)
{
    static const struct load_spec steady = {
        .max_orders = 100000, .seconds = 150, .pace_ms = 20, .own_keys = false};
    struct load_spec spec = steady;

    spec.port = s->http_port;
    spec.connections = connections;
    spec.sku = sku;
    assert_int_equal(item_put(s, &(struct item_terms){.sku = sku, .stock = STOCK}), 0);
    return load_start(&spec);
}

static void end_load(struct stack *s, struct load *l, const char *sku)
{
    struct orders_tally tally;

    load_stop(l);
    load_join(l);
    assert_load_is_accounted_for(s, l, sku, STOCK, &tally);
    assert_true(tally.confirmed > 0);
    load_free(l);
}

/* Ends the load in any case, so that the next test begins with a quiet stack. */
static void require(bool holds, struct load *l, const char *what)
{
    if (holds)
        return;
    load_stop(l);
    load_join(l);
    load_print(l);
    load_free(l);
    fail_msg("%s", what);
}

static void test_killed_inventory_loses_nothing(void **state)
{
    struct stack *s = *state;
    struct load *l = begin_load(s, "inventory-dies", 32);

    for (int i = 0; i < 2; i++) {
        require(load_wait_accepted(l, load_accepted(l) + 300, WAIT_SECONDS), l, "no orders are taken");
        require(stack_do(s, "kill", "inventory", NULL) == 0, l, "kill");
        /* Its outage does not stop the taking of orders. */
        require(load_wait_accepted(l, load_accepted(l) + 300, WAIT_SECONDS), l,
                "no orders without inventory");
        require(stack_do(s, "start", "inventory", NULL) == 0, l, "start");
    }
    require(load_wait_accepted(l, load_accepted(l) + 300, WAIT_SECONDS), l, "no orders are taken");
    load_stop(l);
    load_join(l);
    require(load_count_status(l, 202) == load_count(l), l, "something else than 202");
    end_load(s, l, "inventory-dies");
}

struct progress {
    int port;
    int64_t left; /* in the catalogue, when last seen */
};

/* Has inventory decided some of the backlog since it was last asked? */
static bool has_moved_on(void *context)
{
    struct progress *p = context;
    struct http_response response;
    json_t *item;
    int64_t left;

    http_request(p->port, "GET", "/v1/items/backlog", NULL, NULL, &response);
    item = json_body(&response);
    left = json_number(item, "stock_left");
    json_decref(item);
    http_response_free(&response);
    if (left == JSON_NONE || left >= p->left)
        return false;
    p->left = left;
    return true;
}

/* Behind a backlog it is inside a transaction most of the time: killed there again and again, it begins each
 * anew. */
static void test_inventory_killed_while_it_drains_loses_nothing(void **state)
{
    enum { BACKLOG = 30000, KILLS = 6 };
    struct stack *s = *state;
    struct progress progress = {.port = s->http_port, .left = STOCK};
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "backlog", .stock = STOCK}), 0);
    assert_int_equal(stack_stop_gracefully(s, "inventory", "seckill-inventory"), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 128, .max_orders = BACKLOG, .seconds = 120, .sku = "backlog"});
    require(load_count_status(l, 202) == BACKLOG, l, "the backlog is not taken in");
    for (int i = 0; i < KILLS && progress.left > STOCK - BACKLOG; i++) {
        require(stack_do(s, "start", "inventory", NULL) == 0, l, "start");
        require(wait_until(has_moved_on, &progress, WAIT_SECONDS), l, "no order of the backlog is decided");
        require(kill(stack_pid(s, "seckill-inventory"), SIGKILL) == 0, l, "kill");
        require(stack_do(s, "kill", "inventory", NULL) == 0, l, "kill");
    }
    require(stack_do(s, "start", "inventory", NULL) == 0, l, "start");
    assert_load_is_accounted_for(s, l, "backlog", STOCK, &tally);
    assert_int_equal(tally.confirmed, BACKLOG);
    load_free(l);
}

/* Few connections: what the new front end does not know has to be asked for one by one. */
static void test_killed_front_end_loses_nothing(void **state)
{
    struct stack *s = *state;
    struct load *l = begin_load(s, "order-dies", 8);

    for (int i = 0; i < 2; i++) {
        require(load_wait_accepted(l, load_accepted(l) + 50, WAIT_SECONDS), l, "no orders are taken");
        require(stack_do(s, "kill", "order", NULL) == 0, l, "kill");
        require(stack_do(s, "start", "order", NULL) == 0, l, "start");
    }
    require(load_wait_accepted(l, load_accepted(l) + 50, WAIT_SECONDS), l, "no orders after the start");
    end_load(s, l, "order-dies");
}

static void test_killed_broker_loses_nothing(void **state)
{
    struct stack *s = *state;
    pid_t order = stack_pid(s, "seckill-order"), inventory = stack_pid(s, "seckill-inventory");
    struct load *l = begin_load(s, "broker-dies", 32);
    int odd;

    require(load_wait_accepted(l, 500, WAIT_SECONDS), l, "no orders are taken");
    require(stack_do(s, "kill", "broker", NULL) == 0, l, "kill");
    require(load_wait_refused(l, 100, WAIT_SECONDS), l, "no refusals without a broker");
    require(stack_do(s, "start", "broker", NULL) == 0, l, "start");
    require(load_wait_accepted(l, load_accepted(l) + 500, WAIT_SECONDS), l, "no orders after the start");
    load_stop(l);
    load_join(l);
    odd = load_count(l) - load_count_status(l, 202) - load_count_code(l, "unavailable") -
          load_count_code(l, "outcome_unknown");
    require(odd == 0, l, "something else than 202, 503, 504");
    for (int i = 0; i < load_count(l); i++) {
        const struct load_answer *a = load_answer(l, i);

        require(a->status != 503 || a->has_retry_after, l, "a 503 without Retry-After");
        require(a->status != 504 || a->has_location, l, "a 504 without Location");
    }
    end_load(s, l, "broker-dies");
    /* Nobody had to be started again. */
    assert_int_equal(stack_pid(s, "seckill-order"), order);
    assert_int_equal(stack_pid(s, "seckill-inventory"), inventory);
}

/* SIGTERM: each request gets its answer, or finds nobody listening; none is cut off. */
static void test_front_end_drains_on_sigterm(void **state)
{
    struct stack *s = *state;
    struct load *l = begin_load(s, "order-drains", 32);
    int status;

    require(load_wait_accepted(l, 500, WAIT_SECONDS), l, "no orders are taken");
    status = stack_stop_gracefully(s, "order", "seckill-order");
    require(status == 0, l, "the front end does not exit 0");
    require(load_wait_refused(l, 1, WAIT_SECONDS), l, "it still answers");
    load_stop(l);
    load_join(l);
    require(load_count_failure(l, SWARM_LOST) == 0, l, "requests without an answer");
    require(load_count_status(l, 202) + load_count_status(l, 503) + load_count_failure(l, SWARM_REFUSED) ==
                load_count(l),
            l, "something else than 202, 503 or nobody listening");
    require(stack_do(s, "start", "order", NULL) == 0 && stack_wait_ready(s, WAIT_SECONDS), l, "start");
    end_load(s, l, "order-drains");
}

static void test_inventory_ends_on_sigterm_under_load(void **state)
{
    struct stack *s = *state;
    struct load *l = begin_load(s, "inventory-drains", 32);

    require(load_wait_accepted(l, 500, WAIT_SECONDS), l, "no orders are taken");
    require(stack_stop_gracefully(s, "inventory", "seckill-inventory") == 0, l, "inventory does not exit 0");
    require(load_wait_accepted(l, load_accepted(l) + 300, WAIT_SECONDS), l, "no orders without inventory");
    require(stack_do(s, "start", "inventory", NULL) == 0, l, "start");
    end_load(s, l, "inventory-drains");
}

int main(void)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0",
                                       /* Many small transactions: a kill meets one. */
                                       "inventory.max_batch=100", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_killed_inventory_loses_nothing, everything_runs),
        cmocka_unit_test_setup(test_inventory_killed_while_it_drains_loses_nothing, everything_runs),
        cmocka_unit_test_setup(test_killed_front_end_loses_nothing, everything_runs),
        cmocka_unit_test_setup(test_killed_broker_loses_nothing, everything_runs),
        cmocka_unit_test_setup(test_front_end_drains_on_sigterm, everything_runs),
        cmocka_unit_test_setup(test_inventory_ends_on_sigterm_under_load, everything_runs),
        STACK_END,
    };

    return run_with_stack("kills", tests, sizeof tests / sizeof *tests, sets);
}
