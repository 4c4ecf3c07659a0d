/* Who gets a red packet: each confirmed order once, whatever comes again and in whatever order; and that no
 * fen is ever made or lost. */
#include "tests/unit/red_packet_support.h"

/* The lines of redpacket.granted that wait in the outbox. */
static int events(struct packet_fixture *f, struct grant *last)
{
    struct statement *st = NULL;
    int count = 0;
    assert_int_equal(statement_prepare(&st, f->store,
                                       "SELECT body FROM outbox WHERE exchange = 'seckill.events'"
                                       " AND routing_key = 'redpacket.granted' ORDER BY id",
                                       NULL),
                     0);
    while (statement_next(st) == 1) {
        struct slice rest = statement_blob(st, 0), line;
        while (line_next(&rest, &line)) {
            struct event event;
            assert_int_equal(event_decode(line, &event, NULL), 0);
            assert_int_equal(event.kind, EVENT_KIND_GRANTED);
            if (last)
                *last = event.grant;
            count++;
        }
    }
    statement_free(st);
    return count;
}

static void test_a_confirmed_order_gets_a_packet(void **state)
{
    struct packet_fixture *f = *state;
    struct grant grant;
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10,\"min_amount\":5}");
    send_event(f, confirmed(1, "张伟", "phone"));
    assert_int_equal(ask_int(f->store, "SELECT status FROM packet"), PACKET_GRANTED);
    assert_int_equal(ask_int(f->store, "SELECT packets_left FROM campaign"), 9);
    assert_int_equal(ask_int(f->store, "SELECT packets FROM balance WHERE user_id = '张伟'"), 1);
    assert_int_equal(events(f, &grant), 1);
    assert_int_equal(grant.amount, ask_int(f->store, "SELECT amount FROM packet"));
    assert_in_range(grant.amount, 5, 195);
    assert_string_equal(grant.order_id, "00000000000000000000000001");
    assert_string_equal(grant.user_id, "张伟");
    assert_string_equal(grant.sku, "phone");
    assert_int_equal(grant.quantity, 2);
    assert_int_equal(grant.at_ms, ask_int(f->store, "SELECT at_ms FROM packet"));
    assert_packets_conserved(f);
}

static void test_the_last_packet_takes_the_rest_and_then_none_is_left(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":100,\"packets\":3}");
    for (int i = 0; i < 5; i++)
        send_event(f, confirmed(i, "u1", "phone"));
    assert_int_equal(ask_int(f->store, "SELECT budget_left + packets_left FROM campaign"), 0);
    assert_int_equal(ask_int(f->store, "SELECT amount FROM balance"), 100);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM packet WHERE status = 2 AND amount = 0"), 2);
    assert_int_equal(events(f, NULL), 3);
    assert_packets_conserved(f);
}

static void test_an_item_without_campaign_is_recorded_as_such(void **state)
{
    struct packet_fixture *f = *state;
    send_event(f, confirmed(1, "u1", "phone"));
    assert_int_equal(ask_int(f->store, "SELECT status FROM packet"), PACKET_NO_CAMPAIGN);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 0);
    /* And stays so, when its event comes again after a campaign was put up. */
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":100,\"packets\":3}");
    send_event(f, confirmed(1, "u1", "phone"));
    assert_int_equal(ask_int(f->store, "SELECT status FROM packet"), PACKET_NO_CAMPAIGN);
    assert_int_equal(ask_int(f->store, "SELECT packets_left FROM campaign"), 3);
    assert_int_equal(events(f, NULL), 0);
}

static void test_an_event_that_comes_again_changes_nothing(void **state)
{
    struct packet_fixture *f = *state;
    struct buffer body = {0};
    struct decision d = confirmed(1, "u1", "phone");
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    send_event(f, d);
    int64_t amount = ask_int(f->store, "SELECT amount FROM packet");
    send_events(f, (const struct decision[]){d, d, d}, 3);
    decision_encode(&body, &d);
    assert_int_equal(handle_body(f, (struct slice){body.data, body.len}, true), 0);
    assert_int_equal(ask_int(f->store, "SELECT amount FROM packet"), amount);
    assert_int_equal(ask_int(f->store, "SELECT budget_left FROM campaign"), 1000 - amount);
    assert_int_equal(events(f, NULL), 1);
    assert_int_equal(f->t.totals.duplicates, 4);
    assert_int_equal(f->grant.mismatches, 0);
    assert_packets_conserved(f);
    buffer_free(&body);
}

