/* The asker's half of RPC, with a publish of our own in the place of the broker's: each question is answered
 * once, whatever happens to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"
#include "common/pipeline/rpc_client.h"
#include "tests/unit/schema_examples.h"

/* The wire: the last question that went out. Linked before the library's own. */
static struct {
    int count, fail;
    bool mandatory;
    char exchange[64], key[64], method[64], reply_to[64], correlation[64], expiration[64], type[64],
        body[256];
    int64_t deadline_ms;
} sent;

static void copy(char *out, struct slice text)
{
    assert_true(text.len < 64);
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

int broker_publish(struct broker_connection *c, const struct broker_message *m, uint64_t *tag)
{
    (void)c;
    (void)tag;
    if (sent.fail)
        return sent.fail;
    sent.count++;
    sent.mandatory = m->mandatory;
    copy(sent.exchange, slice_of(m->exchange));
    copy(sent.key, slice_of(m->routing_key));
    copy(sent.reply_to, m->properties.reply_to);
    copy(sent.correlation, m->properties.correlation_id);
    copy(sent.expiration, m->properties.expiration);
    copy(sent.type, m->properties.content_type);
    copy(sent.body, m->body);
    assert_false(m->properties.persistent);
    const struct broker_header *method = broker_header_find(&m->properties, HEADER_RPC_METHOD);
    const struct broker_header *deadline = broker_header_find(&m->properties, HEADER_RPC_DEADLINE_MS);
    assert_true(method && method->is_text && deadline && !deadline->is_text);
    copy(sent.method, method->text);
    sent.deadline_ms = deadline->number;
    return 0;
}

static int connection; /* its address stands for a connection */

struct heard {
    int times, status;
    char code[64], detail[320];
    json_t *result;
    struct rpc_client *ask_again; /* asks once more from within */
};

static void hear(void *context, const struct rpc_answer *answer);

static int ask(struct rpc_client *c, struct heard *h, int64_t timeout_ms)
{
    struct rpc_question question = {
        .routing_key = KEY_RPC_INVENTORY_PREFIX "0",
        .method = RPC_ITEM_SHOW,
        .body = slice_of("{\"sku\":\"a\"}"),
        .deadline_ns = clock_mono_ns() + timeout_ms * NS_PER_MS,
        .answered = hear,
        .context = h,
    };
    return rpc_ask(c, &question);
}

static void hear(void *context, const struct rpc_answer *answer)
{
    struct heard *h = context;
    h->times++;
    h->status = answer->status;
    snprintf(h->code, sizeof(h->code), "%s", answer->code);
    snprintf(h->detail, sizeof(h->detail), "%s", answer->detail);
    h->result = json_incref(answer->result);
    if (h->ask_again) {
        struct rpc_client *c = h->ask_again;
        h->ask_again = NULL;
        (void)!ask(c, h, 60000);
    }
}

static struct rpc_client *connected(void)
{
    struct rpc_client *c = rpc_client_new();
    memset(&sent, 0, sizeof(sent));
    rpc_client_connected(c, (struct broker_connection *)(void *)&connection, "amq.gen-1");
    return c;
}

static void deliver(struct rpc_client *c, const char *correlation, struct slice body)
{
    struct broker_delivery delivery = {.properties.correlation_id = slice_of(correlation), .body = body};
    assert_true(rpc_client_delivery(c, &delivery));
}

static void test_a_question_says_all_that_the_other_side_needs(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 2000), 0);
    assert_string_equal(sent.exchange, "seckill.rpc");
    assert_string_equal(sent.key, "inventory.0");
    assert_string_equal(sent.method, "item.show");
    assert_string_equal(sent.reply_to, "amq.gen-1");
    assert_string_equal(sent.type, "application/json");
    assert_string_equal(sent.body, "{\"sku\":\"a\"}");
    assert_true(sent.mandatory);
    int64_t left_ms = strtoll(sent.expiration, NULL, 10);
    assert_true(left_ms > 1000 && left_ms <= 2000);
    assert_true(llabs(sent.deadline_ms - clock_wall_ms() - left_ms) < 1000);
    rpc_client_free(c);
}

