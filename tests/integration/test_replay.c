/*
 * seckill-replay: against a real stack its report must say what the front end counted; against a fake front
 * end that stands still or lies it must tell.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/replay.h"

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A counter of the front end with this label, 0 if it is not there. */
static int64_t counter(struct stack *s, const char *name)
{
    struct http_response r;
    int64_t value = 0;

    assert_int_equal(http_request(s->http_port, "GET", "/metrics", "", NULL, &r), 0);
    const char *at = r.body ? strstr(r.body, name) : NULL;
    if (at)
        value = strtoll(at + strlen(name), NULL, 10);
    http_response_free(&r);
    return value;
}

static const struct {
    const char *code, *counter;
    int status;
} answers[] = {
    {"", "seckill_order_answers_total{code=\"accepted\"} ", 202},
    {"malformed", "seckill_order_answers_total{code=\"malformed\"} ", 400},
    {"invalid", "seckill_order_answers_total{code=\"invalid\"} ", 422},
    {"unknown_item", "seckill_order_answers_total{code=\"unknown_item\"} ", 422},
    {"sold_out", "seckill_order_answers_total{code=\"sold_out\"} ", 409},
    {"rate_limited", "seckill_order_answers_total{code=\"rate_limited\"} ", 429},
};

enum { ANSWERS = sizeof answers / sizeof *answers };

static int64_t reported(const struct replay_result *r, int status, const char *code)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(r->report, "counts"), "answers"), i, row)
    {
        if (json_integer_value(json_object_get(row, "status")) == status &&
            strcmp(json_string_value(json_object_get(row, "code")), code) == 0)
            return json_integer_value(json_object_get(row, "count"));
    }
    return 0;
}

static void test_a_sale_is_reported_as_the_front_end_counted_it(void **state)
{
    struct stack *s = *state;
    struct replay_result r;
    int64_t before[ANSWERS];

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "phone-1", .stock = 1500, .limit = 2}), 0);
    for (int i = 0; i < ANSWERS; i++)
        before[i] = counter(s, answers[i].counter);
    replay(s->http_port, &r,
           STRINGS("--generate", "spike", "--count", "5000", "--duration", "3", "--users", "2000", "--zipf",
                   "0.8", "--repeats", "0.1", "--bots", "0.05", "--malformed", "0.05", "--sku", "phone-1:9",
                   "--sku", "nothing", "--connections", "60", "--threads", "2", "--verify"));
    assert_int_equal(r.output.status, 0);
    assert_int_equal(replay_number(&r, "counts.offered"), 5000);
    assert_int_equal(replay_number(&r, "counts.sent"), 5000);
    assert_int_equal(replay_number(&r, "counts.answered"), 5000);
    for (int i = 0; i < ANSWERS; i++) {
        const int64_t counted = counter(s, answers[i].counter) - before[i];
        if (counted != reported(&r, answers[i].status, answers[i].code))
            fail_msg("%s: %d reported, %d counted", answers[i].counter,
                     (int)reported(&r, answers[i].status, answers[i].code), (int)counted);
        assert_true(counted > 0 || i == 4);
    }
    assert_true(json_is_true(json_object_get(r.report, "drained")));
    assert_true(json_is_true(json_object_get(json_object_get(r.report, "verify"), "holds")));
    assert_int_equal(replay_number(&r, "verify.confirmed"), 1500 - item_left(s, "phone-1"));
    assert_true(replay_number(&r, "decisions") > 0);
    replay_free(&r);
}

