/* number.h: taken whole or not at all. */
#include "tests/unit/base_support.h"

#include "common/base/number.h"

static int64_t parsed(const char *text)
{
    int64_t value = 0;
    assert_int_equal(number_parse(text, INT64_MIN, INT64_MAX, &value), 0);
    return value;
}

static void assert_refused(const char *text, int code)
{
    int64_t value = 4711;
    assert_int_equal(number_parse(text, INT64_MIN, INT64_MAX, &value), code);
    assert_int_equal(value, 4711);
}

static void test_integers_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("0"), 0);
    assert_int_equal(parsed("-0"), 0);
    assert_int_equal(parsed("42"), 42);
    assert_int_equal(parsed("-42"), -42);
    assert_int_equal(parsed("007"), 7);
    assert_true(parsed("9223372036854775807") == INT64_MAX);
    assert_true(parsed("-9223372036854775808") == INT64_MIN);
}

static void test_what_is_no_integer_is_invalid(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               " ",
                               "-",
                               "+1",
                               " 1",
                               "1 ",
                               "1\n",
                               "1.0",
                               "1e3",
                               "0x1",
                               "--1",
                               "1-1",
                               "abc",
                               "12k",
                               "1,0",
                               "\xc2\xb2",
                               "99999999999999999999x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i], E_INVALID);
}

static void test_integers_beyond_64_bits_do_not_wrap(void **state)
{
    (void)state;
    assert_refused("9223372036854775808", E_FULL);
    assert_refused("-9223372036854775809", E_FULL);
    assert_refused("18446744073709551617", E_FULL);
    assert_refused("100000000000000000000000000000000000000", E_FULL);
}

static void test_both_ends_of_the_range_belong_to_it(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(number_parse("1", 1, 500, &value), 0);
    assert_int_equal(number_parse("500", 1, 500, &value), 0);
    assert_int_equal(number_parse("0", 1, 500, &value), E_FULL);
    assert_int_equal(number_parse("501", 1, 500, &value), E_FULL);
    assert_int_equal(number_parse("-1", 0, 500, &value), E_FULL);
    assert_int_equal(number_parse("x", 1, 500, &value), E_INVALID);
}

static void test_bytes_need_no_nul_and_a_nul_is_no_digit(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(number_parse_bytes("12345", 3, 0, 1000, &value), 0);
    assert_int_equal(value, 123);
    assert_int_equal(number_parse_bytes("12\0", 3, 0, 1000, &value), E_INVALID);
    assert_int_equal(number_parse_bytes(NULL, 0, 0, 1000, &value), E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_read),
        cmocka_unit_test(test_what_is_no_integer_is_invalid),
        cmocka_unit_test(test_integers_beyond_64_bits_do_not_wrap),
        cmocka_unit_test(test_both_ends_of_the_range_belong_to_it),
        cmocka_unit_test(test_bytes_need_no_nul_and_a_nul_is_no_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
