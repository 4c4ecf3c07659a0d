/* What comes again, and what dies: recorded once, sent at least once, whatever the order. */
#include "tests/unit/notify_fixture.h"

#include "services/notification/retry_line.h"
#include "tests/unit/schema_examples.h"

static void test_failed_message_that_is_replayed_begins_anew(void **state)
{
    struct fixture *f = *state;
    char key[64];
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    attempt(f, SINK_RETRY, 0);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    attempt(f, SINK_PERMANENT, 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 2);
    assert_true(carry(f, EXCHANGE_DEAD, key, true)); /* the letter goes back where it came from */
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), PENDING);
    attempt(f, SINK_RETRY, 0);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), WAITING + 1);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    assert_string_equal(key, KEY_RETRY_1S_NOTIFICATION);
}

/* Each failure makes its letter (inbox_bury_line says how a letter is told from the one before it). */
static void test_message_that_fails_again_makes_its_letter_again(void **state)
{
    struct fixture *f = *state;
    char key[64];
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    attempt(f, SINK_PERMANENT, 0);
    do_sql(f->store, "UPDATE dead_letter SET settled = 'replayed', settled_ms = 1");
    assert_true(carry(f, EXCHANGE_DEAD, key, true));
    attempt(f, SINK_PERMANENT, 0);
    assert_int_equal(count(f, "outbox WHERE exchange = 'seckill.dead'"), 1);
    assert_int_equal(count(f, "dead_letter"), 1);
    assert_int_equal(count(f, "dead_letter WHERE settled IS NULL AND settled_ms IS NULL"), 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 1);
    deliver(f, EVENT_KIND_CONFIRMED, 1); /* once more, from elsewhere, and this time it is taken */
    attempt(f, SINK_SENT, 0);
    assert_true(carry(f, EXCHANGE_DEAD, key, true)); /* then the letter's replay is a duplicate */
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 1);
    assert_int_equal(f->sink->started_count, 3);
}

static void test_duplicates_change_nothing_in_any_state(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    deliver(f, EVENT_KIND_CONFIRMED, 1); /* pending */
    assert_int_equal(count(f, "to_send"), 1);
    work(f);
    deliver(f, EVENT_KIND_CONFIRMED, 1); /* under way */
    work(f);
    assert_int_equal(f->sink->started_count, 1);
    answer(f, 0, SINK_RETRY, 0);
    work(f);
    for (int i = 0; i < 5; i++) /* waiting: a replay uses up no attempts */
        deliver(f, EVENT_KIND_CONFIRMED, 1);
    work(f);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), WAITING + 1);
    assert_int_equal(f->sink->started_count, 1);
    assert_int_equal(count(f, "outbox"), 1);
    char key[64];
    carry(f, EXCHANGE_RETRY, key, true);
    attempt(f, SINK_SENT, 0);
    deliver(f, EVENT_KIND_CONFIRMED, 1); /* sent */
    work(f);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 2);
    assert_int_equal(f->sink->started_count, 2);
    assert_int_equal(f->t.totals.duplicates, 8);
}

/* The broker delivers a copy twice, or the outbox publishes it twice: the second comes when the record is
 * elsewhere. */
static void test_second_copy_out_of_a_delay_queue_is_a_duplicate(void **state)
{
    struct fixture *f = *state;
    struct buffer first = {0}, event = {0};
    char key[64];
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    add_event_line(&event, EVENT_KIND_CONFIRMED, 1);
    retry_line_encode(&first, (struct slice){.data = event.data, .len = event.len - 1}, 1);
    struct slice copy = {.data = first.data, .len = first.len};
    attempt(f, SINK_RETRY, 0);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    assert_int_equal(deliver_slice(f, copy, true), 0); /* pending */
    attempt(f, SINK_RETRY, 0);
    assert_int_equal(deliver_slice(f, copy, true), 0); /* waiting for the next one */
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), WAITING + 2);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    attempt(f, SINK_PERMANENT, 0);
    assert_int_equal(deliver_slice(f, copy, true), 0); /* failed: no replay */
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), FAILED + 3);
    assert_int_equal(f->sink->started_count, 3);
    buffer_free(&first);
    buffer_free(&event);
}

/* The one copy went down with its broker: then any copy will do, but not before it must be lost. */
static void test_record_that_waits_for_a_lost_copy_takes_another_after_an_hour(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    attempt(f, SINK_RETRY, 0);
    do_sql(f->store, "DELETE FROM outbox");
    do_sql(f->store, "UPDATE notification SET changed_ms = changed_ms - 3500000");
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), WAITING + 1);
    do_sql(f->store, "UPDATE notification SET changed_ms = changed_ms - 200000");
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), PENDING + 1);
}

static void test_what_is_under_way_in_a_crash_is_sent_again(void **state)
{
    struct fixture *f = *state;
    deliver(f, EVENT_KIND_CONFIRMED, 1);
    deliver(f, EVENT_KIND_REJECTED, 2);
    work(f);
    answer(f, 0, SINK_SENT, 0); /* it was sent, but nobody wrote it down */
    restart(f, &gateway_ops);
    assert_int_equal(count(f, "to_send"), 2);
    work(f);
    assert_int_equal(f->sink->started_count, 2);
    assert_string_equal(f->sink->started[0].key, "01JDXWBXG00000000000000001:order.confirmed");
    answer(f, 1, SINK_SENT, 0); /* in any order */
    answer(f, 0, SINK_SENT, 0);
    work(f);
    assert_int_equal(count(f, "notification WHERE state = 2 AND attempts = 1"), 2);
    restart(f, &gateway_ops);
    work(f);
    assert_int_equal(f->sink->started_count, 0);
}

