/* What the gateway is sent, how many requests at once, and over which connections. */
#include "tests/unit/webhook_support.h"

#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_the_request_is_as_documented(void **state)
{
    struct webhook_test *t = *state;
    static const char *const lines[] = {"POST /v1/sms?from=shop HTTP/1.1\r\n",
                                        "\r\nContent-Type: application/json\r\n",
                                        "\r\nIdempotency-Key: 01JDXWBXG00000000000000042:order.confirmed\r\n",
                                        "\r\nUser-Agent: seckill/" SECKILL_VERSION "\r\n"};
    struct text request = {0};
    webhook_make(t);
    struct sink_outcome o = webhook_send(t, 42);
    assert_int_equal(o.verdict, SINK_SENT);
    assert_int_equal(o.retry_after_ms, 0);
    gateway_last(t->gateway, &request);
    for (size_t i = 0; i < COUNT(lines); i++) {
        if (!strstr(text_c(&request), lines[i]))
            fail_msg("%s is not in\n%s", lines[i], text_c(&request));
    }
    assert_null(strcasestr(text_c(&request), "authorization"));
    assert_null(strcasestr(text_c(&request), "expect:"));
    json_t *body = json_loads(strstr(text_c(&request), "\r\n\r\n") + 4, JSON_REJECT_DUPLICATES, NULL);
    assert_string_equal(json_string_value(json_object_get(body, "order_id")), "01JDXWBXG00000000000000042");
    assert_string_equal(json_string_value(json_object_get(body, "kind")), "order.confirmed");
    assert_string_equal(json_string_value(json_object_get(body, "user_id")), "u1");
    assert_string_equal(json_string_value(json_object_get(body, "text")), "It is \"yours\".");
    assert_int_equal(json_integer_value(json_object_get(body, "receipt_no")), 43);
    json_decref(body);
    text_free(&request);
}

static void assert_authorization(struct webhook_test *t, const char *line)
{
    struct text request = {0};
    gateway_last(t->gateway, &request);
    if (!strstr(text_c(&request), line))
        fail_msg("%s is not in\n%s", line, text_c(&request));
    text_free(&request);
}

static void test_the_token_is_sent_and_read_again_on_reload(void **state)
{
    struct webhook_test *t = *state;
    struct temp_dir dir;
    char path[PATH_SIZE];
    temp_dir_make(&dir);
    t->settings.notification.webhook_token_file = temp_path(&dir, "token", path);
    write_text(path, "first-token\n");
    chmod(path, 0600);
    webhook_make(t);
    webhook_send(t, 1);
    assert_authorization(t, "\r\nAuthorization: Bearer first-token\r\n");
    write_text(path, "second/token==");
    webhook_send(t, 2);
    assert_authorization(t, "\r\nAuthorization: Bearer first-token\r\n");
    t->sink->ops->reload(t->sink);
    webhook_send(t, 3);
    assert_authorization(t, "\r\nAuthorization: Bearer second/token==\r\n");
    /* One that cannot be used does not take away what works. */
    write_text(path, "two lines\r\nX-Evil: 1");
    t->sink->ops->reload(t->sink);
    webhook_send(t, 4);
    assert_authorization(t, "\r\nAuthorization: Bearer second/token==\r\n");
    temp_dir_remove(&dir);
}

