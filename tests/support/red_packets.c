/* What the red packets' worker says. */
#include "tests/support/red_packets.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/http_client.h"
#include "tests/support/json.h"

void campaign_read(struct stack *s, const char *sku, struct campaign *c)
{
    struct ctl_answer answer;

    ctl(s, &answer, (const char *[]){"campaign", "show", sku, NULL});
    *c = (struct campaign){.budget = json_number(answer.json, "budget"),
                           .packets = json_number(answer.json, "packets"),
                           .min_amount = json_number(answer.json, "min_amount"),
                           .budget_left = json_number(answer.json, "budget_left"),
                           .packets_left = json_number(answer.json, "packets_left")};
    ctl_free(&answer);
}

void campaign_put(struct stack *s, const char *sku, const char *budget, const char *packets,
                  const char *min_amount)
{
    assert_int_equal(ctl_status(s, 0,
                                (const char *[]){"campaign", "put", sku, "--budget", budget, "--packets",
                                                 packets, "--min-amount", min_amount, NULL}),
                     0);
}

const json_t *answer_result(const json_t *answers, size_t index)
{
    return json_object_get(json_array_get(answers, index), "result");
}

json_t *packets_ask(struct stack *s, const json_t *ids)
{
    json_t *questions = json_array(), *answers;
    size_t i;
    const json_t *id;

    json_array_foreach(ids, i, id)
        json_array_append_new(questions, json_pack("{s:s}", "order_id", json_string_value(id)));
    answers = amqp_ask(s, "redpacket", "packet.show", questions);
    json_decref(questions);
    assert_non_null(answers);
    assert_int_equal(json_array_size(answers), json_array_size(ids));
    return answers;
}

json_t *balances_ask(struct stack *s, int users)
{
    json_t *questions = json_array(), *answers;

    for (int i = 0; i < users; i++) {
        char user[32];

        snprintf(user, sizeof user, "buyer-%d", i);
        json_array_append_new(questions, json_pack("{s:s}", "user_id", user));
    }
    answers = amqp_ask(s, "redpacket", "balance.show", questions);
    json_decref(questions);
    assert_non_null(answers);
    return answers;
}

struct awaited {
    struct stack *stack;
    const json_t *ids;
};

/* Has each of them been decided by the red packets' worker, one way or the other? */
static bool all_known(void *context)
{
    const struct awaited *a = context;
    json_t *answers = packets_ask(a->stack, a->ids);
    bool all = true;

    for (size_t i = 0; i < json_array_size(answers); i++)
        all = all && answer_result(answers, i);
    json_decref(answers);
    return all;
}

void packets_wait(struct stack *s, const json_t *ids, int seconds)
{
    if (!wait_until(all_known, &(struct awaited){s, ids}, seconds))
        fail_msg("not every confirmed order has come to the red packets");
}

json_t *load_ids(struct stack *s, const struct load *l, const char *status)
{
    json_t *ids = json_array();

    for (int i = 0; i < load_count(l); i++) {
        char path[64];
        struct http_response response;
        json_t *body;

        if (load_answer(l, i)->status != 202)
            continue;
        snprintf(path, sizeof path, "/v1/orders/%s", load_answer(l, i)->order_id);
        assert_int_equal(http_request(s->http_port, "GET", path, NULL, NULL, &response), 0);
        body = json_body(&response);
        if (strcmp(json_text(body, "status"), status) == 0)
            json_array_append_new(ids, json_string(load_answer(l, i)->order_id));
        json_decref(body);
        http_response_free(&response);
    }
    return ids;
}

struct packets_tally packets_count(struct stack *s, const json_t *ids, int64_t min_amount)
{
    json_t *answers = packets_ask(s, ids);
    struct packets_tally t = {0};

    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *packet = answer_result(answers, i);
        const char *status = json_text(packet, "status");

        assert_string_equal(json_text(packet, "order_id"), json_string_value(json_array_get(ids, i)));
        if (strcmp(status, "granted") == 0) {
            assert_in_range(json_number(packet, "amount"), min_amount, INT64_MAX);
            t.granted++;
            t.amount += json_number(packet, "amount");
        } else {
            assert_string_equal(status, "none_left");
            assert_int_equal(json_number(packet, "amount"), 0);
            t.none_left++;
        }
    }
    json_decref(answers);
    return t;
}

int64_t balances_sum(struct stack *s, int users)
{
    json_t *answers = balances_ask(s, users);
    int64_t sum = 0;

    for (size_t i = 0; i < json_array_size(answers); i++)
        sum += json_number(answer_result(answers, i), "amount");
    json_decref(answers);
    return sum;
}
