/* The connection of the broker thread, the batches that go out on it, and their ends. See
 * publisher_internal.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/broker/publish.h"
#include "common/pipeline/names.h"
#include "services/order/mailbox.h"
#include "services/order/order_log.h"
#include "services/order/publisher_internal.h"

static const char refused_nack[] =
    "the message broker refused the order: its queue is full, or is moving to another node";
static const char refused_returned[] = "the message broker has no queue for the order";
static const char refused_ledger[] = "this front end cannot note orders on its disk";

/* ---- verdicts ---- */

/* Ends these submissions: settles them in pending, then hands each to its mailbox. They are not ours
 * afterwards. */
void publisher_deliver(struct publisher *p, struct submission_list *list, enum submit_verdict verdict,
                       const char *why)
{
    for (struct submission *s = list->head; s; s = s->next) {
        s->verdict = verdict;
        s->why = why;
    }
    if (publisher_logs_orders(p))
        order_log_verdict(list);
    pending_settle(p->options.pending, list);
    FAULT_POINT("publisher.settled");
    while (list->head) {
        struct mailbox *mailbox = list->head->mailbox;
        struct submission_list same = {0}, others = {0};
        for (struct submission *s; (s = submission_list_take(list));)
            submission_list_add(s->mailbox == mailbox ? &same : &others, s);
        mailbox_post(mailbox, &same);
        *list = others;
    }
}

void publisher_refuse_waiting(struct publisher *p, const char *why);

/* The ledger knows of a batch before any of its orders is answered 202. */
static enum submit_verdict note_in_ledger(struct publisher *p, const struct batch *b)
{
    if (ledger_append(p->ledger, b->seq, b->orders.count) == 0) {
        FAULT_POINT("publisher.noted");
        return SUBMIT_ACCEPTED;
    }
    if (!p->ledger_failed)
        log_error("ledger_write_failed", "seq=%" PRId64 " orders=%d answer=504", b->seq, b->orders.count);
    /* A 504 that is repeated without a key is a second order: so no more of them than were under way. */
    p->ledger_failed = true;
    if (atomic_load(&p->state) == BROKER_USABLE)
        atomic_store(&p->state, BROKER_NO_LEDGER);
    coalescer_close(p->coalescer);
    publisher_refuse_waiting(p, refused_ledger);
    return SUBMIT_UNKNOWN; /* it is queued, but we may not claim what we could not note */
}

/* One shard's queue alone is no reason to give up the session that the others have. */
static void note_returned(struct publisher *p, const struct batch *b)
{
    struct detail why;
    detail_set(&why,
               "orders come back: the queue %s%u is missing or not bound to the exchange %s: import "
               "`seckillctl topology definitions`",
               QUEUE_ORDERS_PREFIX, b->shard, EXCHANGE_ORDERS);
    publisher_note_trouble(p, why.text);
    atomic_store(&p->returned_ns, clock_mono_ns());
    p->looks_again |= ++p->returned_in_a_row >= p->options.settings->topology.shards;
}

void publisher_end_batch(struct publisher *p, struct batch *b, enum submit_verdict verdict)
{
    struct metrics *m = p->options.metrics;
    const char *why = NULL;
    if (b->returned)
        note_returned(p, b);
    if (verdict == SUBMIT_ACCEPTED) {
        p->returned_in_a_row = 0;
        atomic_store_explicit(&p->returned_ns, 0, memory_order_relaxed);
        FAULT_POINT("publisher.confirmed");
        verdict = note_in_ledger(p, b);
        metric_add(m, METRIC_BATCHES_CONFIRMED, 1);
        metric_add(m, METRIC_ORDERS_CONFIRMED, (uint64_t)b->orders.count);
        uint64_t waited_us = (uint64_t)(clock_mono_ns() - b->first_sent_ns) / 1000;
        metric_add(m, METRIC_CONFIRM_WAIT_US, waited_us);
        histogram_add(m, HISTOGRAM_CONFIRM, waited_us);
    } else if (verdict == SUBMIT_REFUSED) {
        FAULT_POINT("publisher.refused");
        why = b->returned ? refused_returned : refused_nack;
        metric_add(m, b->returned ? METRIC_BATCHES_RETURNED : METRIC_BATCHES_NACKED, 1);
    }
    publisher_deliver(p, &b->orders, verdict, why);
    batch_free(b);
}

