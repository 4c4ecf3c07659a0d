/* Work beside the queue, in a real worker that never finds its broker: it goes on all the same, its writes
 * are transactions of the worker's, and SIGTERM lets it end, but not for ever. */
#include "tests/unit/store_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/base/clock.h"
#include "common/base/signals.h"
#include "common/pipeline/worker.h"

extern const struct migration notification_migrations[];

struct fixture {
    struct place place;
    struct store *store;
    int port_fd; /* bound, and nobody listens */
    char url[64];
    struct broker_addresses addresses;
    int pipe[2];
    int signal_fd;

    /* what the work does and saw */
    int rounds, settled, stop_at, drained_calls, drained_after;
    int settle_code;
    bool woken;
    int64_t stopped_ns;
};

static int on_open(void *context, struct store *store, struct detail *why)
{
    struct fixture *f = context;
    (void)why;
    f->store = store;
    return 0;
}

static enum outcome on_line(void *context, struct task *task)
{
    (void)context;
    (void)task;
    return OUTCOME_REJECT;
}

/* The second round comes because the pipe became readable, or not at all within its time. */
static bool on_run(void *context, int64_t now_ns)
{
    struct fixture *f = context;
    char byte = 'x';
    assert_false(store_in_transaction(f->store));
    assert_true(now_ns > 0);
    f->rounds++;
    if (f->rounds == f->stop_at) {
        f->stopped_ns = clock_mono_ns();
        kill(getpid(), SIGTERM);
    }
    if (f->rounds == 1)
        assert_int_equal(write(f->pipe[1], &byte, 1), 1);
    else if (!f->woken)
        f->woken = read(f->pipe[0], &byte, 1) == 1;
    return f->rounds % 2 == 0;
}

static int on_settle(void *context, const struct settlement *s)
{
    struct fixture *f = context;
    assert_true(store_in_transaction(f->store));
    f->settled++;
    int error = outbox_add_line(s->outbox, "seckill.retry", "k", slice_of("x\n"));
    return error ? error : f->settle_code;
}

static int wait_fd(void *context)
{
    return ((struct fixture *)context)->pipe[0];
}

static int64_t due_ns(void *context)
{
    (void)context;
    return INT64_MAX;
}

static bool is_drained(void *context)
{
    struct fixture *f = context;
    return ++f->drained_calls > f->drained_after;
}

static const struct worker_beside beside = {
    .run = on_run, .settle = on_settle, .wait_fd = wait_fd, .due_ns = due_ns, .drained = is_drained};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    place_make(&f->place);
    f->port_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->port_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(f->port_fd, (struct sockaddr *)&address, &len), 0);
    snprintf(f->url, sizeof f->url, "amqp://127.0.0.1:%d/", ntohs(address.sin_port));
    assert_int_equal(broker_addresses_parse(f->url, &f->addresses, NULL), 0);
    assert_int_equal(pipe2(f->pipe, O_NONBLOCK), 0);
    f->signal_fd = signals_start();
    assert_true(f->signal_fd >= 0);
    f->stop_at = 5;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    broker_addresses_free(&f->addresses);
    close(f->port_fd);
    close(f->pipe[0]);
    close(f->pipe[1]);
    close(f->signal_fd);
    place_remove(&f->place);
    free(f);
    return 0;
}

static int run(struct fixture *f)
{
    static const char *const exchanges[] = {"seckill.retry", NULL};
    const struct worker_spec spec = {
        .service = "test",
        .database = f->place.path,
        .init = true,
        .migrations = notification_migrations,
        .addresses = &f->addresses,
        .heartbeat_s = 10,
        .timeout_ms = 200,
        .queue = "q",
        .exchanges = exchanges,
        .outbox_exchanges = exchanges,
        .prefetch = 1,
        .max_batch = 1,
        .relay_window = 1,
        .confirm_timeout_ms = 30000,
        .max_attempts = 1,
        .handler = {.open = on_open, .line = on_line, .beside = &beside},
        .context = f,
    };
    return worker_run(&spec, f->signal_fd);
}

static int64_t outbox_rows(struct fixture *f)
{
    struct store *s = open_or_fail(&f->place, STORE_READER);
    int64_t rows = ask_int(s, "SELECT count(*) FROM outbox");
    store_close(s);
    return rows;
}

static void test_work_goes_on_without_a_broker_and_is_committed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f), EXIT_OK);
    assert_true(f->woken);
    assert_true(f->rounds >= 5);
    assert_true(f->settled >= 2);
    assert_int_equal(outbox_rows(f), f->settled);
}

static void test_drain_goes_on_until_nothing_is_under_way(void **state)
{
    struct fixture *f = *state;
    f->drained_after = 4;
    assert_int_equal(run(f), EXIT_OK);
    assert_int_equal(f->drained_calls, 5);
    assert_true(f->rounds > 5); /* the rounds of the drain settle, too */
    assert_int_equal(outbox_rows(f), f->settled);
}

static void test_drain_that_never_ends_is_given_up(void **state)
{
    struct fixture *f = *state;
    f->drained_after = 1000000000;
    assert_int_equal(run(f), EXIT_OK);
    assert_true(clock_mono_ns() - f->stopped_ns >= 4 * NS_PER_S); /* it was given time */
    assert_int_equal(outbox_rows(f), f->settled);
}

static void test_settlement_that_fails_ends_the_process(void **state)
{
    struct fixture *f = *state;
    f->settle_code = E_IO;
    assert_int_equal(run(f), EXIT_DISK);
    assert_int_equal(f->settled, 1);
    assert_int_equal(f->drained_calls, 0);
    assert_int_equal(outbox_rows(f), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_work_goes_on_without_a_broker_and_is_committed),
        TEST(test_drain_goes_on_until_nothing_is_under_way),
        TEST(test_drain_that_never_ends_is_given_up),
        TEST(test_settlement_that_fails_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