static void test_twice_in_one_message_is_decided_once(void **state)
{
    struct packet_fixture *f = *state;
    struct decision d = confirmed(1, "u1", "phone");
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    send_events(f, (const struct decision[]){d, d}, 2);
    assert_int_equal(ask_int(f->store, "SELECT packets_left FROM campaign"), 9);
    assert_int_equal(events(f, NULL), 1);
    assert_packets_conserved(f);
}

static void test_same_order_with_another_buyer_is_counted_and_the_first_stands(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    send_event(f, confirmed(1, "u1", "phone"));
    send_event(f, confirmed(1, "u2", "phone"));
    send_event(f, confirmed(1, "u1", "tv"));
    assert_int_equal(f->grant.mismatches, 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM balance"), 1);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM packet WHERE user_id = 'u1' AND sku = 'phone'"),
                     1);
    assert_packets_conserved(f);
}

static void test_other_lines_become_dead_letters_alone(void **state)
{
    struct packet_fixture *f = *state;
    struct buffer body = {0};
    struct decision good = confirmed(1, "u1", "phone"), rejected = confirmed(2, "u1", "phone");
    struct grant grant = {
        .order_id = "00000000000000000000000003", .user_id = "u", .sku = "phone", .quantity = 1, .amount = 5};
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    rejected.status = ORDER_REJECTED;
    rejected.reason = REASON_SOLD_OUT;
    decision_encode(&body, &rejected);
    grant_encode(&body, &grant);
    buffer_add_text(&body, "{\"v\":1,\"event\":\"order.shipped\"}\nnonsense\n");
    decision_encode(&body, &good);
    assert_int_equal(handle_body(f, (struct slice){body.data, body.len}, false), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM dead_letter WHERE reason = 'malformed'"), 4);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.dead'"), 4);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM packet"), 1);
    assert_int_equal(
        ask_int(f->store, "SELECT count(*) FROM dead_letter WHERE detail LIKE 'order.rejected is no event%'"),
        1);
    assert_packets_conserved(f);
    buffer_free(&body);
}

/* The whole transaction is rolled back by a line that fails, and done again: memory must not count twice. */
static void test_memory_is_read_again_after_a_rollback(void **state)
{
    struct packet_fixture *f = *state;
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    do_sql(f->store, "CREATE TRIGGER trouble BEFORE INSERT ON balance WHEN NEW.user_id = 'trouble'"
                     " BEGIN SELECT raise(ABORT, 'trouble'); END");
    send_events(f,
                (const struct decision[]){confirmed(1, "u1", "phone"), confirmed(2, "trouble", "phone"),
                                          confirmed(3, "u2", "phone")},
                3);
    assert_int_equal(ask_int(f->store, "SELECT packets_left FROM campaign"), 8);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM packet"), 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM dead_letter WHERE reason = 'failed'"), 1);
    assert_int_equal(events(f, NULL), 2);
    assert_packets_conserved(f);
}

static void test_a_full_disk_leaves_memory_as_the_database_is(void **state)
{
    struct packet_fixture *f = *state;
    struct buffer body = {0};
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000000,\"packets\":1000}");
    for (int i = 0; i < 3000; i++) {
        struct decision d = confirmed(i, "somebody with a long name to fill the pages of this file", "phone");
        decision_encode(&body, &d);
    }
    make_full(f->store);
    assert_true(store_is_fault(handle_body(f, (struct slice){body.data, body.len}, false)));
    make_room(f->store);
    assert_packets_conserved(f);
    assert_int_equal(ask_int(f->store, "SELECT packets_left FROM campaign"), 1000);
    assert_int_equal(handle_body(f, (struct slice){body.data, body.len}, false), 0);
    assert_int_equal(ask_int(f->store, "SELECT budget_left + packets_left FROM campaign"), 0);
    assert_int_equal(events(f, NULL), 1000);
    assert_packets_conserved(f);
    buffer_free(&body);
}

