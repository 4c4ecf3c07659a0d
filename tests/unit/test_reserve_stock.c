/* Who gets what is left: every reason, duplicates, the limit, the edges of the window, and that no unit is
 * ever made or lost. */
#include "tests/unit/stock_support.h"

#include "common/base/clock.h"

#define NOW INT64_C(1795348800000)

static const struct item plain = {
    .sku = "phone", .name = "phone", .unit_price = 1999, .stock_total = 10, .stock_left = 10, .shard = 3};

static void put(struct stock_fixture *f, const struct item *item)
{
    assert_int_equal(stock_put_item(f->stock, item, NOW), 0);
}

/* An id of 26 characters that ends in the number. */
static void make_id(char id[ORDER_ID_SIZE], int number)
{
    snprintf(id, ORDER_ID_SIZE, "%026d", number);
}

static struct order order_of(int number, const char *user, int quantity)
{
    struct order o = {.quantity = quantity, .accepted_ms = clock_wall_ms(), .sku = "phone"};
    make_id(o.order_id, number);
    snprintf(o.user_id, sizeof o.user_id, "%s", user);
    return o;
}

/* Sends the orders as one message that is to be answered to "asker". */
static void send(struct stock_fixture *f, const struct order *orders, int count)
{
    struct buffer body = {0};
    for (int i = 0; i < count; i++)
        order_encode(&body, &orders[i]);
    struct inbound m = {.producer = slice_of("p"),
                        .seq = ++f->next_seq,
                        .orders = count,
                        .reply_to = slice_of("asker"),
                        .body = {.data = body.data, .len = body.len}};
    struct inbound *list[] = {&m};
    assert_int_equal(transaction_handle(&f->t, list, 1), 0);
    buffer_free(&body);
}

/* Decides one order and returns why not; REASON_NONE: confirmed. The reply and the stored row must agree. */
static enum reject_reason decide(struct stock_fixture *f, struct order o)
{
    struct decision stored;
    send(f, &o, 1);
    assert_int_equal(stock_find_order(f->stock, o.order_id, &stored), 0);
    assert_string_equal(reply.queue, "asker");
    assert_string_equal(reply.decision.order_id, o.order_id);
    assert_int_equal(reply.decision.reason, stored.reason);
    assert_int_equal(reply.decision.receipt_no, stored.receipt_no);
    return stored.reason;
}

static int64_t left(struct stock_fixture *f)
{
    int64_t in_database = ask_int(f->store, "SELECT stock_left FROM item WHERE sku = 'phone'");
    assert_int_equal(stock_find(f->stock, "phone")->item.stock_left, in_database);
    return in_database;
}

static void test_confirmed_takes_stock_and_gets_price_and_receipt(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    assert_int_equal(decide(f, order_of(1, "u1", 3)), REASON_NONE);
    assert_int_equal(left(f), 7);
    assert_int_equal(reply.decision.status, ORDER_CONFIRMED);
    assert_int_equal(reply.decision.unit_price, 1999);
    assert_int_equal(reply.decision.total, 3 * 1999);
    assert_int_equal(reply.decision.receipt_no, 1);
    assert_int_equal(decide(f, order_of(2, "u1", 1)), REASON_NONE);
    assert_int_equal(reply.decision.receipt_no, 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.events' AND"
                                       " routing_key = 'order.confirmed'"),
                     2);
}

static void test_each_reason(void **state)
{
    struct stock_fixture *f = *state;
    struct item item = plain;
    assert_int_equal(decide(f, order_of(1, "u1", 1)), REASON_UNKNOWN_ITEM);
    item.paused = true;
    put(f, &item);
    assert_int_equal(decide(f, order_of(2, "u1", 1)), REASON_SALE_PAUSED);
    item.paused = false;
    item.starts_ms = clock_wall_ms() + 1000000;
    put(f, &item);
    assert_int_equal(decide(f, order_of(3, "u1", 1)), REASON_SALE_NOT_STARTED);
    item.starts_ms = 0;
    item.ends_ms = 1;
    put(f, &item);
    assert_int_equal(decide(f, order_of(4, "u1", 1)), REASON_SALE_ENDED);
    item.ends_ms = 0;
    put(f, &item);
    assert_int_equal(decide(f, order_of(5, "u1", 11)), REASON_SOLD_OUT);
    item.limit_per_user = 2;
    put(f, &item);
    assert_int_equal(decide(f, order_of(6, "u1", 3)), REASON_LIMIT_EXCEEDED);
    assert_int_equal(left(f), 10);
    assert_int_equal(ask_int(f->store, "SELECT receipt_no FROM shard"), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox WHERE routing_key = 'order.rejected'"),
                     6);
}

