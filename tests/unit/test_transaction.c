/* The promises of a worker: handled whole or not at all, the innocent go on, poison ends, a fault leaves no
 * trace. */
#include "tests/unit/transaction_support.h"

#include "common/pipeline/names.h"
#include "services/inventory/stock_store.h"

/* A handler whose lines say what is to become of them; "done X" is written down. Memory counts what it wrote.
 */
struct fixture {
    struct place place;
    struct store *store;
    struct statement *write;
    struct worker_handler handler;
    struct transaction t;
    int in_memory, reloads, commits;
    bool end_fails;
    const char *settle_line; /* what settle writes down; "full" fills the disk first */
    int settle_code;         /* what it returns after that; 0: whatever the writing says */
    const char *dies_at;     /* a line at which the process "dies": see die_at */
    jmp_buf death;
};

static enum outcome on_line(void *context, struct task *task)
{
    struct fixture *f = context;
    if (slice_is(task->line, "bad")) {
        detail_set(task->why, "it is bad");
        return OUTCOME_REJECT;
    }
    if (slice_is(task->line, "later"))
        return OUTCOME_RETRY;
    if (slice_is(task->line, "full"))
        make_full(f->store);
    if (f->dies_at && slice_is(task->line, f->dies_at))
        longjmp(f->death, 1);
    statement_bind_text(f->write, 1, task->line); /* "fails" breaks a CHECK */
    int error = statement_run(f->write);
    if (error == E_EXISTS)
        return OUTCOME_DUPLICATE;
    if (error) {
        detail_set(task->why, "%s", store_error(f->store));
        return store_is_fault(error) ? OUTCOME_FAULT : OUTCOME_FAILED;
    }
    error = outbox_add_line(task->outbox, EXCHANGE_EVENTS, "done", task->line);
    assert_int_equal(error, 0);
    f->in_memory++;
    return OUTCOME_DONE;
}

static int before_commit(void *context)
{
    struct fixture *f = context;
    return f->end_fails ? E_INVALID : 0;
}

static void committed(void *context)
{
    struct fixture *f = context;
    f->commits++;
}

static int rolled_back(void *context)
{
    struct fixture *f = context;
    f->reloads++;
    f->in_memory = (int)ask_int(f->store, "SELECT count(*) FROM done");
    return 0;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    do_sql(
        f->store,
        "CREATE TABLE done (line TEXT PRIMARY KEY CHECK (line <> 'fails'), x BLOB DEFAULT (zeroblob(99)))");
    assert_int_equal(statement_prepare(&f->write, f->store, "INSERT INTO done (line) VALUES (?1)", NULL), 0);
    f->handler = (struct worker_handler){
        .line = on_line, .before_commit = before_commit, .committed = committed, .rolled_back = rolled_back};
    transaction_open(&f->t, f->store, "q", &f->handler, f);
    f->t.max_attempts = 2;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    transaction_close(&f->t);
    statement_free(f->write);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static struct inbound message(int64_t seq, int64_t orders, const char *body)
{
    return (struct inbound){.tag = (uint64_t)seq,
                            .producer = slice_of("p"),
                            .message_id = slice_of("p-x"),
                            .seq = seq,
                            .orders = orders,
                            .body = slice_of(body)};
}

static int handle(struct fixture *f, struct inbound *m, int count)
{
    struct inbound *list[8];
    for (int i = 0; i < count; i++)
        list[i] = &m[i];
    return transaction_handle(&f->t, list, count);
}

static int64_t done(struct fixture *f, const char *line)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM done WHERE line = '%s'", line);
    return ask_int(f->store, sql);
}

static int64_t dead(struct fixture *f)
{
    return ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.dead'");
}

/* decided, duplicates and dead of the batch, as one number of three digits. */
static int64_t counts(struct fixture *f, int64_t seq)
{
    char sql[128];
    snprintf(
        sql, sizeof sql,
        "SELECT coalesce(max(decided * 100 + duplicates * 10 + dead), -1) FROM batch_seen WHERE seq = %d",
        (int)seq);
    return ask_int(f->store, sql);
}

static void test_messages_share_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct inbound m[] = {message(1, 2, "a\nb\n"), message(2, 1, "c\n")};
    assert_int_equal(handle(f, m, 2), 0);
    assert_int_equal(f->commits, 1);
    assert_int_equal(counts(f, 1), 200);
    assert_int_equal(counts(f, 2), 100);
    assert_int_equal(f->in_memory, 3);
    assert_int_equal(f->t.totals.decided, 3);
}

