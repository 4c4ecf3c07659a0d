/* The way of one order through this process; what an answer counts as, and what it says. */
#include "services/order/submit_order.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "services/order/order_log.h"

static const struct {
    enum problem_code problem;
    const char *detail;
} refusals[VERDICT_COUNT] = {
    [VERDICT_DRAINING] = {PROBLEM_UNAVAILABLE, "this front end is shutting down; the order was not queued"},
    [VERDICT_BROKER_UNREACHABLE] = {PROBLEM_UNAVAILABLE,
                                    "the order queue cannot be reached; the order was not queued"},
    [VERDICT_BROKER_BLOCKED] = {PROBLEM_UNAVAILABLE,
                                "the order queue is short of memory or disk; the order was not queued"},
    [VERDICT_NO_LEDGER] = {PROBLEM_UNAVAILABLE,
                           "this front end cannot note orders on its disk; the order was not queued"},
    [VERDICT_RATE_LIMITED] = {PROBLEM_RATE_LIMITED,
                              "more requests come than this front end takes; the order was not queued"},
    [VERDICT_UNAUTHENTICATED] = {PROBLEM_UNAUTHENTICATED, NULL}, /* by the identity's verdict */
    [VERDICT_FORBIDDEN] = {PROBLEM_FORBIDDEN,
                           "the token is not of this user_id; nobody orders in another's name"},
    [VERDICT_USER_LIMITED] = {PROBLEM_RATE_LIMITED,
                              "this user sends orders too fast; the order was not queued"},
    [VERDICT_NO_CATALOGUE] = {PROBLEM_UNAVAILABLE,
                              "this front end has not seen the catalogue yet; the order was not queued"},
    [VERDICT_UNKNOWN_ITEM] = {PROBLEM_UNKNOWN_ITEM, "no item has this sku"},
    [VERDICT_SALE_NOT_STARTED] = {PROBLEM_SALE_NOT_STARTED, "the sale of this item starts later"},
    [VERDICT_SALE_ENDED] = {PROBLEM_SALE_ENDED, "the sale of this item is over"},
    [VERDICT_SALE_PAUSED] = {PROBLEM_SALE_PAUSED, "the sale of this item is paused"},
    [VERDICT_SOLD_OUT] = {PROBLEM_SOLD_OUT, "fewer are left than were asked for"},
    [VERDICT_OVERLOADED] = {PROBLEM_OVERLOADED, "too many orders for this item's shard wait for a decision"},
};

static const enum metric problem_metrics[PROBLEM_COUNT] = {
    [PROBLEM_MALFORMED] = METRIC_MALFORMED,
    [PROBLEM_UNAUTHENTICATED] = METRIC_UNAUTHENTICATED,
    [PROBLEM_FORBIDDEN] = METRIC_FORBIDDEN,
    [PROBLEM_TOO_LARGE] = METRIC_TOO_LARGE,
    [PROBLEM_UNSUPPORTED_MEDIA_TYPE] = METRIC_UNSUPPORTED_TYPE,
    [PROBLEM_INVALID] = METRIC_INVALID,
    [PROBLEM_UNKNOWN_ITEM] = METRIC_UNKNOWN_ITEM,
    [PROBLEM_SALE_NOT_STARTED] = METRIC_SALE_NOT_STARTED,
    [PROBLEM_SALE_ENDED] = METRIC_SALE_ENDED,
    [PROBLEM_SALE_PAUSED] = METRIC_SALE_PAUSED,
    [PROBLEM_SOLD_OUT] = METRIC_SOLD_OUT,
    [PROBLEM_RATE_LIMITED] = METRIC_RATE_LIMITED,
    [PROBLEM_OVERLOADED] = METRIC_OVERLOADED,
    [PROBLEM_UNAVAILABLE] = METRIC_UNAVAILABLE,
    [PROBLEM_OUTCOME_UNKNOWN] = METRIC_OUTCOME_UNKNOWN,
};

