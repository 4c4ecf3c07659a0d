/* HTTP itself: shapes that no two readers must see differently, slow senders, addresses of every kind,
 * several processes on one port. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"
#include "tests/support/load.h"

#define ORDER "{\"user_id\":\"u1\",\"sku\":\"phone\"}" /* 30 bytes */
#define HEAD  "POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"

enum { REQUEST_TIMEOUT_MS = 1000, PATIENCE_MS = 15000 }; /* the first is a setting below */

static int an_item_is_there(void **state)
{
    return everything_runs(state) == 0
               ? item_put(*state, &(struct item_terms){.sku = "phone", .stock = 10000000})
               : -1;
}

/* The value of a counter or gauge without labels; -1: there is none. */
static double metric(int port, const char *name)
{
    struct http_response response;
    double value = -1;
    char line[100];

    snprintf(line, sizeof line, "\n%s ", name);
    if (http_request(port, "GET", "/metrics", NULL, NULL, &response) == 0) {
        const char *at = strstr(response.body, line);

        if (at)
            value = strtod(at + strlen(line), NULL);
    }
    http_response_free(&response);
    return value;
}

static void test_doubtful_requests_are_refused_and_closed(void **state)
{
    static const char *const requests[] = {
        HEAD "Content-Length: 30\r\nX-A: a\rTransfer-Encoding: chunked\r\n\r\n" ORDER, /* a lone CR */
        HEAD "Content-Length: 30\nX-A: a\r\n\r\n" ORDER,                               /* a lone LF */
        HEAD "Content-Length: 30\r\nTransfer-Encoding : chunked\r\n\r\n" ORDER,
        HEAD "Content-Length: 30\r\n\tTransfer-Encoding: chunked\r\n\r\n" ORDER,
        HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: xchunked\r\n\r\n1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: chunked, identity\r\n\r\n1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n" ORDER "\r\n0\r\n\r\n",
        "POST /v1/orders HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"
        "1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Content-Length: 30\r\nContent-Length: 30\r\n\r\n" ORDER,
        HEAD "Content-Length: 30, 30\r\n\r\n" ORDER,
        HEAD "Content-Length: +30\r\n\r\n" ORDER,
        HEAD "Content-Length: 0x1e\r\n\r\n" ORDER,
        HEAD "Content-Length: 3 0\r\n\r\n" ORDER,
        HEAD "Content-Length: \r\n\r\n" ORDER,
        HEAD "Host: y\r\nContent-Length: 30\r\n\r\n" ORDER,
        "POST /v1/orders HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n" ORDER,
        HEAD "Transfer-Encoding: chunked\r\n\r\n0x1e\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: chunked\r\n\r\n1d\r\n" ORDER "\r\n0\r\n\r\n",
        HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n" ORDER "\r\n0\r\n\r\n",
    };
    struct stack *s = *state;
    int wrong = 0;

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct http_connection c;
        struct http_response response;

        assert_int_equal(http_open(&c, s->http_port), 0);
        assert_int_equal(http_send(&c, requests[i], strlen(requests[i])), 0);
        if (http_receive(&c, false, &response) < 0 || response.status != 400) {
            fprintf(stderr, "answered %d:\n%s\n", response.status, requests[i]);
            wrong++;
        }
        http_response_free(&response);
        while (recv(c.fd, (char[4096]){0}, 4096, 0) > 0)
            ; /* what the library says beside it; ends when it closes, or fails after HTTP_SECONDS */
        http_close(&c);
    }
    assert_int_equal(wrong, 0);
}

/* ---- slow senders ---- */

/* Waits for the server's close; fails if it takes longer than anybody's patience or comes too early. */
static void expect_cut_off(struct http_connection *c, int64_t began_ms, const char *what)
{
    int64_t took_ms;

    if (!http_is_closed_by_server(c))
        fail_msg("%s: answered, or never closed", what);
    took_ms = clock_ms() - began_ms;
    if (took_ms < REQUEST_TIMEOUT_MS * 8 / 10 || took_ms > PATIENCE_MS)
        fail_msg("%s: closed after %lld ms", what, (long long)took_ms);
    http_close(c);
}

static void test_a_request_that_never_gets_whole_is_cut_off(void **state)
{
    static const char *const beginnings[] = {
        "",
        "P",
        "POST /v1/orders HTTP/1.1\r\n",
        HEAD "Content-Le",
        HEAD "Content-Length: 30\r\n\r\n",
        HEAD "Content-Length: 30\r\n\r\n{\"user",
        HEAD "Transfer-Encoding: chunked\r\n\r\n1e\r\n{\"user",
        HEAD "Content-Length: 30\r\nExpect: 100-maybe\r\n\r\n{",
    };
    enum { COUNT = sizeof beginnings / sizeof *beginnings };
    struct stack *s = *state;
    struct http_connection c[COUNT];
    int64_t began_ms = clock_ms();
    double before = metric(s->http_port, "seckill_order_http_too_slow_total");

    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(http_open(&c[i], s->http_port), 0);
        assert_int_equal(http_send(&c[i], beginnings[i], strlen(beginnings[i])), 0);
    }
    for (int i = 0; i < COUNT; i++)
        expect_cut_off(&c[i], began_ms, beginnings[i]);
    assert_true(metric(s->http_port, "seckill_order_http_too_slow_total") >= before + COUNT);
}

