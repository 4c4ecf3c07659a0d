/*
 * The inside of the broker thread, for its four files: publisher.c (its life and its loop),
 * publisher_batches.c (the connection, what goes out on it, and how it ends), publisher_arrivals.c (what
 * comes in), publisher_beat.c (signs of life). But for the fields above "the broker thread's own", everything
 * is touched by that thread alone.
 */
#ifndef SECKILL_ORDER_PUBLISHER_INTERNAL_H
#define SECKILL_ORDER_PUBLISHER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/clock.h"
#include "common/broker/renewal.h"
#include "common/pipeline/heartbeat.h"
#include "common/pipeline/ledger.h"
#include "services/order/ask_admin.h"
#include "services/order/ask_packets.h"
#include "services/order/ask_status.h"
#include "services/order/broker_session.h"
#include "services/order/coalescer.h"
#include "services/order/inflight.h"
#include "services/order/publisher.h"

#define RECONNECT_NS (NS_PER_S / 2)
#define FAILURES     8 /* addresses that are told apart */

/* What a client is told with a 503; constants, since they travel by pointer. */
#define REFUSED_LOST    "the connection to the message broker was lost before the order was sent"
#define REFUSED_BLOCKED "the message broker accepts no messages at the moment"
#define REFUSED_WAITED  "the order could not be sent to the message broker in time"

struct publisher {
    struct publisher_options options;
    struct coalescer *coalescer;
    struct ledger *ledger;
    pthread_t thread;
    int stop_fd;
    _Atomic bool stopping;
    _Atomic int state; /* enum broker_state */
    _Atomic int64_t next_attempt_ns;
    _Atomic int64_t turn_ns; /* when the loop last came around */

    pthread_mutex_t
        busy_lock; /* over the two below: publisher_watchdog may shut busy_fd only while it is ours */
    int busy_fd;   /* -1: not in a call that could hang */
    int64_t busy_since_ns;

    pthread_mutex_t trouble_lock; /* over the next one */
    struct detail trouble;        /* why there is no session, or why orders come back */
    _Atomic int64_t returned_ns;  /* a batch came back then, and none was accepted since; 0: no */

    /* The broker thread's own: */
    struct broker_session session;
    bool connected;
    int64_t connected_ns;
    size_t address, next_address; /* of the session; to be tried next */
    struct renewal renewal;
    char last_failure[FAILURES][320]; /* of each address: logged once, not every half second */
    struct inflight inflight;
    int64_t next_seq;
    struct ask_status asker;
    struct ask_packets packets;
    struct heartbeat heartbeat;
    struct heartbeat_clock beat;
    bool ledger_failed; /* no orders are taken: what is queued now could not be answered with 202 */
    int64_t ledger_probe_ns;
    int64_t clock_warned_ns;
    int returned_in_a_row; /* batches that came back since one was accepted */
    bool looks_again;      /* the session is to be opened anew, which finds what is missing at the broker */
};

static inline bool publisher_logs_orders(const struct publisher *p)
{
    return atomic_load_explicit(p->options.log_orders, memory_order_relaxed);
}

/* ---- publisher_batches.c ---- */

/* Ends these submissions: settles them in pending, then hands each to its mailbox. They are not ours
 * afterwards. */
void publisher_deliver(struct publisher *p, struct submission_list *list, enum submit_verdict verdict,
                       const char *why);

/* Ends a batch that was taken out of `inflight`, and frees it. ACCEPTED is noted in the ledger first. */
void publisher_end_batch(struct publisher *p, struct batch *b, enum submit_verdict verdict);

/* Everything that gathered and was not sent. */
void publisher_refuse_waiting(struct publisher *p, const char *why);

/* Publishes a batch, or another copy of it. E_CLOSED: the connection is dead; lose the session. */
int publisher_send_batch(struct publisher *p, struct batch *b) MUST_USE;

/* One attempt to open both connections; then publishes again what had not been confirmed. */
void publisher_connect(struct publisher *p);

/* Opens the connection to publish on anew where the broker refuses what comes on it, and it is time for that;
 * then publishes again what had not been confirmed. */
void publisher_renew(struct publisher *p, int64_t now_ns);

/* What publisher_trouble tells from now on. */
void publisher_note_trouble(struct publisher *p, const char *what);

/* Gives both connections up and refuses what was not sent. Does nothing if there are none. */
void publisher_lose_session(struct publisher *p, const char *reason);

/* Opens the door, unless the ledger cannot be written or the end has come. */
void publisher_take_orders(struct publisher *p);

/* After a failed ledger write: the disk may have room again. */
void publisher_try_ledger(struct publisher *p, int64_t now_ns);

/* ---- publisher_beat.c ---- */

/* Sends a sign of life if it is time. E_CLOSED: the publish connection died of it. */
int publisher_beat(struct publisher *p, int64_t now_ns) MUST_USE;

/* Somebody's sign of life came. */
void publisher_take_heartbeat(struct publisher *p, struct slice body);

/* ---- publisher_arrivals.c ---- */

/* Handles all that has come on both connections. Loses the session if one is dead. */
void publisher_pump(struct publisher *p);

#endif
