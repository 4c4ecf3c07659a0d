/*
 * The broker thread of a front end. It owns both AMQP connections (one to publish, one to consume decisions,
 * snapshots and answers), the batches in flight, and the ledger. Nobody else speaks to the broker.
 *
 * The way of an order: publisher_submit → coalescer → a batch (one message) → confirm → ledger → verdict in
 * the submission's mailbox. Conserved: each submission handed over comes back exactly once, with a verdict
 * other than SUBMIT_PENDING: at most confirm_timeout after it was handed over while it waits, and as long
 * again once it was sent (+ about a second while connecting).
 *
 *  - REFUSED only where not a byte of the order can have left, or the broker nacked or returned the only copy
 *    sent.
 *  - A batch whose connection breaks is published again under the same ids, number and count when there is a
 *    broker again, until its deadline; then UNKNOWN. A nack or return for such a second copy is UNKNOWN too.
 *  - Where every batch comes back, the session is opened anew: that finds what is missing at the broker, and
 *    orders are refused without being sent until it is there again.
 *  - A missed deadline makes the broker unusable at once: both connections are abandoned and opened anew.
 *  - While the ledger cannot be written no orders are taken: they would be queued and could not be answered.
 */
#ifndef SECKILL_ORDER_PUBLISHER_H
#define SECKILL_ORDER_PUBLISHER_H

#include <stdbool.h>

#include "common/broker/address.h"
#include "common/pipeline/settings.h"
#include "services/order/admin_desk.h"
#include "services/order/alive.h"
#include "services/order/catalogue.h"
#include "services/order/metrics.h"
#include "services/order/packet_desk.h"
#include "services/order/pending.h"
#include "services/order/status_desk.h"
#include "services/order/submission.h"

struct publisher;

enum broker_state {
    BROKER_USABLE,
    BROKER_UNREACHABLE, /* no connection (yet), or the topology is missing there */
    BROKER_BLOCKED,     /* connection.blocked: a memory or disk alarm */
    BROKER_NO_LEDGER,   /* all is well but our own disk: what was queued now could not be answered with 202 */
};

/* May questions be asked? */
static inline bool broker_state_is_reachable(enum broker_state s)
{
    return s == BROKER_USABLE || s == BROKER_NO_LEDGER;
}

struct publisher_options { /* what is pointed to outlives the publisher */
    const struct settings *settings;
    const struct broker_addresses *addresses;
    struct pending *pending;
    struct catalogue *catalogue;
    struct status_desk *desk;    /* its questions go out, and what is decided is told there */
    struct packet_desk *packets; /* its questions go out too */
    struct admin_desk *admin;    /* … and its */
    struct metrics *metrics;
    struct alive *alive;            /* who is heard of */
    const _Atomic bool *log_orders; /* log.orders */
    const char *producer;           /* this process run's name in message headers and ledger */
};

/* Makes the ledger file and starts the thread. E_IO with detail if the ledger cannot be made. */
int publisher_start(struct publisher **out, const struct publisher_options *options,
                    struct detail *why) MUST_USE;

/* Any thread. true: the verdict will come. false: not usable now (state says why); the submission was not
 * touched. */
bool publisher_submit(struct publisher *p, struct submission *s);

enum broker_state publisher_state(const struct publisher *p); /* lock-free, any thread */

/* Do orders come back from the broker, since their queue is missing or not bound? The session is opened anew
 * to find out which; but a binding cannot be looked for, so what came back a few seconds ago still counts. */
bool publisher_is_unroutable(const struct publisher *p);

/* Why there is no session, or why orders come back, for an operator. Any thread. */
void publisher_trouble(struct publisher *p, struct detail *out);

/* Seconds until the next attempt to connect, at least 1: for Retry-After. */
int publisher_retry_after_s(const struct publisher *p);

/* When the broker thread last came around its loop (monotonic): for the watchdog. It does so at least every
 * 250 ms, but for the seconds that connecting may take. */
int64_t publisher_turn_ns(const struct publisher *p);

/* From any other thread's loop, a few times a second: shuts the sockets down when the broker thread has been
 * stuck in a call to the broker for longer than the confirm timeout, so that it comes back. */
void publisher_watchdog(struct publisher *p, int64_t now_ns);

/* SIGTERM: takes no more orders, and ends as soon as all that were taken have their verdict (at most twice
 * confirm_timeout). Blocks until the thread is gone; verdicts are in their mailboxes then. */
void publisher_stop(struct publisher *p);
void publisher_free(struct publisher *p); /* after publisher_stop; NULL is fine */

#endif
