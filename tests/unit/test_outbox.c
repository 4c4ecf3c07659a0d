/* What is appended in a transaction: rows are whole messages; and what the inbox remembers. */
#include "tests/unit/store_support.h"

#include "common/pipeline/inbox.h"
#include "common/pipeline/names.h"
#include "common/pipeline/outbox.h"
#include "services/inventory/stock_store.h"

struct fixture {
    struct place place;
    struct store *store;
    struct outbox *outbox;
    struct inbox *inbox;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    assert_int_equal(outbox_new(&f->outbox, f->store, NULL), 0);
    assert_int_equal(inbox_new(&f->inbox, f->store, "seckill.orders.0", NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    inbox_free(f->inbox);
    outbox_free(f->outbox);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static int add(struct fixture *f, const char *key, const char *line)
{
    return outbox_add_line(f->outbox, EXCHANGE_EVENTS, key, slice_of(line));
}

static void test_lines_of_one_kind_share_a_row(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(add(f, "a", "1\n"), 0);
    assert_int_equal(add(f, "b", "2\n"), 0);
    assert_int_equal(add(f, "a", "3\n"), 0);
    assert_int_equal(outbox_flush(f->outbox), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 2);
    assert_int_equal(ask_int(f->store,
                             "SELECT CAST(body AS TEXT) = '1' || char(10) || '3' || char(10) FROM outbox"
                             " WHERE routing_key = 'a'"),
                     1);

    assert_int_equal(outbox_flush(f->outbox), 0); /* what was written is not written again */
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 2);
}

static void test_rows_stay_within_a_message_and_hold_whole_lines(void **state)
{
    struct fixture *f = *state;
    char line[1001];
    memset(line, 'x', 999);
    strcpy(line + 999, "\n");
    assert_int_equal(store_begin(f->store), 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(add(f, "a", line), 0);
    assert_int_equal(outbox_flush(f->outbox), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 3);
    assert_int_equal(ask_int(f->store, "SELECT sum(length(body)) FROM outbox"), 300000);
    assert_true(ask_int(f->store, "SELECT max(length(body)) FROM outbox") <= (int64_t)OUTBOX_BODY_MAX);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox WHERE length(body) % 1000 <> 0"), 0);
}

static void test_rollback_and_discard_leave_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(add(f, "a", "1\n"), 0);
    store_rollback(f->store);
    outbox_discard(f->outbox);
    assert_int_equal(outbox_flush(f->outbox), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 0);
}

static void test_ids_are_never_used_twice(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f, "a", "1\n"), 0);
    assert_int_equal(outbox_flush(f->outbox), 0);
    do_sql(f->store, "DELETE FROM outbox");
    assert_int_equal(add(f, "a", "1\n"), 0);
    assert_int_equal(outbox_flush(f->outbox), 0);
    assert_int_equal(ask_int(f->store, "SELECT id FROM outbox"), 2);
}

static struct inbound batch(int64_t seq, int64_t orders)
{
    return (struct inbound){.producer = slice_of("p"),
                            .seq = seq,
                            .orders = orders,
                            .body = slice_of("x\n"),
                            .message_id = slice_of("p-1")};
}

static void test_a_batch_is_counted_by_its_first_delivery(void **state)
{
    struct fixture *f = *state;
    struct inbound m = batch(1, 3);
    assert_int_equal(inbox_record(f->inbox, &m, &(struct inbox_counts){.decided = 2, .dead = 1}), 0);
    assert_int_equal(inbox_record(f->inbox, &m, &(struct inbox_counts){.duplicates = 3}), 0);
    assert_int_equal(ask_int(f->store, "SELECT decided * 1000 + duplicates * 100 + dead * 10 + deliveries"
                                       " FROM batch_seen WHERE producer = 'p' AND seq = 1 AND orders = 3"),
                     2012);
}

