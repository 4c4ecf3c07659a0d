#include "services/order/change_item.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"
#include "common/pipeline/shard.h"
#include "services/order/submit_order.h"

static void answer_problem(struct front_end *fe, enum problem_code code, const char *detail,
                           struct http_reply *reply)
{
    int delay_s = code == PROBLEM_UNAVAILABLE ? front_end_retry_after_s(fe) : 0;
    metric_add(fe->metrics,
               code == PROBLEM_UNAVAILABLE || code == PROBLEM_OUTCOME_UNKNOWN ? METRIC_ADMIN_FAILED
                                                                              : METRIC_ADMIN_REFUSED,
               1);
    http_reply_problem(reply, &(struct problem){.code = code, .detail = detail, .retry_after_s = delay_s});
}

/* ---- the way in ---- */

/* Why nobody can be asked, or NULL. */
static const char *obstacle(struct front_end *fe, bool is_known)
{
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        return "this front end is shutting down; nothing was changed";
    if (!broker_state_is_reachable(publisher_state(fe->publisher)))
        return "inventory, which makes changes, cannot be asked without the message broker; nothing was "
               "changed";
    if (!is_known && !catalogue_is_complete(fe->catalogue))
        return "this front end has not seen the whole catalogue yet, and cannot tell which inventory has the "
               "item; nothing was changed";
    return NULL;
}

static enum change_step ask(struct front_end *fe, struct admin_question *q, const char *sku,
                            struct http_reply *reply)
{
    struct catalogue_entry entry;
    int64_t now_ns = clock_mono_ns();
    bool is_known = catalogue_find(fe->catalogue, sku, &entry);
    const char *why = obstacle(fe, is_known);
    if (!why) {
        /* An item stays where it was made; a new one goes where its name says. */
        q->shard = is_known ? entry.shard : shard_of_new_item(sku, fe->shards);
        if (catalogue_shard_age_ms(fe->catalogue, q->shard, now_ns) > CATALOGUE_STALE_MS)
            why = "inventory, which makes changes, has not been heard of for some seconds; it was not asked, "
                  "and nothing was changed";
        else if (!admin_desk_add(fe->admin, q, now_ns))
            why = "too many changes wait for inventory's answer; nothing was changed";
    }
    if (!why)
        return CHANGE_WAITING;
    answer_problem(fe, PROBLEM_UNAVAILABLE, why, reply);
    return CHANGE_ANSWERED;
}

static enum change_step begin(struct front_end *fe, struct admin_question *q, const char *method,
                              const struct admin_request *r, struct http_reply *reply)
{
    struct detail why = {.text = ""};
    bool is_put = strcmp(method, RPC_ITEM_PUT) == 0;
    q->method = method;
    q->text = q->result = NULL;
    enum admin_request_result read =
        is_put ? admin_request_put(r, &q->text, &why) : admin_request_restock(r, &q->text, &why);
    if (read == ADMIN_REQUEST_OK)
        return ask(fe, q, r->sku, reply);
    answer_problem(fe, read == ADMIN_REQUEST_MALFORMED ? PROBLEM_MALFORMED : PROBLEM_INVALID, why.text,
                   reply);
    return CHANGE_ANSWERED;
}

enum change_step change_item(struct front_end *fe, struct admin_question *q, const struct admin_request *r,
                             struct http_reply *reply)
{
    return begin(fe, q, RPC_ITEM_PUT, r, reply);
}

enum change_step restock_item(struct front_end *fe, struct admin_question *q, const struct admin_request *r,
                              struct http_reply *reply)
{
    return begin(fe, q, RPC_ITEM_RESTOCK, r, reply);
}

/* ---- the way back ---- */

