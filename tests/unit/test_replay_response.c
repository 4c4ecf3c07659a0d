/* The reader of answers: whole ones, split at every byte, and bytes that no honest server sends; and the
 * address they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "loadtest/replay/random.h"
#include "loadtest/replay/response.h"
#include "loadtest/replay/target.h"

struct fixture {
    struct buffer joined;
    struct response r;
};

/* The bytes stand in memory of just their size, so that a sanitizer sees a read beyond them. */
static long parse(struct fixture *f, const char *text, size_t len, bool at_end)
{
    static char *copy;
    free(copy);
    copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    return response_parse(copy, len, at_end, &f->r, &f->joined);
}

static void assert_body(const struct fixture *f, const char *wanted)
{
    assert_int_equal(f->r.body.len, strlen(wanted));
    if (f->r.body.len > 0)
        assert_memory_equal(f->r.body.data, wanted, f->r.body.len);
}

static const struct {
    const char *text;
    int status;
    bool close;
    const char *body;
} good[] = {
    {"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nX: y\r\n\r\n{}", 202, false, "{}"},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204, false, ""},
    {"HTTP/1.1 200 OK\r\ncontent-LENGTH:\t0 \r\nConnection: Foo, CLOSE\r\n\r\n", 200, true, ""},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, true, "x"},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, false, "x"},
    {"HTTP/1.1 503\r\nContent-Length: 1\n\nx", 503, false, "x"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: "
     "1\r\n\r\nz",
     201, false, "z"},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: "
     "u\r\n\r\n",
     200, false, "abc0123456789"},
};

static void test_whole_answers_are_read_wherever_they_are_split(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const size_t len = strlen(good[i].text);
        for (size_t cut = 0; cut < len; cut++)
            if (parse(f, good[i].text, cut, false) != RESPONSE_INCOMPLETE)
                fail_msg("answer %zu cut at %zu was not seen to be incomplete", i, cut);
        assert_int_equal(parse(f, good[i].text, len, false), len);
        assert_int_equal(f->r.status, good[i].status);
        assert_int_equal(f->r.close, good[i].close);
        assert_body(f, good[i].body);
    }
}

static void test_what_follows_an_answer_is_not_taken(void **state)
{
    static const char two[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 500 X\r\n\r\n";
    struct fixture *f = *state;
    const long whole = parse(f, two, sizeof two - 1, false);
    assert_int_equal(whole, strchr(two, 'a') - two + 1);
    assert_body(f, "a");
}

static void test_a_body_without_a_length_ends_with_the_connection(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    struct fixture *f = *state;
    assert_int_equal(parse(f, text, sizeof text - 1, false), RESPONSE_INCOMPLETE);
    assert_int_equal(parse(f, text, sizeof text - 1, true), sizeof text - 1);
    assert_true(f->r.close);
    assert_body(f, "until the end");
    assert_int_equal(parse(f, text, 19, true), 19);
    assert_body(f, "");
}

static void test_what_is_no_answer_is_broken(void **state)
{
    static const char *const bad[] = {
        "SSH-2.0-x\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(f, bad[i], strlen(bad[i]), false) != RESPONSE_BROKEN)
            fail_msg("not seen to be broken: %s", bad[i]);
}

static void test_heads_without_an_end_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct buffer b = {0};
    buffer_add_text(&b, "HTTP/1.1 200 OK\r\n");
    while (b.len < RESPONSE_HEAD_MAX)
        buffer_add_text(&b, "X-Filler: 0123456789\r\n");
    assert_int_equal(parse(f, b.data, b.len, false), RESPONSE_BROKEN);
    buffer_clear(&b);
    for (int i = 0; i < 4000; i++)
        buffer_add_text(&b, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_int_equal(parse(f, b.data, b.len, false), RESPONSE_BROKEN);
    buffer_free(&b);
}

/* Good answers with bytes changed, dropped and repeated: the reader may say what it likes, but stays in
 * bounds. */
static void test_damaged_answers_stay_in_bounds(void **state)
{
    struct fixture *f = *state;
    struct random r;
    char text[512];
    random_seed(&r, 5);
    for (int i = 0; i < 40000; i++) {
        const char *from = good[random_below(&r, sizeof good / sizeof *good)].text;
        size_t len = strlen(from);
        memcpy(text, from, len);
        for (uint64_t k = random_below(&r, 4) + 1; k > 0; k--)
            text[random_below(&r, len)] = (char)random_next(&r);
        len = random_below(&r, len + 1);
        const long whole = parse(f, text, len, random_below(&r, 2) == 0);
        assert_true(whole >= RESPONSE_BROKEN && whole <= (long)len);
    }
}

static struct slice member(const char *body, const char *name)
{
    return response_member(slice_of(body), name);
}

static void test_members_are_found(void **state)
{
    (void)state;
    assert_true(slice_is(member("{\"order_id\":\"ABC\",\"status\":\"accepted\"}", "\"order_id\""), "ABC"));
    assert_true(slice_is(member("{ \"code\" : \"sold_out\" }", "\"code\""), "sold_out"));
    assert_int_equal(member("{\"code\":7}", "\"code\"").len, 0);
    assert_int_equal(member("{\"code\":\"a\\\"b\"}", "\"code\"").len, 0);
    assert_int_equal(member("{\"code\":\"cut", "\"code\"").len, 0);
    assert_int_equal(member("\"code\"", "\"code\"").len, 0);
    assert_int_equal(member("", "\"code\"").len, 0);
}

static void test_only_this_machine_is_loopback(void **state)
{
    static const struct {
        const char *url, *host; /* NULL: no address */
        bool is_loopback;
    } cases[] = {
        {"http://127.0.0.1:8080", "127.0.0.1:8080", true},
        {"http://127.9.9.9/", "127.9.9.9", true},
        {"http://[::1]:80", "[::1]:80", true},
        {"http://[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", true},
        {"http://10.0.0.1:8080", "10.0.0.1:8080", false},
        {"http://0.0.0.0:8080", "0.0.0.0:8080", false},
        {"http://[2001:db8::1]", "[2001:db8::1]", false},
        {"https://127.0.0.1", NULL, false},
        {"127.0.0.1:8080", NULL, false},
        {"http://", NULL, false},
        {"http://:80", NULL, false},
        {"http://127.0.0.1:0", NULL, false},
        {"http://127.0.0.1:99999", NULL, false},
        {"http://127.0.0.1:8080/v1", NULL, false},
        {"http://127.0.0.1@10.0.0.1/", NULL, false},
        {"http://127.0.0.1\r\nX: y", NULL, false},
        {"http://[::1", NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target t;
        struct detail why = {0};
        const int rc = target_parse(cases[i].url, &t, &why);
        if ((rc == 0) != (cases[i].host != NULL))
            fail_msg("%s: %d %s", cases[i].url, rc, why.text);
        if (rc == 0) {
            assert_string_equal(t.host, cases[i].host);
            assert_int_equal(t.is_loopback, cases[i].is_loopback);
        }
    }
}

static int set_up(void **state)
{
    static struct fixture f;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buffer_free(&f->joined);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers_are_read_wherever_they_are_split),
        cmocka_unit_test(test_what_follows_an_answer_is_not_taken),
        cmocka_unit_test(test_a_body_without_a_length_ends_with_the_connection),
        cmocka_unit_test(test_what_is_no_answer_is_broken),
        cmocka_unit_test(test_heads_without_an_end_are_bounded),
        cmocka_unit_test(test_damaged_answers_stay_in_bounds),
        cmocka_unit_test(test_members_are_found),
        cmocka_unit_test(test_only_this_machine_is_loopback),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