static void test_bad_line_goes_alone_and_costs_no_rollback(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message(1, 3, "a\nbad\nb\n");
    assert_int_equal(handle(f, &m, 1), 0);
    assert_int_equal(f->reloads, 0);
    assert_int_equal(done(f, "a") + done(f, "b"), 2);
    assert_int_equal(dead(f), 1);
    assert_int_equal(counts(f, 1), 201);
    assert_int_equal(
        ask_int(f->store, "SELECT CAST(body AS TEXT) = 'bad' FROM outbox WHERE exchange = 'seckill.dead'"),
        1);
    assert_int_equal(ask_int(f->store, "SELECT reason = 'malformed' AND detail = 'it is bad' AND line = 2"
                                       " FROM dead_letter"),
                     1);
}

static void test_line_that_fails_is_isolated_and_its_neighbours_go_on(void **state)
{
    struct fixture *f = *state;
    struct inbound m[] = {message(1, 1, "a\n"), message(2, 3, "b\nfails\nc\n"), message(3, 1, "d\n")};
    assert_int_equal(handle(f, m, 3), 0);
    assert_int_equal(done(f, "a") + done(f, "b") + done(f, "c") + done(f, "d"), 4);
    assert_int_equal(f->in_memory, 4);
    assert_int_equal(dead(f), 1);
    assert_int_equal(counts(f, 1), 100);
    assert_int_equal(counts(f, 2), 201);
    assert_int_equal(counts(f, 3), 100);
    assert_int_equal(ask_int(f->store, "SELECT reason = 'failed' FROM dead_letter"), 1);
    assert_int_equal(ask_int(f->store, "SELECT sum(length(body)) FROM outbox WHERE routing_key = 'done'"), 4);
}

static void test_message_that_comes_again_is_duplicates_and_no_second_event(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message(1, 3, "a\nbad\nb\n");
    assert_int_equal(handle(f, &m, 1), 0);
    int64_t rows = ask_int(f->store, "SELECT count(*) FROM outbox");
    m.redelivered = true;
    assert_int_equal(handle(f, &m, 1), 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM outbox"), rows);
    assert_int_equal(counts(f, 1), 201);
    assert_int_equal(ask_int(f->store, "SELECT deliveries FROM batch_seen"), 2);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM attempt"), 0);
}

/* Of a producer that begins to count anew, say: what it decides must be found in the records, whatever it is
 * called. */
static void test_new_lines_under_a_number_that_was_seen_are_recorded(void **state)
{
    struct fixture *f = *state;
    struct inbound first = message(1, 1, "a\n"), second = message(1, 3, "a\nb\nc\n");
    assert_int_equal(handle(f, &first, 1), 0);
    assert_int_equal(handle(f, &second, 1), 0);
    assert_int_equal(counts(f, 1), 300);
    assert_int_equal(ask_int(f->store, "SELECT orders = decided + duplicates + dead FROM batch_seen"), 1);
    assert_int_equal(ask_int(f->store, "SELECT deliveries FROM batch_seen"), 2);
}

/* Handles the messages until the handler "dies" at this line: what is open is lost, as it is when a process
 * is killed. */
static void die_at(struct fixture *f, struct inbound *m, int count, const char *line)
{
    f->dies_at = line;
    if (setjmp(f->death) == 0) {
        (void)!handle(f, m, count);
        fail_msg("it lived");
    }
    f->dies_at = NULL;
    store_rollback(f->store);
    outbox_discard(f->t.outbox);
    rolled_back(f);
}

static void test_message_that_kills_is_poison_after_its_attempts(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message(1, 2, "a\nkiller\n");
    die_at(f, &m, 1, "killer"); /* the first time it was among others: not counted */
    m.redelivered = true;
    die_at(f, &m, 1, "killer");
    die_at(f, &m, 1, "killer");
    f->dies_at = "killer"; /* it would again, but it is not begun any more */
    assert_int_equal(handle(f, &m, 1), 0);
    assert_int_equal(dead(f), 1);
    assert_int_equal(done(f, "a"), 0);
    assert_int_equal(counts(f, 1), 2);
    assert_int_equal(
        ask_int(f->store, "SELECT reason = 'poison' AND line = 0 AND orders = 2 FROM dead_letter"), 1);
    assert_int_equal(ask_int(f->store, "SELECT length(body) FROM outbox"), 9);
    assert_int_equal(handle(f, &m, 1), 0); /* and once more, after a death before the acknowledgement */
    assert_int_equal(dead(f), 1);
}

static void test_neighbours_of_poison_are_handled(void **state)
{
    struct fixture *f = *state;
    struct inbound m[] = {message(1, 1, "killer\n"), message(2, 1, "a\n")};
    m[0].redelivered = m[1].redelivered = true;
    die_at(f, m, 2, "killer");
    die_at(f, m, 2, "killer");
    assert_int_equal(handle(f, m, 2), 0);
    assert_int_equal(done(f, "a"), 1);
    assert_int_equal(counts(f, 1), 1);
    assert_int_equal(counts(f, 2), 100);
}

static void test_full_disk_is_a_fault_and_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct inbound m[] = {message(1, 1, "a\n"),
                          message(2, 40,
                                  "full\n01\n02\n03\n04\n05\n06\n07\n08\n09\n10\n11\n12\n13\n"
                                  "14\n15\n16\n17\n18\n19\n20\n21\n22\n23\n24\n25\n26\n27\n"
                                  "28\n29\n30\n31\n32\n33\n34\n35\n36\n37\n38\n39\n")};
    do_sql(f->store, "CREATE TABLE fill (x BLOB)"); /* no free page is left over from the migrations */
    int error = handle(f, m, 2);
    assert_true(store_is_fault(error));
    assert_int_equal(done(f, "a"), 0);
    assert_int_equal(f->in_memory, 0);
    assert_int_equal(f->commits, 0);
    assert_int_equal(counts(f, 1), -1);

    make_room(f->store);
    m[1] = message(2, 1, "b\n");
    assert_int_equal(handle(f, m, 2), 0); /* delivered again, all is done */
    assert_int_equal(done(f, "a") + done(f, "b"), 2);
}

