/* When a connection to publish on is opened anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/broker/renewal.h"

#define SECOND INT64_C(1000000000)

static void test_nothing_refused_is_no_reason(void **state)
{
    struct renewal r = {0};
    (void)state;
    assert_false(renewal_is_due(&r, 1000 * SECOND));
}

static void test_first_comes_soon_and_once(void **state)
{
    struct renewal r = {0};
    (void)state;
    renewal_refused(&r, SECOND);
    renewal_refused(&r, SECOND + RENEWAL_FIRST_NS / 2); /* puts nothing off */
    assert_false(renewal_is_due(&r, SECOND + RENEWAL_FIRST_NS - 1));
    assert_true(renewal_is_due(&r, SECOND + RENEWAL_FIRST_NS));
    assert_false(renewal_is_due(&r, 2 * SECOND));
}

/* A queue that is full for hours: how often in one of them? */
static void test_others_come_ever_more_seldom(void **state)
{
    struct renewal r = {0};
    int count = 0;
    (void)state;
    for (int64_t now_ns = SECOND; now_ns < 3600 * SECOND; now_ns += SECOND / 20) {
        renewal_refused(&r, now_ns);
        count += renewal_is_due(&r, now_ns);
    }
    assert_in_range(count, 400, 3600 * SECOND / RENEWAL_MAX_NS + 6);
}

static void test_after_a_calm_it_begins_anew(void **state)
{
    struct renewal r = {0};
    int64_t now_ns = SECOND;
    (void)state;
    for (int i = 0; i < 10; i++) {
        renewal_refused(&r, now_ns);
        now_ns += RENEWAL_MAX_NS;
        assert_true(renewal_is_due(&r, now_ns));
    }
    now_ns += 3 * RENEWAL_MAX_NS;
    renewal_refused(&r, now_ns);
    assert_true(renewal_is_due(&r, now_ns + RENEWAL_FIRST_NS));
}

static void test_another_connection_makes_it_needless(void **state)
{
    struct renewal r = {0};
    (void)state;
    renewal_refused(&r, SECOND);
    renewal_done(&r);
    assert_false(renewal_is_due(&r, 100 * SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_refused_is_no_reason),
        cmocka_unit_test(test_first_comes_soon_and_once),
        cmocka_unit_test(test_others_come_ever_more_seldom),
        cmocka_unit_test(test_after_a_calm_it_begins_anew),
        cmocka_unit_test(test_another_connection_makes_it_needless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
