/* Long transactions in a thread of their own: the caller goes on meanwhile, and the outcome is the same. */
#include "tests/unit/transaction_support.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

#include "common/pipeline/transaction_thread.h"
#include "services/inventory/stock_store.h"

/* A handler whose line "wait" waits for the test, and whose line "fault" is one. */
struct fixture {
    struct place place;
    struct store *store;
    struct statement *write;
    struct worker_handler handler;
    struct transaction t;
    struct transaction_thread *thread;
    sem_t reached, go_on;
    pthread_t handled_by;
    int commits;
};

static enum outcome on_line(void *context, struct task *task)
{
    struct fixture *f = context;
    f->handled_by = pthread_self();
    if (slice_is(task->line, "fault"))
        return OUTCOME_FAULT;
    if (slice_is(task->line, "wait")) {
        sem_post(&f->reached);
        while (sem_wait(&f->go_on) != 0)
            ;
    }
    statement_bind_text(f->write, 1, task->line);
    return statement_run(f->write) == 0 ? OUTCOME_DONE : OUTCOME_FAULT;
}

static void committed(void *context)
{
    ((struct fixture *)context)->commits++;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    place_make(&f->place);
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, inventory_migrations, NULL, NULL), 0);
    do_sql(f->store, "CREATE TABLE done (line TEXT)");
    assert_int_equal(statement_prepare(&f->write, f->store, "INSERT INTO done (line) VALUES (?1)", NULL), 0);
    f->handler = (struct worker_handler){.line = on_line, .committed = committed};
    transaction_open(&f->t, f->store, "q", &f->handler, f);
    assert_int_equal(sem_init(&f->reached, 0, 0), 0);
    assert_int_equal(sem_init(&f->go_on, 0, 0), 0);
    assert_int_equal(transaction_thread_start(&f->thread, &f->t), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    transaction_thread_free(f->thread);
    sem_destroy(&f->reached);
    sem_destroy(&f->go_on);
    transaction_close(&f->t);
    statement_free(f->write);
    store_close(f->store);
    place_remove(&f->place);
    free(f);
    return 0;
}

static struct inbound message(const char *body, int64_t lines)
{
    return (struct inbound){.orders = lines, .body = slice_of(body)};
}

static bool is_done(const struct fixture *f, int timeout_ms)
{
    struct pollfd fd = {.fd = transaction_thread_fd(f->thread), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void reach(struct fixture *f)
{
    while (sem_wait(&f->reached) != 0)
        ;
}

static void test_the_caller_goes_on_meanwhile(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message("a\nwait\nb\n", 3);
    struct inbound *list[] = {&m};
    assert_false(is_done(f, 0));
    transaction_thread_begin(f->thread, list, 1);
    reach(f);
    assert_false(is_done(f, 0));
    sem_post(&f->go_on);
    assert_true(is_done(f, -1));
    assert_int_equal(transaction_thread_end(f->thread), 0);
    assert_false(is_done(f, 0));
    assert_false(pthread_equal(f->handled_by, pthread_self()));
    assert_int_equal(f->commits, 1);
    assert_int_equal(f->t.totals.decided, 3);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM done"), 3);
}

static void test_it_takes_turns_with_the_caller(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message("x\ny\n", 2);
    struct inbound *list[] = {&m, &m};
    for (int round = 1; round <= 200; round++) {
        transaction_thread_begin(f->thread, list, 2);
        assert_int_equal(transaction_thread_end(f->thread), 0);
        assert_int_equal(ask_int(f->store, "SELECT count(*) FROM done"), 5 * round - 1);
        do_sql(f->store, "INSERT INTO done VALUES ('caller')");
    }
    assert_int_equal(f->commits, 200);
}

static void test_a_fault_comes_back(void **state)
{
    struct fixture *f = *state;
    struct inbound m = message("a\nfault\n", 2);
    struct inbound *list[] = {&m};
    transaction_thread_begin(f->thread, list, 1);
    assert_int_equal(transaction_thread_end(f->thread), E_IO);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM done"), 0);
    assert_int_equal(f->commits, 0);
}

static void *let_it_go_on(void *context)
{
    struct fixture *f = context;
    reach(f);
    sem_post(&f->go_on);
    return NULL;
}

static void test_freeing_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    pthread_t other;
    struct inbound m = message("wait\n", 1);
    struct inbound *list[] = {&m};
    transaction_thread_begin(f->thread, list, 1);
    assert_int_equal(pthread_create(&other, NULL, let_it_go_on, f), 0);
    transaction_thread_free(f->thread);
    f->thread = NULL;
    assert_int_equal(f->commits, 1);
    pthread_join(other, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_caller_goes_on_meanwhile),
        TEST(test_it_takes_turns_with_the_caller),
        TEST(test_a_fault_comes_back),
        TEST(test_freeing_waits_for_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
