/* Retry-After in its two forms, and in what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/notification/retry_after.h"

#define NOW_MS INT64_C(784111777000) /* Sun, 06 Nov 1994 08:49:37 GMT */

static void assert_waits(const char *value, int64_t wanted_ms)
{
    int64_t ms = retry_after_ms(slice_of(value), NOW_MS);
    if (ms != wanted_ms)
        fail_msg("\"%s\": %lld ms instead of %lld", value, (long long)ms, (long long)wanted_ms);
}

static void test_seconds(void **state)
{
    (void)state;
    assert_waits("0", 0);
    assert_waits("1", 1000);
    assert_waits(" 120 \r\n", 120000);
    assert_waits("007", 7000);
    assert_waits("86400", RETRY_AFTER_MAX_MS);
    assert_waits("86401", RETRY_AFTER_MAX_MS);
    assert_waits("9223372036854775807", RETRY_AFTER_MAX_MS);
    assert_waits("99999999999999999999999999999999", RETRY_AFTER_MAX_MS);
}

static void test_dates_in_all_three_forms(void **state)
{
    (void)state;
    assert_waits("Sun, 06 Nov 1994 08:50:07 GMT", 30000);
    assert_waits("Sunday, 06-Nov-94 08:50:07 GMT\r\n", 30000);
    assert_waits("Sun Nov  6 08:50:07 1994", 30000);
    assert_waits("Mon, 07 Nov 1994 08:49:36 GMT", RETRY_AFTER_MAX_MS - 1000);
}

static void test_moments_that_are_over_or_far_away(void **state)
{
    (void)state;
    assert_waits("Sun, 06 Nov 1994 08:49:37 GMT", 0);
    assert_waits("Sun, 06 Nov 1994 08:49:36 GMT", 0);
    assert_waits("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    assert_waits("Sun, 06 Nov 9999 08:49:37 GMT", RETRY_AFTER_MAX_MS);
}

static void test_what_is_neither_counts_as_nothing(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        " ",
        "-1",
        "+5",
        "1.5",
        "5s",
        "0x10",
        "1 2",
        "soon",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 08:50:07",
        "Sun, 06 Nov 1994 08:50:07 GMT, or so",
        "Sun, 31 Feb 2030 08:50:07 GMT",
        "Sun, 06 Nov 1994 25:50:07 GMT",
        "2030-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_waits(values[i], 0);
    char longer[1000];
    memset(longer, 'x', sizeof(longer));
    assert_int_equal(retry_after_ms((struct slice){.data = longer, .len = sizeof(longer)}, NOW_MS), 0);
    assert_int_equal(retry_after_ms((struct slice){.data = "1\0002", .len = 3}, NOW_MS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_dates_in_all_three_forms),
        cmocka_unit_test(test_moments_that_are_over_or_far_away),
        cmocka_unit_test(test_what_is_neither_counts_as_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