/* Behind the other side's clock, every question would be over before it is read. */
static void test_a_deadline_is_told_by_the_other_sides_clock(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    rpc_client_servers_clock(c, 7000);
    assert_int_equal(ask(c, &h, 2000), 0);
    int64_t left_ms = strtoll(sent.expiration, NULL, 10);
    assert_true(left_ms > 1000 && left_ms <= 2000);
    assert_true(llabs(sent.deadline_ms - clock_wall_ms() - 7000 - left_ms) < 1000);
    rpc_client_servers_clock(c,
                             -7000); /* a snapshot that came late looks like this too: no reason to hurry */
    assert_int_equal(ask(c, &h, 2000), 0);
    left_ms = strtoll(sent.expiration, NULL, 10);
    assert_true(llabs(sent.deadline_ms - clock_wall_ms() - left_ms) < 1000);
    rpc_client_free(c);
}

static void test_answers_find_their_questions_in_any_order(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    struct heard h[COUNT] = {{0}};
    char correlation[COUNT][64];
    struct rpc_client *c = connected();
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(ask(c, &h[i], 2000), 0);
        strcpy(correlation[i], sent.correlation);
    }
    assert_int_equal(rpc_client_in_flight(c), COUNT);
    for (int i = COUNT - 1; i >= 0; i--) {
        char body[64];
        snprintf(body, sizeof(body), "{\"v\":1,\"ok\":true,\"result\":%d}", i);
        deliver(c, correlation[i], slice_of(body));
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(h[i].times, 1);
        assert_int_equal(h[i].status, 0);
        assert_int_equal(json_integer_value(h[i].result), i);
        json_decref(h[i].result);
    }
    assert_int_equal(rpc_client_in_flight(c), 0);
    assert_true(rpc_client_next_deadline_ns(c) == INT64_MAX);
    rpc_client_free(c);
}

static void test_late_repeated_and_unknown_answers_are_dropped_and_counted(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    struct slice body = slice_of("{\"v\":1,\"ok\":true,\"result\":{}}");
    assert_int_equal(ask(c, &h, 2000), 0);
    deliver(c, sent.correlation, body);
    deliver(c, sent.correlation, body);
    deliver(c, "4711", body);
    deliver(c, "x", body);
    assert_int_equal(h.times, 1);
    assert_int_equal(rpc_client_late(c), 3);
    struct broker_delivery decision = {.body = slice_of("{\"v\":1}")};
    assert_false(rpc_client_delivery(c, &decision));
    json_decref(h.result);
    rpc_client_free(c);
}

static void test_a_refusal_brings_its_word_and_its_sentence(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 2000), 0);
    deliver(c, sent.correlation,
            slice_of("{\"v\":1,\"ok\":false,\"error\":{\"code\":\"not_found\",\"detail\":\"no item\"}}"));
    assert_int_equal(h.status, E_REFUSED);
    assert_string_equal(h.code, "not_found");
    assert_string_equal(h.detail, "no item");
    assert_null(h.result);
    rpc_client_free(c);
}

static void good_envelope(struct slice body)
{
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 2000), 0);
    deliver(c, sent.correlation, body);
    assert_int_equal(h.times, 1);
    assert_true(h.status == 0 || h.status == E_REFUSED);
    json_decref(h.result);
    rpc_client_free(c);
}

static void bad_envelope(struct slice body, const char *names)
{
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 2000), 0);
    deliver(c, sent.correlation, body);
    assert_int_equal(h.times, 1);
    assert_int_equal(h.status, E_CORRUPT);
    assert_names(h.detail, names);
    rpc_client_free(c);
}

static void test_envelopes_of_the_schema(void **state)
{
    (void)state;
    schema_each_good("rpc_answer", good_envelope);
    schema_each_bad("rpc_answer", bad_envelope);
}

static void test_a_returned_question_fails_at_once(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 2000), 0);
    struct broker_returned returned = {.exchange = slice_of(EXCHANGE_ORDERS),
                                       .properties.correlation_id = slice_of(sent.correlation)};
    assert_false(rpc_client_returned(c, &returned));
    assert_int_equal(h.times, 0);
    returned.exchange = slice_of(EXCHANGE_RPC);
    assert_true(rpc_client_returned(c, &returned));
    assert_int_equal(h.times, 1);
    assert_int_equal(h.status, E_NOT_FOUND);
    rpc_client_free(c);
}