static void test_slips_in_the_settings_are_found_at_start(void **state)
{
    struct webhook_test *t = *state;
    struct temp_dir dir;
    char token[PATH_SIZE], ca[PATH_SIZE], none[PATH_SIZE];
    temp_dir_make(&dir);
    write_text(temp_path(&dir, "token", token), "bad token");
    write_text(temp_path(&dir, "ca", ca), "no certificate");
    temp_path(&dir, "none", none);
    const struct {
        const char *url, *token, *ca, *names;
    } cases[] = {
        {"", "", "", "webhook_url"},
        {"sms.example/v1", "", "", "webhook_url"},
        {"ftp://sms.example/", "", "", "neither http nor https"},
        {"file:///etc/passwd", "", "", "webhook_url"},
        {"http://user:secret@sms.example/", "", "", "webhook_token_file"},
        {"http://secret@sms.example/", "", "", "webhook_token_file"},
        {"http://sms.example/#part", "", "", "fragment"},
        {"http://sms.example:99999/", "", "", "webhook_url"},
        {t->url, none, "", "webhook_token_file"},
        {t->url, token, "", "webhook_token_file"},
        {t->url, "", none, "webhook_ca_file"},
        {t->url, "", ca, "webhook_ca_file"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct detail why = {.text = ""};
        t->settings.notification.webhook_url = cases[i].url;
        t->settings.notification.webhook_token_file = cases[i].token;
        t->settings.notification.webhook_ca_file = cases[i].ca;
        assert_int_equal(sink_webhook_new(&t->sink, &t->settings, &why), E_INVALID);
        assert_null(t->sink);
        if (!strstr(why.text, cases[i].names) || strstr(why.text, "secret") || strstr(why.text, "bad token"))
            fail_msg("%s: %s", cases[i].url, why.text);
    }
    temp_dir_remove(&dir);
}

static void test_statuses_become_verdicts(void **state)
{
    struct webhook_test *t = *state;
    static const struct {
        int status;
        enum sink_verdict verdict;
    } cases[] = {{200, SINK_SENT},      {201, SINK_SENT},      {299, SINK_SENT},  {400, SINK_PERMANENT},
                 {401, SINK_PERMANENT}, {403, SINK_PERMANENT}, {408, SINK_RETRY}, {422, SINK_PERMANENT},
                 {429, SINK_RETRY},     {500, SINK_RETRY},     {503, SINK_RETRY}, {599, SINK_RETRY}};
    webhook_make(t);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char wanted[64];
        gateway_set(t->gateway,
                    &(struct gateway_rule){.status = cases[i].status, .body = "no such \"number\""});
        struct sink_outcome o = webhook_send(t, (int)i);
        snprintf(wanted, sizeof(wanted), "status %d: \"no such \\\"number\\\"\"", cases[i].status);
        if (o.verdict != cases[i].verdict)
            fail_msg("%d: verdict %d", cases[i].status, (int)o.verdict);
        if (o.verdict == SINK_SENT)
            assert_string_equal(o.why.text, "");
        else
            assert_string_equal(o.why.text, wanted);
    }
}

/* A token and a buyer's message do not go where an answer says. */
static void test_redirects_are_final_and_not_followed(void **state)
{
    struct webhook_test *t = *state;
    static const int statuses[] = {301, 302, 303, 307, 308};
    struct gateway_tally tally;
    struct gateway *elsewhere = gateway_start(0);
    struct gateway_rule rule = {.status = 0};
    snprintf(rule.headers, sizeof(rule.headers), "Location: http://127.0.0.1:%d/\r\n",
             gateway_port(elsewhere));
    webhook_make(t);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        rule.status = statuses[i];
        gateway_set(t->gateway, &rule);
        assert_int_equal(webhook_send(t, (int)i).verdict, SINK_PERMANENT);
    }
    gateway_tally(elsewhere, &tally);
    assert_int_equal(tally.connections, 0);
    gateway_free(elsewhere);
}

static void test_retry_after_is_taken_in_both_forms(void **state)
{
    struct webhook_test *t = *state;
    struct gateway_rule rule = {.status = 429, .headers = "Retry-After: 17\r\n"};
    webhook_make(t);
    gateway_set(t->gateway, &rule);
    assert_int_equal(webhook_send(t, 1).retry_after_ms, 17000);
    rule.status = 503;
    time_t later = time(NULL) + 3600;
    struct tm tm;
    strftime(rule.headers, sizeof(rule.headers), "retry-after: %a, %d %b %Y %H:%M:%S GMT\r\n",
             gmtime_r(&later, &tm));
    gateway_set(t->gateway, &rule);
    int64_t ms = webhook_send(t, 2).retry_after_ms;
    assert_in_range(ms, 3600000 - PATIENCE_S * 1000, 3600000);
    rule.status = 200;
    gateway_set(t->gateway, &rule);
    assert_int_equal(webhook_send(t, 3).retry_after_ms, 0);
    rule = (struct gateway_rule){.status = 500};
    gateway_set(t->gateway, &rule);
    assert_int_equal(webhook_send(t, 4).retry_after_ms, 0);
}

/* A chunked answer, whose trailer says nothing to us. */
static void test_chunked_answers_are_read(void **state)
{
    struct webhook_test *t = *state;
    struct gateway_rule rule = {.manner = GATEWAY_ANSWERS_IN_CHUNKS, .body = "in two pieces"};
    webhook_make(t);
    gateway_set(t->gateway, &rule);
    for (int i = 0; i < 3; i++)
        assert_int_equal(webhook_send(t, i).verdict, SINK_SENT);
    rule.status = 503;
    gateway_set(t->gateway, &rule);
    struct sink_outcome o = webhook_send(t, 3);
    assert_int_equal(o.verdict, SINK_RETRY);
    assert_int_equal(o.retry_after_ms, 0);
    assert_why_has(&o, "in two pieces");
}

