/* A gateway that is slow, hangs, breaks off, floods, or is not there: every message gets its verdict, in
 * bounded time and memory. */
#include "tests/unit/webhook_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct sink_outcome send_under(struct webhook_test *t, const struct gateway_rule *rule)
{
    gateway_set(t->gateway, rule);
    return webhook_send(t, t->count);
}

static void test_a_hanging_gateway_is_given_up_after_the_total_time(void **state)
{
    struct webhook_test *t = *state;
    t->settings.notification.total_timeout_ms = 300;
    webhook_make(t);
    int64_t began = clock_mono_ns();
    struct sink_outcome o = send_under(t, &(struct gateway_rule){.manner = GATEWAY_HANGS});
    assert_true(clock_mono_ns() - began >= 290 * NS_PER_MS);
    assert_int_equal(o.verdict, SINK_RETRY);
    assert_why_has(&o, "no answer: ");
    assert_why_has(&o, "timed out");
    assert_true(t->rounds < 100); /* it slept, rather than to ask all the time */
}

static void test_an_answer_that_trickles_is_given_up_too(void **state)
{
    struct webhook_test *t = *state;
    t->settings.notification.total_timeout_ms = 300; /* six bytes */
    webhook_make(t);
    struct sink_outcome o = send_under(t, &(struct gateway_rule){.manner = GATEWAY_TRICKLES});
    assert_int_equal(o.verdict, SINK_RETRY);
    assert_why_has(&o, "timed out");
}

static void test_a_slow_gateway_is_waited_for(void **state)
{
    struct webhook_test *t = *state;
    webhook_make(t);
    struct sink_outcome o = send_under(t, &(struct gateway_rule){.delay_ms = 300});
    assert_int_equal(o.verdict, SINK_SENT);
    assert_true(t->rounds < 100);
}

/* Listens with a full queue, so that nobody gets a connection, nor a refusal. */
static int deaf_listener(int *port, int fillers[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, len);
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_connecting_has_a_bound_of_its_own(void **state)
{
    struct webhook_test *t = *state;
    int port, fillers[8], listener = deaf_listener(&port, fillers);
    snprintf(t->url, sizeof(t->url), "http://127.0.0.1:%d/", port);
    t->settings.notification.connect_timeout_ms = 300;
    t->settings.notification.total_timeout_ms = 600000; /* beyond the test's patience */
    webhook_make(t);
    struct sink_outcome o = webhook_send(t, 1);
    assert_int_equal(o.verdict, SINK_RETRY);
    assert_why_has(&o, "no answer: ");
    close(listener);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
}

static void test_answers_that_break_off(void **state)
{
    struct webhook_test *t = *state;
    static const struct {
        enum gateway_manner manner;
        int status;
        enum sink_verdict verdict;
    } cases[] = {
        {GATEWAY_RESETS, 200, SINK_RETRY},
        {GATEWAY_BREAKS_HEAD, 200, SINK_RETRY},
        {GATEWAY_BREAKS_HEAD, 400, SINK_RETRY},
        /* The head is the answer. */
        {GATEWAY_BREAKS_BODY, 200, SINK_SENT},
        {GATEWAY_BREAKS_BODY, 400, SINK_PERMANENT},
        {GATEWAY_BREAKS_BODY, 503, SINK_RETRY},
    };
    webhook_make(t);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sink_outcome o =
            send_under(t, &(struct gateway_rule){.manner = cases[i].manner, .status = cases[i].status});
        if (o.verdict != cases[i].verdict)
            fail_msg("case %zu: verdict %d, %s", i, (int)o.verdict, o.why.text);
    }
    assert_int_equal(send_under(t, NULL).verdict, SINK_SENT);
}