static void test_sold_out_exactly_at_the_stock(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    struct order orders[12];
    for (int i = 0; i < 12; i++)
        orders[i] = order_of(i, "u1", 1);
    send(f, orders, 12);
    assert_int_equal(left(f), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM orders WHERE reason = 0"), 10);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM orders WHERE reason = 1"), 2);
}

static void test_small_order_still_gets_what_a_large_one_did_not(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    assert_int_equal(decide(f, order_of(1, "u1", 8)), REASON_NONE);
    assert_int_equal(decide(f, order_of(2, "u1", 3)), REASON_SOLD_OUT);
    assert_int_equal(decide(f, order_of(3, "u1", 2)), REASON_NONE);
    assert_int_equal(left(f), 0);
}

static void test_limit_counts_confirmed_units_of_this_user_and_item(void **state)
{
    struct stock_fixture *f = *state;
    struct item item = plain;
    item.limit_per_user = 3;
    put(f, &item);
    struct order orders[] = {order_of(1, "u1", 2), order_of(2, "u1", 2), order_of(3, "u1", 1),
                             order_of(4, "u2", 3)};
    send(f, orders, 4); /* in one transaction, the second must see the first */
    assert_int_equal(ask_int(f->store, "SELECT sum(reason = 2) FROM orders"), 1);
    assert_int_equal(ask_int(f->store, "SELECT units FROM buyer WHERE user_id = 'u1'"), 3);
    assert_int_equal(decide(f, order_of(5, "u2", 1)), REASON_LIMIT_EXCEEDED);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM orders WHERE reason = 0 AND limit_per_user = 3"),
                     3);
    assert_int_equal(left(f), 4);
}

static void test_limit_that_comes_later_counts_what_was_bought_before(void **state)
{
    struct stock_fixture *f = *state;
    struct item item = plain;
    put(f, &item);
    assert_int_equal(decide(f, order_of(1, "u1", 2)), REASON_NONE);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM buyer"), 0); /* no row where there is no limit */
    item = stock_find(f->stock, "phone")->item;
    item.limit_per_user = 2;
    put(f, &item);
    assert_int_equal(decide(f, order_of(2, "u1", 1)), REASON_LIMIT_EXCEEDED);
    assert_int_equal(decide(f, order_of(3, "u2", 2)), REASON_NONE);
    item = stock_find(f->stock, "phone")->item;
    item.limit_per_user = 0;
    put(f, &item);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM buyer"), 0);
    assert_int_equal(decide(f, order_of(4, "u1", 5)), REASON_NONE);
}

static void test_duplicate_inserts_nothing_and_gets_the_stored_decision(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    struct order o = order_of(1, "u1", 2);
    assert_int_equal(decide(f, o), REASON_NONE);
    struct decision first = reply.decision;
    int64_t rows = ask_int(f->store, "SELECT count(*) FROM outbox");
    assert_int_equal(decide(f, o), REASON_NONE);
    assert_int_equal(reply.lines, 2);
    assert_int_equal(reply.decision.receipt_no, first.receipt_no);
    assert_int_equal(reply.decision.at_ms, first.at_ms);
    assert_int_equal(left(f), 8);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), rows);
    assert_int_equal(ask_int(f->store, "SELECT duplicates FROM batch_seen WHERE seq = 2"), 1);
    assert_int_equal(f->reserve.mismatches, 0);
}