void publisher_refuse_waiting(struct publisher *p, const char *why)
{
    struct submission_list waiting = coalescer_take_all(p->coalescer);
    publisher_deliver(p, &waiting, SUBMIT_REFUSED, why);
}

/* ---- calls that could hang ---- */

static void busy_begin(struct publisher *p)
{
    pthread_mutex_lock(&p->busy_lock);
    p->busy_fd = broker_connection_fd(p->session.publish);
    p->busy_since_ns = clock_mono_ns();
    pthread_mutex_unlock(&p->busy_lock);
}

static void busy_end(struct publisher *p)
{
    pthread_mutex_lock(&p->busy_lock);
    p->busy_fd = -1;
    pthread_mutex_unlock(&p->busy_lock);
}

/* ---- the connection ---- */

/* Whichever way this and publisher_stop() fall together, the coalescer is closed in the end. */
void publisher_take_orders(struct publisher *p)
{
    if (p->ledger_failed) {
        atomic_store(&p->state, BROKER_NO_LEDGER);
        return;
    }
    atomic_store(&p->state, BROKER_USABLE);
    coalescer_open(p->coalescer);
    if (atomic_load(&p->stopping))
        coalescer_close(p->coalescer);
}

/* The disk may have room again. */
void publisher_try_ledger(struct publisher *p, int64_t now_ns)
{
    if (!p->ledger_failed || now_ns < p->ledger_probe_ns)
        return;
    p->ledger_probe_ns = now_ns + RECONNECT_NS;
    if (ledger_probe(p->ledger) != 0)
        return;
    p->ledger_failed = false;
    log_info("ledger_written_again", "connected=%d", p->connected);
    if (p->connected && !broker_connection_blocked(p->session.publish))
        publisher_take_orders(p);
}

void publisher_lose_session(struct publisher *p, const char *reason)
{
    if (!p->connected)
        return;
    log_warn("broker_lost", "reason=\"%s\" unconfirmed_batches=%d", reason, p->inflight.count);
    metric_add(p->options.metrics, METRIC_BROKER_LOSSES, 1);
    p->connected = false;
    atomic_store(&p->state, BROKER_UNREACHABLE);
    /* At once, since it may be another node's turn; but not in circles with a broker that takes us and drops
     * us. */
    int64_t now_ns = clock_mono_ns();
    bool short_lived = now_ns - p->connected_ns < RECONNECT_NS;
    atomic_store(&p->next_attempt_ns, short_lived ? now_ns + RECONNECT_NS : now_ns);
    coalescer_close(p->coalescer);
    FAULT_POINT("publisher.lost");
    publisher_refuse_waiting(p, REFUSED_LOST);
    status_desk_cannot_ask(p->options.desk);
    packet_desk_cannot_ask(p->options.packets);
    admin_desk_cannot_ask(p->options.admin);
    rpc_client_lost(p->asker.rpc);
    broker_session_close(&p->session, false);
    inflight_forget_tags(&p->inflight);
}

int publisher_send_batch(struct publisher *p, struct batch *b)
{
    char key[8], message_id[PRODUCER_SIZE + 24];
    snprintf(key, sizeof key, "%u", b->shard);
    snprintf(message_id, sizeof message_id, "%s-%" PRId64, p->options.producer, b->seq);
    struct broker_message message = {
        .exchange = EXCHANGE_ORDERS,
        .routing_key = key,
        .mandatory = true,
        .properties =
            {
                .content_type = slice_of(TYPE_LINES),
                .message_id = slice_of(message_id),
                .reply_to = slice_of(p->session.reply_queue),
                .persistent = true,
                .headers =
                    {
                        {.name = slice_of(HEADER_PRODUCER),
                         .is_text = true,
                         .text = slice_of(p->options.producer)},
                        {.name = slice_of(HEADER_SEQ), .number = b->seq},
                        {.name = slice_of(HEADER_COUNT), .number = b->orders.count},
                    },
                .header_count = 3,
            },
        .body = {.data = b->body.data, .len = b->body.len},
    };
    b->copies++; /* before the call: from here on a byte of it may have left */
    b->returned = false;
    b->last_sent_ns = clock_mono_ns();
    if (b->first_sent_ns == 0)
        b->first_sent_ns = b->last_sent_ns;
    metric_add(p->options.metrics, METRIC_BATCHES_PUBLISHED, 1);
    FAULT_POINT("publisher.before_publish");
    busy_begin(p);
    int error = broker_publish(p->session.publish, &message, &b->tag);
    busy_end(p);
    FAULT_POINT("publisher.published");
    return error;
}

