/* Messages to buyers by way of a gateway that fails, refuses, hangs for some, or is not there: each reaches
 * it at least once, always under the same key, and is recorded once. */
#include <stdio.h>
#include <string.h>

#include "tests/support/buyers.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"
#include "tests/support/process.h"

static int64_t attempts_of(struct stack *s, const char *order_id)
{
    char select[128];

    snprintf(select, sizeof select, "SELECT attempts FROM notification WHERE order_id = '%.26s'", order_id);
    return records_ask(s, select);
}

/* What rabbitmqctl says, as JSON, to be freed. */
static json_t *ask_broker(struct stack *s, const char *const words[4])
{
    const char *vhost = strrchr(s->amqp_url, '/') + 1;
    char program[STACK_PATH];
    struct process_output o;
    json_t *list;

    snprintf(program, sizeof program, "%s/rabbitmqctl", s->dir);
    process_run((const char *[]){program, "-q", "--formatter", "json", "-p", vhost, words[0], words[1],
                                 words[2], words[3], NULL},
                NULL, NULL, BUYERS_SECONDS, &o);
    list = json_read(text_c(&o.out));
    if (o.status != 0 || !json_array_size(list))
        fail_msg("rabbitmqctl %s: %s%s", words[0], text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    return list;
}

/* The element that has this name; NULL: none. */
static const json_t *named(const json_t *list, const char *name)
{
    const json_t *object;
    size_t i;

    json_array_foreach(list, i, object)
    {
        if (strcmp(json_text(object, "name"), name) == 0)
            return object;
    }
    return NULL;
}

/* The long ones are not waited for here: what the broker was told of them is looked at instead. */
static void test_delay_queues_have_their_times(void **state)
{
    static const struct {
        const char *queue;
        int64_t ttl_ms;
    } delays[] = {{"seckill.retry.1s.notification", 1000},
                  {"seckill.retry.5s.notification", 5000},
                  {"seckill.retry.30s.notification", 30000},
                  {"seckill.retry.5m.notification", 300000}};
    struct stack *s = *state;
    json_t *queues = ask_broker(s, (const char *[4]){"list_queues", "name", "type", "policy"});
    json_t *policies = ask_broker(s, (const char *[4]){"list_policies"});

    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        const json_t *queue = named(queues, delays[i].queue);
        json_t *policy = json_read(json_text(named(policies, json_text(queue, "policy")), "definition"));

        assert_string_equal(json_text(queue, "type"), "quorum");
        assert_int_equal(json_number(policy, "message-ttl"), delays[i].ttl_ms);
        assert_string_equal(json_text(policy, "dead-letter-exchange"), "seckill.retry");
        assert_string_equal(json_text(policy, "dead-letter-routing-key"), "notification");
        assert_string_equal(json_text(policy, "dead-letter-strategy"), "at-least-once");
        assert_string_equal(json_text(policy, "overflow"), "reject-publish");
        json_decref(policy);
    }
    json_decref(queues);
    json_decref(policies);
}

static void test_what_gets_500_is_sent_later(void **state)
{
    enum { ORDERS = 100 };
    struct stack *s = *state;
    struct load *l;
    char key[MESSAGE_KEY_SIZE];
    int64_t began_ms = clock_ms();

    gateway_set(buyers_gateway(),
                &(struct gateway_rule){.status = 500, .first_tries = 2, .body = "come again"});
    l = buy_many(s, ORDERS);
    assert_all_are_taken(l);
    assert_true(clock_ms() - began_ms >= 6000); /* 1 s, then 5 s */
    assert_records_and_gateway_agree(s);
    for (int i = 0; i < load_count(l); i++) {
        const char *id = load_answer(l, i)->order_id;

        assert_int_equal(gateway_tries(buyers_gateway(), message_key(id, key)), 3);
        assert_int_equal(gateway_accepted(buyers_gateway(), key), 1);
        assert_int_equal(attempts_of(s, id), 3);
    }
    load_free(l);
}

static void test_retry_after_is_heeded(void **state)
{
    struct stack *s = *state;
    struct gateway_tally tally;
    char order_id[27];
    int64_t refused_ms;

    gateway_tally(buyers_gateway(), &tally);
    gateway_set(buyers_gateway(),
                &(struct gateway_rule){.status = 503, .first_tries = 1, .headers = "Retry-After: 3\r\n"});
    buy(s, "u1", order_id);
    assert_true(gateway_wait_received(buyers_gateway(), tally.received + 1, BUYERS_SECONDS));
    refused_ms = clock_ms();
    assert_is_taken(order_id);
    /* Without it this would have been a second; it is the queue of five, the first that is not too short. */
    assert_true(clock_ms() - refused_ms >= 3000);
    assert_records_and_gateway_agree(s);
    assert_int_equal(attempts_of(s, order_id), 2);
}

