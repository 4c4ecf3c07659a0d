/* Lines about orders. */
#include "services/order/order_log.h"

#include <inttypes.h>

#include "common/base/log.h"
#include "services/order/front_end.h"
#include "services/order/submit_order.h"

#define QUOTED_SIZE 300 /* a name's 64 bytes, each as \xNN */

static bool is_on(const struct front_end *fe)
{
    return atomic_load_explicit(&fe->log_orders, memory_order_relaxed);
}

/* " key=value", or nothing where there is no value. */
static void add_pair(struct buffer *b, const char *key, const char *value)
{
    char quoted[QUOTED_SIZE];
    if (value && *value)
        buffer_printf(b, " %s=%s", key, log_quote(value, quoted, sizeof quoted));
}

/* The pairs that say whose order of what it is. The order's fields are empty as long as they are not known.
 */
static void write_line(const char *event, const struct order_attempt *a, struct buffer *pairs)
{
    const struct order *o = &a->submission.order;
    add_pair(pairs, "user", o->user_id);
    add_pair(pairs, "sku", o->sku);
    if (o->quantity > 0)
        buffer_printf(pairs, " quantity=%d", (int)o->quantity);
    add_pair(pairs, "request_id", a->request_id);
    add_pair(pairs, "client", a->client);
    const char *text = buffer_text(pairs);
    log_info(event, "%s", *text == ' ' ? text + 1 : text);
    buffer_free(pairs);
}

void order_log_received(const struct front_end *fe, const struct order_attempt *a)
{
    if (!is_on(fe))
        return;
    struct buffer pairs = {0};
    buffer_printf(&pairs, "order=%s shard=%u", a->submission.order.order_id, (unsigned)a->submission.shard);
    write_line("order_received", a, &pairs);
}

void order_log_answered(const struct front_end *fe, const struct order_attempt *a,
                        const struct http_reply *reply)
{
    if (!is_on(fe))
        return;
    const char *refused = http_reply_problem_word(reply);
    struct buffer pairs = {0};
    add_pair(&pairs, "order", a->submission.order.order_id);
    buffer_printf(&pairs, " status=%u code=%s", reply->status, refused ? refused : "accepted");
    write_line("order_answered", a, &pairs);
}

void order_log_submitted(const struct submission_list *orders, int64_t seq)
{
    for (const struct submission *s = orders->head; s; s = s->next)
        log_info("order_submitted", "order=%s batch=%" PRId64, s->order.order_id, seq);
}

void order_log_verdict(const struct submission_list *orders)
{
    for (const struct submission *s = orders->head; s; s = s->next)
        switch (s->verdict) {
        case SUBMIT_ACCEPTED:
            log_info("order_confirmed", "order=%s", s->order.order_id);
            break;
        case SUBMIT_REFUSED:
            log_info("order_refused", "order=%s reason=\"%s\"", s->order.order_id, s->why ? s->why : "");
            break;
        case SUBMIT_UNKNOWN:
        case SUBMIT_PENDING:
            log_info("order_unknown", "order=%s", s->order.order_id);
            break;
        }
}

void order_log_decided(const struct decision *d)
{
    if (d->status == ORDER_CONFIRMED)
        log_info("order_decided", "order=%s status=confirmed receipt_no=%" PRId64, d->order_id,
                 d->receipt_no);
    else
        log_info("order_decided", "order=%s status=%s reason=%s", d->order_id, order_status_name(d->status),
                 reject_reason_name(d->reason));
}
