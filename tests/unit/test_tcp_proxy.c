/* The bad network for tests does what it is told: against an echo of our own at the other end. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/tcp_proxy.h"

enum { SECONDS = 20, QUIET_MS = 100, BIG = 2 * 1024 * 1024 };

static struct tcp_proxy *proxy;
static int listener;

static struct sockaddr_in at(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int setup(void **state)
{
    struct sockaddr_in address = at(0);
    socklen_t len = sizeof address;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 8) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) < 0)
        return -1;
    proxy = tcp_proxy_start(ntohs(address.sin_port));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tcp_proxy_stop(proxy);
    close(listener);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in address = at(tcp_proxy_port(proxy));
    struct timeval limit = {.tv_sec = SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

/* A connection through the proxy, both of its ends in our hand; the client has said its name. */
static void join(const char *name, int *client, int *server)
{
    struct timeval limit = {.tv_sec = SECONDS};
    char said[64] = "";
    size_t len = strlen(name);

    *client = dial();
    assert_true(*client >= 0);
    *server = accept(listener, NULL, NULL);
    assert_true(*server >= 0);
    setsockopt(*server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(write(*client, name, len), len);
    assert_int_equal(recv(*server, said, len, MSG_WAITALL), len);
    assert_string_equal(said, name);
}

static void assert_passes(int from, int to)
{
    char got[6] = "";

    assert_int_equal(write(from, "hello", 5), 5);
    assert_int_equal(recv(to, got, 5, MSG_WAITALL), 5);
    assert_string_equal(got, "hello");
}

static bool comes(int fd, int ms)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms) > 0;
}

static void assert_is_reset(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void close_both(int a, int b)
{
    close(a);
    close(b);
}

static void test_passes_both_ways_and_the_end_too(void **state)
{
    struct tcp_counts counts;
    int client, server;
    char byte;

    (void)state;
    join("a", &client, &server);
    assert_passes(client, server);
    assert_passes(server, client);
    shutdown(client, SHUT_WR);
    assert_int_equal(read(server, &byte, 1), 0);
    assert_passes(server, client); /* a half-closed connection still carries the other half */
    close_both(server, client);
    tcp_proxy_counts(proxy, &counts);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.to_server, 6);
    assert_int_equal(counts.to_client, 10);
}

static void test_much_comes_through_whole_against_a_slow_reader(void **state)
{
    char *sent = malloc(BIG), *got = malloc(BIG);
    int client, server;
    ssize_t len;
    size_t in = 0, out = 0;

    (void)state;
    for (int i = 0; i < BIG; i++)
        sent[i] = (char)(i * 7 + i / 251);
    join("a", &client, &server);
    while (in < BIG) {
        if (out < BIG && (len = send(client, sent + out, BIG - out, MSG_DONTWAIT)) > 0)
            out += (size_t)len;
        else if ((len = recv(server, got + in, BIG - in, 0)) > 0)
            in += (size_t)len;
        else
            fail_msg("lost after %zu", in);
    }
    assert_memory_equal(sent, got, BIG);
    close_both(client, server);
    free(sent);
    free(got);
}

static void test_cut_resets_those_that_said_the_name(void **state)
{
    int client, server, other_client, other_server;

    (void)state;
    join("publish", &client, &server);
    join("consume", &other_client, &other_server);
    assert_int_equal(tcp_proxy_cut(proxy, "publish"), 1);
    assert_is_reset(client);
    assert_is_reset(server);
    assert_passes(other_client, other_server);
    assert_int_equal(tcp_proxy_cut(proxy, NULL), 1);
    assert_is_reset(other_server);
    close_both(client, server);
    close_both(other_client, other_server);
}

