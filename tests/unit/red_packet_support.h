/* The red packets' decision with everything that it needs but a broker. */
#ifndef SECKILL_TESTS_RED_PACKET_SUPPORT_H
#define SECKILL_TESTS_RED_PACKET_SUPPORT_H

#include "tests/unit/transaction_support.h"

#include <jansson.h>

#include "common/base/clock.h"
#include "common/pipeline/event_message.h"
#include "common/pipeline/names.h"
#include "services/redpacket/answer_packet.h"
#include "services/redpacket/grant_red_packet.h"

#define QUEUE "seckill.redpacket"

struct packet_fixture {
    struct place place;
    struct store *store;
    struct red_packet_store *packets;
    struct grant_red_packet grant;
    struct answer_packet answer;
    struct worker_handler handler;
    struct transaction t;
    uint64_t seed;
    /* of the latest question */
    struct rpc_refusal refusal;
    struct buffer result;
};

static uint64_t fixture_random(void *seed) /* splitmix64: the same on every machine */
{
    uint64_t z = (*(uint64_t *)seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static enum outcome fixture_line(void *context, struct task *task)
{
    return grant_red_packet(&((struct packet_fixture *)context)->grant, task);
}

static int fixture_end(void *context)
{
    return red_packet_store_flush(((struct packet_fixture *)context)->packets);
}

static void fixture_committed(void *context)
{
    struct packet_fixture *f = context;
    red_packet_store_committed(f->packets);
    trail_committed(&f->grant.trail);
}

static int fixture_rolled_back(void *context)
{
    struct packet_fixture *f = context;
    trail_rolled_back(&f->grant.trail);
    return red_packet_store_load(f->packets);
}

static inline void packets_open(struct packet_fixture *f)
{
    struct detail why = {.text = ""};
    f->store = open_or_fail(&f->place, STORE_CREATE);
    assert_int_equal(migrate_apply(f->store, redpacket_migrations, NULL, NULL), 0);
    if (red_packet_store_new(&f->packets, f->store, &why) != 0)
        fail_msg("%s", why.text);
    f->grant = (struct grant_red_packet){.store = f->packets,
                                         .random = {.next = fixture_random, .context = &f->seed}};
    f->answer = (struct answer_packet){.store = f->packets};
    f->handler = (struct worker_handler){.line = fixture_line,
                                         .before_commit = fixture_end,
                                         .committed = fixture_committed,
                                         .rolled_back = fixture_rolled_back};
    transaction_open(&f->t, f->store, QUEUE, &f->handler, f);
}

static inline void packets_close(struct packet_fixture *f)
{
    transaction_close(&f->t);
    grant_red_packet_free(&f->grant);
    red_packet_store_free(f->packets);
    store_close(f->store);
}

static inline int packets_set_up(void **state)
{
    struct packet_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->seed = 20261122;
    place_make(&f->place);
    packets_open(f);
    *state = f;
    return 0;
}

static inline int packets_tear_down(void **state)
{
    struct packet_fixture *f = *state;
    packets_close(f);
    place_remove(&f->place);
    buffer_free(&f->result);
    free(f);
    return 0;
}

/* ---- events ---- */

/* A confirmed order, whose id of 26 characters ends in the number. */
static inline struct decision confirmed(int number, const char *user, const char *sku)
{
    struct decision d = {.status = ORDER_CONFIRMED,
                         .quantity = 2,
                         .at_ms = 1795348800000,
                         .unit_price = 100,
                         .total = 200,
                         .receipt_no = number + 1};
    snprintf(d.order_id, sizeof d.order_id, "%026d", number);
    snprintf(d.user_id, sizeof d.user_id, "%s", user);
    snprintf(d.sku, sizeof d.sku, "%s", sku);
    return d;
}

static inline int handle_body(struct packet_fixture *f, struct slice body, bool redelivered)
{
    struct inbound m = {.redelivered = redelivered, .body = body};
    struct inbound *list[] = {&m};
    struct slice rest = body, line;
    while (line_next(&rest, &line))
        m.orders++;
    return transaction_handle(&f->t, list, 1);
}

/* As one message. */
static inline void send_events(struct packet_fixture *f, const struct decision *decisions, int count)
{
    struct buffer body = {0};
    for (int i = 0; i < count; i++)
        decision_encode(&body, &decisions[i]);
    assert_int_equal(handle_body(f, (struct slice){.data = body.data, .len = body.len}, false), 0);
    buffer_free(&body);
}

static inline void send_event(struct packet_fixture *f, struct decision d)
{
    send_events(f, &d, 1);
}

/* ---- questions ---- */

typedef int answer_function(void *context, const struct json_t *question, struct buffer *result,
                            struct rpc_refusal *refusal);

static inline int ask(struct packet_fixture *f, answer_function *answer, const char *question)
{
    json_t *json = json_loads(question, 0, NULL);
    if (!json)
        fail_msg("not JSON: %s", question);
    f->refusal = (struct rpc_refusal){.code = NULL};
    buffer_clear(&f->result);
    int error = answer(&f->answer, json, &f->result, &f->refusal);
    json_decref(json);
    return error;
}

/* Writes "NOW" over each at_ms that is of this test's last minute. */
static inline char *without_times(const char *answer)
{
    static const char member[] = "\"at_ms\":";
    const int64_t now_ms = clock_wall_ms();
    char *out = calloc(1, strlen(answer) + 1), *end = out, *after = NULL;
    assert_non_null(out);
    for (const char *at; (at = strstr(answer, member)) != NULL; answer = after) {
        at += strlen(member);
        end += sprintf(end, "%.*s", (int)(at - answer), answer);
        assert_in_range(strtoll(at, &after, 10), now_ms - 60000, now_ms);
        end += sprintf(end, "NOW");
    }
    sprintf(end, "%s", answer);
    return out;
}

static inline void assert_answer(struct packet_fixture *f, answer_function *answer, const char *question,
                                 const char *expected)
{
    if (ask(f, answer, question) != 0)
        fail_msg("%s: %s", question, f->refusal.detail.text);
    char *told = without_times(buffer_text(&f->result));
    assert_string_equal(told, expected);
    free(told);
}

static inline void assert_refused(struct packet_fixture *f, answer_function *answer, const char *question,
                                  const char *code, const char *word)
{
    if (ask(f, answer, question) != E_REFUSED)
        fail_msg("taken: %s", question);
    assert_string_equal(f->refusal.code, code);
    if (!strstr(f->refusal.detail.text, word))
        fail_msg("\"%s\" does not name %s", f->refusal.detail.text, word);
}

static inline void put_or_fail(struct packet_fixture *f, const char *question)
{
    if (ask(f, answer_campaign_put, question) != 0)
        fail_msg("%s: %s", question, f->refusal.detail.text);
}

/* ---- what holds at any time ---- */

static inline void assert_packets_conserved(struct packet_fixture *f)
{
    assert_int_equal(
        ask_int(
            f->store,
            "SELECT count(*) FROM campaign c WHERE budget <> budget_left + (SELECT coalesce(sum(amount), 0)"
            " FROM packet p WHERE p.sku = c.sku) OR packets <> packets_left + (SELECT count(*) FROM packet p"
            " WHERE p.sku = c.sku AND status = 1) OR budget_left < packets_left * min_amount"),
        0);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM (SELECT user_id, sum(amount) AS a, count(*) AS "
                                       "n FROM packet WHERE status = 1"
                                       " GROUP BY user_id) FULL JOIN balance b USING (user_id)"
                                       " WHERE a IS NOT b.amount OR n IS NOT b.packets"),
                     0);
    size_t count;
    const struct campaign *all = campaigns(f->packets, &count);
    assert_int_equal(ask_int(f->store, "SELECT count(*) FROM campaign"), count);
    for (size_t i = 0; i < count; i++) {
        char sql[256];
        snprintf(
            sql, sizeof sql,
            "SELECT count(*) FROM campaign WHERE sku = '%s' AND budget_left = %lld AND packets_left = %lld",
            all[i].sku, (long long)all[i].budget_left, (long long)all[i].packets_left);
        assert_int_equal(ask_int(f->store, sql), 1);
        assert_int_equal(all[i].taken_amount + all[i].taken_packets, 0);
    }
}

#endif
