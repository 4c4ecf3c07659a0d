/* The answers about one order. See query_order.h. */
#include "services/order/query_order.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "services/order/authenticate.h"
#include "services/order/submit_order.h"

static void answer_not_found(const char *detail, struct http_reply *reply)
{
    http_reply_problem(
        reply, &(struct problem){.code = PROBLEM_NOT_FOUND, .detail = detail, .detail_is_constant = true});
}

static void answer_unavailable(struct front_end *fe, struct http_reply *reply)
{
    const char *detail =
        "inventory, which alone knows, does not answer; the order itself is not touched by this";
    if (!broker_state_is_reachable(publisher_state(fe->publisher)))
        detail = "inventory, which alone knows, cannot be asked without the message broker; the order itself "
                 "is not touched by this";
    if (atomic_load_explicit(&fe->draining, memory_order_relaxed))
        detail = "this front end is shutting down; ask another one";
    http_reply_problem(reply, &(struct problem){.code = PROBLEM_UNAVAILABLE,
                                                .detail = detail,
                                                .detail_is_constant = true,
                                                .retry_after_s = front_end_retry_after_s(fe)});
}

/* Only where somebody is known to ask: without authentication everybody may see everything. */
static enum query_step answer_forbidden(struct http_reply *reply)
{
    http_reply_problem(reply, &(struct problem){.code = PROBLEM_FORBIDDEN,
                                                .detail = "this is the order of another user",
                                                .detail_is_constant = true});
    return QUERY_ANSWERED;
}

static struct buffer *begin_answer(struct http_reply *reply, const char *id, enum order_status status)
{
    struct buffer *b = http_reply_json(reply, 200);
    reply->cache_control = "no-store";
    buffer_printf(b, "{\"order_id\":\"%s\",\"status\":\"%s\"", id, order_status_name(status));
    return b;
}

static void add_terms(struct buffer *b, const char *user_id, const char *sku, int32_t quantity)
{
    buffer_add_text(b, ",\"user_id\":");
    buffer_add_json(b, slice_of(user_id));
    buffer_add_text(b, ",\"sku\":");
    buffer_add_json(b, slice_of(sku));
    buffer_printf(b, ",\"quantity\":%d", (int)quantity);
}

static void answer_decided(const struct decision *d, int64_t packet, struct http_reply *reply)
{
    char at[RFC3339_SIZE];
    struct buffer *b = begin_answer(reply, d->order_id, d->status);
    add_terms(b, d->user_id, d->sku, d->quantity);
    if (d->status == ORDER_CONFIRMED)
        buffer_printf(b, ",\"unit_price\":%lld,\"total\":%lld,\"receipt_no\":%lld,\"decided_at\":\"%s\"",
                      (long long)d->unit_price, (long long)d->total, (long long)d->receipt_no,
                      rfc3339_format(d->at_ms, at));
    else
        buffer_printf(b, ",\"reason\":\"%s\"", reject_reason_name(d->reason));
    if (packet != PACKET_UNKNOWN && packet != PACKET_NONE)
        buffer_printf(b, ",\"red_packet\":{\"amount\":%lld}", (long long)packet);
    buffer_add_text(b, "}");
}

/* A confirmed order is asked about at the packet desk once, unless its packet is known. */
static enum query_step answer_decision(struct front_end *fe, struct inquiry *q, struct http_reply *reply)
{
    if (!identity_may_see(q->viewer, q->decision.user_id))
        return answer_forbidden(reply);
    if (q->decision.status == ORDER_CONFIRMED && !q->is_packet_asked) {
        q->is_packet_asked = true;
        q->packet = pending_packet(fe->pending, q->order_id);
        if (q->packet == PACKET_UNKNOWN && broker_state_is_reachable(publisher_state(fe->publisher)) &&
            packet_desk_add(fe->packets, q, clock_mono_ns()))
            return QUERY_WAITING;
    }
    answer_decided(&q->decision, q->packet, reply);
    return QUERY_ANSWERED;
}

static enum query_step answer_from_memory(struct front_end *fe, struct inquiry *q,
                                          const struct pending_view *view, struct http_reply *reply)
{
    if (view->status == ORDER_CONFIRMED || view->status == ORDER_REJECTED) {
        q->is_decided = true;
        q->decision = view->decision;
        return answer_decision(fe, q, reply);
    }
    if (!identity_may_see(q->viewer, view->order.user_id))
        return answer_forbidden(reply);
    struct buffer *b = begin_answer(reply, view->order.order_id, view->status);
    add_terms(b, view->order.user_id, view->order.sku, view->order.quantity);
    buffer_add_text(b, "}");
    return QUERY_ANSWERED;
}

static bool read_wait(const char *text, int *wait_s)
{
    int64_t seconds = 0;
    if (text && number_parse(text, 0, INQUIRY_WAIT_MAX_S, &seconds) != 0)
        return false;
    *wait_s = (int)seconds;
    return true;
}

enum query_step query_order(struct front_end *fe, struct inquiry *q, const char *id, const char *wait,
                            struct http_reply *reply)
{
    size_t len = strlen(id);
    struct pending_view view;
    if (!read_wait(wait, &q->wait_s)) {
        http_reply_problem(reply,
                           &(struct problem){.code = PROBLEM_INVALID,
                                             .detail = "wait must be a whole number of seconds from 0 to 30",
                                             .detail_is_constant = true});
        return QUERY_ANSWERED;
    }
    if (!order_id_is_well_formed(id, len)) {
        answer_not_found("this is not an order id", reply);
        return QUERY_ANSWERED;
    }
    memcpy(q->order_id, id, ORDER_ID_SIZE);
    q->is_packet_asked = false;
    q->packet = PACKET_UNKNOWN;
    bool is_here = pending_find(fe->pending, id, &view);
    bool must_ask =
        !is_here || view.status == ORDER_UNKNOWN; /* sent, but not known to be queued or decided */
    if (!must_ask && (view.status != ORDER_ACCEPTED || q->wait_s == 0))
        return answer_from_memory(fe, q, &view, reply);
    if (is_here && view.status == ORDER_ACCEPTED && !identity_may_see(q->viewer, view.order.user_id))
        return answer_forbidden(reply); /* before it is held */
    if (must_ask && !broker_state_is_reachable(publisher_state(fe->publisher))) {
        answer_unavailable(fe, reply);
        return QUERY_ANSWERED;
    }
    q->is_issued = order_id_is_issued(atomic_load(&fe->id_key), id, len);
    switch (status_desk_add(fe->desk, q, clock_mono_ns())) {
    case DESK_HELD:
        return QUERY_WAITING;
    case DESK_NOW: /* in memory, as it was just seen or decided since */
        return query_order_finish(fe, q, reply);
    case DESK_UNAVAILABLE:
        answer_unavailable(fe, reply);
        break;
    }
    return QUERY_ANSWERED;
}

enum query_step query_order_finish(struct front_end *fe, struct inquiry *q, struct http_reply *reply)
{
    struct pending_view view;
    if (q->is_decided)
        return answer_decision(fe, q, reply);
    if (pending_find(fe->pending, q->order_id, &view) && (view.status != ORDER_UNKNOWN || q->is_heard))
        return answer_from_memory(fe, q, &view, reply);
    if (!q->is_heard)
        answer_unavailable(fe, reply);
    else if (!q->is_issued)
        answer_not_found("no order has this id", reply);
    else
        buffer_add_text(begin_answer(reply, q->order_id, ORDER_UNKNOWN), "}");
    return QUERY_ANSWERED;
}