static void test_a_message_tried_again_has_the_same_key_and_body(void **state)
{
    struct webhook_test *t = *state;
    struct gateway_tally tally;
    webhook_make(t);
    gateway_set(t->gateway, &(struct gateway_rule){.status = 500, .first_tries = 2});
    assert_int_equal(webhook_send(t, 5).verdict, SINK_RETRY);
    assert_int_equal(webhook_send(t, 5).verdict, SINK_RETRY);
    assert_int_equal(webhook_send(t, 5).verdict, SINK_SENT);
    gateway_tally(t->gateway, &tally);
    assert_int_equal(tally.received, 3);
    assert_int_equal(tally.keys, 1);
    assert_int_equal(tally.differing, 0);
    assert_int_equal(gateway_tries(t->gateway, "01JDXWBXG00000000000000005:order.confirmed"), 3);
    assert_int_equal(gateway_accepted(t->gateway, "01JDXWBXG00000000000000005:order.confirmed"), 1);
}

/* Fills it: as many as it has room for, and how many that is does not depend on answers. */
static void fill(struct webhook_test *t, int count, const char *user)
{
    for (int i = 0; i < count; i++) {
        while (t->sink->ops->room(t->sink) == 0) /* until the gateway's address is known */
            webhook_round(t, 1000);
        webhook_begin(t, i, user);
    }
}

static void test_many_are_under_way_at_once(void **state)
{
    enum { AT_ONCE = 200 };
    struct webhook_test *t = *state;
    struct gateway_tally tally;
    bool seen[AT_ONCE] = {false};
    t->settings.notification.in_flight = AT_ONCE;
    webhook_make(t);
    gateway_set(t->gateway, &(struct gateway_rule){.manner = GATEWAY_HANGS});
    fill(t, AT_ONCE, "u1");
    webhook_wait_received(t, AT_ONCE);
    gateway_tally(t->gateway, &tally);
    assert_int_equal(tally.most_in_flight, AT_ONCE);
    assert_int_equal(t->sink->ops->in_flight(t->sink), AT_ONCE);
    assert_int_equal(t->sink->ops->room(t->sink), 0);
    assert_int_equal(t->count, 0);
    gateway_shut(t->gateway);
    webhook_wait(t, AT_ONCE);
    assert_int_equal(t->sink->ops->in_flight(t->sink), 0);
    assert_int_equal(t->sink->ops->room(t->sink), AT_ONCE);
    for (int i = 0; i < AT_ONCE; i++) {
        assert_int_equal(t->outcomes[i].verdict, SINK_RETRY);
        assert_false(seen[t->outcomes[i].token]);
        seen[t->outcomes[i].token] = true;
    }
}

