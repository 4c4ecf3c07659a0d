/* The checks of --verify, each against the one lie that it is there for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/slice.h"
#include "loadtest/replay/verify.h"

#define ORDERS 6

/* Six orders of one unit: users 1 to 3 twice each, keys 1 to 6, all of one item with a stock of 6 and a limit
 * of 2, and all confirmed, until a test lies about something. */
struct fixture {
    struct intent intents[ORDERS];
    struct plan plan;
    struct accepted accepted[ORDERS];
    struct item_told then, now;
    struct verification v;
};

static int set_up(void **state)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.plan.intents = f.intents;
    f.plan.count = ORDERS;
    (void)plan_names_add(&f.plan.skus, slice_of("phone"));
    for (uint32_t i = 0; i < ORDERS; i++) {
        f.intents[i] = (struct intent){.user = 1 + i / 2, .key = i + 1, .quantity = 1};
        f.accepted[i].intent = i;
        snprintf(f.accepted[i].order_id, sizeof f.accepted[i].order_id, "%026u", i);
    }
    f.then = (struct item_told){.sku = "phone", .stock_total = 6, .stock_left = 6, .limit_per_user = 2};
    f.now = f.then;
    f.now.stock_left = 0;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    verification_free(&f->v);
    f->plan.intents = NULL; /* they are the fixture's */
    plan_free(&f->plan);
    return 0;
}

static void begin(struct fixture *f)
{
    verification_begin(&f->v, &f->plan, f->accepted, ORDERS);
    for (size_t i = 0; i < f->v.count; i++) {
        f->v.orders[i].decision = CONFIRMED;
        f->v.orders[i].receipt = (int64_t)i + 1;
        f->v.orders[i].asked_again = true;
    }
}

static void end(struct fixture *f)
{
    const struct items before = {.list = &f->then, .count = 1}, after = {.list = &f->now, .count = 1};
    verification_end(&f->v, &f->plan, &before, &after);
}

/* The check fails, with this in its example, and no other one does. */
static void assert_only(const struct fixture *f, enum check_kind kind, const char *example)
{
    for (int i = 0; i < CHECK_COUNT; i++)
        if ((f->v.checks[i].failed > 0) != (i == (int)kind))
            fail_msg("%s: failed %d times", f->v.checks[i].says, (int)f->v.checks[i].failed);
    assert_non_null(strstr(f->v.checks[kind].example, example));
    assert_false(verification_holds(&f->v));
}

static void test_what_is_true_holds(void **state)
{
    struct fixture *f = *state;
    begin(f);
    end(f);
    assert_true(verification_holds(&f->v));
    assert_int_equal(f->v.confirmed, ORDERS);
    assert_int_equal(f->v.checks[CHECK_LIMIT].checked, 3);
    assert_int_equal(f->v.checks[CHECK_RECEIPTS].checked, ORDERS);
}

static void test_a_repeat_with_its_key_is_one_order(void **state)
{
    struct fixture *f = *state;
    f->intents[5] = f->intents[4];
    memcpy(f->accepted[5].order_id, f->accepted[4].order_id, sizeof f->accepted[5].order_id);
    begin(f);
    assert_int_equal(f->v.count, ORDERS - 1);
    end(f);
    assert_true(verification_holds(&f->v));
}

static void test_a_key_with_two_orders_is_found(void **state)
{
    struct fixture *f = *state;
    f->intents[5] = f->intents[4];
    begin(f);
    end(f);
    assert_only(f, CHECK_KEYS, "one key got");
}

static void test_an_id_for_two_orders_is_found(void **state)
{
    struct fixture *f = *state;
    memcpy(f->accepted[5].order_id, f->accepted[4].order_id, sizeof f->accepted[5].order_id);
    begin(f);
    end(f);
    assert_only(f, CHECK_KEYS, "two different orders");
}

static void test_an_order_that_is_not_decided_is_found(void **state)
{
    struct fixture *f = *state;
    begin(f);
    f->v.orders[2].decision = UNDECIDED;
    f->v.orders[3].decision = MISSING;
    end(f);
    assert_only(f, CHECK_DECIDED, "not decided in time");
    assert_int_equal(f->v.checks[CHECK_DECIDED].failed, 2);
}

static void test_other_lies_about_one_order_are_found(void **state)
{
    struct fixture *f = *state;
    begin(f);
    f->v.orders[2].differs = true;
    end(f);
    assert_only(f, CHECK_AS_SENT, f->v.orders[2].order_id);
    verification_free(&f->v);
    begin(f);
    f->v.orders[4].changed = true;
    end(f);
    assert_only(f, CHECK_STANDS, f->v.orders[4].order_id);
    verification_free(&f->v);
    begin(f);
    f->v.orders[4].receipt = 2;
    end(f);
    assert_only(f, CHECK_RECEIPTS, f->v.orders[4].order_id);
}

static void test_overselling_is_found(void **state)
{
    struct fixture *f = *state;
    f->then.stock_total = f->now.stock_total = 5;
    begin(f);
    end(f);
    assert_only(f, CHECK_STOCK, "6 units confirmed; stock 5");
    verification_free(&f->v);
    /* What was gone before cannot be sold again … */
    f->then = (struct item_told){.sku = "phone", .stock_total = 9, .stock_left = 5, .limit_per_user = 2};
    f->now.stock_total = 9;
    begin(f);
    end(f);
    assert_only(f, CHECK_STOCK, "4 were sold before");
    verification_free(&f->v);
    /* … but what was added meanwhile can. */
    f->now.stock_total = 10;
    begin(f);
    end(f);
    assert_true(verification_holds(&f->v));
}

static void test_a_buyer_beyond_the_limit_is_found(void **state)
{
    struct fixture *f = *state;
    f->intents[5].user = 1;
    begin(f);
    end(f);
    assert_only(f, CHECK_LIMIT, "u1 got 3 units; the limit is 2");
    verification_free(&f->v);
    f->now.limit_per_user = 3; /* it was raised meanwhile */
    begin(f);
    end(f);
    assert_true(verification_holds(&f->v));
}

#define with_orders(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_orders(test_what_is_true_holds),
        with_orders(test_a_repeat_with_its_key_is_one_order),
        with_orders(test_a_key_with_two_orders_is_found),
        with_orders(test_an_id_for_two_orders_is_found),
        with_orders(test_an_order_that_is_not_decided_is_found),
        with_orders(test_other_lies_about_one_order_are_found),
        with_orders(test_overselling_is_found),
        with_orders(test_a_buyer_beyond_the_limit_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
