/* The audit on hand-made files: a sound deployment passes, and each way of breaking an invariant is caught
 * and named. */
#include "tests/unit/audit_support.h"

#include <jansson.h>

static void test_a_sound_deployment_passes(void **state)
{
    (void)state;
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_int_equal(report.orders, 7);
    assert_int_equal(report.batches, 3);
    assert_int_equal(report.decided, 7);
    assert_int_equal(report.confirmed, 5);
    assert_int_equal(report.unseen_batches, 0);
    assert_true(report.invariants[AUDIT_EVENTS].unchecked);
    assert_non_null(strstr(printed, "every invariant that could be checked holds"));
    assert_non_null(strstr(printed, "unchecked invariant 4: there is no file of seckill-notification and"));
}

static void test_the_json_report_says_the_same(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len;
    run_sql(0, "UPDATE item SET stock_left = 4");
    audit(0);
    FILE *out = open_memstream(&text, &len);
    audit_print_json(&report, out);
    fclose(out);
    json_t *all = json_loads(text, 0, NULL);
    assert_non_null(all);
    assert_true(json_is_false(json_object_get(all, "holds")));
    const json_t *stock = json_array_get(json_object_get(all, "invariants"), AUDIT_STOCK);
    assert_string_equal(json_string_value(json_object_get(stock, "verdict")), "BROKEN");
    assert_int_equal(json_array_size(json_object_get(stock, "findings")), 1);
    json_decref(all);
    free(text);
}

static void test_an_oversold_item_is_named(void **state)
{
    (void)state;
    run_sql(0, "UPDATE item SET stock_left = 6");
    audit(0);
    assert_broken(AUDIT_STOCK, "item \"phone-1\": 5 confirmed + 6 left, of 10 stocked: oversold by 1");
}

static void test_an_undersold_item_is_named(void **state)
{
    (void)state;
    run_sql(1, "UPDATE item SET stock_left = 7");
    audit(0);
    assert_broken(AUDIT_STOCK, "shard 1: item \"tv-1\": 2 confirmed + 7 left, of 10 stocked: undersold by 1");
}

static void test_sales_of_what_is_no_item_are_named(void **state)
{
    (void)state;
    run_sql(1, "DELETE FROM item");
    audit(0);
    assert_broken(AUDIT_STOCK, "2 units are confirmed of \"tv-1\", which is no item");
}

static void test_a_user_beyond_the_limit_is_named(void **state)
{
    (void)state;
    run_sql(0, "UPDATE orders SET limit_per_user = 2");
    audit(0);
    assert_broken(AUDIT_LIMIT,
                  "user \"u1\" has 3 units of \"phone-1\" with order 00000000000000000000000002");
}

static void test_a_limit_that_was_lowered_later_judges_only_later_orders(void **state)
{
    (void)state;
    run_sql(0,
            "UPDATE orders SET limit_per_user = 0 WHERE receipt_no = 1; UPDATE item SET limit_per_user = 1");
    audit(0);
    assert_true(audit_holds(&report));
}

static void test_a_decision_that_vanished_is_noticed(void **state)
{
    (void)state;
    run_sql(0, "DELETE FROM orders WHERE order_id = '00000000000000000000000003'");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE,
                  "shard 0: the batches that were seen have 5 decided orders, and the file has 4");
}

static void test_a_receipt_that_was_given_twice_is_named(void **state)
{
    (void)state;
    run_sql(0, "UPDATE orders SET receipt_no = 1 WHERE receipt_no = 3");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "receipt 1 was given 2 times");
}

static void test_a_confirmed_order_without_a_price_is_named(void **state)
{
    (void)state;
    run_sql(0, "UPDATE orders SET unit_price = NULL WHERE receipt_no = 3");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "order 00000000000000000000000004 is confirmed and has no price");
}

static void test_an_order_of_two_shards_is_named(void **state)
{
    (void)state;
    run_sql(
        1,
        "INSERT INTO orders VALUES ('00000000000000000000000005', 'u3', 'x', 1, 1, 1, 3, NULL, NULL, NULL);"
        "INSERT INTO batch_seen VALUES ('front-9', 1, 1, 1, 0, 0, 1)");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "order 00000000000000000000000005 was decided by 2 shards");
}

static void test_dead_letters_fail(void **state)
{
    (void)state;
    queues.dead = 2;
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "2 dead letters are in seckill.dead");
}

static void test_dead_letters_on_their_way_to_the_queue_fail_too(void **state)
{
    (void)state;
    run_sql(1, "INSERT INTO outbox (exchange, routing_key, body) VALUES ('seckill.events', 'order.rejected', "
               "x'7b7d'), ('seckill.dead', 'seckill.orders.1', x'7b7d'), "
               "('seckill.dead', 'seckill.orders.1', x'7b7d')");
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "2 dead letters are still in the outbox");
}

