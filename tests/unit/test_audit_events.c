/* The audit of what follows a decision: notifications and red packets, on hand-made files. */
#include "tests/unit/audit_support.h"

static void test_sound_events_pass(void **state)
{
    (void)state;
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_int_equal(report.records, 9);
    assert_int_equal(report.packets, 5);
    assert_int_equal(report.granted, 2);
    assert_int_equal(report.invariants[AUDIT_EVENTS].checked, 9 + 5);
    assert_non_null(strstr(printed, "audit: every invariant holds"));
}

/* Each breach alone, by what is done to the files. */
static void test_each_breach_of_the_events_is_named(void **state)
{
    static const struct {
        char file;
        const char *sql, *named;
    } breaches[] = {
        {'n', "DELETE FROM notification WHERE order_id = " ID("4"),
         "order 00000000000000000000000004 has no notification record of order.confirmed"},
        {'n', "DELETE FROM notification WHERE order_id = " ID("3"),
         "order 00000000000000000000000003 has no notification record of order.rejected"},
        {'n', "DELETE FROM notification WHERE order_id = " ID("2") " AND kind = 3",
         "order 00000000000000000000000002 has no notification record of redpacket.granted"},
        {'n', "INSERT INTO notification VALUES (" ID("3") ", 1, 2, 1, NULL, 1, 1)",
         "order 00000000000000000000000003 has a notification record of order.confirmed, which never "
         "happened"},
        {'n', "INSERT INTO notification VALUES (" ID("4") ", 3, 2, 1, NULL, 1, 1)",
         "order 00000000000000000000000004 has a notification record of redpacket.granted, which never"},
        {'n', "INSERT INTO notification VALUES (" ID("9") ", 2, 2, 1, NULL, 1, 1)",
         "order 00000000000000000000000009 has a notification record of order.rejected, which never "
         "happened: "
         "no inventory file has the order"},
        {'n', "UPDATE notification SET state = 1 WHERE order_id = " ID("7"),
         "order 00000000000000000000000007: its message of order.confirmed is recorded as pending"},
        {'n', "UPDATE notification SET state = 3 WHERE order_id = " ID("7"),
         "order 00000000000000000000000007: its message of order.confirmed waits for its next attempt"},
        {'n', "UPDATE notification SET state = 4 WHERE order_id = " ID("7"),
         "order 00000000000000000000000007: its message of order.confirmed failed, and there is no dead "
         "letter"},
        {'n',
         "UPDATE notification SET state = 4 WHERE order_id = " ID(
             "7") ";"
                  "INSERT INTO dead_letter VALUES ('00000000000000000000000007-1', 1, 1, 'refused', '', 1, "
                  "'replayed', 2, 1)",
         "order 00000000000000000000000007: its message of order.confirmed failed, was replayed from the "
         "dead"},
        {'r',
         "DELETE FROM packet WHERE order_id = " ID("6") "; UPDATE batch_seen SET decided = 4, duplicates = 2",
         "order 00000000000000000000000006 is confirmed, and no red packet was decided for it"},
        {'r', "UPDATE packet SET order_id = " ID("3") " WHERE order_id = " ID("6"),
         "order 00000000000000000000000003 has a red packet, and is rejected"},
        {'r', "UPDATE packet SET order_id = " ID("9") " WHERE order_id = " ID("6"),
         "order 00000000000000000000000009 has a red packet, and is in no inventory file"},
        {'r', "UPDATE packet SET user_id = 'u9' WHERE order_id = " ID("6"),
         "order 00000000000000000000000006: its red packet names another user or item"},
        {'r', "UPDATE campaign SET budget_left = 301 WHERE sku = 'phone-1'",
         "campaign \"phone-1\": 700 granted + 301 left, of a budget of 1000: over by 1"},
        {'r', "UPDATE campaign SET budget = 1001 WHERE sku = 'phone-1'",
         "campaign \"phone-1\": 700 granted + 300 left, of a budget of 1001: short by 1"},
        {'r', "UPDATE campaign SET packets = 3 WHERE sku = 'phone-1'",
         "campaign \"phone-1\": 2 packets granted + 0 left, of 3"},
        {'r', "DELETE FROM campaign WHERE sku = 'phone-1'",
         "2 red packets were granted for \"phone-1\", which has no campaign"},
        {'r', "UPDATE balance SET amount = 701",
         "user \"u1\" has a balance of 701 in 2 packets, and was granted 700 in 2"},
        {'r', "DELETE FROM balance", "user \"u1\" has a balance of 0 in 0 packets, and was granted 700 in 2"},
        {'r', "INSERT INTO balance VALUES ('u2', 1, 1)",
         "user \"u2\" has a balance of 1 in 1 packets, and was granted 0 in 0"},
        {'r', "UPDATE batch_seen SET decided = 6", "had 6 new orders, and the file has 5"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(breaches) / sizeof(breaches[0]); i++) {
        assert_int_equal(set_up_events(state), 0);
        run_sql_on(breaches[i].file == 'n' ? notification : redpacket, breaches[i].sql);
        audit(0);
        assert_broken(AUDIT_EVENTS, breaches[i].named);
        tear_down(state);
    }
}

static void test_all_breaches_are_counted_and_twenty_are_named(void **state)
{
    (void)state;
    run_sql(0,
            "WITH RECURSIVE n(i) AS (VALUES (10) UNION ALL SELECT i + 1 FROM n WHERE i < 59)"
            " INSERT INTO orders SELECT '000000000000000000000000' || i, 'u4', 'x', 1, 1, 1, 3, NULL, NULL,"
            " NULL FROM n; UPDATE batch_seen SET decided = 52, orders = 53 WHERE producer = 'front-2'");
    write_ledger("front-2", "1 53\n");
    audit(0);
    assert_broken(AUDIT_EVENTS, "order 00000000000000000000000029 has no notification record");
    assert_int_equal(report.invariants[AUDIT_EVENTS].broken, 50);
    assert_null(strstr(printed, "order 00000000000000000000000030"));
}

static void test_a_failed_notification_is_its_letters_matter(void **state)
{
    (void)state;
    run_sql_on(notification,
               "UPDATE notification SET state = 4 WHERE order_id = " ID(
                   "7") ";"
                        "INSERT INTO dead_letter (message, line, orders, reason, detail, at_ms) VALUES "
                        "('00000000000000000000000007-1', 1, 1, 'refused', 'status 400', 1)");
    queues.dead = 1;
    audit(0);
    assert_broken(AUDIT_DECIDED_ONCE,
                  "notification: dead letter dead-00000000000000000000000007-1-1 with 1 lines");
    audit_report_free(&report);
    run_sql_on(notification, "UPDATE dead_letter SET settled = 'dropped', settled_ms = 2");
    queues.dead = 0;
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_int_equal(report.failed, 1);
}

/* Whatever still moves explains what is missing, and is said. */
static void test_what_still_moves_is_said(void **state)
{
    static const struct {
        struct audit_queues queues;
        char file; /* to which this is done */
        const char *sql, *moving;
    } moves[] = {
        {{.redpacket = {.ready = 2}},
         'n',
         "",
         "2 messages of events are in seckill.redpacket, which nobody consumes"},
        {{.notification = {.ready = 3, .consumers = 1}},
         'n',
         "",
         "3 messages of events are in seckill.notification\n"},
        {{.delayed = 1}, 'n', "", "1 messages wait in delay queues for the next attempt"},
        {{0},
         'n',
         "INSERT INTO outbox (exchange, routing_key, body) VALUES ('seckill.retry', '1s.notification', "
         "x'7b')",
         "1 messages of events are in outboxes"},
        {{0},
         'i',
         "INSERT INTO outbox (exchange, routing_key, body) VALUES ('seckill.events', 'order.rejected', "
         "x'7b')",
         "1 messages of events are in outboxes"},
        {{0},
         'r',
         "INSERT INTO outbox (exchange, routing_key, body) VALUES ('seckill.events', 'redpacket.granted', "
         "x'7b')",
         "1 messages of events are in outboxes"},
        {{0},
         'n',
         "INSERT INTO to_send (order_id, kind, line) VALUES ('x', 1, x'7b')",
         "1 notifications are still to be sent, and seckill-notification does not run"},
        {{.notification = {.consumers = 1}}, 'n', "", "1 effects of events are not there yet"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        assert_int_equal(set_up_events(state), 0);
        run_sql_on(notification, "DELETE FROM notification WHERE order_id = " ID("4"));
        run_sql_on(moves[i].file == 'n'   ? notification
                   : moves[i].file == 'i' ? stores[0]
                                          : redpacket,
                   moves[i].sql);
        queues = moves[i].queues;
        audit(0);
        assert_false(audit_holds(&report));
        assert_false(report.settled);
        assert_int_equal(report.invariants[AUDIT_EVENTS].broken, 0);
        if (!strstr(printed, moves[i].moving))
            fail_msg("\"%s\" is not said in:\n%s", moves[i].moving, printed);
        tear_down(state);
    }
}

static void test_what_is_missing_is_lost_when_a_service_stands_still(void **state)
{
    (void)state;
    run_sql_on(notification, "DELETE FROM notification WHERE order_id = " ID("4"));
    queues.notification.consumers = 1;
    audit(60000);
    assert_broken(AUDIT_EVENTS, "order 00000000000000000000000004 has no notification record");
}

static void test_a_breach_that_nothing_can_mend_is_one_whatever_moves(void **state)
{
    (void)state;
    run_sql_on(redpacket, "UPDATE campaign SET budget_left = 301 WHERE sku = 'phone-1'");
    run_sql_on(notification, "INSERT INTO notification VALUES (" ID("9") ", 2, 2, 1, NULL, 1, 1)");
    queues.notification.ready = 7;
    audit(0);
    assert_false(report.settled);
    assert_int_equal(report.invariants[AUDIT_EVENTS].broken, 2);
}

/* The broker of the next test: what is missing comes while the audit looks. */
static int tell_and_look(void *context, struct audit_queues *out, struct detail *why)
{
    int *looks = context;
    (void)why;
    if (++*looks == 4)
        run_sql_on(notification, "INSERT INTO notification VALUES (" ID("4") ", 1, 2, 1, NULL, 1, 1)");
    *out = (struct audit_queues){.notification = {.ready = *looks < 2, .consumers = 1}};
    return 0;
}

static void test_the_audit_waits_for_notifications_too(void **state)
{
    (void)state;
    int looks = 0;
    const char *list[SHARDS] = {paths[0], paths[1]};
    const struct audit_options options = {.stores = list,
                                          .store_count = SHARDS,
                                          .notification = notification_path,
                                          .redpacket = redpacket_path,
                                          .ledger_dir = ledger_dir,
                                          .wait_ms = 60000,
                                          .still_ms = 60000,
                                          .look = tell_and_look,
                                          .context = &looks};
    run_sql_on(notification, "DELETE FROM notification WHERE order_id = " ID("4"));
    assert_int_equal(audit_run(&options, &report, NULL), 0);
    assert_true(audit_holds(&report));
    assert_true(looks >= 4);
}

static void test_a_service_without_its_file_is_unchecked(void **state)
{
    (void)state;
    notification_path[0] = '\0';
    queues.notification.ready = 9; /* it was never set up: nobody ever takes them */
    audit(0);
    if (!audit_holds(&report))
        fail_msg("%s", printed);
    assert_non_null(strstr(printed, "half of invariant 4: there is no file of seckill-notification,"));
    audit_report_free(&report);
    queues.notification.consumers = 1; /* it is at work, somewhere */
    audit(0);
    assert_false(audit_holds(&report));
    assert_non_null(strstr(printed, "a seckill-notification is at work, and its file is not here"));
    audit_report_free(&report);
    run_sql_on(redpacket, "UPDATE campaign SET budget_left = 301 WHERE sku = 'phone-1'");
    queues.notification.consumers = 0;
    audit(0);
    assert_broken(AUDIT_EVENTS, "over by 1");
}

#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_events, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENTS_TEST(test_sound_events_pass),
        cmocka_unit_test(test_each_breach_of_the_events_is_named),
        EVENTS_TEST(test_all_breaches_are_counted_and_twenty_are_named),
        EVENTS_TEST(test_a_failed_notification_is_its_letters_matter),
        cmocka_unit_test(test_what_still_moves_is_said),
        EVENTS_TEST(test_what_is_missing_is_lost_when_a_service_stands_still),
        EVENTS_TEST(test_a_breach_that_nothing_can_mend_is_one_whatever_moves),
        EVENTS_TEST(test_the_audit_waits_for_notifications_too),
        EVENTS_TEST(test_a_service_without_its_file_is_unchecked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
