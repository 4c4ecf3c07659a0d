#include "services/inventory/reserve_stock.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/log.h"
#include "common/pipeline/names.h"

enum reject_reason judge_item(const struct item *item, const struct order *order, int64_t now_ms)
{
    if (!item)
        return REASON_UNKNOWN_ITEM;
    if (item->paused)
        return REASON_SALE_PAUSED;
    int64_t at_ms = order->accepted_ms < now_ms ? order->accepted_ms : now_ms;
    if (item->starts_ms && at_ms < item->starts_ms)
        return REASON_SALE_NOT_STARTED;
    if (item->ends_ms && at_ms >= item->ends_ms)
        return REASON_SALE_ENDED;
    if (item->stock_left < order->quantity)
        return REASON_SOLD_OUT;
    return REASON_NONE;
}

enum reject_reason judge_limit(int32_t limit, int64_t bought, int32_t quantity)
{
    return limit > 0 && bought + quantity > limit ? REASON_LIMIT_EXCEEDED : REASON_NONE;
}

static enum outcome store_failed(struct reserve_stock *r, struct task *task, const struct order *order,
                                 int error)
{
    detail_set(task->why, "order %s: %s: %s", order->order_id, error_text(error),
               stock_store_error(r->stock));
    return store_is_fault(error) ? OUTCOME_FAULT : OUTCOME_FAILED;
}

static struct slice reply_queue(const struct task *task, const struct order *order)
{
    return order->reply_to[0] ? slice_of(order->reply_to) : task->reply_to;
}

static struct slice encode(struct reserve_stock *r, const struct decision *decision)
{
    buffer_clear(&r->line);
    decision_encode(&r->line, decision);
    return (struct slice){.data = r->line.data, .len = r->line.len};
}

static void note_decision(struct reserve_stock *r, const char *event, const struct decision *d)
{
    if (!r->trail || !r->trail->is_on)
        return;
    if (d->status == ORDER_CONFIRMED)
        trail_note(r->trail, event, "order=%s status=confirmed receipt_no=%" PRId64, d->order_id,
                   d->receipt_no);
    else
        trail_note(r->trail, event, "order=%s status=%s reason=%s", d->order_id, order_status_name(d->status),
                   reject_reason_name(d->reason));
}

/* The first one stands, and its decision is sent again. */
static enum outcome answer_again(struct reserve_stock *r, struct task *task, const struct order *order)
{
    struct decision stored;
    int error = stock_find_order(r->stock, order->order_id, &stored);
    if (error)
        return store_failed(r, task, order, error);
    if (strcmp(stored.user_id, order->user_id) != 0 || strcmp(stored.sku, order->sku) != 0 ||
        stored.quantity != order->quantity) {
        r->mismatches++;
        stock_count_mismatch(r->stock);
        log_warn("idempotency_mismatch", "order=%s", order->order_id);
    }
    note_decision(r, "order_decided_before", &stored);
    replies_add(task->replies, reply_queue(task, order), encode(r, &stored));
    return OUTCOME_DUPLICATE;
}

/* Everything that the decision rests on, and the decision. */
static int decide(struct reserve_stock *r, const struct order *order, const struct stock_item *item,
                  int64_t now_ms, struct decision *d)
{
    int64_t bought = 0;
    int error = 0;
    d->reason = judge_item(item ? &item->item : NULL, order, now_ms);
    if (d->reason == REASON_NONE && item->item.limit_per_user > 0) {
        error = stock_buyer_units(r->stock, item, order->user_id, &bought);
        d->reason = judge_limit(item->item.limit_per_user, bought, order->quantity);
    }
    memcpy(d->order_id, order->order_id, sizeof d->order_id);
    memcpy(d->user_id, order->user_id, sizeof d->user_id);
    memcpy(d->sku, order->sku, sizeof d->sku);
    d->quantity = order->quantity;
    d->at_ms = now_ms;
    d->status = ORDER_REJECTED;
    if (d->reason == REASON_NONE) {
        d->status = ORDER_CONFIRMED;
        d->unit_price = item->item.unit_price;
        d->total = d->unit_price * d->quantity;
        d->receipt_no = stock_next_receipt(r->stock);
    }
    return error;
}

enum outcome reserve_stock(struct reserve_stock *r, struct task *task)
{
    struct order order;
    if (order_decode(task->line, task->now_ms, &order, task->why) != 0)
        return OUTCOME_REJECT;
    task->since_ms = order.accepted_ms;

    struct stock_item *item = stock_find(r->stock, order.sku);
    struct decision d = {.status = ORDER_REJECTED};
    bool is_new = false;
    int error = decide(r, &order, item, task->now_ms, &d);
    const bool confirmed = d.status == ORDER_CONFIRMED;
    const int32_t limit = confirmed ? item->item.limit_per_user : 0;
    /* The insert is the dedupe: it comes before anything changes, and a duplicate stops here. */
    if (!error)
        error = stock_add_order(r->stock, &order, &d, limit, &is_new);
    if (!error && !is_new)
        return answer_again(r, task, &order);
    if (!error && limit > 0)
        error = stock_add_buyer(r->stock, item, order.user_id, order.quantity);
    struct slice line = error ? (struct slice){0} : encode(r, &d);
    if (!error)
        error = outbox_add_line(task->outbox, EXCHANGE_EVENTS,
                                confirmed ? EVENT_ORDER_CONFIRMED : EVENT_ORDER_REJECTED, line);
    if (error)
        return store_failed(r, task, &order, error);

    if (confirmed) {
        stock_take(r->stock, item, order.quantity);
        r->confirmed++;
    }
    note_decision(r, "order_decided", &d);
    replies_add(task->replies, reply_queue(task, &order), line);
    return OUTCOME_DONE;
}