static void test_a_batch_that_does_not_add_up_is_named(void **state)
{
    (void)state;
    run_sql(0, "UPDATE batch_seen SET duplicates = 0 WHERE producer = 'front-2'");
    audit(0);
    assert_broken(AUDIT_BATCHES,
                  "batch front-2-1 has 3 orders, of which 2 are decided, 0 duplicates, 0 dead");
}

static void test_a_batch_that_shrank_on_its_way_is_named(void **state)
{
    (void)state;
    write_ledger("front-1", "1 3\n2 7\n");
    audit(0);
    assert_broken(AUDIT_BATCHES, "batch front-1-2 was confirmed with 7 orders, and inventory saw 1");
}

static void test_a_ledger_that_contradicts_itself_is_named(void **state)
{
    (void)state;
    write_ledger("front-1", "1 3\n2 1\n1 3\n");
    audit(0);
    assert_true(audit_holds(&report)); /* the same said twice is said once */
    assert_int_equal(report.batches, 3);
    audit_report_free(&report);
    write_ledger("front-1", "1 3\n2 1\n1 4\n");
    audit(0);
    assert_broken(AUDIT_BATCHES, "batch front-1-1 stands in the ledger with 3 orders and with 4");
}

static void test_batches_that_wait_in_the_queue_are_no_breach(void **state)
{
    (void)state;
    write_ledger("front-2", "1 3\n2 40\n3 50\n");
    queues = (struct audit_queues){.ready = 2, .consumers = 0};
    audit(0);
    assert_true(audit_holds(&report));
    assert_int_equal(report.unseen_batches, 2);
    assert_int_equal(report.unseen_orders, 90);
}

static void test_batches_that_no_message_explains_are_lost(void **state)
{
    (void)state;
    write_ledger("front-2", "1 3\n2 40\n3 50\n");
    queues = (struct audit_queues){.ready = 1, .consumers = 0};
    audit(0);
    assert_false(audit_holds(&report));
    assert_int_equal(report.invariants[AUDIT_BATCHES].broken, 1);
    assert_int_equal(report.invariants[AUDIT_DECIDED_ONCE].broken, 1);
    assert_non_null(strstr(printed, "batch front-2-2, confirmed with 40 orders, was never seen"));
    assert_non_null(strstr(printed, "batch front-2-3, confirmed with 50 orders, was never seen"));
}

static void test_lost_is_only_said_when_nothing_moves(void **state)
{
    (void)state;
    write_ledger("front-2", "1 3\n2 40\n");
    queues =
        (struct audit_queues){.ready = 0, .consumers = 1}; /* it may be delivered, which nobody can see */
    audit(0);
    assert_false(report.settled);
    assert_false(audit_holds(&report));
    assert_int_equal(report.invariants[AUDIT_BATCHES].broken, 0);
    assert_non_null(strstr(printed, "not settled: 1 batches"));
    audit_report_free(&report);
    audit(500); /* and still not, after longer than inventory ever needs */
    assert_true(report.settled);
    assert_int_equal(report.invariants[AUDIT_BATCHES].broken, 1);
}

/* The broker of the next test: what is in its queue is decided while the audit looks. */
static int decide_and_look(void *context, struct audit_queues *out, struct detail *why)
{
    int *looks = context;
    (void)why;
    if (++*looks == 3)
        run_sql(0, "INSERT INTO batch_seen VALUES ('front-2', 2, 40, 0, 40, 0, 1)");
    *out = (struct audit_queues){.ready = *looks < 3, .consumers = 1};
    return 0;
}

static void test_the_audit_waits_for_what_is_under_way(void **state)
{
    (void)state;
    int looks = 0;
    const char *list[SHARDS] = {paths[0], paths[1]};
    const struct audit_options options = {.stores = list,
                                          .store_count = SHARDS,
                                          .ledger_dir = ledger_dir,
                                          .wait_ms = 60000,
                                          .look = decide_and_look,
                                          .context = &looks};
    write_ledger("front-2", "1 3\n2 40\n");
    assert_int_equal(audit_run(&options, &report, NULL), 0);
    assert_true(audit_holds(&report));
    assert_int_equal(looks, 3);
}

static void test_what_keeps_it_from_looking_is_no_verdict(void **state)
{
    (void)state;
    struct detail why;
    write_ledger("front-3", "1 x\n");
    assert_int_equal(run_audit(0, &why), E_CORRUPT);
    assert_non_null(strstr(why.text, "front-3.ledger: line 2"));
    write_ledger("front-3", "");
    char path[sizeof(paths[1])];
    strcpy(path, paths[1]);
    strcat(paths[1], ".gone");
    assert_int_equal(run_audit(0, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, "inventory.1.db.gone"));
    strcpy(paths[1], path);
    run_sql(1, "PRAGMA user_version = 99");
    assert_int_equal(run_audit(0, &why), E_NEWER);
    assert_non_null(strstr(why.text, "inventory.1.db"));
    run_sql(1, "PRAGMA user_version = 1");
    assert_int_equal(run_audit(0, &why), E_INVALID);
}