static void test_messages_without_headers_add_up_in_one_row(void **state)
{
    struct fixture *f = *state;
    struct inbound m = {.orders = 2, .body = slice_of("x\n")};
    assert_int_equal(inbox_record(f->inbox, &m, &(struct inbox_counts){.decided = 2}), 0);
    assert_int_equal(inbox_record(f->inbox, &m, &(struct inbox_counts){.decided = 1, .dead = 1}), 0);
    assert_int_equal(ask_int(f->store, "SELECT orders * 1000 + decided * 100 + dead * 10 + deliveries"
                                       " FROM batch_seen WHERE producer = '' AND seq = 0"),
                     4312);
}

static void test_attempts_outlive_what_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    int64_t attempts = 0;
    assert_int_equal(inbox_attempt(f->inbox, "k", 1, &attempts), 0);
    assert_int_equal(attempts, 1);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(inbox_attempt_end(f->inbox, "k"), 0);
    store_rollback(f->store);
    assert_int_equal(inbox_attempt(f->inbox, "k", 2, &attempts), 0);
    assert_int_equal(attempts, 2);
    assert_int_equal(inbox_attempt_forgive(f->inbox, "k"), 0);
    assert_int_equal(inbox_attempt(f->inbox, "k", 3, &attempts), 0);
    assert_int_equal(attempts, 2);
    assert_int_equal(inbox_attempt_end(f->inbox, "k"), 0);
    assert_int_equal(inbox_attempt(f->inbox, "k", 4, &attempts), 0);
    assert_int_equal(attempts, 1);
}

static int bury(struct fixture *f, const struct inbound *m, int64_t line)
{
    return inbox_bury(f->inbox, f->outbox,
                      &(struct dead_letter){.message = m,
                                            .line = line,
                                            .orders = 1,
                                            .body = slice_of("x"),
                                            .reason = "malformed",
                                            .detail = "no \"JSON\"",
                                            .at_ms = 5});
}

static void test_a_dead_letter_is_made_once_for_a_message_and_line(void **state)
{
    struct fixture *f = *state;
    struct inbound m = {.body = slice_of("x\nx\n"), .message_id = slice_of("foreign")};
    assert_int_equal(bury(f, &m, 1), 0);
    assert_int_equal(bury(f, &m, 2), 0);
    m.redelivered = true; /* after a crash between commit and acknowledgement */
    assert_int_equal(bury(f, &m, 1), 0);
    assert_int_equal(bury(f, &m, 2), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.dead'"), 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM dead_letter"), 2);
    assert_int_equal(ask_int(f->store, "SELECT count(DISTINCT message_id) FROM outbox"), 2);
    assert_int_equal(
        ask_int(f->store, "SELECT json_extract(headers, '$.seckill-reason') = 'malformed' FROM outbox"), 1);
}

static void test_the_second_copy_of_a_batch_makes_no_second_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct inbound m = batch(1, 1);
    assert_int_equal(bury(f, &m, 1), 0);
    assert_int_equal(inbox_record(f->inbox, &m, &(struct inbox_counts){.dead = 1}), 0);
    assert_int_equal(bury(f, &m, 1), 0); /* published twice by its producer: not redelivered, but seen */
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 1);
}

static void test_an_equal_message_that_is_new_is_buried_too(void **state)
{
    struct fixture *f = *state;
    struct inbound m = {.body = slice_of("x\n")};
    assert_int_equal(bury(f, &m, 1), 0);
    assert_int_equal(bury(f, &m, 1), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_lines_of_one_kind_share_a_row),
        TEST(test_rows_stay_within_a_message_and_hold_whole_lines),
        TEST(test_rollback_and_discard_leave_nothing),
        TEST(test_ids_are_never_used_twice),
        TEST(test_a_batch_is_counted_by_its_first_delivery),
        TEST(test_messages_without_headers_add_up_in_one_row),
        TEST(test_attempts_outlive_what_is_rolled_back),
        TEST(test_a_dead_letter_is_made_once_for_a_message_and_line),
        TEST(test_the_second_copy_of_a_batch_makes_no_second_dead_letter),
        TEST(test_an_equal_message_that_is_new_is_buried_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
