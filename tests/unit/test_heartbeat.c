/* Signs of life: as the schema says, with a rate that is measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/pipeline/heartbeat.h"
#include "tests/unit/schema_examples.h"

static void read_again(struct slice line)
{
    struct heartbeat h;
    struct detail why = {.text = ""};
    struct buffer out = {0};
    if (heartbeat_decode(line, &h, &why) != 0)
        fail_msg("%.*s: %s", (int)line.len, line.data, why.text);
    heartbeat_encode(&out, &h);
    json_t *is = json_loadb(out.data, out.len, 0, NULL), *was = json_loadb(line.data, line.len, 0, NULL);
    if (!json_equal(is, was))
        fail_msg("%s instead of %.*s", buffer_text(&out), (int)line.len, line.data);
    json_decref(is);
    json_decref(was);
    buffer_free(&out);
}

static void is_refused(struct slice line, const char *names)
{
    struct heartbeat h;
    struct detail why = {.text = ""};
    assert_int_equal(heartbeat_decode(line, &h, &why), E_INVALID);
    assert_names(why.text, names);
}

static void test_examples_of_the_schema(void **state)
{
    (void)state;
    schema_each_good("heartbeat", read_again);
    schema_each_bad("heartbeat", is_refused);
}

static void test_begin_says_who_it_is(void **state)
{
    struct heartbeat h;
    (void)state;
    heartbeat_begin(&h, "inventory.3");
    assert_string_equal(h.service, "inventory.3");
    assert_int_equal(h.pid, getpid());
    assert_string_equal(h.version, SECKILL_VERSION);
    assert_true(h.instance[0] && h.host[0] && h.started_ms > 0);
    heartbeat_measure(&h, &(struct heartbeat_clock){0}, 1);
    struct buffer out = {0};
    heartbeat_encode(&out, &h);
    struct slice line = {.data = out.data, .len = out.len - 1};
    read_again(line);
    buffer_free(&out);
}

static void test_rate_is_of_the_time_that_passed(void **state)
{
    struct heartbeat h = {.handled = 100};
    struct heartbeat_clock clock = {0};
    (void)state;
    heartbeat_measure(&h, &clock, 5 * NS_PER_S);
    assert_int_equal(h.rate, 0); /* nothing to measure from */
    assert_int_equal(clock.due_ns, 6 * NS_PER_S);
    h.handled = 350;
    heartbeat_measure(&h, &clock, 5 * NS_PER_S + NS_PER_S * 5 / 2);
    assert_int_equal(h.rate, 100);
    heartbeat_measure(&h, &clock, 9 * NS_PER_S);
    assert_int_equal(h.rate, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_schema),
        cmocka_unit_test(test_begin_says_who_it_is),
        cmocka_unit_test(test_rate_is_of_the_time_that_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
