/* A group of tests around one stack. */
#include <stdio.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/ctl.h"

static struct stack *stack;
static const char *const *settings;

static int bring_up(void **state)
{
    static bool tried; /* once: what fails takes its time */

    if (!tried)
        stack = stack_up(settings);
    tried = true;
    *state = stack;
    return stack ? 0 : -1;
}

static int bring_up_whole(void **state)
{
    return bring_up(state) == 0 ? everything_runs(state) : -1;
}

/* What main returns. */
static int finish(int failed)
{
    stack_free(stack, failed != 0);
    if (failed) {
        /* A test that failed left its memory where it was: a report of leaks would only hide why. */
        fflush(NULL);
        _exit(1);
    }
    return 0;
}

int run_with_stack(const char *name, const struct CMUnitTest *tests, size_t count, const char *const sets[])
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    settings = sets;
    return finish(_cmocka_run_group_tests(name, tests, count, bring_up, NULL));
}

int run_groups_with_stack(const struct test_group *const groups[], const char *const sets[])
{
    static const struct CMUnitTest end[] = {STACK_END};
    int failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    settings = sets;
    for (int i = 0; groups[i]; i++)
        failed |= _cmocka_run_group_tests(groups[i]->name, groups[i]->tests, groups[i]->count, bring_up_whole,
                                          NULL);
    failed |= _cmocka_run_group_tests("end", end, sizeof end / sizeof *end, bring_up_whole, NULL);
    return finish(failed);
}

void test_audit_passes(void **state)
{
    assert_true(audit_passes(*state));
}

void test_stack_ends_cleanly(void **state)
{
    assert_int_equal(stack_end(*state), 0);
}

int everything_runs(void **state)
{
    static const char *const services[] = {"broker", "inventory", "order", "redpacket", "notification"};

    for (int i = 0; i < 5; i++) {
        if (i > 0 && !stack_has(*state, services[i]))
            continue;
        if (stack_do(*state, "start", services[i], NULL) != 0)
            return -1;
    }
    return stack_wait_ready(*state, 60) ? 0 : -1;
}