/* A sale that was written down is sent as it stands: the same keys, so not one order more. */
static void test_a_trace_is_replayed(void **state)
{
    struct stack *s = *state;
    struct replay_result r;
    char path[64];

    snprintf(path, sizeof path, "/tmp/seckill-replay-test.%d.ndjson.zst", (int)getpid());
    assert_int_equal(item_put(s, &(struct item_terms){.sku = "pen", .stock = 100000}), 0);
    replay(s->http_port, &r,
           STRINGS("--generate", "poisson", "--rate", "1000", "--duration", "2", "--sku", "pen",
                   "--save-trace", path));
    assert_int_equal(r.output.status, 0);
    assert_null(r.report);
    replay_free(&r);
    for (int i = 0; i < 2; i++) {
        replay(s->http_port, &r, STRINGS("--trace", path, "--speed", "4", "--verify"));
        assert_int_equal(r.output.status, 0);
        assert_true(replay_number(&r, "plan.seconds") < 0.6);
        assert_int_equal(replay_number(&r, "counts.accepted"), replay_number(&r, "counts.offered"));
        assert_int_equal(100000 - item_left(s, "pen"), replay_number(&r, "counts.offered"));
        replay_free(&r);
    }
    unlink(path);
}

/*
 * The server stands still for a second at the 700th of 2000 requests, 500 a second over 4 connections. Some
 * 500 buyers come meanwhile, and half of them wait half a second or longer; a closed loop would have sent 4.
 */
static void test_a_server_that_stands_still_shows_in_the_latencies(void **state)
{
    struct fake_front_end f;
    struct replay_result r;

    (void)state;
    assert_int_equal(fake_front_end_start(&f, STRINGS("--stall-at", "700", "--stall-ms", "1000")), 0);
    replay(f.port, &r,
           STRINGS("--generate", "constant", "--rate", "500", "--duration", "4", "--connections", "4"));
    fake_front_end_end(&f);
    assert_int_equal(r.output.status, 0);
    assert_int_equal(replay_number(&r, "counts.accepted"), 2000);
    assert_true(replay_slower(&r, "latency_histogram", 500000) >= 200);
    assert_true(replay_slower(&r, "service_histogram", 500000) <= 40);
    assert_true(replay_number(&r, "latency_us.max") >= 900000);
    replay_free(&r);
}