static void test_questions_time_out_in_their_own_time(void **state)
{
    (void)state;
    struct heard soon = {0}, later = {0};
    struct rpc_client *c = connected();
    int64_t now_ns = clock_mono_ns();
    assert_int_equal(ask(c, &later, 60000), 0);
    assert_int_equal(ask(c, &soon, 1000), 0);
    assert_true(rpc_client_next_deadline_ns(c) <= clock_mono_ns() + 1000 * NS_PER_MS);
    rpc_client_expire(c, now_ns);
    assert_int_equal(soon.times, 0);
    rpc_client_expire(c, now_ns + 2000 * NS_PER_MS);
    assert_int_equal(soon.times, 1);
    assert_int_equal(soon.status, E_TIMEOUT);
    assert_int_equal(later.times, 0);
    assert_true(rpc_client_next_deadline_ns(c) > now_ns + 50000 * NS_PER_MS);
    rpc_client_free(c);
    assert_int_equal(later.times, 1);
    assert_int_equal(later.status, E_CLOSED);
}

static void test_a_lost_connection_ends_all_that_is_in_flight(void **state)
{
    (void)state;
    struct heard h[2] = {{0}};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h[0], 2000), 0);
    assert_int_equal(ask(c, &h[1], 2000), 0);
    rpc_client_lost(c);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(h[i].times, 1);
        assert_int_equal(h[i].status, E_CLOSED);
    }
    assert_int_equal(ask(c, &h[0], 2000), E_CLOSED);
    rpc_client_connected(c, (struct broker_connection *)(void *)&connection, "amq.gen-2");
    assert_int_equal(ask(c, &h[0], 2000), 0);
    assert_string_equal(sent.reply_to, "amq.gen-2");
    rpc_client_free(c);
}

static void test_what_cannot_be_sent_is_not_in_flight(void **state)
{
    (void)state;
    struct heard h = {0};
    struct rpc_client *c = connected();
    assert_int_equal(ask(c, &h, 0), E_TIMEOUT);
    assert_int_equal(ask(c, &h, -5), E_TIMEOUT);
    sent.fail = E_CLOSED;
    assert_int_equal(ask(c, &h, 2000), E_CLOSED);
    sent.fail = 0;
    for (int i = 0; i < RPC_MAX_IN_FLIGHT; i++)
        assert_int_equal(ask(c, &h, 60000), 0);
    assert_int_equal(ask(c, &h, 60000), E_FULL);
    assert_int_equal(h.times, 0);
    rpc_client_free(c);
    assert_int_equal(h.times, RPC_MAX_IN_FLIGHT);
}

static void test_an_answer_may_ask_again(void **state)
{
    (void)state;
    struct rpc_client *c = connected();
    struct heard answered = {.ask_again = c}, expired = {.ask_again = c};
    assert_int_equal(ask(c, &answered, 2000), 0);
    deliver(c, sent.correlation, slice_of("{\"v\":1,\"ok\":true,\"result\":null}"));
    assert_int_equal(answered.times, 1);
    assert_int_equal(rpc_client_in_flight(c), 1);
    assert_int_equal(ask(c, &expired, 1000), 0);
    rpc_client_expire(c, clock_mono_ns() + 2000 * NS_PER_MS);
    assert_int_equal(expired.times, 1);
    assert_int_equal(rpc_client_in_flight(c), 2);
    rpc_client_free(c);
    assert_int_equal(answered.times, 2);
    assert_int_equal(expired.times, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_says_all_that_the_other_side_needs),
        cmocka_unit_test(test_a_deadline_is_told_by_the_other_sides_clock),
        cmocka_unit_test(test_answers_find_their_questions_in_any_order),
        cmocka_unit_test(test_late_repeated_and_unknown_answers_are_dropped_and_counted),
        cmocka_unit_test(test_a_refusal_brings_its_word_and_its_sentence),
        cmocka_unit_test(test_envelopes_of_the_schema),
        cmocka_unit_test(test_a_returned_question_fails_at_once),
        cmocka_unit_test(test_questions_time_out_in_their_own_time),
        cmocka_unit_test(test_a_lost_connection_ends_all_that_is_in_flight),
        cmocka_unit_test(test_what_cannot_be_sent_is_not_in_flight),
        cmocka_unit_test(test_an_answer_may_ask_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
