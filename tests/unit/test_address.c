/* broker.url: every address of the list is read, and what is wrong is said without showing a password. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/broker/address.h"

static void test_whole_address_is_read_and_unescaped(void **state)
{
    (void)state;
    struct broker_addresses a;
    assert_int_equal(broker_addresses_parse("amqp://shop:p%40ss@broker-1:5673/sale", &a, NULL), 0);
    assert_int_equal(a.count, 1);
    assert_false(a.items[0].tls);
    assert_string_equal(a.items[0].user, "shop");
    assert_string_equal(a.items[0].password, "p@ss");
    assert_string_equal(a.items[0].host, "broker-1");
    assert_int_equal(a.items[0].port, 5673);
    assert_string_equal(a.items[0].vhost, "sale");
    broker_addresses_free(&a);
}

static void test_default_vhost_is_meant_by_an_empty_one(void **state)
{
    (void)state;
    static const char *const text[] = {"amqp://a:1@h", "amqp://a:1@h/", "amqp://a:1@h/%2f"};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct broker_addresses a;
        assert_int_equal(broker_addresses_parse(text[i], &a, NULL), 0);
        assert_string_equal(a.items[0].vhost, "/");
        broker_addresses_free(&a);
    }
}

static void test_list_is_read_in_order_with_blanks_around_commas(void **state)
{
    (void)state;
    struct broker_addresses a;
    assert_int_equal(broker_addresses_parse("amqp://a:1@h1/v , amqps://b:2@h2:5999/w", &a, NULL), 0);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.items[0].host, "h1");
    assert_int_equal(a.items[0].port, 5672);
    assert_string_equal(a.items[1].host, "h2");
    assert_int_equal(a.items[1].port, 5999);
    assert_true(a.items[1].tls);
    broker_addresses_free(&a);
}

static void test_bad_address_is_named_by_its_place_and_shows_no_password(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "broker:5672",
        "http://a:1@h/v",
        "amqp://a:1@h/v,",
        "amqp://a:hunter2@h:notaport/v",
        "amqp://a:hunter2@h/v,amqp//b:hunter2@h2/v",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct broker_addresses a;
        struct detail why = {0};
        assert_int_equal(broker_addresses_parse(bad[i], &a, &why), E_INVALID);
        assert_non_null(strstr(why.text, i == 3 || i == 5 ? "address 2" : "address 1"));
        assert_null(strstr(why.text, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_address_is_read_and_unescaped),
        cmocka_unit_test(test_default_vhost_is_meant_by_an_empty_one),
        cmocka_unit_test(test_list_is_read_in_order_with_blanks_around_commas),
        cmocka_unit_test(test_bad_address_is_named_by_its_place_and_shows_no_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
