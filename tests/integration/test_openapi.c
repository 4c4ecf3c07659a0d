/* schema/openapi.yaml against a real stack: every example of a request, and its answer. */
#include <stdio.h>

#include "tests/support/check.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

enum { RUN_SECONDS = 120 };

static void run_examples(struct stack *s, const char *mode)
{
    char env[STACK_PATH], program[STACK_PATH];
    struct process_output o;

    snprintf(env, sizeof env, "%s/env", s->dir);
    process_run((const char *[]){SECKILL_SOURCE_DIR "/tests/openapi/send_examples.py",
                                 SECKILL_SOURCE_DIR "/schema/openapi.yaml", env,
                                 stack_program(s, "seckillctl", program), mode, NULL},
                stack_environment(s), NULL, RUN_SECONDS, &o);
    if (o.status != 0)
        fail_msg("exit status %d\n%s%s", o.status, text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
}

static void test_every_example_is_answered_as_described(void **state)
{
    run_examples(*state, NULL);
}

static void test_without_a_broker_503_is_as_described(void **state)
{
    assert_int_equal(stack_do(*state, "stop", "broker", NULL), 0);
    run_examples(*state, "outage");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_example_is_answered_as_described),
        cmocka_unit_test(test_without_a_broker_503_is_as_described),
        cmocka_unit_test_setup(test_audit_passes, everything_runs),
        cmocka_unit_test(test_stack_ends_cleanly),
    };

    return run_with_stack("openapi", tests, sizeof tests / sizeof *tests, NULL);
}