static void test_duplicate_of_a_rejected_order_stays_rejected(void **state)
{
    struct stock_fixture *f = *state;
    struct order o = order_of(1, "u1", 2);
    assert_int_equal(decide(f, o), REASON_UNKNOWN_ITEM);
    put(f, &plain);
    assert_int_equal(decide(f, o), REASON_UNKNOWN_ITEM);
    assert_int_equal(left(f), 10);
}

static void test_duplicate_in_the_same_message_is_decided_once(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    struct order orders[] = {order_of(1, "u1", 2), order_of(1, "u1", 2), order_of(2, "u2", 1)};
    send(f, orders, 3);
    assert_int_equal(left(f), 7);
    assert_int_equal(reply.lines, 3);
    assert_int_equal(ask_int(f->store, "SELECT decided * 10 + duplicates FROM batch_seen"), 21);
    assert_int_equal(ask_int(f->store, "SELECT receipt_no FROM shard"), 2);
}

static void test_same_id_with_another_body_is_counted_and_the_first_stands(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    assert_int_equal(decide(f, order_of(1, "u1", 2)), REASON_NONE);
    assert_int_equal(decide(f, order_of(1, "u1", 3)), REASON_NONE);
    assert_int_equal(reply.decision.quantity, 2);
    assert_int_equal(decide(f, order_of(1, "u2", 2)), REASON_NONE);
    assert_string_equal(reply.decision.user_id, "u1");
    struct order other = order_of(1, "u1", 2);
    strcpy(other.sku, "tv");
    send(f, &other, 1);
    assert_string_equal(reply.decision.sku, "phone");
    assert_int_equal(f->reserve.mismatches, 3);
    assert_int_equal(ask_int(f->store, "SELECT mismatches FROM shard"), 3);
    assert_int_equal(left(f), 8);
}

