/*
 * A seeded, bounded fuzz of the front end's HTTP surface, against a real stack: requests that are almost
 * right, in one piece or in several, alone or pipelined. Found wrong: no answer to a healthy question
 * afterwards (a crash, a hang), an answer that is not HTTP, a 5xx other than 503, 504 (and 501, 505 by the
 * library for what it does not speak), a broken invariant at the end. The request and the seed are printed
 * then.
 *
 *   http_fuzz [--seconds N] [--seed S]     default: 20 s, seed 1
 *
 * What is sent depends on the seed alone; which answers meet which state of the stock does not.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"

/* AT_ONCE: so many connections wait for their end, so that a slow end does not make a slow fuzz. */
enum { ANSWER_MS = 15000, HEALTH_EVERY = 100, AT_ONCE = 64, REPORT_BYTES = 6000 };

static uint64_t seed = 1, random_state;
static int seconds = 20;

/* splitmix64 */
static uint64_t random_bits(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(random_bits() % n);
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

#define PICK(array) ((array)[below(sizeof(array) / sizeof *(array))])

/* ---- requests ---- */

static const char *const methods[] = {"POST",  "POST", "POST",   "POST",    "GET",   "GET",
                                      "HEAD",  "PUT",  "DELETE", "OPTIONS", "TRACE", "CONNECT",
                                      "PATCH", "post", "G\tT",   "",        "\xff",  "POSTPOSTPOSTPOSTPOST"};

static const char *const paths[] = {"/v1/orders",
                                    "/v1/orders",
                                    "/v1/orders",
                                    "/v1/orders",
                                    "/v1/orders/",
                                    "/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                    "/v1/orders/7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
                                    "/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV?wait=0",
                                    "/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV?wait=-1",
                                    "/v1/orders/%00",
                                    "/v1/orders/%2e%2e/%2e%2e/etc/passwd",
                                    "/v1/items",
                                    "/v1/items/phone",
                                    "/v1/items/%e7%a7%92",
                                    "/v1/items/%ff%fe",
                                    "/v1/items/phone/restock",
                                    "/v1/stats",
                                    "/healthz",
                                    "/readyz",
                                    "/metrics",
                                    "/",
                                    "/order",
                                    "/order?id=01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                    "/order?id=%00%3cb%3e",
                                    "/order?id=&id=&&==",
                                    "/busy",
                                    "/sold-out",
                                    "/dashboard",
                                    "/style.css",
                                    "//",
                                    "/../..",
                                    "*",
                                    "http://x/healthz",
                                    "/healthz?%",
                                    "/healthz?a=%zz&b",
                                    "",
                                    "/%",
                                    "?",
                                    "/v1/orders#x"};

static const char *const versions[] = {"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1",  "HTTP/1.1",
                                       "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.10", "http/1.1",
                                       "",         "HTTP/",    "HTTQ/1.1"};

static const char *const headers[] = {"Accept: text/html",
                                      "Accept: text/html;q=0.5, application/json;q=",
                                      "Accept: \"\\\",;q=1",
                                      "Accept: */*;q=1.0001",
                                      "Connection: close",
                                      "Connection: keep-alive, close",
                                      "Connection: upgrade",
                                      "Upgrade: h2c",
                                      "Expect: 100-continue",
                                      "Expect: x",
                                      "Idempotency-Key: k1",
                                      "Idempotency-Key: ",
                                      "Idempotency-Key: a b",
                                      "Idempotency-Key: \xff",
                                      "X-Request-Id: r1",
                                      "X-Request-Id: \x01",
                                      "Content-Encoding: gzip",
                                      "Content-Type: application/x-www-form-urlencoded",
                                      "Content-Type: application/json; charset=utf-16",
                                      "Content-Type: text/plain",
                                      "Content-Type: ",
                                      "Content-Type: multipart/form-data; boundary=x",
                                      "Cookie: a=b; c",
                                      "Cookie: ;;==;\"",
                                      "Authorization: Basic %%%",
                                      "Authorization: Digest username=\"\\",
                                      "Host: y",
                                      "Range: bytes=0-1",
                                      "X-A: \r\n folded",
                                      "X-A:no blank",
                                      "X-A : blank",
                                      ": no name",
                                      "no colon",
                                      "Trailer: X",
                                      "TE: trailers",
                                      "Content-Length: 5",
                                      "Content-Length: 0",
                                      "Content-Length: 18446744073709551616",
                                      "Content-Length: -1",
                                      "Transfer-Encoding: chunked",
                                      "Transfer-Encoding: gzip, chunked",
                                      "Transfer-Encoding: identity"};

static const char *const bodies[] = {
    "{\"user_id\":\"u1\",\"sku\":\"phone\"}",
    "{\"user_id\":\"u2\",\"sku\":\"phone\",\"quantity\":3}",
    "{\"user_id\":\"u3\",\"sku\":\"gone\"}",
    "{\"user_id\":\"\\ud83d\\ude00\",\"sku\":\"phone\"}",
    "{\"user_id\":\"\\ud83d\",\"sku\":\"phone\"}",
    "{\"user_id\":\"u\\u0000\",\"sku\":\"phone\"}",
    "{\"user_id\":{\"a\":[[[[[[]]]]]]},\"sku\":1e999}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "",
    "null",
    "user_id=u4&sku=phone",
    "user_id=u%34&sku=ph%6fne&quantity=2",
    "user_id=%&sku=%f",
    "user_id=&&&==&sku",
    "user_id=a&user_id=b&sku=phone",
    "{\"user_id\":\"u5\",\"sku\":\"phone\",\"quantity\":99999999999999999999}"};

static void add_text(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

/* Length and encoding that fit, or nearly. */
static void add_body(struct text *out, const struct text *body)
{
    size_t len = body->len;

    switch (below(8)) {
    case 0: /* chunks of any size */
        add_text(out, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0, n; at < len; at += n) {
            n = 1 + below((unsigned)(len - at));
            text_format(out, one_in(4) ? "%04zX;ext=\"x\"\r\n" : "%zx\r\n", n + (one_in(40) ? 1 : 0));
            text_add(out, text_c(body) + at, n);
            add_text(out, one_in(40) ? "\n" : "\r\n");
        }
        add_text(out, one_in(8) ? "0\r\nX-T: 1\r\n\r\n" : one_in(20) ? "-1\r\n\r\n" : "0\r\n\r\n");
        return;
    case 1: /* no length, or a wrong one */
        if (one_in(2))
            text_format(out, "Content-Length: %zu\r\n", len + below(7));
        break;
    default:
        text_format(out, "Content-Length: %zu\r\n", len);
    }
    add_text(out, "\r\n");
    text_add(out, text_c(body), len);
}

/* Bytes changed, doubled, dropped. */
static void mutate(struct text *t)
{
    static const char odd[] = "\0\r\n\t %&=+{}[]\":,;\x7f\x80\xff/0aA";

    for (unsigned n = 1 + below(4); n > 0 && t->len > 0; n--) {
        size_t at = below((unsigned)t->len), len = 1 + below(8);

        switch (below(4)) {
        case 0:
            t->data[at] = odd[below(sizeof odd - 1)];
            break;
        case 1:
            t->data[at] = (char)random_bits();
            break;
        case 2: {
            struct text copy = {0};

            len = len < t->len - at ? len : t->len - at;
            text_add(&copy, t->data, at + len);
            text_add(&copy, t->data + at, t->len - at);
            text_free(t);
            *t = copy;
            break;
        }
        default:
            len = len < t->len - at ? len : t->len - at;
            memmove(t->data + at, t->data + at + len, t->len - at - len);
            t->len -= len;
        }
    }
}

static void add_request(struct text *out)
{
    struct text body = {0};

    if (one_in(60)) /* long: at and around the bounds */
        text_format(&body, "{\"user_id\":\"u1\",\"sku\":\"phone\"}%*s", 4060 + (int)below(50000), "");
    else
        add_text(&body, PICK(bodies));
    if (one_in(4))
        mutate(&body);
    text_format(out, "%s %s %s\r\n", one_in(2) ? "POST" : PICK(methods),
                one_in(2) ? "/v1/orders" : PICK(paths), one_in(3) ? PICK(versions) : "HTTP/1.1");
    if (!one_in(30))
        add_text(out, "Host: x\r\n");
    for (unsigned n = one_in(50) ? below(300) : below(4); n > 0; n--)
        text_format(out, "%s\r\n", PICK(headers));
    if (one_in(80))
        text_format(out, "X-Long: %0*d\r\n", (int)below(20000), 0);
    add_body(out, &body);
    text_free(&body);
}

/* ---- answers ---- */

static _Noreturn void report(const struct text *sent, const char *what, const struct text *got)
{
    const struct text *parts[] = {sent, got};

    fprintf(stderr, "http_fuzz: %s, seed %" PRIu64 "\n", what, seed);
    for (int p = 0; p < 2; p++) {
        fprintf(stderr, p ? "---- received\n" : "---- sent\n");
        for (size_t i = 0; i < parts[p]->len && i < REPORT_BYTES; i++) {
            unsigned char c = (unsigned char)parts[p]->data[i];

            fprintf(stderr, c == '\n' ? "\\n\n" : c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
        }
        fprintf(stderr, "\n");
    }
    fail_msg("%s", what);
    abort();
}

/* 501 and 505 are the library's, for a method or version that it does not speak. */
static bool is_allowed(int status)
{
    return status < 500 || status == 501 || status == 503 || status == 504 || status == 505;
}

/* Looks at all answers so far: the status of each line that begins one. */
static void judge(const struct text *sent, const struct text *got)
{
    const char *at = text_c(got), *end = at + got->len;

    if (got->len >= 9 && memcmp(at, "HTTP/1.", 7) != 0)
        report(sent, "an answer that is not HTTP", got);
    while ((at = memmem(at, (size_t)(end - at), "HTTP/1.", 7))) {
        int status = atoi(at + 9);

        if (at + 12 <= end && status != 0 && !is_allowed(status))
            report(sent, "a 5xx", got);
        at += 7;
    }
}

/* Takes what has come. true: the server closed. */
static bool take(struct http_connection *c, int wait_ms)
{
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};
    char chunk[16384];

    while (poll(&fd, 1, wait_ms) > 0) {
        ssize_t len = recv(c->fd, chunk, sizeof chunk, 0);

        if (len <= 0)
            return true;
        text_add(&c->received, chunk, (size_t)len);
        wait_ms = 0;
    }
    return false;
}

struct attempt { /* a connection whose end is still to come */
    struct http_connection connection;
    struct text request;
    int64_t since_ms;
    bool is_open, is_closed_by_server;
};

/* Whatever was sent, the sending has ended: the server has to answer or close in any case. */
static void finish(struct attempt *a)
{
    if (!a->is_open)
        return;
    while (!a->is_closed_by_server) {
        if (clock_ms() - a->since_ms > ANSWER_MS)
            report(&a->request, "neither answered to its end nor closed: a hang", &a->connection.received);
        a->is_closed_by_server = take(&a->connection, 100);
    }
    judge(&a->request, &a->connection.received);
    http_close(&a->connection);
    a->is_open = false;
}

/* Sends it all, in pieces. */
static void begin(struct stack *s, struct attempt *a)
{
    struct http_connection *c = &a->connection;
    const struct text *request = &a->request;
    size_t sent = 0;

    if (http_open(c, s->http_port) != 0)
        report(request, "no connection", &(struct text){0});
    a->is_closed_by_server = false;
    while (sent < request->len && !a->is_closed_by_server) {
        size_t n = one_in(3) ? 1 + below((unsigned)(request->len - sent)) : request->len - sent;
        bool is_lost = http_send(c, request->data + sent, n) != 0;

        sent += n;
        if (is_lost || sent < request->len)
            a->is_closed_by_server = take(c, (int)below(3)) || is_lost;
    }
    a->since_ms = clock_ms();
    a->is_open = !one_in(20); /* else it just goes away */
    if (a->is_open)
        shutdown(c->fd, SHUT_WR);
    else
        http_close(c);
}

static void check_health(struct stack *s, const struct text *request, pid_t pid)
{
    struct http_response response;

    if (http_request(s->http_port, "GET", "/healthz", NULL, NULL, &response) != 0 || response.status != 200 ||
        stack_pid(s, "seckill-order") != pid)
        report(request, "not healthy after this request, or one of the last before it", &(struct text){0});
    http_response_free(&response);
}

static void test_nothing_that_is_sent_breaks_the_front_end(void **state)
{
    struct stack *s = *state;
    static struct attempt attempts[AT_ONCE];
    struct attempt *a = attempts;
    pid_t pid = stack_pid(s, "seckill-order");
    int64_t until_ms = clock_ms() + seconds * 1000;
    long count = 0;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "gone", .stock = 0}), 0);
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "phone", .stock = 100000000}), 0);
    random_state = seed;
    for (; clock_ms() < until_ms; count++) {
        a = &attempts[count % AT_ONCE];
        finish(a);
        text_clear(&a->request);
        for (unsigned n = one_in(5) ? 2 + below(3) : 1; n > 0; n--)
            add_request(&a->request);
        if (one_in(3))
            mutate(&a->request);
        begin(s, a);
        if (count % HEALTH_EVERY == 0)
            check_health(s, &a->request, pid);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        finish(&attempts[i]);
        text_free(&attempts[i].request);
    }
    check_health(s, &(struct text){0}, pid);
    fprintf(stderr, "http_fuzz: %ld connections in %d s, seed %" PRIu64 "\n", count, seconds, seed);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0",
                                       "http.request_timeout_s=1", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_that_is_sent_breaks_the_front_end),
        STACK_END,
    };

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            seconds = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else
            return 64;
    }
    if (argc % 2 == 0 || seconds < 1)
        return 64;
    return run_with_stack("http_fuzz", tests, sizeof tests / sizeof *tests, sets);
}