/* A second writer, which the lock keeps out: it must be noticed, not made good. */
static void test_a_database_that_has_less_than_memory_ends_the_process(void **state)
{
    struct packet_fixture *f = *state;
    struct buffer body = {0};
    struct decision d = confirmed(1, "u1", "phone");
    put_or_fail(f, "{\"sku\":\"phone\",\"budget\":1000,\"packets\":10}");
    do_sql(f->store, "UPDATE campaign SET budget_left = 0, packets_left = 0");
    decision_encode(&body, &d);
    assert_int_equal(handle_body(f, (struct slice){body.data, body.len}, false), E_CORRUPT);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM packet"), 0);
    buffer_free(&body);
}

static void test_no_fen_is_made_or_lost_whatever_comes(void **state)
{
    struct packet_fixture *f = *state;
    const struct random_source random = {.next = fixture_random, .context = &f->seed};
    for (int i = 0; i < 4; i++) {
        char question[128];
        snprintf(question, sizeof question,
                 "{\"sku\":\"item-%d\",\"budget\":%d,\"packets\":%d,\"min_amount\":%d}", i, 40000 * i, 60 * i,
                 1 + 50 * i);
        put_or_fail(f, question);
    }
    do_sql(f->store, "CREATE TRIGGER trouble BEFORE INSERT ON balance WHEN NEW.user_id = 'user-0'"
                     " AND NEW.amount % 7 = 0 BEGIN SELECT raise(ABORT, 'trouble'); END");
    for (int round = 0; round < 150; round++) {
        struct decision list[20];
        int count = 1 + (int)random_below(&random, 20);
        for (int i = 0; i < count; i++) {
            char user[16], sku[16];
            snprintf(user, sizeof user, "user-%d", (int)random_below(&random, 12));
            snprintf(sku, sizeof sku, "item-%d", (int)random_below(&random, 5));
            list[i] = confirmed((int)random_below(&random, 900), user, sku);
        }
        send_events(f, list, count);
        if (round % 25 == 10) {
            const struct campaign *c = campaign_find(f->packets, round % 50 == 10 ? "item-3" : "item-2");
            char question[160];
            snprintf(question, sizeof question, "{\"sku\":\"%s\",\"budget\":%lld,\"packets\":%lld}", c->sku,
                     (long long)c->budget + 50000, (long long)c->packets + 5);
            put_or_fail(f, question);
        }
        if (round % 25 == 24) {
            assert_packets_conserved(f);
            packets_close(f); /* and the next process goes on */
            packets_open(f);
        }
    }
    assert_packets_conserved(f);
    assert_true(ask_int(f->store, "SELECT count(*) FROM packet WHERE status = 1") > 100);
    assert_true(ask_int(f->store, "SELECT count(*) FROM packet WHERE status = 2") > 20);
    assert_true(ask_int(f->store, "SELECT count(*) FROM packet WHERE status = 3") > 20);
    assert_true(ask_int(f->store, "SELECT count(*) FROM dead_letter") > 0);
    assert_int_equal(events(f, NULL), ask_int(f->store, "SELECT count(*) FROM packet WHERE status = 1"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, packets_set_up, packets_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_confirmed_order_gets_a_packet),
        TEST(test_the_last_packet_takes_the_rest_and_then_none_is_left),
        TEST(test_an_item_without_campaign_is_recorded_as_such),
        TEST(test_an_event_that_comes_again_changes_nothing),
        TEST(test_twice_in_one_message_is_decided_once),
        TEST(test_same_order_with_another_buyer_is_counted_and_the_first_stands),
        TEST(test_other_lines_become_dead_letters_alone),
        TEST(test_memory_is_read_again_after_a_rollback),
        TEST(test_a_full_disk_leaves_memory_as_the_database_is),
        TEST(test_a_database_that_has_less_than_memory_ends_the_process),
        TEST(test_no_fen_is_made_or_lost_whatever_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