static void test_floods_are_hung_up_on(void **state)
{
    struct webhook_test *t = *state;
    t->settings.notification.total_timeout_ms = 600000;
    webhook_make(t);
    assert_int_equal(send_under(t, &(struct gateway_rule){.manner = GATEWAY_FLOODS_BODY}).verdict, SINK_SENT);
    assert_int_equal(
        send_under(t, &(struct gateway_rule){.manner = GATEWAY_FLOODS_BODY, .status = 400}).verdict,
        SINK_PERMANENT);
    assert_int_equal(send_under(t, &(struct gateway_rule){.manner = GATEWAY_FLOODS_HEAD}).verdict,
                     SINK_RETRY);
    assert_int_equal(send_under(t, NULL).verdict, SINK_SENT);
}

static void test_down_and_up_again(void **state)
{
    struct webhook_test *t = *state;
    webhook_make(t);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send_under(t, NULL).verdict, SINK_SENT);
        gateway_shut(t->gateway);
        struct sink_outcome o = send_under(t, NULL);
        assert_int_equal(o.verdict, SINK_RETRY);
        assert_why_has(&o, "no answer: ");
        gateway_open(t->gateway);
    }
    assert_int_equal(send_under(t, NULL).verdict, SINK_SENT);
}

/* The connection was closed while it lay idle: that costs no attempt. */
static void test_a_kept_connection_that_died_is_replaced(void **state)
{
    struct webhook_test *t = *state;
    struct gateway_tally tally;
    webhook_make(t);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_under(t, NULL).verdict, SINK_SENT);
        gateway_shut(t->gateway);
        gateway_open(t->gateway);
    }
    gateway_tally(t->gateway, &tally);
    assert_int_equal(tally.received, 5);
    assert_int_equal(tally.accepted, 5);
}

/* Each look-up costs a thread, which may last: so there are few while no name is found, and none is waited
 * for. */
static void test_a_name_that_is_not_found_holds_nobody_up(void **state)
{
    struct webhook_test *t = *state;
    struct sink_outcome o;
    snprintf(t->url, sizeof(t->url), "http://gateway.invalid:%d/", gateway_port(t->gateway));
    t->settings.notification.connect_timeout_ms = 200;
    webhook_make(t);
    int room = t->sink->ops->room(t->sink);
    assert_in_range(room, 1, 8);
    for (int i = 0; i < room; i++)
        webhook_begin(t, i, "u1");
    assert_int_equal(t->sink->ops->room(t->sink), 0);
    webhook_wait(t, room);
    for (int i = 0; i < room; i++) {
        o = t->outcomes[i];
        assert_int_equal(o.verdict, SINK_RETRY);
        assert_why_has(&o, "no answer: ");
    }
    assert_int_equal(t->sink->ops->room(t->sink), room);
    webhook_begin(t, 99, "u1"); /* and is left as it is */
    webhook_round(t, 0);
}

/* A gateway that hangs from the first request on is not one whose name is not found. */
static void test_room_is_whole_as_soon_as_there_is_a_connection(void **state)
{
    struct webhook_test *t = *state;
    webhook_make(t);
    gateway_set(t->gateway, &(struct gateway_rule){.manner = GATEWAY_HANGS});
    webhook_begin(t, 0, "u1");
    webhook_wait_received(t, 1);
    assert_int_equal(t->sink->ops->room(t->sink), 255);
}

#define WITH_GATEWAY(test) cmocka_unit_test_setup_teardown(test, webhook_setup, webhook_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_GATEWAY(test_a_hanging_gateway_is_given_up_after_the_total_time),
        WITH_GATEWAY(test_an_answer_that_trickles_is_given_up_too),
        WITH_GATEWAY(test_a_slow_gateway_is_waited_for),
        WITH_GATEWAY(test_connecting_has_a_bound_of_its_own),
        WITH_GATEWAY(test_answers_that_break_off),
        WITH_GATEWAY(test_floods_are_hung_up_on),
        WITH_GATEWAY(test_down_and_up_again),
        WITH_GATEWAY(test_a_kept_connection_that_died_is_replaced),
        WITH_GATEWAY(test_a_name_that_is_not_found_holds_nobody_up),
        WITH_GATEWAY(test_room_is_whole_as_soon_as_there_is_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
