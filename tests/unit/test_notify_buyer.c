/* One message for each (order, kind): what becomes of it with each answer of the sink. */
#include "tests/unit/notify_fixture.h"

/* ---- a gateway ---- */

static void test_message_is_pending_then_sent(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), PENDING);
    assert_int_equal(count(f, "to_send"), 1);
    assert_false(work(f));
    assert_int_equal(f->sink->started_count, 1);
    assert_string_equal(f->sink->started[0].key, "01JDXWBXG00000000000000001:order.confirmed");
    assert_non_null(strstr(f->sink->started[0].text, "¥1998.00"));
    assert_int_equal(f->sink->started[0].attempt, 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), PENDING);
    answer(f, 0, SINK_SENT, 0);
    assert_true(work(f));
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 1);
    assert_int_equal(count(f, "to_send") + count(f, "outbox"), 0);
    assert_int_equal(count(f, "notification WHERE last_error IS NULL"), 1);
    assert_false(work(f));
}

static void test_each_kind_of_an_order_is_a_message_of_its_own(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    deliver(f, EVENT_KIND_GRANTED, 1);
    deliver(f, EVENT_KIND_REJECTED, 2);
    work(f);
    assert_int_equal(f->sink->started_count, 3);
    assert_non_null(strstr(f->sink->started[1].text, "¥1.88"));
    assert_non_null(strstr(f->sink->started[2].text, "sold out"));
    for (int i = 0; i < 3; i++)
        answer(f, i, SINK_SENT, 0);
    work(f);
    assert_int_equal(count(f, "notification WHERE state = 2"), 3);
}

static void test_retries_wait_1_5_30_and_300_seconds_then_fail(void **state)
{
    static const char *const keys[] = {KEY_RETRY_1S_NOTIFICATION, KEY_RETRY_5S_NOTIFICATION,
                                       KEY_RETRY_30S_NOTIFICATION, KEY_RETRY_5M_NOTIFICATION};
    struct fixture *f = *state;
    char key[64];
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    for (int i = 0; i < 4; i++) {
        attempt(f, SINK_RETRY, 0);
        assert_int_equal(record(f, EVENT_KIND_CONFIRMED), WAITING + i + 1);
        assert_int_equal(count(f, "to_send"), 0);
        assert_int_equal(f->sink->started[i].attempt, i + 1);
        assert_true(carry(f, EXCHANGE_RETRY, key, true));
        assert_string_equal(key, keys[i]);
        assert_int_equal(record(f, EVENT_KIND_CONFIRMED), PENDING + i + 1);
    }
    attempt(f, SINK_RETRY, 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 5);
    assert_int_equal(count(f, "to_send"), 0);
    assert_false(carry(f, EXCHANGE_RETRY, key, true));
    assert_int_equal(count(f, "outbox WHERE exchange = 'seckill.dead'"), 1);
    assert_int_equal(count(f, "dead_letter WHERE reason = 'not_reached'"), 1);
    assert_int_equal(count(f, "notification WHERE last_error = 'status 503 at 4'"), 1);
}

static void test_retry_after_is_heeded_up_to_five_minutes(void **state)
{
    static const struct {
        int64_t asked_ms;
        const char *key;
    } cases[] = {{0, "1s.notification"},      {1000, "1s.notification"},    {1001, "5s.notification"},
                 {5000, "5s.notification"},   {5001, "30s.notification"},   {30001, "5m.notification"},
                 {300000, "5m.notification"}, {86400000, "5m.notification"}};
    struct fixture *f = *state;
    char key[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deliver(f, EVENT_KIND_CONFIRMED, (int)i + 1);
        attempt(f, SINK_RETRY, cases[i].asked_ms);
        assert_true(carry(f, EXCHANGE_RETRY, key, false));
        assert_string_equal(key, cases[i].key);
    }
    /* A gateway that asks for less does not get more than the steps have. */
    deliver(f, EVENT_KIND_REJECTED, 1);
    attempt(f, SINK_RETRY, 0);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    attempt(f, SINK_RETRY, 2000);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    assert_string_equal(key, "5s.notification");
    attempt(f, SINK_RETRY, 2000);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    assert_string_equal(key, "30s.notification");
}

static void test_message_that_gets_through_at_last_is_sent_and_keeps_its_error(void **state)
{
    struct fixture *f = *state;
    char key[64];
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    attempt(f, SINK_RETRY, 0);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    attempt(f, SINK_SENT, 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 2);
    assert_int_equal(count(f, "notification WHERE last_error = 'status 503 at 0'"), 1);
    assert_string_equal(f->sink->started[0].key, f->sink->started[1].key);
    assert_string_equal(f->sink->started[0].text, f->sink->started[1].text);
}

static void test_permanent_answer_is_a_dead_letter_at_once(void **state)
{
    struct fixture *f = *state;
    struct buffer line = {0};
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    attempt(f, SINK_PERMANENT, 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 1);
    assert_int_equal(
        count(f, "dead_letter WHERE reason = 'refused' AND detail = 'status 503 at 0' AND settled IS NULL"),
        1);
    assert_int_equal(count(f, "to_send") + count(f, "outbox WHERE exchange = 'seckill.retry'"), 0);
    /* The letter is the event itself. */
    add_event_line(&line, EVENT_KIND_CONFIRMED, 1);
    char sql[600];
    snprintf(sql, sizeof sql, "outbox WHERE exchange = 'seckill.dead' AND CAST(body AS TEXT) = '%s'",
             buffer_text(&line));
    assert_int_equal(count(f, sql), 1);
    buffer_free(&line);
}