static const struct {
    const char *code; /* inventory's */
    enum problem_code problem;
} refusals[] = {
    {"invalid", PROBLEM_INVALID},
    {"not_found", PROBLEM_NOT_FOUND},
    {"conflict", PROBLEM_CONFLICT},
    {"precondition", PROBLEM_PRECONDITION_FAILED},
    {"idempotency_mismatch", PROBLEM_IDEMPOTENCY_MISMATCH},
};

static void answer_refused(struct front_end *fe, const struct admin_question *q, struct http_reply *reply)
{
    struct detail why;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (strcmp(q->code, refusals[i].code) == 0) {
            answer_problem(fe, refusals[i].problem, q->why.text, reply);
            return;
        }
    detail_set(&why, "inventory did not take the question, and nothing was changed: %s", q->why.text);
    answer_problem(fe, PROBLEM_UNAVAILABLE, why.text, reply);
}

static void answer_without_word(struct front_end *fe, const struct admin_question *q,
                                struct http_reply *reply)
{
    struct detail why;
    bool is_unknown = q->outcome == ADMIN_UNKNOWN;
    bool is_put = strcmp(q->method, RPC_ITEM_PUT) == 0;
    detail_set(&why, "%s; %s", q->why.text,
               !is_unknown ? "nothing was changed"
               : is_put    ? "the change may or may not have been made: look at the item, or send it again"
                           : "the restock may or may not have been made: sent again with the same "
                             "Idempotency-Key it counts once");
    answer_problem(fe, is_unknown ? PROBLEM_OUTCOME_UNKNOWN : PROBLEM_UNAVAILABLE, why.text, reply);
}

/* {sku} in an address: what is not unreserved is escaped. */
static void locate_item(struct http_reply *reply, const char *sku)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    int len = snprintf(reply->location, sizeof reply->location, "/v1/items/");
    for (; *sku; sku++)
        len += snprintf(reply->location + len, sizeof reply->location - (size_t)len,
                        strchr(unreserved, *sku) ? "%c" : "%%%02X", (unsigned char)*sku);
}

static void write_item(const struct item *item, bool is_created, struct http_reply *reply)
{
    struct buffer *b = http_reply_json(reply, is_created ? 201 : 200);
    item_encode(b, item);
    b->len--;                             /* its "}": one more member */
    buffer_add_text(b, ",\"age_ms\":0}"); /* inventory's own word */
    snprintf(reply->etag, sizeof reply->etag, "\"%" PRId64 "\"", item->version);
    if (is_created)
        locate_item(reply, item->sku);
}

/* false: the answer says nothing that we understand. */
static bool answer_done(const struct admin_question *q, struct http_reply *reply)
{
    struct item item;
    struct detail why;
    json_t *result = NULL;
    bool is_put = strcmp(q->method, RPC_ITEM_PUT) == 0;
    int error = json_read_object(slice_of(q->result), &result, &why);
    if (!error && is_put)
        error = item_decode_json(result, &item, &why);
    if (!error && is_put)
        write_item(&item, json_is_true(json_object_get(result, "created")), reply);
    else if (!error)
        buffer_add_text(http_reply_json(reply, 200), q->result);
    else
        log_error("admin_answer_unreadable", "method=%s reason=\"%s\"", q->method, why.text);
    json_decref(result);
    return !error;
}

void change_item_finish(struct front_end *fe, struct admin_question *q, struct http_reply *reply)
{
    switch (q->outcome) {
    case ADMIN_ANSWERED:
        if (!answer_done(q, reply)) {
            detail_set(&q->why, "inventory's answer cannot be read");
            q->outcome = ADMIN_UNKNOWN;
            answer_without_word(fe, q, reply);
            break;
        }
        metric_add(fe->metrics, METRIC_ADMIN_DONE, 1);
        reply->cache_control = "no-store";
        break;
    case ADMIN_REFUSED:
        answer_refused(fe, q, reply);
        break;
    case ADMIN_NOT_ASKED:
    case ADMIN_UNKNOWN:
        answer_without_word(fe, q, reply);
        break;
    }
    admin_question_clear(q);
}