/* ---- dead letters, as the files tell of them ---- */

static const char one_letter[] = "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms) "
                                 "VALUES ('abc', 2, 1, 'malformed', "
                                 "'no JSON', 1)";

static void test_an_unsettled_letter_is_named(void **state)
{
    (void)state;
    run_sql(1, one_letter);
    queues.dead = 1;
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "inventory of shard 1: dead letter dead-abc-2 with 1 lines waits to be "
                                      "replayed or dropped (malformed: no JSON)");
    assert_int_equal(report.invariants[AUDIT_DECIDED_ONCE].broken, 1);
    assert_null(strstr(printed, "purged"));
}

static void test_a_purge_by_hand_is_seen(void **state)
{
    (void)state;
    run_sql(1, one_letter);
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE, "1 of the dead letters above are not in seckill.dead: purged by hand");
}

static void test_letters_that_were_replayed_or_dropped_by_name_pass(void **state)
{
    (void)state;
    run_sql(1, one_letter);
    run_sql(1, "INSERT INTO dead_letter VALUES ('b', 0, 3, 'poison', '', 1, 'dropped', 2, 1)");
    run_sql(1, "UPDATE dead_letter SET settled = 'replayed' WHERE settled IS NULL");
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_non_null(strstr(printed, "of 2 that were made, 1 were replayed, 1 dropped, 0 neither"));
    audit_report_free(&report);
    queues.dead = 1; /* its second copy, after a crash between the owner's word and the acknowledgement */
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE,
                  "1 dead letters are in seckill.dead beside those that a file waits for");
}

/* A batch of three, one of which was dead: replayed, it was decided under no batch. */
static void test_an_order_that_was_replayed_and_decided_adds_up(void **state)
{
    (void)state;
    run_sql(0, "UPDATE batch_seen SET decided = 2, dead = 1 WHERE producer = 'front-1';"
               "INSERT INTO batch_seen VALUES ('', 0, 1, 1, 0, 0, 1)");
    run_sql(0, one_letter);
    run_sql(0, "UPDATE dead_letter SET settled = 'replayed'");
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    audit_report_free(&report);
    run_sql(0, "DELETE FROM dead_letter");
    audit(0);
    assert_broken(AUDIT_BATCHES, "have 1 dead orders, and the file has dead letters for 0");
}

static void test_an_order_that_was_dropped_adds_up(void **state)
{
    (void)state;
    run_sql(0, "UPDATE batch_seen SET decided = 2, dead = 1 WHERE producer = 'front-1';"
               "DELETE FROM orders WHERE order_id = '00000000000000000000000005'");
    run_sql(0, one_letter);
    run_sql(0, "UPDATE dead_letter SET settled = 'dropped'");
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_sound_deployment_passes),
        TEST(test_the_json_report_says_the_same),
        TEST(test_an_oversold_item_is_named),
        TEST(test_an_undersold_item_is_named),
        TEST(test_sales_of_what_is_no_item_are_named),
        TEST(test_a_user_beyond_the_limit_is_named),
        TEST(test_a_limit_that_was_lowered_later_judges_only_later_orders),
        TEST(test_a_decision_that_vanished_is_noticed),
        TEST(test_a_receipt_that_was_given_twice_is_named),
        TEST(test_a_confirmed_order_without_a_price_is_named),
        TEST(test_an_order_of_two_shards_is_named),
        TEST(test_dead_letters_fail),
        TEST(test_dead_letters_on_their_way_to_the_queue_fail_too),
        TEST(test_a_batch_that_does_not_add_up_is_named),
        TEST(test_a_batch_that_shrank_on_its_way_is_named),
        TEST(test_a_ledger_that_contradicts_itself_is_named),
        TEST(test_batches_that_wait_in_the_queue_are_no_breach),
        TEST(test_batches_that_no_message_explains_are_lost),
        TEST(test_lost_is_only_said_when_nothing_moves),
        TEST(test_the_audit_waits_for_what_is_under_way),
        TEST(test_what_keeps_it_from_looking_is_no_verdict),
        TEST(test_an_unsettled_letter_is_named),
        TEST(test_a_purge_by_hand_is_seen),
        TEST(test_letters_that_were_replayed_or_dropped_by_name_pass),
        TEST(test_an_order_that_was_replayed_and_decided_adds_up),
        TEST(test_an_order_that_was_dropped_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
