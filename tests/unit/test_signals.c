/* signals.h: signals come out of the descriptor, one by one, and end nobody. */
#include "tests/unit/base_support.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include "common/base/signals.h"

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void test_nothing_waits_at_first(void **state)
{
    int fd = *(int *)*state;
    assert_false(is_readable(fd));
    assert_int_equal(signals_next(fd), SIGNAL_NONE);
}

static void test_term_and_int_mean_stop_and_hup_means_reload(void **state)
{
    int fd = *(int *)*state;
    const struct {
        int signal;
        enum signal_event event;
    } cases[] = {{SIGTERM, SIGNAL_STOP}, {SIGINT, SIGNAL_STOP}, {SIGHUP, SIGNAL_RELOAD}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kill(getpid(), cases[i].signal);
        assert_true(is_readable(fd));
        assert_int_equal(signals_next(fd), cases[i].event);
        assert_int_equal(signals_next(fd), SIGNAL_NONE);
    }
}

static void test_several_are_read_one_by_one(void **state)
{
    int fd = *(int *)*state;
    int stops = 0, reloads = 0;
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    for (enum signal_event e; (e = signals_next(fd)) != SIGNAL_NONE;) {
        stops += e == SIGNAL_STOP;
        reloads += e == SIGNAL_RELOAD;
    }
    assert_int_equal(stops, 1);
    assert_int_equal(reloads, 1);
}

static void *send_term_to_the_process(void *context)
{
    kill(getpid(), SIGTERM);
    return context;
}

static void test_a_later_thread_does_not_take_the_signal(void **state)
{
    int fd = *(int *)*state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, send_term_to_the_process, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(signals_next(fd), SIGNAL_STOP);
}

static void test_a_closed_pipe_is_an_error_and_not_the_end(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
}

int main(void)
{
    static int fd;
    fd = signals_start();
    if (fd < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_nothing_waits_at_first, &fd),
        cmocka_unit_test_prestate(test_term_and_int_mean_stop_and_hup_means_reload, &fd),
        cmocka_unit_test_prestate(test_several_are_read_one_by_one, &fd),
        cmocka_unit_test_prestate(test_a_later_thread_does_not_take_the_signal, &fd),
        cmocka_unit_test_prestate(test_a_closed_pipe_is_an_error_and_not_the_end, &fd),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close(fd);
    return failed;
}
