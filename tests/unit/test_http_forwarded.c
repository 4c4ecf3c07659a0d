/* X-Forwarded-For: whose word is taken for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "services/order/http_forwarded.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    else
        fail_msg("%s", text);
    return a;
}

static bool trusts(const char *networks, const char *peer)
{
    struct networks n;
    struct detail why;
    struct sockaddr_storage a = address(peer);
    if (networks_parse(networks, &n, &why) != 0)
        fail_msg("%s", why.text);
    return networks_have(&n, (struct sockaddr *)&a);
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(trusts("10.0.0.0/8", "10.255.0.1"));
    assert_false(trusts("10.0.0.0/8", "11.0.0.1"));
    assert_true(trusts("192.0.2.128/25", "192.0.2.200"));
    assert_false(trusts("192.0.2.128/25", "192.0.2.127"));
    assert_true(trusts("192.0.2.7", "192.0.2.7"));
    assert_false(trusts("192.0.2.7", "192.0.2.8"));
    assert_true(trusts("10.0.0.0/8", "::ffff:10.1.2.3")); /* IPv4 over an IPv6 socket */
    assert_true(trusts("0.0.0.0/0", "203.0.113.9"));
    assert_false(trusts("0.0.0.0/0", "2001:db8::1"));
    assert_true(trusts("::/0", "2001:db8::1"));
    assert_true(trusts("2001:db8::/33, ::1", "2001:db8:7fff::1"));
    assert_false(trusts("2001:db8::/33, ::1", "2001:db8:8000::1"));
    assert_true(trusts("2001:db8::/33, ::1", "::1"));
    assert_false(trusts("", "127.0.0.1"));
}

static void test_what_is_no_network_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"::ffff:10.0.0.0/8", "10.0.0.0/33", "10.0.0/8",   "::1/129",
                                        "proxy.example",     "10.0.0.0/",   "1.2.3.4/-1", "1.2.3.4,,::1",
                                        "1.2.3.4/8/8",       "0x7f.1"};
    struct networks n;
    struct detail why;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(networks_parse(wrong[i], &n, &why), E_INVALID);
        assert_non_null(strstr(why.text, "http.trusted_proxies"));
    }
}

/* Of a request from this peer with up to three such headers; "" if it is the peer itself. */
static const char *client_of(const char *peer, const char *first, const char *second, const char *third)
{
    static char text[INET6_ADDRSTRLEN];
    const char *const values[] = {first, second, third};
    struct forwarded f = {0};
    struct networks n;
    struct sockaddr_storage a = address(peer);
    struct sockaddr_in6 client;
    assert_int_equal(networks_parse("127.0.0.0/8, 10.0.0.0/8, 2001:db8:1::/48", &n, NULL), 0);
    for (int i = 0; i < 3; i++)
        if (values[i])
            forwarded_note(&f, values[i]);
    text[0] = '\0';
    if (forwarded_client(&f, &n, (struct sockaddr *)&a, &client))
        forwarded_text(&client, text);
    return text;
}

static void test_the_rightmost_hop_that_is_not_trusted_is_the_client(void **state)
{
    (void)state;
    assert_string_equal(client_of("127.0.0.1", "203.0.113.9", NULL, NULL), "203.0.113.9");
    assert_string_equal(client_of("127.0.0.1", "1.1.1.1, 203.0.113.9", NULL, NULL), "203.0.113.9");
    assert_string_equal(client_of("127.0.0.1", "1.1.1.1,203.0.113.9 ,\t10.0.0.1 , 10.2.0.1", NULL, NULL),
                        "203.0.113.9");
    /* several lines are one list, in their order */
    assert_string_equal(client_of("127.0.0.1", "1.1.1.1", "203.0.113.9", "10.0.0.1"), "203.0.113.9");
    assert_string_equal(client_of("127.0.0.1", "203.0.113.9", "10.0.0.1, 10.0.0.2", "10.0.0.3"),
                        "203.0.113.9");
    /* all of them ours: the farthest */
    assert_string_equal(client_of("127.0.0.1", "10.0.0.2, 10.0.0.1", NULL, NULL), "10.0.0.2");
}

