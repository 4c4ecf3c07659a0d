/* Questions in flight. See rpc_client.h. */
#include "common/pipeline/rpc_client.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/broker/consume.h"
#include "common/broker/publish.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"

/* Numbers rise by one, so that the low bits alone spread the questions evenly. */
#define BUCKETS RPC_MAX_IN_FLIGHT

struct flight { /* one question under way */
    struct flight *next;
    uint64_t number;
    int64_t deadline_ns;
    rpc_answered *answered;
    void *context;
};

struct rpc_client {
    struct broker_connection *publish; /* the caller's; NULL while there is none */
    char reply_queue[BROKER_NAME_SIZE];
    struct flight *buckets[BUCKETS];
    int in_flight;
    uint64_t last_number, late;
    int64_t next_deadline_ns; /* not after the earliest in flight */
    int64_t servers_ahead_ms; /* of our wall clock; at least 0 */
};

struct rpc_client *rpc_client_new(void)
{
    struct rpc_client *c = xcalloc(1, sizeof(*c));
    c->next_deadline_ns = INT64_MAX;
    return c;
}

static void finish(struct flight *f, const struct rpc_answer *answer)
{
    f->answered(f->context, answer);
    free(f);
}

/* Takes what has a deadline at or before due_ns out of the table first, and answers it then: the functions
 * may ask again. */
static void fail_due(struct rpc_client *c, int64_t due_ns, int status, const char *detail)
{
    struct flight *due = NULL;
    c->next_deadline_ns = INT64_MAX;
    for (size_t i = 0; i < BUCKETS && c->in_flight > 0; i++) {
        for (struct flight **at = &c->buckets[i]; *at;) {
            struct flight *f = *at;
            if (f->deadline_ns <= due_ns) {
                *at = f->next;
                f->next = due;
                due = f;
                c->in_flight--;
            } else {
                if (f->deadline_ns < c->next_deadline_ns)
                    c->next_deadline_ns = f->deadline_ns;
                at = &f->next;
            }
        }
    }
    while (due) {
        struct flight *f = due;
        due = f->next;
        finish(f, &(struct rpc_answer){.status = status, .code = "", .detail = detail});
    }
}

void rpc_client_free(struct rpc_client *c)
{
    if (!c)
        return;
    rpc_client_lost(c);
    free(c);
}

void rpc_client_connected(struct rpc_client *c, struct broker_connection *publish, const char *reply_queue)
{
    c->publish = publish;
    snprintf(c->reply_queue, sizeof(c->reply_queue), "%s", reply_queue);
}

/* What tells of a clock takes its time to come, which makes that clock look behind: so behind does not
 * count. */
void rpc_client_servers_clock(struct rpc_client *c, int64_t ahead_ms)
{
    c->servers_ahead_ms = ahead_ms > 0 ? ahead_ms : 0;
}

void rpc_client_lost(struct rpc_client *c)
{
    c->publish = NULL;
    fail_due(c, INT64_MAX, E_CLOSED, "the connection to the broker was lost");
}

/* The message of a question, around texts that the caller holds. */
static int publish_question(struct rpc_client *c, const struct rpc_question *q, uint64_t number,
                            int64_t left_ms)
{
    char correlation[24], expiration[24];
    snprintf(correlation, sizeof(correlation), "%" PRIu64, number);
    snprintf(expiration, sizeof(expiration), "%" PRId64, left_ms);
    struct broker_message message = {
        .exchange = EXCHANGE_RPC,
        .routing_key = q->routing_key,
        .mandatory = true,
        .properties =
            {
                .content_type = slice_of(TYPE_JSON),
                .correlation_id = slice_of(correlation),
                .reply_to = slice_of(c->reply_queue),
                .expiration = slice_of(expiration),
                .headers =
                    {
                        {.name = slice_of(HEADER_RPC_METHOD), .is_text = true, .text = slice_of(q->method)},
                        {.name = slice_of(HEADER_RPC_DEADLINE_MS),
                         .number = clock_wall_ms() + c->servers_ahead_ms + left_ms},
                    },
                .header_count = 2,
            },
        .body = q->body.len > 0 ? q->body : slice_of("{}"),
    };
    return broker_publish(c->publish, &message, NULL);
}