void publisher_note_trouble(struct publisher *p, const char *what)
{
    if (strcmp(p->trouble.text, what) == 0) /* nobody else writes it */
        return;
    pthread_mutex_lock(&p->trouble_lock);
    detail_set(&p->trouble, "%s", what);
    pthread_mutex_unlock(&p->trouble_lock);
}

/* /readyz is open to everybody, who need not know where our broker is. */
static const char *without_address(const struct broker_address *a, const char *what)
{
    char peer[sizeof(struct detail)];
    snprintf(peer, sizeof peer, "%s:%d: ", a->host, a->port);
    return strncmp(what, peer, strlen(peer)) == 0 ? what + strlen(peer) : what;
}

static void note_failure(struct publisher *p, size_t address, const struct detail *why)
{
    char *last = p->last_failure[address % FAILURES];
    if (strcmp(last, why->text) == 0)
        return;
    snprintf(last, sizeof p->last_failure[0], "%s", why->text);
    log_warn("broker_unreachable", "reason=\"%s\"", why->text);
}

static int publish_again(struct publisher *p)
{
    int error = 0;
    for (struct batch *b = p->inflight.head; b && !error; b = b->next)
        error = publisher_send_batch(p, b);
    if (error)
        publisher_lose_session(p, "publishing again failed");
    return error;
}

void publisher_renew(struct publisher *p, int64_t now_ns)
{
    struct detail why = {0};
    if (!p->connected || atomic_load(&p->state) == BROKER_BLOCKED || !renewal_is_due(&p->renewal, now_ns))
        return;
    const struct broker_address *a = &p->options.addresses->items[p->address];
    log_warn("broker_refuses", "address=%s:%d publish_connection=new again=%d", a->host, a->port,
             p->inflight.count);
    if (broker_session_renew_publish(&p->session, a, p->options.settings, &why)) {
        publisher_lose_session(p, why.text);
        return;
    }
    inflight_forget_tags(&p->inflight);
    rpc_client_connected(p->asker.rpc, p->session.publish, p->session.reply_queue);
    (void)publish_again(p);
}

/* Opens both connections, and publishes again what had not been confirmed. */
void publisher_connect(struct publisher *p)
{
    const struct broker_addresses *addresses = p->options.addresses;
    const size_t number = p->next_address;
    const struct broker_address *a = &addresses->items[number];
    p->next_address = (p->next_address + 1) % addresses->count;
    struct detail why = {0};
    int error = broker_session_open(&p->session, a, p->options.settings, &why);
    if (error) {
        note_failure(p, number, &why);
        publisher_note_trouble(p, without_address(a, why.text));
        atomic_store(&p->next_attempt_ns, clock_mono_ns() + RECONNECT_NS);
        return;
    }
    p->connected = true;
    p->looks_again = false;
    if (!publisher_is_unroutable(p)) /* else that is still to be told */
        publisher_note_trouble(p, "");
    p->address = number;
    renewal_done(&p->renewal);
    p->connected_ns = clock_mono_ns();
    memset(p->last_failure, 0, sizeof p->last_failure);
    metric_add(p->options.metrics, METRIC_BROKER_CONNECTS, 1);
    rpc_client_connected(p->asker.rpc, p->session.publish, p->session.reply_queue);
    log_info("broker_connected", "address=%s:%d again=%d", a->host, a->port, p->inflight.count);
    FAULT_POINT("publisher.connected");
    if (p->inflight.count > 0)
        FAULT_POINT("publisher.reconnected");
    if (publish_again(p) == 0)
        publisher_take_orders(p);
}