/* Half a body and then FIN: nobody waits for the rest. */
static void test_a_request_that_ends_half_way_is_closed(void **state)
{
    static const char *const beginnings[] = {"POST /v1", HEAD "Content-Length: 30\r\n\r\n{\"user"};
    struct stack *s = *state;

    for (int i = 0; i < 2; i++) {
        struct http_connection c;

        assert_int_equal(http_open(&c, s->http_port), 0);
        assert_int_equal(http_send(&c, beginnings[i], strlen(beginnings[i])), 0);
        shutdown(c.fd, SHUT_WR);
        assert_true(http_is_closed_by_server(&c));
        http_close(&c);
    }
}

/* A byte now and then is no way to stay. Each receive waits for 100 ms, which paces the bytes. */
static void expect_dribble_is_cut_off(struct stack *s, const char *whole, const char *dribbled)
{
    struct http_connection c;
    struct http_response response;
    struct timeval pace = {.tv_usec = 100 * 1000};
    int64_t began_ms;
    bool closed = false;

    assert_int_equal(http_open(&c, s->http_port), 0);
    if (*whole) {
        assert_int_equal(http_send(&c, whole, strlen(whole)), 0);
        assert_int_equal(http_receive(&c, false, &response), 0);
        assert_int_equal(response.status, 200);
        http_response_free(&response);
    }
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &pace, sizeof pace);
    began_ms = clock_ms();
    for (size_t i = 0; !closed && clock_ms() - began_ms < PATIENCE_MS; i++) {
        char byte = i < strlen(dribbled) ? dribbled[i] : 'y';
        ssize_t len;

        closed = http_send(&c, &byte, 1) != 0;
        len = recv(c.fd, &byte, 1, 0);
        assert_true(len <= 0); /* never an answer */
        closed = closed || len == 0 || (len < 0 && errno == ECONNRESET);
    }
    if (!closed)
        fail_msg("\"%s\" may dribble for ever", dribbled);
    http_close(&c);
}

static void test_dribbling_clients_are_cut_off(void **state)
{
    static const char whole[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

    expect_dribble_is_cut_off(*state, "", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ");
    expect_dribble_is_cut_off(*state, "", "GET /");
    expect_dribble_is_cut_off(*state, whole, "GET /");
    expect_dribble_is_cut_off(*state, whole, "GET / HTTP/1.1\r\nX-A: ");
}

static void test_idle_connections_stay(void **state)
{
    struct stack *s = *state;
    struct http_connection idle, slow;
    struct http_response response;
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

    assert_int_equal(http_open(&idle, s->http_port), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_send(&idle, request, strlen(request)), 0);
        assert_int_equal(http_receive(&idle, false, &response), 0);
        assert_int_equal(response.status, 200);
        http_response_free(&response);
        /* The time that a request may take goes by: another client's is over. */
        assert_int_equal(http_open(&slow, s->http_port), 0);
        assert_true(http_is_closed_by_server(&slow));
        http_close(&slow);
    }
    http_close(&idle);
}

/* ---- kinds of client ---- */

static void test_continue_is_said_before_the_body(void **state)
{
    static const char head[] = HEAD "Content-Length: 30\r\nExpect: 100-continue\r\n\r\n";
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct stack *s = *state;
    struct http_connection c;
    struct http_response response;
    char got[sizeof interim] = "", order_id[27];

    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, head, strlen(head)), 0);
    assert_int_equal(recv(c.fd, got, sizeof interim - 1, MSG_WAITALL), sizeof interim - 1);
    assert_string_equal(got, interim);
    assert_int_equal(http_send(&c, ORDER, strlen(ORDER)), 0);
    assert_int_equal(http_receive(&c, false, &response), 0);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    http_close(&c);
}

static void test_old_clients_get_their_answer_and_the_end(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    struct stack *s = *state;
    struct http_connection c;
    struct http_response response;

    assert_int_equal(http_open(&c, s->http_port), 0);
    assert_int_equal(http_send(&c, request, strlen(request)), 0);
    assert_int_equal(http_receive(&c, false, &response), 0);
    assert_int_equal(response.status, 200);
    http_response_free(&response);
    assert_true(http_is_closed_by_server(&c));
    http_close(&c);
}

/* GET /healthz over this connected socket: the status. */
static int health_over(int fd)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    struct http_connection c = {.fd = fd};
    struct http_response response;
    int status = -1;

    if (http_send(&c, request, strlen(request)) == 0 && http_receive(&c, false, &response) == 0) {
        status = response.status;
        http_response_free(&response);
    }
    text_free(&c.received);
    return status;
}