static void test_never_more_under_way_than_there_is_room(void **state)
{
    struct fixture *f = *state;
    f->sink->room = 3;
    for (int i = 1; i <= 10; i++)
        deliver(f, EVENT_KIND_CONFIRMED, i);
    work(f);
    work(f);
    assert_int_equal(f->sink->started_count, 3);
    answer(f, 1, SINK_SENT, 0);
    work(f);
    work(f);
    assert_int_equal(f->sink->started_count, 4);
    f->sink->room = 64;
    work(f);
    assert_int_equal(f->sink->started_count, 10);
    for (int i = 0; i < 10; i++) { /* in the order in which they came */
        char order_id[ORDER_ID_SIZE];
        number_order(order_id, i + 1);
        assert_int_equal(strncmp(f->sink->started[i].key, order_id, ORDER_ID_CHARS), 0);
    }
}

static void test_drain_begins_nothing_and_settles_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    f->sink->room = 1;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    deliver(f, EVENT_KIND_CONFIRMED, 2);
    work(f);
    assert_false(notify_buyer_drained(f->buyer));
    answer(f, 0, SINK_SENT, 0);
    assert_true(work(f));
    assert_true(notify_buyer_drained(f->buyer));
    work(f);
    assert_int_equal(f->sink->started_count, 1);
    assert_int_equal(count(f, "to_send"), 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 1);
}

static void test_bad_lines_are_rejected_and_their_neighbours_go_on(void **state)
{
    struct fixture *f = *state;
    struct buffer body = {0};
    add_event_line(&body, EVENT_KIND_CONFIRMED, 1);
    buffer_add_text(&body, "nonsense\n{\"v\":1,\"event\":\"order.rejected\",\"order_id\":\"x\"}\n");
    add_event_line(&body, EVENT_KIND_GRANTED, 2);
    assert_int_equal(deliver_slice(f, (struct slice){.data = body.data, .len = body.len}, false), 0);
    assert_int_equal(count(f, "notification"), 2);
    assert_int_equal(count(f, "dead_letter WHERE reason = 'malformed'"), 2);
    buffer_free(&body);
}

static void test_event_of_a_newer_kind_is_passed_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(deliver_slice(f,
                                   slice_of("{\"v\":1,\"event\":\"order.shipped\",\"order_id\":"
                                            "\"01JDXWBXG00000000000000001\",\"user_id\":\"u\"}\n"),
                                   false),
                     0);
    assert_int_equal(count(f, "notification") + count(f, "dead_letter"), 0);
}

/* A row that cannot be read must not stop all those behind it. */
static void test_row_that_cannot_be_read_fails_alone(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    deliver(f, EVENT_KIND_CONFIRMED, 2);
    do_sql(f->store, "UPDATE to_send SET line = CAST('garbage' AS BLOB) WHERE seq = 1");
    assert_true(work(f));
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 1);
    assert_int_equal(f->sink->started_count, 1);
    assert_int_equal(count(f, "dead_letter"), 1);
}

static void test_waiting_and_due_are_the_sinks(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(notify_buyer_wait_fd(f->buyer), 7);
    assert_int_equal(notify_buyer_due_ns(f->buyer), 77);
}

static void test_steps_are_in_the_trail(void **state)
{
    struct fixture *f = *state;
    f->trail.is_on = true;
    deliver(f, EVENT_KIND_CONFIRMED, 1); /* written at the commit: nothing is left over */
    assert_int_equal(f->trail.steps.len, 0);
    attempt(f, SINK_PERMANENT, 0);
    assert_int_equal(f->trail.steps.len, 0);
}

/* ---- a local sink ---- */

static void test_local_message_is_sent_in_its_transaction(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 1);
    assert_int_equal(f->sink->flushed, 1);
    assert_int_equal(count(f, "to_send"), 0);
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    assert_int_equal(f->sink->flushed, 1);
    assert_int_equal(notify_buyer_wait_fd(f->buyer), -1);
    assert_int_equal(notify_buyer_due_ns(f->buyer), INT64_MAX);
    assert_true(notify_buyer_drained(f->buyer));
}

static void test_local_sink_that_fails_is_a_fault_and_records_nothing(void **state)
{
    struct fixture *f = *state;
    struct buffer line = {0};
    add_event_line(&line, EVENT_KIND_CONFIRMED, 1);
    struct slice body = {.data = line.data, .len = line.len};
    f->sink->flush_fails = true;
    assert_true(store_is_fault(deliver_slice(f, body, false)));
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), -1);
    assert_int_equal(f->sink->started_count, 0); /* discarded */
    f->sink->flush_fails = false;
    assert_int_equal(deliver_slice(f, body, true), 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 1);
    assert_int_equal(f->sink->flushed, 1);
    buffer_free(&line);
}

int main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LOCAL(name) cmocka_unit_test_setup_teardown(name, set_up_local, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_message_is_pending_then_sent),
        TEST(test_each_kind_of_an_order_is_a_message_of_its_own),
        TEST(test_retries_wait_1_5_30_and_300_seconds_then_fail),
        TEST(test_retry_after_is_heeded_up_to_five_minutes),
        TEST(test_message_that_gets_through_at_last_is_sent_and_keeps_its_error),
        TEST(test_permanent_answer_is_a_dead_letter_at_once),
        TEST(test_never_more_under_way_than_there_is_room),
        TEST(test_drain_begins_nothing_and_settles_what_is_under_way),
        TEST(test_bad_lines_are_rejected_and_their_neighbours_go_on),
        TEST(test_event_of_a_newer_kind_is_passed_over),
        TEST(test_row_that_cannot_be_read_fails_alone),
        TEST(test_waiting_and_due_are_the_sinks),
        TEST(test_steps_are_in_the_trail),
        LOCAL(test_local_message_is_sent_in_its_transaction),
        LOCAL(test_local_sink_that_fails_is_a_fault_and_records_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
