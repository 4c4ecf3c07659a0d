/* Who gets a page and who gets JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/order/http_accept.h"

static bool prefers(const char *value)
{
    struct http_accept a = {0};
    http_accept_read(&a, value);
    return http_accept_prefers_html(&a);
}

static void test_browsers_get_pages(void **state)
{
    (void)state;
    assert_true(prefers("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"));
    assert_true(prefers("text/html"));
    assert_true(prefers("TEXT/HTML ; charset=utf-8"));
    assert_true(prefers("text/*"));
    assert_true(prefers("application/json;q=0.9, text/html"));
    assert_true(prefers("text/html;q=0.002,application/json;q=0.001"));
    assert_true(prefers("*/*;q=0.1,text/html;level=\"a,b;c\";q=0.2"));
}

static void test_programs_get_json(void **state)
{
    (void)state;
    struct http_accept none = {0};
    assert_false(http_accept_prefers_html(&none));
    assert_false(prefers(""));
    assert_false(prefers("*/*"));
    assert_false(prefers("application/json"));
    assert_false(prefers("application/json, text/html"));
    assert_false(prefers("application/json, text/plain, */*"));
    assert_false(prefers("text/html;q=0.8, application/json"));
    assert_false(prefers("application/problem+json, text/html;q=0.9"));
    assert_false(prefers("application/*, text/html;q=0.5"));
}

static void test_a_closer_range_wins_over_a_wider_one(void **state)
{
    (void)state;
    assert_false(prefers("text/*, text/html;q=0, application/json;q=0.1"));
    assert_false(prefers("*/*;q=1, text/html;q=0.5"));
    assert_true(prefers("*/*;q=1, application/json;q=0.5"));
    assert_false(prefers("text/html;q=0"));
}

static void test_unreadable_ranges_are_passed_over(void **state)
{
    (void)state;
    assert_false(prefers("text/html;q=2"));
    assert_false(prefers("text/html;q=1.001"));
    assert_false(prefers("text/html;q="));
    assert_false(prefers("text/html;q=.5"));
    assert_false(prefers("text/html;q=-1"));
    assert_false(prefers(";;,,;q=1,\"text/html\",\"text/html"));
    assert_false(prefers("text/htmlx, xtext/html"));
    assert_true(prefers(",, text/html;q=bad, text/html;q=0.3"));
}

static void test_several_headers_are_one_list(void **state)
{
    (void)state;
    struct http_accept a = {0};
    http_accept_read(&a, "text/html");
    assert_true(http_accept_prefers_html(&a));
    http_accept_read(&a, "application/json");
    assert_false(http_accept_prefers_html(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_browsers_get_pages),
        cmocka_unit_test(test_programs_get_json),
        cmocka_unit_test(test_a_closer_range_wins_over_a_wider_one),
        cmocka_unit_test(test_unreadable_ranges_are_passed_over),
        cmocka_unit_test(test_several_headers_are_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