int rpc_ask(struct rpc_client *c, const struct rpc_question *question)
{
    int64_t left_ms = (question->deadline_ns - clock_mono_ns()) / NS_PER_MS;
    if (!c->publish)
        return E_CLOSED;
    if (left_ms <= 0)
        return E_TIMEOUT;
    if (c->in_flight >= RPC_MAX_IN_FLIGHT)
        return E_FULL;

    uint64_t number = ++c->last_number;
    int rc = publish_question(c, question, number, left_ms);
    if (rc)
        return rc;

    struct flight *f = xmalloc(sizeof(*f));
    struct flight **bucket = &c->buckets[number % BUCKETS];
    *f = (struct flight){
        .next = *bucket,
        .number = number,
        .deadline_ns = question->deadline_ns,
        .answered = question->answered,
        .context = question->context,
    };
    *bucket = f;
    c->in_flight++;
    if (f->deadline_ns < c->next_deadline_ns)
        c->next_deadline_ns = f->deadline_ns;
    return 0;
}

/* Takes the question with this correlation_id out of the table; NULL if nobody waits for it. */
static struct flight *take_flight(struct rpc_client *c, struct slice correlation)
{
    int64_t number;
    if (number_parse_bytes(correlation.data, correlation.len, 1, INT64_MAX, &number))
        return NULL;
    for (struct flight **at = &c->buckets[(uint64_t)number % BUCKETS]; *at; at = &(*at)->next) {
        struct flight *f = *at;
        if (f->number == (uint64_t)number) {
            *at = f->next;
            if (--c->in_flight == 0)
                c->next_deadline_ns = INT64_MAX;
            return f;
        }
    }
    return NULL;
}

/* Fills *answer from the envelope; what it points to belongs to the envelope. E_INVALID if it is none. */
static int read_envelope(const json_t *envelope, struct rpc_answer *answer, struct detail *why)
{
    int rc = json_read_version(envelope, MESSAGE_VERSION, why);
    if (rc)
        return rc;
    const json_t *ok = json_object_get(envelope, "ok");
    if (json_is_true(ok)) {
        json_t *result = json_object_get(envelope, "result");
        if (!result) {
            detail_set(why, "result is missing");
            return E_INVALID;
        }
        *answer = (struct rpc_answer){.result = result, .code = "", .detail = ""};
        return 0;
    }
    const json_t *error = json_object_get(envelope, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *detail = json_string_value(json_object_get(error, "detail"));
    if (!json_is_false(ok) || !code) {
        detail_set(why, "ok must be true, or false with an error that has a code");
        return E_INVALID;
    }
    *answer = (struct rpc_answer){.status = E_REFUSED, .code = code, .detail = detail ? detail : code};
    return 0;
}

bool rpc_client_delivery(struct rpc_client *c, const struct broker_delivery *delivery)
{
    if (delivery->properties.correlation_id.len == 0)
        return false;
    struct flight *f = take_flight(c, delivery->properties.correlation_id);
    if (!f) {
        c->late++;
        return true;
    }
    json_t *envelope = NULL;
    struct detail why;
    struct rpc_answer answer;
    int rc = json_read_object(delivery->body, &envelope, &why);
    if (rc == 0)
        rc = read_envelope(envelope, &answer, &why);
    if (rc)
        answer = (struct rpc_answer){.status = E_CORRUPT, .code = "", .detail = why.text};
    finish(f, &answer);
    json_decref(envelope);
    return true;
}

bool rpc_client_returned(struct rpc_client *c, const struct broker_returned *returned)
{
    if (!slice_is(returned->exchange, EXCHANGE_RPC))
        return false;
    struct flight *f = take_flight(c, returned->properties.correlation_id);
    if (f)
        finish(f, &(struct rpc_answer){.status = E_NOT_FOUND,
                                       .code = "",
                                       .detail = "the broker has no queue for this question"});
    return true;
}

void rpc_client_expire(struct rpc_client *c, int64_t now_ns)
{
    if (now_ns >= c->next_deadline_ns)
        fail_due(c, now_ns, E_TIMEOUT, "no answer came in time");
}

int64_t rpc_client_next_deadline_ns(const struct rpc_client *c)
{
    return c->next_deadline_ns;
}

int rpc_client_in_flight(const struct rpc_client *c)
{
    return c->in_flight;
}

uint64_t rpc_client_late(const struct rpc_client *c)
{
    return c->late;
}