static void test_held_bytes_come_later(void **state)
{
    int client, server;
    char byte;

    (void)state;
    join("a", &client, &server);
    tcp_proxy_set(proxy, &(struct tcp_rule){.to_server = TCP_HOLD});
    assert_int_equal(write(client, "x", 1), 1);
    close(client);
    assert_false(comes(server, QUIET_MS));
    tcp_proxy_set(proxy, NULL);
    assert_int_equal(read(server, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(read(server, &byte, 1), 0);
    close(server);
}

static void test_swallowed_bytes_never_come_and_the_other_way_passes(void **state)
{
    int client, server, new_client, new_server;

    (void)state;
    join("a", &client, &server);
    tcp_proxy_set(proxy, &(struct tcp_rule){.to_client = TCP_SWALLOW});
    assert_int_equal(write(server, "lost", 4), 4);
    assert_true(tcp_proxy_wait_swallowed(proxy, 4, SECONDS));
    assert_passes(client, server);
    tcp_proxy_set(proxy, NULL);
    assert_int_equal(write(server, "late", 4), 4);
    assert_true(tcp_proxy_wait_swallowed(proxy, 8, SECONDS));
    assert_false(comes(client, QUIET_MS));
    join("b", &new_client, &new_server);
    assert_passes(new_server, new_client);
    close_both(client, server);
    close_both(new_client, new_server);
}

/* As with a lost FIN: the server goes on believing in a client that is long gone. */
static void test_swallowed_end_leaves_the_server_alone(void **state)
{
    struct tcp_counts counts;
    int client, server;

    (void)state;
    join("a", &client, &server);
    tcp_proxy_set(proxy, &(struct tcp_rule){.to_server = TCP_SWALLOW});
    assert_int_equal(write(client, "lost", 4), 4);
    assert_true(tcp_proxy_wait_swallowed(proxy, 4, SECONDS));
    close(client);
    assert_int_equal(write(server, "anyone?", 7), 7);
    assert_false(comes(server, QUIET_MS));
    close(server);
    do
        tcp_proxy_counts(proxy, &counts);
    while (counts.open > 0);
}

static void test_cut_after_so_many_bytes_happens_once(void **state)
{
    int client, server;
    char got[16];

    (void)state;
    tcp_proxy_set(proxy, &(struct tcp_rule){.only = "a", .cut_after_to_server = 7});
    join("abc", &client, &server);
    assert_int_equal(write(client, "defghi", 6), 6);
    assert_true(tcp_proxy_wait_cut(proxy, 1, SECONDS));
    assert_true(recv(server, got, sizeof got, MSG_DONTWAIT) <= 4);
    assert_is_reset(client);
    close_both(client, server);
    join("abc", &client, &server);
    assert_passes(client, server);
    assert_passes(client, server);
    close_both(client, server);
}

static void test_delay_holds_each_way_back(void **state)
{
    int client, server;
    int64_t began;

    (void)state;
    join("a", &client, &server);
    tcp_proxy_set(proxy, &(struct tcp_rule){.delay_ms = 80});
    began = clock_ms();
    assert_passes(client, server);
    assert_passes(server, client);
    assert_true(clock_ms() - began >= 160);
    close_both(client, server);
}

static void test_rate_bounds_each_way(void **state)
{
    char bytes[4000] = "", got[4000];
    int client, server;
    int64_t began;

    (void)state;
    join("a", &client, &server);
    tcp_proxy_set(proxy, &(struct tcp_rule){.bytes_per_s = 20000});
    began = clock_ms();
    assert_int_equal(write(client, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(recv(server, got, sizeof got, MSG_WAITALL), sizeof got);
    assert_in_range(clock_ms() - began, 150, 10000);
    close_both(client, server);
}

static void test_refused_connections_find_nobody_and_later_somebody(void **state)
{
    int client, server;

    (void)state;
    tcp_proxy_set(proxy, &(struct tcp_rule){.refuse = true});
    assert_int_equal(dial(), -ECONNREFUSED);
    assert_int_equal(dial(), -ECONNREFUSED);
    tcp_proxy_set(proxy, NULL);
    join("a", &client, &server);
    assert_passes(client, server);
    close_both(client, server);
}

static void test_a_server_that_is_gone_is_told_to_the_client(void **state)
{
    int client;

    (void)state;
    close(listener);
    client = dial();
    if (client >= 0)
        assert_is_reset(client);
    close(client);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_passes_both_ways_and_the_end_too),
        ONE(test_much_comes_through_whole_against_a_slow_reader),
        ONE(test_cut_resets_those_that_said_the_name),
        ONE(test_held_bytes_come_later),
        ONE(test_swallowed_bytes_never_come_and_the_other_way_passes),
        ONE(test_swallowed_end_leaves_the_server_alone),
        ONE(test_cut_after_so_many_bytes_happens_once),
        ONE(test_delay_holds_each_way_back),
        ONE(test_rate_bounds_each_way),
        ONE(test_refused_connections_find_nobody_and_later_somebody),
        ONE(test_a_server_that_is_gone_is_told_to_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