/* Nothing is to be done now, nor soon: a worker would sleep. */
static void assert_is_quiet(struct webhook_test *t)
{
    struct pollfd p = {.fd = t->sink->ops->wait_fd(t->sink), .events = POLLIN};
    for (int i = 0; i < 100; i++) /* what is left of the beginning or the end, such as timers of curl's own */
        webhook_round(t, 10);
    assert_true(t->sink->ops->due_ns(t->sink) > clock_mono_ns() + NS_PER_S);
    assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_without_messages_nothing_is_to_be_done(void **state)
{
    struct webhook_test *t = *state;
    webhook_make(t);
    assert_int_equal(t->sink->ops->due_ns(t->sink), INT64_MAX);
    for (int i = 0; i < 3; i++)
        webhook_send(t, i);
    assert_is_quiet(t);
    gateway_shut(t->gateway); /* its end of the idle connections */
    assert_is_quiet(t);
}

static void test_nothing_happens_while_all_of_them_hang(void **state)
{
    enum { AT_ONCE = 64 };
    struct webhook_test *t = *state;
    webhook_make(t);
    gateway_set(t->gateway, &(struct gateway_rule){.manner = GATEWAY_HANGS});
    fill(t, AT_ONCE, "u1");
    webhook_wait_received(t, AT_ONCE);
    assert_is_quiet(t);
    /* Freed as they are; the sanitizer sees what is left behind. */
}

static void test_who_hangs_does_not_stop_others(void **state)
{
    enum { AT_ONCE = 8, STUCK = 3, OTHERS = 100 };
    struct webhook_test *t = *state;
    t->settings.notification.in_flight = AT_ONCE;
    webhook_make(t);
    gateway_set(t->gateway, &(struct gateway_rule){.manner = GATEWAY_HANGS, .user_prefix = "stuck"});
    fill(t, STUCK, "stuck-1");
    for (int i = 0; i < OTHERS; i++) {
        while (t->sink->ops->room(t->sink) == 0)
            webhook_round(t, 1000);
        webhook_begin(t, 1000 + i, "quick");
    }
    webhook_wait(t, OTHERS);
    for (int i = 0; i < OTHERS; i++) {
        assert_int_equal(t->outcomes[i].verdict, SINK_SENT);
        assert_true(t->outcomes[i].token >= 1000);
    }
    assert_int_equal(t->sink->ops->in_flight(t->sink), STUCK);
}

static void test_connections_are_kept_and_bounded(void **state)
{
    enum { AT_ONCE = 6, MESSAGES = 300 };
    struct webhook_test *t = *state;
    struct gateway_tally tally;
    t->settings.notification.in_flight = AT_ONCE;
    webhook_make(t);
    for (int i = 0; i < MESSAGES; i++) {
        while (t->sink->ops->room(t->sink) == 0)
            webhook_round(t, 1000);
        webhook_begin(t, i, "u1");
    }
    webhook_wait(t, MESSAGES);
    gateway_tally(t->gateway, &tally);
    assert_int_equal(tally.accepted_keys, MESSAGES);
    assert_int_equal(tally.received, MESSAGES);
    assert_true(tally.connections <= AT_ONCE);
    assert_true(tally.most_in_flight <= AT_ONCE);
}

static void test_outcomes_are_handed_over_as_there_is_room_for_them(void **state)
{
    enum { MESSAGES = 10 };
    struct webhook_test *t = *state;
    webhook_make(t);
    webhook_send(t, 0);
    for (int i = 0; i < MESSAGES; i++)
        webhook_begin(t, i, "u1");
    /* An outcome that waits to be asked for is something to do at once. */
    int64_t now, until = clock_mono_ns() + PATIENCE_S * NS_PER_S;
    do {
        now = clock_mono_ns();
        assert_true(now < until);
        assert_int_equal(t->sink->ops->run(t->sink, now, NULL, 0), 0);
    } while (t->sink->ops->due_ns(t->sink) > now);
    for (int left = MESSAGES; left > 0; left--) {
        assert_int_equal(t->sink->ops->in_flight(t->sink), left);
        while (t->sink->ops->run(t->sink, clock_mono_ns(), t->outcomes, 1) == 0)
            ;
        assert_int_equal(t->outcomes[0].verdict, SINK_SENT);
    }
    assert_int_equal(t->sink->ops->in_flight(t->sink), 0);
}

static void test_proxies_of_the_environment_are_ignored(void **state)
{
    struct webhook_test *t = *state;
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"};
    for (size_t i = 0; i < COUNT(names); i++)
        setenv(names[i], "http://127.0.0.1:1/", 1);
    webhook_make(t);
    struct sink_outcome o = webhook_send(t, 1);
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    assert_int_equal(o.verdict, SINK_SENT);
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, webhook_setup, webhook_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_GATEWAY(test_the_request_is_as_documented),
        WITH_GATEWAY(test_the_token_is_sent_and_read_again_on_reload),
        WITH_GATEWAY(test_slips_in_the_settings_are_found_at_start),
        WITH_GATEWAY(test_statuses_become_verdicts),
        WITH_GATEWAY(test_redirects_are_final_and_not_followed),
        WITH_GATEWAY(test_retry_after_is_taken_in_both_forms),
        WITH_GATEWAY(test_chunked_answers_are_read),
        WITH_GATEWAY(test_a_message_tried_again_has_the_same_key_and_body),
        WITH_GATEWAY(test_many_are_under_way_at_once),
        WITH_GATEWAY(test_without_messages_nothing_is_to_be_done),
        WITH_GATEWAY(test_nothing_happens_while_all_of_them_hang),
        WITH_GATEWAY(test_who_hangs_does_not_stop_others),
        WITH_GATEWAY(test_connections_are_kept_and_bounded),
        WITH_GATEWAY(test_outcomes_are_handed_over_as_there_is_room_for_them),
        WITH_GATEWAY(test_proxies_of_the_environment_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