static void test_window_is_judged_by_acceptance_but_never_later_than_now(void **state)
{
    (void)state;
    struct item item = plain;
    struct order o = order_of(1, "u1", 1);
    item.starts_ms = 1000;
    item.ends_ms = 2000;
    const struct {
        int64_t accepted_ms, now_ms;
        enum reject_reason reason;
    } cases[] = {
        {999, 1500, REASON_SALE_NOT_STARTED},
        {1000, 1500, REASON_NONE},
        {1999, 5000, REASON_NONE},
        {2000, 5000, REASON_SALE_ENDED},
        {1500, 999, REASON_SALE_NOT_STARTED},
        {9999, 1500, REASON_NONE}, /* a front end whose clock is ahead */
        {9999, 2000, REASON_SALE_ENDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o.accepted_ms = cases[i].accepted_ms;
        assert_int_equal(judge_item(&item, &o, cases[i].now_ms), cases[i].reason);
    }
    item.starts_ms = item.ends_ms = 0; /* open on both sides */
    assert_int_equal(judge_item(&item, &o, 0), REASON_NONE);
}

static void test_reasons_have_an_order(void **state)
{
    (void)state;
    struct item item = plain;
    struct order o = order_of(1, "u1", 1);
    o.accepted_ms = 5000;
    item.paused = true;
    item.ends_ms = 1;
    item.stock_left = 0;
    assert_int_equal(judge_item(NULL, &o, 5000), REASON_UNKNOWN_ITEM);
    assert_int_equal(judge_item(&item, &o, 5000), REASON_SALE_PAUSED);
    item.paused = false;
    assert_int_equal(judge_item(&item, &o, 5000), REASON_SALE_ENDED);
    item.ends_ms = 0;
    assert_int_equal(judge_item(&item, &o, 5000), REASON_SOLD_OUT);
    assert_int_equal(judge_limit(0, 1000000, 1000), REASON_NONE);
    assert_int_equal(judge_limit(2, 1, 1), REASON_NONE);
    assert_int_equal(judge_limit(2, 2, 1), REASON_LIMIT_EXCEEDED);
}

static void test_line_may_name_its_own_reply_queue(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    struct inbound m = {
        .orders = 1,
        .reply_to = slice_of("asker"),
        .body = slice_of(
            "{\"v\":1,\"order_id\":\"00000000000000000000000009\",\"user_id\":\"u\",\"sku\":\"phone\","
            "\"reply_to\":\"mine\"}\n"),
    };
    struct inbound *list[] = {&m};
    assert_int_equal(transaction_handle(&f->t, list, 1), 0);
    assert_string_equal(reply.queue, "mine");
    assert_int_equal(reply.decision.quantity, 1);
}

/* The whole transaction is rolled back by a line that fails, and done again: memory must not count twice. */
static void test_memory_is_read_again_after_a_rollback(void **state)
{
    struct stock_fixture *f = *state;
    struct item item = plain;
    item.limit_per_user = 9;
    put(f, &item);
    do_sql(f->store, "CREATE TRIGGER trouble BEFORE INSERT ON orders WHEN NEW.user_id = 'trouble'"
                     " BEGIN SELECT raise(ABORT, 'trouble'); END");
    struct order orders[] = {order_of(1, "u1", 2), order_of(2, "trouble", 1), order_of(3, "u1", 3)};
    send(f, orders, 3);
    assert_int_equal(left(f), 5);
    assert_int_equal(ask_int(f->store, "SELECT units FROM buyer"), 5);
    assert_int_equal(ask_int(f->store, "SELECT decided * 10 + dead FROM batch_seen"), 21);
    assert_int_equal(ask_int(f->store, "SELECT max(receipt_no) FROM orders"), 2);
    assert_int_equal(ask_int(f->store, "SELECT receipt_no FROM shard"), 2);
    assert_int_equal(reply.lines, 2);
}

static void test_full_disk_leaves_memory_as_the_database_is(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    struct buffer body = {0};
    for (int i = 0; i < 3000; i++) {
        struct order o = order_of(i, "somebody with a long name to fill the pages of this file", 1);
        order_encode(&body, &o);
    }
    struct inbound m = {.orders = 3000, .body = {.data = body.data, .len = body.len}};
    struct inbound *list[] = {&m};
    make_full(f->store);
    assert_true(store_is_fault(transaction_handle(&f->t, list, 1)));
    make_room(f->store);
    assert_int_equal(left(f), 10);
    assert_int_equal(reply.lines, 0);
    assert_int_equal(transaction_handle(&f->t, list, 1), 0);
    assert_int_equal(left(f), 0);
    assert_int_equal(ask_int(f->store, "SELECT max(receipt_no) FROM orders"), 10);
    buffer_free(&body);
}

static void test_take_over_continues_receipts_and_raises_the_epoch(void **state)
{
    struct stock_fixture *f = *state;
    put(f, &plain);
    assert_int_equal(decide(f, order_of(1, "u1", 1)), REASON_NONE);
    do_sql(f->store, "UPDATE shard SET epoch = 9000000000000"); /* the clock was ahead once */
    stock_close(f);
    stock_open(f);
    assert_int_equal(stock_store_epoch(f->stock), 9000000000001);
    assert_int_equal(decide(f, order_of(2, "u1", 1)), REASON_NONE);
    assert_int_equal(reply.decision.receipt_no, 2);
    assert_int_equal(left(f), 8);
}

static void test_file_of_another_shard_is_refused(void **state)
{
    struct stock_fixture *f = *state;
    struct stock_store *other = NULL;
    struct detail why = {.text = ""};
    assert_int_equal(stock_store_new(&other, f->store, 4, &why), E_INVALID);
    assert_non_null(strstr(why.text, "belongs to shard 3"));
}

/* ---- anything at all, in any order ---- */

static uint32_t next_random(uint64_t *seed) /* splitmix64: the same on every machine */
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static void assert_conserved(struct stock_fixture *f)
{
    assert_int_equal(
        ask_int(f->store,
                "SELECT count(*) FROM item i WHERE stock_left < 0 OR stock_total <> stock_left +"
                " (SELECT coalesce(sum(quantity), 0) FROM orders o WHERE o.sku = i.sku AND reason = 0)"),
        0);
    assert_int_equal(
        ask_int(f->store, "SELECT count(*) FROM (SELECT 1 FROM orders WHERE reason = 0 AND limit_per_user > 0"
                          " GROUP BY sku, user_id HAVING sum(quantity) > max(limit_per_user))"),
        0);
    assert_int_equal(ask_int(f->store, "SELECT count(receipt_no) - count(DISTINCT receipt_no) FROM orders"),
                     0);
    assert_int_equal(ask_int(f->store, "SELECT coalesce(max(receipt_no), 0) - count(receipt_no) FROM orders"),
                     0);
    assert_int_equal(
        ask_int(f->store, "SELECT count(*) FROM batch_seen WHERE orders <> decided + duplicates + dead"), 0);
    assert_int_equal(ask_int(f->store, "SELECT sum(decided) - (SELECT count(*) FROM orders) FROM batch_seen"),
                     0);
    size_t count;
    const struct stock_item *items = stock_items(f->stock, &count);
    for (size_t i = 0; i < count; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT stock_left FROM item WHERE sku = '%s'", items[i].item.sku);
        assert_int_equal(items[i].item.stock_left, ask_int(f->store, sql));
    }
}

static void test_no_unit_is_made_or_lost_whatever_comes(void **state)
{
    struct stock_fixture *f = *state;
    uint64_t seed = 20261122;
    for (int i = 0; i < 5; i++) {
        struct item item = plain;
        snprintf(item.sku, sizeof item.sku, "item-%d", i);
        item.stock_total = item.stock_left = 40 * i;
        item.limit_per_user = i % 2 ? 4 : 0;
        put(f, &item);
    }
    do_sql(f->store,
           "CREATE TRIGGER trouble BEFORE INSERT ON orders WHEN NEW.user_id = 'user-0' AND NEW.quantity = 3"
           " BEGIN SELECT raise(ABORT, 'trouble'); END");
    for (int round = 0; round < 150; round++) {
        struct order orders[20];
        int count = 1 + (int)(next_random(&seed) % 20);
        for (int i = 0; i < count; i++) {
            char user[16];
            snprintf(user, sizeof user, "user-%u", next_random(&seed) % 12);
            orders[i] = order_of((int)(next_random(&seed) % 1500), user, 1 + (int)(next_random(&seed) % 3));
            snprintf(orders[i].sku, sizeof orders[i].sku, "item-%u", next_random(&seed) % 6);
        }
        send(f, orders, count);
        if (round % 25 == 24) {
            assert_conserved(f);
            stock_close(f); /* and the next process goes on */
            stock_open(f);
        }
    }
    assert_true(ask_int(f->store, "SELECT count(*) FROM orders WHERE reason = 0") > 100);
    assert_true(ask_int(f->store, "SELECT sum(duplicates) FROM batch_seen") > 100);
    assert_true(ask_int(f->store, "SELECT sum(dead) FROM batch_seen") > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, stock_set_up, stock_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_confirmed_takes_stock_and_gets_price_and_receipt),
        TEST(test_each_reason),
        TEST(test_sold_out_exactly_at_the_stock),
        TEST(test_small_order_still_gets_what_a_large_one_did_not),
        TEST(test_limit_counts_confirmed_units_of_this_user_and_item),
        TEST(test_limit_that_comes_later_counts_what_was_bought_before),
        TEST(test_duplicate_inserts_nothing_and_gets_the_stored_decision),
        TEST(test_duplicate_of_a_rejected_order_stays_rejected),
        TEST(test_duplicate_in_the_same_message_is_decided_once),
        TEST(test_same_id_with_another_body_is_counted_and_the_first_stands),
        cmocka_unit_test(test_window_is_judged_by_acceptance_but_never_later_than_now),
        cmocka_unit_test(test_reasons_have_an_order),
        TEST(test_line_may_name_its_own_reply_queue),
        TEST(test_memory_is_read_again_after_a_rollback),
        TEST(test_full_disk_leaves_memory_as_the_database_is),
        TEST(test_take_over_continues_receipts_and_raises_the_epoch),
        TEST(test_file_of_another_shard_is_refused),
        TEST(test_no_unit_is_made_or_lost_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