static void test_fault_is_not_held_against_the_message(void **state)
{
    struct fixture *f = *state;
    struct inbound m =
        message(1, 40,
                "full\n01\n02\n03\n04\n05\n06\n07\n08\n09\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n"
                "21\n22\n23\n24\n25\n26\n27\n28\n29\n30\n31\n32\n33\n34\n35\n36\n37\n38\n39\n");
    m.redelivered = true;
    for (int i = 0; i < 5; i++) { /* more often than max_attempts */
        make_room(f->store);
        assert_true(store_is_fault(handle(f, &m, 1)));
    }
    make_room(f->store);
    assert_int_equal(dead(f), 0);
    assert_int_equal(ask_int(f->store, "SELECT coalesce(sum(attempts), 0) FROM attempt"), 0);
}

static void test_line_to_retry_sends_its_message_back(void **state)
{
    struct fixture *f = *state;
    struct inbound m[] = {message(1, 2, "a\nlater\n"), message(2, 1, "b\n")};
    assert_int_equal(handle(f, m, 2), 0);
    assert_true(m[0].requeue);
    assert_false(m[1].requeue);
    assert_int_equal(done(f, "a") + done(f, "b"), 2);
    assert_int_equal(counts(f, 1), -1); /* recorded when it is handled whole */
    m[0].redelivered = true;
    assert_int_equal(handle(f, m, 1), 0);
    assert_int_equal(handle(f, m, 1), 0);
    assert_true(m[0].requeue);
    assert_int_equal(handle(f, m, 1), 0); /* attempts 1 and 2 are over */
    assert_false(m[0].requeue);
    assert_int_equal(ask_int(f->store, "SELECT reason = 'poison' FROM dead_letter"), 1);
}

static void test_transaction_whose_end_fails_buries_the_message(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message(1, 1, "a\n");
    f->end_fails = true;
    int error = handle(f, &m, 1);
    assert_int_equal(
        error, E_IO); /* even burying fails: our bug, and the process ends with everything in the queue */
    assert_int_equal(done(f, "a"), 0);
    assert_int_equal(dead(f), 0);
}

static void test_body_without_a_line_is_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message(1, 2, "\n\n");
    assert_int_equal(handle(f, &m, 1), 0);
    assert_int_equal(dead(f), 1);
    assert_int_equal(counts(f, 1), 2);
}

/* ---- transactions that no message asked for ---- */

