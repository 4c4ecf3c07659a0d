/* Connections of one address: who is counted, as whom, and that every place comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "services/order/address_limit.h"

static const struct sockaddr *address_of(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(1)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(out, &v6, sizeof v6);
    }
    return (const struct sockaddr *)out;
}

static bool allows(struct address_limit *l, const char *text)
{
    struct sockaddr_storage s;
    return address_limit_allows(l, address_of(text, &s));
}

static struct address_entry *enter(struct address_limit *l, const char *text)
{
    struct sockaddr_storage s;
    return address_limit_enter(l, address_of(text, &s));
}

static void test_one_address_is_bounded_and_others_are_not_touched(void **state)
{
    (void)state;
    struct address_limit *l = address_limit_new(2);
    struct address_entry *a = enter(l, "192.0.2.1"), *b = enter(l, "192.0.2.1");
    assert_ptr_equal(a, b);
    assert_false(allows(l, "192.0.2.1"));
    assert_true(allows(l, "192.0.2.2"));
    address_limit_leave(l, a);
    assert_true(allows(l, "192.0.2.1"));
    address_limit_leave(l, b);
    address_limit_free(l);
}

static void test_ipv4_over_an_ipv6_socket_is_the_same_address(void **state)
{
    (void)state;
    struct address_limit *l = address_limit_new(1);
    struct address_entry *a = enter(l, "::ffff:192.0.2.1");
    assert_false(allows(l, "192.0.2.1"));
    assert_true(allows(l, "::ffff:192.0.2.2"));
    address_limit_leave(l, a);
    address_limit_free(l);
}

static void test_ipv6_counts_by_its_64_bits(void **state)
{
    (void)state;
    struct address_limit *l = address_limit_new(1);
    struct address_entry *a = enter(l, "2001:db8:1:2::1");
    assert_false(allows(l, "2001:db8:1:2:ffff::9"));
    assert_true(allows(l, "2001:db8:1:3::1"));
    address_limit_leave(l, a);
    address_limit_free(l);
}

static void test_loopback_is_not_counted(void **state)
{
    (void)state;
    static const char *const loopback[] = {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"};
    struct address_limit *l = address_limit_new(1);
    for (size_t i = 0; i < sizeof loopback / sizeof *loopback; i++) {
        assert_null(enter(l, loopback[i]));
        assert_true(allows(l, loopback[i]));
    }
    address_limit_leave(l, NULL);
    address_limit_free(l);
}

static void test_zero_is_no_limit(void **state)
{
    (void)state;
    struct address_limit *l = address_limit_new(0);
    for (int i = 0; i < 10; i++) {
        assert_null(enter(l, "192.0.2.1"));
        assert_true(allows(l, "192.0.2.1"));
    }
    address_limit_free(l);
}

static void test_many_addresses_come_and_go(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static struct address_entry *entries[MANY];
    struct address_limit *l = address_limit_new(1);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < MANY; i++) {
            v4.sin_addr.s_addr = htonl(0x0a000000u + i * 7919u);
            assert_true(address_limit_allows(l, (const struct sockaddr *)&v4));
            entries[i] = address_limit_enter(l, (const struct sockaddr *)&v4);
            assert_false(address_limit_allows(l, (const struct sockaddr *)&v4));
        }
        for (int i = MANY - 1; i >= 0; i--)
            address_limit_leave(l, entries[i]);
    }
    address_limit_free(l); /* a leak would be the sanitizer's to tell */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_address_is_bounded_and_others_are_not_touched),
        cmocka_unit_test(test_ipv4_over_an_ipv6_socket_is_the_same_address),
        cmocka_unit_test(test_ipv6_counts_by_its_64_bits),
        cmocka_unit_test(test_loopback_is_not_counted),
        cmocka_unit_test(test_zero_is_no_limit),
        cmocka_unit_test(test_many_addresses_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