/* Each thread's own splitmix64, begun at the clock: enough to keep clients from coming back together. */
static uint64_t noise(void)
{
    static _Thread_local uint64_t sequence;
    if (sequence == 0)
        sequence = (uint64_t)clock_mono_ns();
    uint64_t z = sequence += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

int front_end_retry_after_s(const struct front_end *fe)
{
    int delay_s =
        publisher_state(fe->publisher) == BROKER_USABLE ? 1 : publisher_retry_after_s(fe->publisher);
    return retry_after_delay_s(delay_s, noise());
}

static int64_t threshold(const _Atomic int64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static int overload_retry_after_s(const struct front_end *fe, uint8_t shard)
{
    return retry_after_backlog_s(pending_backlog(fe->pending, shard), pending_drain_rate(fe->pending, shard),
                                 noise());
}

static int rate_retry_after_s(struct front_end *fe, int64_t now_ns)
{
    struct rate rate = rate_of_requests(threshold(&fe->max_rate));
    return retry_after_wait_s(rate_line_join(&fe->refused, rate, now_ns), noise());
}

/* ---- answers ---- */

void submit_order_refuse(struct front_end *fe, const struct problem *p, struct http_reply *reply)
{
    metric_add(fe->metrics, problem_metrics[p->code], 1);
    http_reply_problem(reply, p);
}

static void answer_accepted(struct front_end *fe, const char *order_id, struct http_reply *reply)
{
    metric_add(fe->metrics, METRIC_ACCEPTED, 1);
    struct buffer *b = http_reply_json(reply, 202);
    buffer_add_text(b, "{\"order_id\":\"");
    buffer_add(b, order_id, ORDER_ID_CHARS);
    buffer_add_text(b, "\",\"status\":\"accepted\"}");
    http_reply_locate_order(reply, order_id);
}

/* A refusal of a keyed order names the order: an earlier attempt may stand under this id. Others have no id
 * to speak of. */
static void answer_refusal(struct front_end *fe, const struct order_attempt *a,
                           enum admission_verdict verdict, const struct catalogue_entry *entry,
                           const char *keyed_id, struct http_reply *reply)
{
    struct problem p = {.code = refusals[verdict].problem,
                        .detail = refusals[verdict].detail,
                        .detail_is_constant = true,
                        .order_id = keyed_id};
    if (p.code == PROBLEM_UNAVAILABLE)
        p.retry_after_s = front_end_retry_after_s(fe);
    if (verdict == VERDICT_RATE_LIMITED) {
        p.retry_after_s = rate_retry_after_s(fe, a->asked_ns);
        metric_add(fe->metrics, METRIC_LIMITED_FRONT_END, 1);
    }
    if (verdict == VERDICT_USER_LIMITED) {
        p.retry_after_s = retry_after_wait_s(a->user_wait_ns, noise());
        metric_add(fe->metrics, METRIC_LIMITED_USER, 1);
    }
    if (verdict == VERDICT_UNAUTHENTICATED) {
        p.detail = token_verdict_detail(a->who.verdict);
        p.challenge = token_verdict_challenge(a->who.verdict);
    }
    if (verdict == VERDICT_UNAUTHENTICATED && a->who.verdict == TOKEN_CROWD) {
        p.code = PROBLEM_RATE_LIMITED;
        p.challenge = NULL;
        p.retry_after_s = retry_after_delay_s(1, noise());
        metric_add(fe->metrics, METRIC_LIMITED_FRONT_END, 1);
    }
    if (verdict == VERDICT_OVERLOADED)
        p.retry_after_s = overload_retry_after_s(fe, entry->shard);
    if (verdict == VERDICT_SALE_NOT_STARTED)
        p.starts_ms = entry->starts_ms;
    if (verdict == VERDICT_SOLD_OUT) {
        p.has_stock_left = true;
        p.stock_left = entry->stock_left;
    }
    submit_order_refuse(fe, &p, reply);
}

void submit_order_answer_early(struct front_end *fe, const struct order_attempt *a, struct http_reply *reply)
{
    answer_refusal(fe, a, a->early, NULL, NULL, reply);
}

/* ---- the way in ---- */

/* A request that is refused anyhow is not worth a signature: then only a token that is known to be good says
 * whose it is. */
static void identify(struct front_end *fe, struct order_attempt *a)
{
    int64_t now_s = clock_wall_ms() / 1000;
    if (a->early == VERDICT_ADMITTED)
        authenticate(fe->authenticator, a->authorization, now_s, &a->who);
    else
        authenticate_if_known(fe->authenticator, a->authorization, now_s, &a->who);
    if (a->early == VERDICT_ADMITTED && a->who.kind == IDENTITY_NOBODY)
        a->early = VERDICT_UNAUTHENTICATED;
}

void submit_order_begin(struct front_end *fe, struct order_attempt *a)
{
    a->asked_ns = clock_mono_ns();
    a->early = admission_early(&(struct admission_state){
        .draining = atomic_load_explicit(&fe->draining, memory_order_relaxed),
        .broker = publisher_state(fe->publisher),
        .requests = &fe->requests,
        .max_rate = threshold(&fe->max_rate),
        .now_ns = a->asked_ns,
    });
    identify(fe, a);
}

/* The request's order, without id and time. */
static enum order_request_result read_order(const struct order_attempt *a, struct slice body,
                                            struct order *order, struct detail *why)
{
    if (a->idempotency_key && !idempotency_key_is_valid(a->idempotency_key)) {
        detail_set(why, "Idempotency-Key must be 1 to 128 visible ASCII characters");
        return ORDER_REQUEST_INVALID;
    }
    struct order_request request;
    enum order_request_result result = order_request_parse(a->body_type, body, &request, why);
    if (result != ORDER_REQUEST_OK)
        return result;
    memcpy(order->user_id, request.user_id, sizeof order->user_id);
    memcpy(order->sku, request.sku, sizeof order->sku);
    order->quantity = request.quantity;
    order->reply_to[0] = '\0';
    return ORDER_REQUEST_OK;
}

static enum admission_verdict judge_user(struct front_end *fe, struct order_attempt *a)
{
    return admission_user(
        &(struct admission_user){
            .users = fe->users,
            .user_id = a->submission.order.user_id,
            .rate = threshold(&fe->user_rate),
            .burst = threshold(&fe->user_burst),
            .now_ns = clock_mono_ns(),
        },
        &a->user_wait_ns);
}

static enum admission_verdict judge(struct front_end *fe, const struct order *order, bool is_keyed,
                                    const struct catalogue_entry *entry)
{
    struct admission_facts facts = {
        .now_ms = order->accepted_ms,
        .quantity = order->quantity,
        .already_accepted = is_keyed && entry && pending_is_accepted(fe->pending, order->order_id),
        .catalogue_complete = entry || catalogue_is_complete(fe->catalogue),
        .entry = entry,
        .backlog = entry ? pending_backlog(fe->pending, entry->shard) : 0,
        .max_pending = threshold(&fe->max_pending),
    };
    return admission_order(&facts);
}

static void settle_refused(struct front_end *fe, struct submission *s)
{
    struct submission_list list = {0};
    s->verdict = SUBMIT_REFUSED;
    s->why = refusals[VERDICT_BROKER_UNREACHABLE].detail;
    submission_list_add(&list, s);
    pending_settle(fe->pending, &list);
}

/* Admitted: the claim on the backlog counts, whatever was read of it a moment ago. */
static enum submit_step hand_over(struct front_end *fe, struct order_attempt *a,
                                  const struct catalogue_entry *entry, struct http_reply *reply)
{
    struct submission *s = &a->submission;
    const char *keyed_id = a->idempotency_key ? s->order.order_id : NULL;
    if (!keyed_id)
        order_id_make(atomic_load(&fe->id_key), s->order.accepted_ms, entry->shard, s->order.order_id);

    switch (pending_begin(fe->pending, &s->order, entry->shard, threshold(&fe->max_pending))) {
    case PENDING_KNOWN:
        answer_accepted(fe, s->order.order_id, reply);
        return SUBMIT_ANSWERED;
    case PENDING_FULL:
        answer_refusal(fe, a, VERDICT_OVERLOADED, entry, keyed_id, reply);
        return SUBMIT_ANSWERED;
    case PENDING_BEGUN:
        break;
    }
    FAULT_POINT("submit.begun");
    s->shard = entry->shard;
    s->submitted_ns = clock_mono_ns();
    s->verdict = SUBMIT_PENDING;
    s->why = NULL;
    order_log_received(fe, a);
    if (publisher_submit(fe->publisher, s))
        return SUBMIT_WAITING;
    settle_refused(fe, s);
    submit_order_finish(fe, a, reply);
    return SUBMIT_ANSWERED;
}

enum submit_step submit_order(struct front_end *fe, struct order_attempt *a, struct slice body,
                              struct http_reply *reply)
{
    struct order *order = &a->submission.order;
    bool is_keyed = a->idempotency_key != NULL;
    if (a->early != VERDICT_ADMITTED && !is_keyed) {
        submit_order_answer_early(fe, a, reply); /* the body makes no difference */
        return SUBMIT_ANSWERED;
    }

    struct detail why;
    enum order_request_result read = read_order(a, body, order, &why);
    enum admission_verdict verdict = a->early;
    if (verdict == VERDICT_ADMITTED && read != ORDER_REQUEST_OK) {
        enum problem_code code = read == ORDER_REQUEST_MALFORMED ? PROBLEM_MALFORMED : PROBLEM_INVALID;
        submit_order_refuse(fe, &(struct problem){.code = code, .detail = why.text}, reply);
        return SUBMIT_ANSWERED;
    }
    bool is_theirs = read == ORDER_REQUEST_OK && identity_may_order(&a->who, order->user_id);
    if (verdict == VERDICT_ADMITTED)
        verdict = is_theirs ? judge_user(fe, a) : VERDICT_FORBIDDEN;
    if (verdict != VERDICT_ADMITTED && !is_keyed) {
        answer_refusal(fe, a, verdict, NULL, NULL, reply);
        return SUBMIT_ANSWERED;
    }

    struct catalogue_entry found;
    bool is_known = read == ORDER_REQUEST_OK && catalogue_find(fe->catalogue, order->sku, &found);
    const struct catalogue_entry *entry = is_known ? &found : NULL;
    const char *keyed_id = /* the shard is in the id; whose order it is, is nobody else's business */
        is_known && is_keyed && is_theirs ? order->order_id : NULL;
    if (keyed_id)
        order_id_make_keyed(atomic_load(&fe->id_key), order->user_id, order->sku, a->idempotency_key,
                            found.shard, order->order_id);

    if (verdict != VERDICT_ADMITTED) {
        answer_refusal(fe, a, verdict, entry, keyed_id, reply);
        return SUBMIT_ANSWERED;
    }

    order->accepted_ms = clock_wall_ms();
    verdict = judge(fe, order, is_keyed, entry);
    if (verdict == VERDICT_ADMITTED)
        return hand_over(fe, a, entry, reply);
    if (verdict == VERDICT_ALREADY_ACCEPTED)
        answer_accepted(fe, order->order_id, reply);
    else
        answer_refusal(fe, a, verdict, entry, keyed_id, reply);
    return SUBMIT_ANSWERED;
}

void submit_order_finish(struct front_end *fe, struct order_attempt *a, struct http_reply *reply)
{
    const struct submission *s = &a->submission;
    switch (s->verdict) {
    case SUBMIT_ACCEPTED:
        answer_accepted(fe, s->order.order_id, reply);
        break;
    case SUBMIT_REFUSED:
        submit_order_refuse(
            fe,
            &(struct problem){.code = PROBLEM_UNAVAILABLE,
                              .detail = s->why ? s->why : "the order queue did not take the order",
                              .detail_is_constant = true,
                              .order_id = a->idempotency_key ? s->order.order_id : NULL,
                              .retry_after_s = front_end_retry_after_s(fe)},
            reply);
        break;
    case SUBMIT_UNKNOWN:
    case SUBMIT_PENDING:
        submit_order_refuse(
            fe,
            &(struct problem){.code = PROBLEM_OUTCOME_UNKNOWN,
                              .detail = "the order may or may not have been queued; ask for it by its id, "
                                        "or send it again with the same Idempotency-Key",
                              .order_id = s->order.order_id},
            reply);
        break;
    }
}