static int settle(void *context, const struct settlement *s)
{
    struct fixture *f = context;
    assert_true(store_in_transaction(f->store));
    assert_true(s->now_ms > 0);
    assert_ptr_equal(s->inbox, f->t.inbox);
    statement_bind_text(f->write, 1, slice_of(f->settle_line));
    int error = statement_run(f->write);
    if (!error)
        error = outbox_add_line(s->outbox, EXCHANGE_RETRY, "later", slice_of(f->settle_line));
    f->in_memory++;
    if (strcmp(f->settle_line, "full") == 0) {
        make_full(f->store);
        for (int i = 0; i < 100 && !error; i++)
            error = store_execute(f->store, "INSERT INTO fill VALUES (zeroblob(4000))");
    }
    return error ? error : f->settle_code;
}

static int64_t retries(struct fixture *f)
{
    return ask_int(f->store, "SELECT count(*) FROM outbox WHERE exchange = 'seckill.retry'");
}

static void test_settlement_is_one_transaction_with_its_outbox(void **state)
{
    struct fixture *f = *state;
    f->settle_line = "sent";
    assert_int_equal(transaction_settle(&f->t, settle), 0);
    assert_false(store_in_transaction(f->store));
    assert_int_equal(done(f, "sent"), 1);
    assert_int_equal(retries(f), 1);
    assert_int_equal(f->commits, 1);
    assert_int_equal(f->t.commits, 1);
    assert_int_equal(f->t.totals.decided + f->t.totals.duplicates + f->t.totals.dead, 0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM batch_seen"), 0); /* no message came */
}

static void count_replies(void *context)
{
    ++*(int *)context;
}

/* It may run without a broker: then there is nobody to send replies through. */
static void test_settlement_sends_no_replies(void **state)
{
    struct fixture *f = *state;
    int sent = 0;
    f->t.committed = count_replies;
    f->t.context = &sent;
    f->settle_line = "sent";
    assert_int_equal(transaction_settle(&f->t, settle), 0);
    assert_int_equal(sent, 0);
}

static void test_settlement_that_meets_a_full_disk_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    do_sql(f->store, "CREATE TABLE fill (x BLOB)");
    f->settle_line = "full";
    assert_true(store_is_fault(transaction_settle(&f->t, settle)));
    make_room(f->store);
    assert_false(store_in_transaction(f->store));
    assert_int_equal(done(f, "full") + retries(f), 0);
    assert_int_equal(f->commits, 0);
    assert_int_equal(f->reloads, 1);
    assert_int_equal(f->in_memory, 0);
    f->settle_line = "sent"; /* and nothing that was gathered is left for the next one */
    assert_int_equal(transaction_settle(&f->t, settle), 0);
    assert_int_equal(ask_int(f->store, "SELECT group_concat(CAST(body AS TEXT)) = 'sent' FROM outbox"), 1);
}

/* There is no line to blame and to bury, so the process has to end: it must not be tried for ever. */
static void test_settlement_that_breaks_a_rule_is_a_fault(void **state)
{
    struct fixture *f = *state;
    f->settle_line = "fails";
    assert_int_equal(transaction_settle(&f->t, settle), E_IO);
    f->settle_line = "undone";
    f->settle_code = E_NOT_FOUND;
    assert_int_equal(transaction_settle(&f->t, settle), E_IO);
    f->settle_code = 0;
    f->end_fails = true;
    assert_int_equal(transaction_settle(&f->t, settle), E_IO);
    assert_int_equal(done(f, "undone") + retries(f), 0);
    assert_int_equal(f->reloads, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_messages_share_a_transaction),
        TEST(test_bad_line_goes_alone_and_costs_no_rollback),
        TEST(test_line_that_fails_is_isolated_and_its_neighbours_go_on),
        TEST(test_message_that_comes_again_is_duplicates_and_no_second_event),
        TEST(test_new_lines_under_a_number_that_was_seen_are_recorded),
        TEST(test_message_that_kills_is_poison_after_its_attempts),
        TEST(test_neighbours_of_poison_are_handled),
        TEST(test_full_disk_is_a_fault_and_leaves_no_trace),
        TEST(test_fault_is_not_held_against_the_message),
        TEST(test_line_to_retry_sends_its_message_back),
        TEST(test_transaction_whose_end_fails_buries_the_message),
        TEST(test_body_without_a_line_is_a_dead_letter),
        TEST(test_settlement_is_one_transaction_with_its_outbox),
        TEST(test_settlement_sends_no_replies),
        TEST(test_settlement_that_meets_a_full_disk_leaves_no_trace),
        TEST(test_settlement_that_breaks_a_rule_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