static void test_each_lie_is_found(void **state)
{
    static const struct {
        const char *lie, *stock, *limit, *check;
    } lies[] = {
        {"", "100", "3", NULL},
        {"oversells", "100", "0", "no more sold"},
        {"limit", "10000", "3", "beyond the limit"},
        {"changes", "10000", "0", "the decision stands"},
        {"forgets", "10000", "0", "is decided"},
        {"keys", "10000", "0", "one order for each key"},
        {"receipts", "10000", "0", "receipt"},
        {"other", "10000", "0", "what was sent"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct fake_front_end f;
        struct replay_result r;
        assert_int_equal(fake_front_end_start(&f, STRINGS("--lie", lies[i].lie, "--stock", lies[i].stock,
                                                          "--limit", lies[i].limit)),
                         0);
        replay(f.port, &r,
               STRINGS("--generate", "constant", "--count", "300", "--rate", "1000", "--users", "50",
                       "--repeats", "0.2", "--malformed", "0.05", "--connections", "8", "--verify"));
        fake_front_end_end(&f);
        assert_int_equal(r.output.status, lies[i].check ? 1 : 0);
        assert_true(!lies[i].check || replay_failed(&r, lies[i].check) > 0);
        replay_free(&r);
    }
}

static void test_a_server_that_breaks_off_is_counted_and_not_hidden(void **state)
{
    struct fake_front_end f;
    struct replay_result r;

    (void)state;
    assert_int_equal(fake_front_end_start(&f, STRINGS("--lie", "closes")), 0);
    replay(f.port, &r,
           STRINGS("--generate", "constant", "--count", "700", "--duration", "1", "--connections", "5"));
    fake_front_end_end(&f);
    assert_int_equal(r.output.status, 0);
    assert_int_equal(replay_number(&r, "counts.failures.lost"), 100);
    assert_int_equal(replay_number(&r, "counts.accepted"), 600);
    replay_free(&r);

    assert_int_equal(fake_front_end_start(&f, STRINGS("--lie", "no-http")), 0);
    replay(f.port, &r,
           STRINGS("--generate", "constant", "--count", "50", "--duration", "1", "--connections", "5"));
    fake_front_end_end(&f);
    assert_int_equal(replay_number(&r, "counts.failures.broken"), 50);
    replay_free(&r);
}

static bool has_begun(void *log_path)
{
    struct text said = {0};
    bool has;

    text_add_file(&said, log_path);
    has = strstr(text_c(&said), "sent") != NULL;
    text_free(&said);
    return has;
}

static void test_a_signal_stops_it_and_it_reports(void **state)
{
    struct stack *s = *state;
    struct fake_front_end f;
    struct replay_result r = {0};
    char program[STACK_PATH], url[64], json[64], log_path[64];
    int status;

    assert_int_equal(fake_front_end_start(&f, STRINGS("--stock", "1")), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", f.port);
    snprintf(json, sizeof json, "/tmp/seckill-replay-test.%d.json", (int)getpid());
    snprintf(log_path, sizeof log_path, "/tmp/seckill-replay-test.%d.log", (int)getpid());
    const pid_t pid = process_start(STRINGS(stack_program(s, "seckill-replay", program), "--config",
                                            "/dev/null", "--url", url, "--generate", "constant", "--rate",
                                            "100", "--duration", "600", "--json", json),
                                    NULL, log_path);
    assert_true(pid > 0);
    assert_true(wait_until(has_begun, log_path, 60));
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_true(process_wait(pid, 60, &status));
    fake_front_end_end(&f);
    assert_int_equal(status, 0);
    r.report = json_load_file(json, 0, NULL);
    unlink(json);
    unlink(log_path);
    assert_true(json_is_true(json_object_get(r.report, "stopped")));
    assert_true(replay_number(&r, "counts.accepted") > 0);
    assert_true(replay_number(&r, "counts.not_sent") > 0);
    assert_int_equal(replay_number(&r, "counts.sent") + replay_number(&r, "counts.not_sent"), 60000);
    json_decref(r.report);
}

static void assert_ends(int port, int status, const char *said, const char *const words[])
{
    struct replay_result r;

    replay(port, &r, words);
    assert_int_equal(r.output.status, status);
    assert_non_null(strstr(text_c(&r.output.err), said));
    replay_free(&r);
}

static void test_what_it_does_not_do_is_said(void **state)
{
    const struct stack *s = *state;
    const int port = stack_free_port();

    assert_ends(port, 69, "cannot connect", STRINGS("--generate", "constant", "--rate", "10"));
    assert_ends(port, 64, "nothing to send", STRINGS("--rate", "10"));
    assert_ends(port, 64, "not both", STRINGS("--generate", "constant", "--trace", "x"));
    assert_ends(port, 64, "no request at all", STRINGS("--generate", "constant"));
    assert_ends(port, 64, "x.ndjson", STRINGS("--trace", "/nowhere/x.ndjson"));
    assert_ends(port, 74, "line 1", STRINGS("--trace", "/etc/passwd"));
    assert_ends(port, 64, "--i-own-this-host",
                STRINGS("--generate", "constant", "--rate", "10", "--url", "http://192.0.2.1:80"));
    assert_ends(port, 78, "replay.repeats", STRINGS("--repeats", "0.1", "--keyed=no"));
    assert_ends(port, 78, "replay.zipf", STRINGS("--zipf", "often"));
    assert_ends(port, 78, "replay.rate", STRINGS("--config", s->config, "--set", "replay.rate=-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sale_is_reported_as_the_front_end_counted_it),
        cmocka_unit_test(test_a_trace_is_replayed),
        cmocka_unit_test(test_a_server_that_stands_still_shows_in_the_latencies),
        cmocka_unit_test(test_each_lie_is_found),
        cmocka_unit_test(test_a_server_that_breaks_off_is_counted_and_not_hidden),
        cmocka_unit_test(test_a_signal_stops_it_and_it_reports),
        cmocka_unit_test(test_what_it_does_not_do_is_said),
        STACK_END};

    return run_with_stack("replay", tests, sizeof tests / sizeof *tests, NULL);
}
