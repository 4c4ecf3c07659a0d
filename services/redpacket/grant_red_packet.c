#include "services/redpacket/grant_red_packet.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/pipeline/event_message.h"
#include "common/pipeline/names.h"

static enum outcome store_failed(struct grant_red_packet *g, struct task *task, const struct packet *p,
                                 int error)
{
    detail_set(task->why, "order %s: %s: %s", p->order_id, error_text(error),
               red_packet_store_error(g->store));
    return store_is_fault(error) ? OUTCOME_FAULT : OUTCOME_FAILED;
}

static void note(struct grant_red_packet *g, const char *event, const struct packet *p)
{
    if (p->status == PACKET_GRANTED)
        trail_note(&g->trail, event, "order=%s status=granted amount=%" PRId64, p->order_id, p->amount);
    else
        trail_note(&g->trail, event, "order=%s status=%s", p->order_id, packet_status_name(p->status));
}

/* What the order gets, as far as the campaign goes. */
static void decide(const struct grant_red_packet *g, const struct decision *order,
                   const struct campaign *campaign, int64_t now_ms, struct packet *p)
{
    memcpy(p->order_id, order->order_id, sizeof p->order_id);
    memcpy(p->user_id, order->user_id, sizeof p->user_id);
    memcpy(p->sku, order->sku, sizeof p->sku);
    p->at_ms = now_ms;
    p->amount = 0;
    if (!campaign) {
        p->status = PACKET_NO_CAMPAIGN;
    } else if (campaign->packets_left == 0) {
        p->status = PACKET_NONE_LEFT;
    } else {
        p->status = PACKET_GRANTED;
        p->amount =
            split_amount(campaign->budget_left, campaign->packets_left, campaign->min_amount, &g->random);
    }
}

/* The first one stands. Its event went out with it, or still will: there is nothing to send again. */
static enum outcome known_before(struct grant_red_packet *g, struct task *task, const struct packet *again)
{
    struct packet stored;
    int error = packet_find(g->store, again->order_id, &stored);
    if (error)
        return store_failed(g, task, again, error);
    if (strcmp(stored.user_id, again->user_id) != 0 || strcmp(stored.sku, again->sku) != 0) {
        g->mismatches++;
        log_warn("packet_mismatch", "order=%s", again->order_id);
    }
    note(g, "packet_decided_before", &stored);
    return OUTCOME_DUPLICATE;
}

static int emit(struct grant_red_packet *g, struct task *task, const struct packet *p, int32_t quantity)
{
    struct grant grant = {.quantity = quantity, .at_ms = p->at_ms, .amount = p->amount};
    memcpy(grant.order_id, p->order_id, sizeof grant.order_id);
    memcpy(grant.user_id, p->user_id, sizeof grant.user_id);
    memcpy(grant.sku, p->sku, sizeof grant.sku);
    buffer_clear(&g->line);
    grant_encode(&g->line, &grant);
    return outbox_add_line(task->outbox, EXCHANGE_EVENTS, EVENT_REDPACKET_GRANTED,
                           (struct slice){.data = g->line.data, .len = g->line.len});
}

enum outcome grant_red_packet(struct grant_red_packet *g, struct task *task)
{
    struct event event;
    int unread = event_decode(task->line, &event, task->why);
    if (unread == 0 && event.kind != EVENT_KIND_CONFIRMED)
        detail_set(task->why, "%s is no event for red packets", event_kind_name(event.kind));
    if (unread || event.kind != EVENT_KIND_CONFIRMED)
        return OUTCOME_REJECT;
    task->since_ms = event.decision.at_ms;

    struct campaign *campaign = campaign_find(g->store, event.decision.sku);
    struct packet p;
    bool is_new = false;
    decide(g, &event.decision, campaign, task->now_ms, &p);
    /* The insert is the dedupe: it comes before anything changes, and a duplicate stops here. */
    int error = packet_add(g->store, &p, &is_new);
    FAULT_POINT("packet.added");
    if (!error && !is_new)
        return known_before(g, task, &p);
    if (!error && p.status == PACKET_GRANTED)
        error = balance_add(g->store, p.user_id, p.amount);
    if (!error && p.status == PACKET_GRANTED)
        error = emit(g, task, &p, event.decision.quantity);
    if (error)
        return store_failed(g, task, &p, error);

    if (p.status == PACKET_GRANTED)
        campaign_take(g->store, campaign, p.amount);
    FAULT_POINT("packet.decided");
    note(g, "packet_decided", &p);
    return OUTCOME_DONE;
}

void grant_red_packet_free(struct grant_red_packet *g)
{
    trail_free(&g->trail);
    buffer_free(&g->line);
}