static void test_what_gets_400_is_a_dead_letter_at_once(void **state)
{
    struct stack *s = *state;
    char wrong[27], right[27], key[MESSAGE_KEY_SIZE], select[256];

    gateway_set(buyers_gateway(),
                &(struct gateway_rule){.status = 400, .user_prefix = "wrong", .body = "no such number"});
    buy(s, "wrong-1", wrong);
    buy(s, "right-1", right);
    assert_is_taken(right);
    snprintf(select, sizeof select,
             "SELECT count(*) FROM notification WHERE order_id = '%s' AND state = 4 AND attempts = 1 AND "
             "last_error"
             " LIKE 'status 400:%%no such number%%'",
             wrong);
    assert_records_come_to(s, select, 1);
    assert_int_equal(records_ask(s, "SELECT count(*) FROM dead_letter WHERE reason = 'refused'"), 1);
    assert_int_equal(gateway_tries(buyers_gateway(), message_key(wrong, key)), 1);
    /* The audit does not pass over it. */
    assert_int_equal(ctl_status(s, 1, (const char *[]){"audit", NULL}), 1);

    /* The number is right now: an operator sends it again. */
    gateway_set(buyers_gateway(), NULL);
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "replay", "--reason", "refused", NULL}), 0);
    assert_is_taken(wrong);
    assert_records_and_gateway_agree(s);
    assert_int_equal(gateway_tries(buyers_gateway(), key), 2);
}

/* Some users' messages hang, and are tried again and again; everybody else's go on. */
static void test_who_hangs_does_not_hold_up_others(void **state)
{
    enum { STUCK = BUYERS_IN_FLIGHT / 2, OTHERS = 400 };
    struct stack *s = *state;
    char stuck[STUCK][27], key[MESSAGE_KEY_SIZE], user[32];
    struct load *l;

    gateway_set(buyers_gateway(), &(struct gateway_rule){.manner = GATEWAY_HANGS, .user_prefix = "stuck"});
    for (int i = 0; i < STUCK; i++) {
        snprintf(user, sizeof user, "stuck-%d", i);
        buy(s, user, stuck[i]);
    }
    l = buy_many(s, OTHERS);
    assert_all_are_taken(l);
    for (int i = 0; i < STUCK; i++) {
        assert_true(gateway_tries(buyers_gateway(), message_key(stuck[i], key)) > 0);
        assert_int_equal(gateway_accepted(buyers_gateway(), key), 0);
    }
    gateway_set(buyers_gateway(), NULL);
    for (int i = 0; i < STUCK; i++)
        assert_is_taken(stuck[i]);
    assert_records_and_gateway_agree(s);
    load_free(l);
}

static void test_a_gateway_that_was_down_gets_everything(void **state)
{
    enum { ORDERS = 300 };
    struct stack *s = *state;
    struct load *l;

    gateway_shut(buyers_gateway());
    l = buy_many(s, ORDERS);
    assert_records_come_to(
        s, "SELECT count(*) >= 1 FROM notification WHERE state = 3 AND last_error LIKE 'no answer: %'", 1);
    assert_int_equal(count_taken(l), 0);
    gateway_open(buyers_gateway());
    assert_all_are_taken(l);
    assert_records_and_gateway_agree(s);
    load_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_delay_queues_have_their_times, buyers_ready),
        cmocka_unit_test_setup(test_what_gets_500_is_sent_later, buyers_ready),
        cmocka_unit_test_setup(test_retry_after_is_heeded, buyers_ready),
        cmocka_unit_test_setup(test_who_hangs_does_not_hold_up_others, buyers_ready),
        cmocka_unit_test_setup(test_a_gateway_that_was_down_gets_everything, buyers_ready),
        cmocka_unit_test_setup(test_what_gets_400_is_a_dead_letter_at_once, buyers_ready),
        cmocka_unit_test(test_audit_passes),
        cmocka_unit_test_teardown(test_stack_ends_cleanly, buyers_end),
    };

    return run_with_stack("gateway", tests, sizeof tests / sizeof *tests, buyers_settings());
}
