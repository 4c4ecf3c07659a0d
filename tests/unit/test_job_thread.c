/* Jobs in a thread of their own: the owner goes on meanwhile, and has what they did and returned. */
#include "tests/unit/base_support.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "common/base/job_thread.h"

struct fixture {
    struct job_thread *thread;
    sem_t reached, go_on;
    pthread_t done_by;
    int done; /* no lock: the thread and its owner take turns */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(sem_init(&f->reached, 0, 0), 0);
    assert_int_equal(sem_init(&f->go_on, 0, 0), 0);
    assert_int_equal(job_thread_start(&f->thread), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    job_thread_free(f->thread);
    sem_destroy(&f->reached);
    sem_destroy(&f->go_on);
    free(f);
    return 0;
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

static int wait_and_do(void *context)
{
    struct fixture *f = context;
    sem_post(&f->reached);
    wait_for(&f->go_on);
    f->done_by = pthread_self();
    f->done++;
    return 0;
}

static int do_at_once(void *context)
{
    return ++((struct fixture *)context)->done;
}

static bool is_readable(const struct fixture *f, int timeout_ms)
{
    struct pollfd fd = {.fd = job_thread_fd(f->thread), .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void test_the_owner_goes_on_meanwhile(void **state)
{
    struct fixture *f = *state;
    assert_false(is_readable(f, 0));
    job_thread_begin(f->thread, wait_and_do, f);
    wait_for(&f->reached);
    assert_false(is_readable(f, 0));
    assert_false(job_thread_is_done(f->thread));
    sem_post(&f->go_on);
    assert_true(is_readable(f, -1));
    assert_true(job_thread_is_done(f->thread));
    assert_int_equal(job_thread_end(f->thread), 0);
    assert_false(is_readable(f, 0));
    assert_int_equal(f->done, 1);
    assert_false(pthread_equal(f->done_by, pthread_self()));
}

static void test_it_takes_turns_with_its_owner(void **state)
{
    struct fixture *f = *state;
    for (int round = 1; round <= 1000; round++) {
        job_thread_begin(f->thread, do_at_once, f);
        assert_int_equal(job_thread_end(f->thread), 2 * round - 1);
        assert_int_equal(f->done, 2 * round - 1);
        f->done++;
    }
}

static void *let_it_go_on(void *context)
{
    struct fixture *f = context;
    wait_for(&f->reached);
    sem_post(&f->go_on);
    return NULL;
}

static void test_freeing_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    pthread_t other;
    job_thread_begin(f->thread, wait_and_do, f);
    assert_int_equal(pthread_create(&other, NULL, let_it_go_on, f), 0);
    job_thread_free(f->thread);
    f->thread = NULL;
    assert_int_equal(f->done, 1);
    pthread_join(other, NULL);
}

static void test_there_need_not_be_one(void **state)
{
    (void)state;
    job_thread_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_owner_goes_on_meanwhile),
        TEST(test_it_takes_turns_with_its_owner),
        TEST(test_freeing_waits_for_what_is_under_way),
        cmocka_unit_test(test_there_need_not_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
