/* Whose time is up: the clock is the test's, the sockets are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "services/order/http_clients.h"

#define TIMEOUT (10 * NS_PER_S)

struct pair {
    int ours, theirs;
};

static struct pair connect_pair(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct pair p = {.theirs = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(connect(p.theirs, (struct sockaddr *)&a, sizeof a), 0);
    p.ours = accept(listener, NULL, NULL);
    assert_true(p.ours >= 0);
    close(listener);
    return p;
}

/* Without the kernel's own idea of the time, for tests whose clock is far ahead. */
static struct pair connect_local_pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    return (struct pair){.ours = fds[0], .theirs = fds[1]};
}

static void close_pair(struct pair p)
{
    close(p.ours);
    close(p.theirs);
}

static bool is_shut(struct pair p)
{
    char byte;
    return recv(p.theirs, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_a_request_has_a_total_time(void **state)
{
    (void)state;
    struct http_clients c = {.request_timeout_ns = TIMEOUT};
    struct http_client slow, slower;
    struct pair p = connect_pair(), q = connect_pair();
    http_clients_open(&c, &slow, p.ours, 1000);
    http_clients_open(&c, &slower, q.ours, 2000);
    http_clients_began(&c, &slow, 5 * NS_PER_S); /* its first line gives it no more time */
    assert_int_equal(http_clients_expire(&c, TIMEOUT), 0);
    assert_int_equal(http_clients_expire(&c, TIMEOUT + 1000), 1);
    assert_true(is_shut(p));
    assert_false(is_shut(q));
    assert_int_equal(http_clients_expire(&c, TIMEOUT + 2000), 1);
    assert_true(is_shut(q));
    http_clients_close(&c, &slow);
    http_clients_close(&c, &slower);
    assert_null(c.sending.oldest);
    close_pair(p);
    close_pair(q);
}

static void test_while_it_is_answered_a_client_has_no_deadline(void **state)
{
    (void)state;
    struct http_clients c = {.request_timeout_ns = TIMEOUT};
    struct http_client client;
    struct pair p = connect_pair();
    http_clients_open(&c, &client, p.ours, 0);
    http_clients_whole(&c, &client);
    assert_int_equal(http_clients_expire(&c, 100 * TIMEOUT), 0);
    http_clients_close(&c, &client);
    close_pair(p);
}

static void test_a_client_at_rest_is_left_alone(void **state)
{
    (void)state;
    struct http_clients c = {.request_timeout_ns = TIMEOUT};
    struct http_client client;
    struct pair p = connect_local_pair();
    int64_t now = clock_mono_ns();
    http_clients_open(&c, &client, p.ours, now);
    http_clients_whole(&c, &client);
    http_clients_rests(&c, &client, now);
    for (int i = 1; i < 40; i++)
        assert_int_equal(http_clients_expire(&c, now + i * TIMEOUT / 4), 0);
    assert_int_equal(client.phase, CLIENT_RESTING);
    http_clients_began(&c, &client, now + 10 * TIMEOUT);
    assert_int_equal(http_clients_expire(&c, now + 11 * TIMEOUT), 1);
    http_clients_close(&c, &client);
    close_pair(p);
}

/* The library says nothing of a first line that is not complete: the kernel does. */
static void test_a_piece_of_a_later_request_is_noticed(void **state)
{
    (void)state;
    const int64_t timeout = 400 * NS_PER_MS;
    struct http_clients c = {.request_timeout_ns = timeout};
    struct http_client client;
    struct pair p = connect_pair();
    struct pollfd readable = {.fd = p.ours, .events = POLLIN};
    int64_t before = clock_mono_ns() - NS_PER_S; /* it came to rest a second ago */
    http_clients_open(&c, &client, p.ours, before);
    http_clients_whole(&c, &client);
    http_clients_rests(&c, &client, before);
    assert_int_equal(send(p.theirs, "G", 1, 0), 1);
    assert_int_equal(poll(&readable, 1, 10000), 1);
    int64_t now = clock_mono_ns();
    assert_int_equal(http_clients_expire(&c, now), 0);
    assert_int_equal(client.phase, CLIENT_SENDING);
    assert_int_equal(http_clients_expire(&c, now + timeout), 1);
    assert_true(is_shut(p));
    http_clients_close(&c, &client);
    close_pair(p);
}

static void test_a_client_that_left_is_noticed(void **state)
{
    (void)state;
    struct http_clients c = {.request_timeout_ns = TIMEOUT};
    struct http_client client;
    struct pair p = connect_pair();
    struct pollfd at_end = {.fd = p.ours, .events = POLLRDHUP};
    int64_t now = clock_mono_ns();
    http_clients_open(&c, &client, p.ours, now);
    http_clients_whole(&c, &client);
    http_clients_rests(&c, &client, now);
    shutdown(p.theirs, SHUT_WR);
    assert_int_equal(poll(&at_end, 1, 10000), 1);
    assert_int_equal(http_clients_expire(&c, now + TIMEOUT / 4), 0);
    assert_true(is_shut(p));
    assert_null(c.resting.oldest);
    http_clients_close(&c, &client);
    close_pair(p);
}

static void test_lists_stay_whole_when_clients_leave_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 5 };
    struct http_clients c = {.request_timeout_ns = TIMEOUT};
    struct http_client clients[COUNT];
    struct pair pairs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pairs[i] = connect_pair();
        http_clients_open(&c, &clients[i], pairs[i].ours, i);
    }
    http_clients_close(&c, &clients[2]);
    http_clients_close(&c, &clients[0]);
    http_clients_close(&c, &clients[4]);
    assert_ptr_equal(c.sending.oldest, &clients[1]);
    assert_ptr_equal(c.sending.newest, &clients[3]);
    assert_int_equal(http_clients_expire(&c, 2 * TIMEOUT), 2);
    assert_null(c.sending.oldest);
    assert_null(c.sending.newest);
    for (int i = 0; i < COUNT; i++)
        close_pair(pairs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_has_a_total_time),
        cmocka_unit_test(test_while_it_is_answered_a_client_has_no_deadline),
        cmocka_unit_test(test_a_client_at_rest_is_left_alone),
        cmocka_unit_test(test_a_piece_of_a_later_request_is_noticed),
        cmocka_unit_test(test_a_client_that_left_is_noticed),
        cmocka_unit_test(test_lists_stay_whole_when_clients_leave_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