/* Starts a second front end with these settings, and waits until it is ready. */
static void start_another(struct stack *s, const char *listen, const char *set)
{
    assert_int_equal(stack_do(s, "start", "order@2", (const char *[]){"--set", listen, "--set", set, NULL}),
                     0);
}

static void test_ipv6_is_served(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), port = stack_free_port();
    char listen[64];

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fprintf(stderr, "no IPv6 here\n");
        skip();
    }
    close(fd);
    snprintf(listen, sizeof listen, "http.listen=[::1]:%d", port);
    start_another(*state, listen, "http.threads=1");
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin6_port = htons((uint16_t)port);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(health_over(fd), 200);
    close(fd);
    assert_int_equal(stack_do(*state, "stop", "order@2", NULL), 0);
}

/* An address of this host that is not loopback, which is not counted. */
static bool own_address(struct sockaddr_in *out)
{
    struct ifaddrs *all = NULL;
    bool found = false;

    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *a = all; a && !found; a = a->ifa_next)
        if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET) {
            memcpy(out, a->ifa_addr, sizeof *out);
            found = ntohl(out->sin_addr.s_addr) >> 24 != 127;
        }
    freeifaddrs(all);
    return found;
}

static int connect_to(const struct sockaddr_in *address)
{
    struct timeval limit = {.tv_sec = HTTP_SECONDS};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
    return fd;
}

static void test_connections_of_one_address_are_bounded(void **state)
{
    enum { MOST = 4 };
    struct sockaddr_in address;
    int fds[MOST], port = stack_free_port(), fd;
    char listen[64];

    if (!own_address(&address)) {
        fprintf(stderr, "no address but loopback here\n");
        skip();
    }
    snprintf(listen, sizeof listen, "http.listen=0.0.0.0:%d", port);
    start_another(*state, listen, "http.connections_per_address=4");
    address.sin_port = htons((uint16_t)port);
    for (int i = 0; i < MOST; i++) {
        fds[i] = connect_to(&address);
        assert_int_equal(health_over(fds[i]), 200);
    }
    fd = connect_to(&address);
    assert_int_equal(health_over(fd), -1);
    close(fd);
    assert_true(metric(port, "seckill_order_http_address_full_total") >= 1); /* loopback still gets in */
    for (int i = 0; i < MOST; i++)
        close(fds[i]);
    /* The places are free again once their ends were noticed. */
    for (int64_t began_ms = clock_ms();;) {
        int status;

        fd = connect_to(&address);
        status = health_over(fd);
        close(fd);
        if (status == 200)
            break;
        assert_true(clock_ms() - began_ms < PATIENCE_MS);
    }
    assert_int_equal(stack_do(*state, "stop", "order@2", NULL), 0);
}

/* Two processes on one port; one of them is taken away under load. Nobody who was connected is cut off. */
static void test_processes_share_a_port_and_leave_it_quietly(void **state)
{
    struct stack *s = *state;
    struct load *l;

    assert_int_equal(stack_do(s, "start", "order@2", NULL), 0);
    l = load_start(&(struct load_spec){.port = s->http_port,
                                       .connections = 32,
                                       .max_orders = 200000,
                                       .seconds = 100,
                                       .sku = "phone",
                                       .pace_ms = 1});
    assert_true(load_wait_accepted(l, 500, 60));
    assert_int_equal(stack_do(s, "stop", "order@2", NULL), 0);
    assert_true(load_wait_accepted(l, load_accepted(l) + 500, 60));
    load_stop(l);
    load_join(l);
    if (load_count_unknown(l) != 0 ||
        load_count_status(l, 202) + load_count_status(l, 503) != load_count(l)) {
        load_print(l);
        fail();
    }
    load_free(l);
}

int main(void)
{
    static const char *const sets[] = {"http.request_timeout_s=1", "admission.user_rate=0",
                                       "admission.max_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_doubtful_requests_are_refused_and_closed, an_item_is_there),
        cmocka_unit_test(test_a_request_that_never_gets_whole_is_cut_off),
        cmocka_unit_test(test_a_request_that_ends_half_way_is_closed),
        cmocka_unit_test(test_dribbling_clients_are_cut_off),
        cmocka_unit_test(test_idle_connections_stay),
        cmocka_unit_test(test_continue_is_said_before_the_body),
        cmocka_unit_test(test_old_clients_get_their_answer_and_the_end),
        cmocka_unit_test(test_ipv6_is_served),
        cmocka_unit_test(test_connections_of_one_address_are_bounded),
        cmocka_unit_test_setup(test_processes_share_a_port_and_leave_it_quietly, everything_runs),
        STACK_END,
    };

    return run_with_stack("http_whole", tests, sizeof tests / sizeof *tests, sets);
}