static void test_a_peer_that_is_not_trusted_says_nothing(void **state)
{
    (void)state;
    assert_string_equal(client_of("203.0.113.1", "198.51.100.1", NULL, NULL), "");
    assert_string_equal(client_of("::ffff:203.0.113.1", "198.51.100.1", NULL, NULL), "");
    assert_string_equal(client_of("127.0.0.1", NULL, NULL, NULL), "");
}

static void test_how_a_hop_may_be_written(void **state)
{
    (void)state;
    assert_string_equal(client_of("10.9.9.9", "203.0.113.9:4711", NULL, NULL), "203.0.113.9");
    assert_string_equal(client_of("10.9.9.9", "2001:db8::7", NULL, NULL), "2001:db8::7");
    assert_string_equal(client_of("10.9.9.9", "[2001:db8::7]", NULL, NULL), "2001:db8::7");
    assert_string_equal(client_of("10.9.9.9", "[2001:db8::7]:4711", NULL, NULL), "2001:db8::7");
    assert_string_equal(client_of("10.9.9.9", "::ffff:203.0.113.9", NULL, NULL), "203.0.113.9");
    assert_string_equal(client_of("2001:db8:1::5", "203.0.113.9", NULL, NULL), "203.0.113.9");
}

static void test_what_is_no_address_ends_the_way(void **state)
{
    (void)state;
    assert_string_equal(client_of("127.0.0.1", "unknown", NULL, NULL), "");
    assert_string_equal(client_of("127.0.0.1", "", NULL, NULL), "");
    assert_string_equal(client_of("127.0.0.1", "198.51.100.1, unknown, 10.0.0.1", NULL, NULL), "10.0.0.1");
    assert_string_equal(client_of("127.0.0.1", "198.51.100.1, , 10.0.0.1", NULL, NULL), "10.0.0.1");
    assert_string_equal(client_of("127.0.0.1", "[2001:db8::7", NULL, NULL), "");
    assert_string_equal(client_of("127.0.0.1", "[2001:db8::7]x", NULL, NULL), "");
    assert_string_equal(
        client_of("127.0.0.1",
                  "203.0.113.9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL,
                  NULL),
        "");
}

static void test_a_long_way_is_given_up(void **state)
{
    (void)state;
    char way[4096] = "203.0.113.9";
    for (int i = 0; i < 100; i++)
        strcat(way, ",10.0.0.1");
    assert_string_equal(client_of("127.0.0.1", way, NULL, NULL), "10.0.0.1");
    struct forwarded f = {0};
    struct networks n;
    struct sockaddr_storage peer = address("127.0.0.1");
    struct sockaddr_in6 client;
    char text[INET6_ADDRSTRLEN];
    assert_int_equal(networks_parse("127.0.0.1, 10.0.0.0/8", &n, NULL), 0);
    forwarded_note(&f, "198.51.100.1");
    for (int i = 0; i < 3 * FORWARDED_LINES; i++)
        forwarded_note(&f, i == 0 ? "203.0.113.9" : "10.0.0.1");
    assert_true(forwarded_client(&f, &n, (struct sockaddr *)&peer, &client));
    forwarded_text(&client, text);
    assert_string_equal(text, "10.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_what_is_no_network_is_named),
        cmocka_unit_test(test_the_rightmost_hop_that_is_not_trusted_is_the_client),
        cmocka_unit_test(test_a_peer_that_is_not_trusted_says_nothing),
        cmocka_unit_test(test_how_a_hop_may_be_written),
        cmocka_unit_test(test_what_is_no_address_ends_the_way),
        cmocka_unit_test(test_a_long_way_is_given_up),
    };
    return cmocka_run_group_tests_name("http_forwarded", tests, NULL, NULL);
}
