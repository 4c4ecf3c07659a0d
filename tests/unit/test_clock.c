/* clock.h: RFC 3339 there and back. */
#include "tests/unit/base_support.h"

#include <time.h>

#include "common/base/clock.h"

#define DAY_MS 86400000LL

static int64_t parsed(const char *text)
{
    int64_t ms = -1;
    if (rfc3339_parse(text, &ms) != 0)
        fail_msg("\"%s\" was refused", text);
    return ms;
}

static void assert_refused(const char *text)
{
    int64_t ms = 4711;
    if (rfc3339_parse(text, &ms) != E_INVALID)
        fail_msg("\"%s\" was taken as %lld", text, (long long)ms);
    assert_int_equal(ms, 4711);
}

static void assert_formatted(int64_t ms, const char *expected)
{
    char out[RFC3339_SIZE];
    assert_ptr_equal(rfc3339_format(ms, out), out);
    assert_string_equal(out, expected);
}

static void test_moments_are_written_with_milliseconds(void **state)
{
    (void)state;
    assert_formatted(0, "1970-01-01T00:00:00.000Z");
    assert_formatted(1, "1970-01-01T00:00:00.001Z");
    assert_formatted(1795348800123, "2026-11-22T12:00:00.123Z");
    assert_formatted(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_formatted(-1, "1969-12-31T23:59:59.999Z");
    assert_formatted(-1, "1969-12-31T23:59:59.999Z");
    assert_formatted(0, "1970-01-01T00:00:00.000Z");
}

static void test_moments_without_a_year_are_shown_as_the_nearest_with_one(void **state)
{
    (void)state;
    assert_formatted(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_formatted(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

static void test_moments_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("2026-11-22T12:00:00Z"), 1795348800000);
    assert_int_equal(parsed("2026-11-22t12:00:00z"), 1795348800000);
    assert_int_equal(parsed("9999-12-31T23:59:59.999Z"), 253402300799999);
}

static void test_fractions_are_cut_to_milliseconds(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00.1Z"), 100);
    assert_int_equal(parsed("1970-01-01T00:00:00.12Z"), 120);
    assert_int_equal(parsed("1970-01-01T00:00:00.123Z"), 123);
    assert_int_equal(parsed("1970-01-01T00:00:00.123999999999999999999Z"), 123);
    assert_refused("1970-01-01T00:00:00.Z");
    assert_refused("1970-01-01T00:00:00,5Z");
}

static void test_offsets_lead_to_the_same_moment(void **state)
{
    (void)state;
    assert_int_equal(parsed("2026-11-22T20:00:00+08:00"), 1795348800000);
    assert_int_equal(parsed("2026-11-22T02:30:00-09:30"), 1795348800000);
    assert_int_equal(parsed("2026-11-22T12:00:00-00:00"), 1795348800000);
    assert_int_equal(parsed("2026-11-23T11:59:00+23:59"), 1795348800000);
    assert_int_equal(parsed("1969-12-31T23:00:00-01:00"), 0);
    assert_refused("2026-11-22T20:00:00+24:00");
    assert_refused("2026-11-22T20:00:00+08:60");
    assert_refused("2026-11-22T20:00:00+0800");
    assert_refused("2026-11-22T20:00:00+08");
    assert_refused("2026-11-22T20:00:00");
}

static void test_leap_years_are_known(void **state)
{
    (void)state;
    assert_int_equal(parsed("2024-02-29T00:00:00Z") + DAY_MS, parsed("2024-03-01T00:00:00Z"));
    assert_int_equal(parsed("2000-02-29T00:00:00Z") + DAY_MS, parsed("2000-03-01T00:00:00Z"));
    assert_int_equal(parsed("2100-02-28T00:00:00Z") + DAY_MS, parsed("2100-03-01T00:00:00Z"));
    assert_refused("2023-02-29T00:00:00Z");
    assert_refused("2100-02-29T00:00:00Z");
}

static void test_days_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z",
                               "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z", "2026-02-30T00:00:00Z",
                               "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i]);
}

static void test_other_notations_are_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "2026",
                               "2026-11-22",
                               "2026-11-22 12:00:00Z",
                               " 2026-11-22T12:00:00Z",
                               "2026-11-22T12:00:00Z ",
                               "2026-11-22T12:00Z",
                               "26-11-22T12:00:00Z",
                               "2026-1-22T12:00:00Z",
                               "+2026-11-22T12:00:00Z",
                               "12026-11-22T12:00:00Z",
                               "2026/11/22T12:00:00Z",
                               "2026-11-22T12:00:00ZZ",
                               "2026-11-22T1a:00:00Z",
                               "now"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i]);
}

static void test_every_cut_of_a_moment_is_refused(void **state)
{
    (void)state;
    const char whole[] = "2026-11-22T20:00:00.123+08:00";
    for (size_t len = 0; len < strlen(whole); len++) {
        char *part = strndup(whole, len); /* on the heap, so that the sanitizer sees a read past its end */
        assert_refused(part);
        free(part);
    }
}

static void test_moments_before_1970_are_refused(void **state)
{
    (void)state;
    assert_refused("1969-12-31T23:59:59.999Z");
    assert_refused("1970-01-01T00:00:00+00:01");
    assert_refused("0000-01-01T00:00:00Z");
    assert_refused("9999-12-31T23:59:59-00:01");
}

static void test_a_leap_second_is_the_next_seconds_begin(void **state)
{
    (void)state;
    assert_int_equal(parsed("2016-12-31T23:59:60Z"), parsed("2017-01-01T00:00:00Z"));
    assert_int_equal(parsed("2016-12-31T23:59:60.9Z"), parsed("2017-01-01T00:00:00Z"));
    assert_int_equal(parsed("2017-01-01T07:59:60+08:00"), parsed("2017-01-01T00:00:00Z"));
    assert_refused("2016-12-31T12:00:60Z");
    assert_refused("9999-12-31T23:59:60Z");
}

static void test_each_day_of_400_years_agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t day = 0; day < 146097; day++) {
        const time_t seconds = (time_t)(day * 86400 + 43261);
        struct tm tm;
        char expected[RFC3339_SIZE], written[RFC3339_SIZE];
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        assert_string_equal(rfc3339_format((int64_t)seconds * 1000 + 7, written), expected);
        assert_int_equal(parsed(written), (int64_t)seconds * 1000 + 7);
    }
}

static void test_the_clocks_are_those_of_the_system(void **state)
{
    (void)state;
    int64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
    int64_t seconds = (int64_t)time(NULL);
    int64_t ms = clock_wall_ms();
    assert_true(ms / 1000 - seconds >= -1 && ms / 1000 - seconds <= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments_are_written_with_milliseconds),
        cmocka_unit_test(test_moments_without_a_year_are_shown_as_the_nearest_with_one),
        cmocka_unit_test(test_moments_are_read),
        cmocka_unit_test(test_fractions_are_cut_to_milliseconds),
        cmocka_unit_test(test_offsets_lead_to_the_same_moment),
        cmocka_unit_test(test_leap_years_are_known),
        cmocka_unit_test(test_days_that_do_not_exist_are_refused),
        cmocka_unit_test(test_other_notations_are_refused),
        cmocka_unit_test(test_every_cut_of_a_moment_is_refused),
        cmocka_unit_test(test_moments_before_1970_are_refused),
        cmocka_unit_test(test_a_leap_second_is_the_next_seconds_begin),
        cmocka_unit_test(test_each_day_of_400_years_agrees_with_libc),
        cmocka_unit_test(test_the_clocks_are_those_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