/* The operator sets another sink: what the gateway had not taken yet goes there. */
static void test_rows_and_retries_of_a_gateway_go_to_a_local_sink(void **state)
{
    struct fixture *f = *state;
    char key[64];
    for (int i = 1; i <= NOTIFY_OUTCOMES_MAX + 5; i++)
        deliver(f, EVENT_KIND_CONFIRMED, i);
    f->sink->room = 1;
    attempt(f, SINK_RETRY, 0);
    restart(f, &local_ops);
    assert_int_equal(count(f, "to_send"), NOTIFY_OUTCOMES_MAX + 4);
    while (work(f))
        ;
    assert_int_equal(count(f, "to_send"), 0);
    assert_int_equal(f->sink->flushed, NOTIFY_OUTCOMES_MAX + 4);
    assert_int_equal(count(f, "notification WHERE state = 2 AND attempts = 1"), NOTIFY_OUTCOMES_MAX + 4);
    assert_true(carry(f, EXCHANGE_RETRY, key, true));
    assert_int_equal(record(f, EVENT_KIND_CONFIRMED), SENT + 2);
    assert_int_equal(f->sink->flushed, NOTIFY_OUTCOMES_MAX + 5);
}

/* ---- the line of a retry ---- */

static void good_retry(struct slice line)
{
    struct buffer event = {0}, again = {0};
    int64_t attempts = retry_line_decode(line, &event);
    assert_true(attempts >= 1 && attempts <= 4);
    struct event decoded;
    assert_int_equal(event_decode((struct slice){.data = event.data, .len = event.len}, &decoded, NULL), 0);
    retry_line_encode(&again, (struct slice){.data = event.data, .len = event.len}, attempts);
    assert_int_equal(again.len, line.len + 1);
    assert_memory_equal(again.data, line.data, line.len);
    buffer_free(&event);
    buffer_free(&again);
}

static void bad_retry(struct slice line, const char *names)
{
    struct buffer event = {0};
    if (retry_line_decode(line, &event) != 0)
        fail_msg("taken: %s", names);
    assert_int_equal(event.len, 0);
    buffer_free(&event);
}

static void test_retry_lines_are_as_the_schema_says(void **state)
{
    (void)state;
    schema_each_good("retry", good_retry);
    schema_each_bad("retry", bad_retry);
}

/* ---- everything at once ---- */

static int pick(struct fixture *f, int below)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return (int)(f->random % (uint64_t)below);
}

static void random_answer(struct fixture *f, int patience)
{
    for (int i = 0; i < f->sink->started_count; i++) {
        if (f->sink->started[i].ended || f->sink->ready_count == STARTED_MAX || pick(f, 3) == 0)
            continue;
        int what = pick(f, 10);
        answer(f, i,
               what < patience ? SINK_SENT
               : what == 9     ? SINK_PERMANENT
                               : SINK_RETRY,
               pick(f, 7) * 1000);
    }
}

/* Duplicates, shuffled; answers of every sort, in any order; crashes; dead letters that are replayed. However
 * it goes: one record for each, all sent in the end, each at least once. */
static void test_nothing_is_lost_whatever_comes_in_whatever_order(void **state)
{
    enum { ORDERS = 40, ROUNDS = 1500 };
    struct fixture *f = *state;
    char key[64];
    for (int round = 0; round < ROUNDS; round++) {
        f->sink->room = 1 + pick(f, 12);
        if (f->sink->in_flight > f->sink->room)
            f->sink->room = f->sink->in_flight;
        deliver(f, (enum event_kind)(1 + pick(f, 3)), 1 + pick(f, ORDERS));
        work(f);
        random_answer(f, 4);
        work(f);
        if (pick(f, 2) == 0)
            carry(f, EXCHANGE_RETRY, key, true);
        if (pick(f, 5) == 0)
            carry(f, EXCHANGE_DEAD, key, true);
        if (pick(f, 40) == 0)
            restart(f, &gateway_ops);
        assert_int_equal(count(f, "notification WHERE state = 1"), count(f, "to_send"));
    }
    for (int number = 1; number <= ORDERS; number++)
        for (int kind = 1; kind <= 3; kind++)
            deliver(f, (enum event_kind)kind, number);
    f->sink->room = 64;
    for (int round = 0; round < 5000 && count(f, "notification WHERE state = 2") < 3 * ORDERS; round++) {
        work(f);
        random_answer(f, 10);
        work(f);
        carry(f, EXCHANGE_RETRY, key, true);
        carry(f, EXCHANGE_DEAD, key, true);
        if (f->sink->started_count > STARTED_MAX - 100)
            restart(f, &gateway_ops);
    }
    assert_int_equal(count(f, "notification"), 3 * ORDERS);
    assert_int_equal(count(f, "notification WHERE state = 2"), 3 * ORDERS);
    assert_int_equal(count(f, "to_send"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_failed_message_that_is_replayed_begins_anew),
        TEST(test_message_that_fails_again_makes_its_letter_again),
        TEST(test_duplicates_change_nothing_in_any_state),
        TEST(test_second_copy_out_of_a_delay_queue_is_a_duplicate),
        TEST(test_record_that_waits_for_a_lost_copy_takes_another_after_an_hour),
        TEST(test_what_is_under_way_in_a_crash_is_sent_again),
        TEST(test_rows_and_retries_of_a_gateway_go_to_a_local_sink),
        cmocka_unit_test(test_retry_lines_are_as_the_schema_says),
        TEST(test_nothing_is_lost_whatever_comes_in_whatever_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
