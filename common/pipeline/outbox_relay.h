/*
 * Carries the outbox out: publishes its rows persistent, mandatory and with confirms, a bounded number and
 * about OUTBOX_BODY_MAX bytes in flight, and deletes each when the broker has confirmed it. A crash in
 * between publishes a row again: receivers dedupe, line by line.
 *
 * Rows of lines (outbox_add_line) gather while the lane waits for a confirm: the next message takes all that
 * have the same routing key, up to OUTBOX_BODY_MAX. Rows with an id or headers are messages of their own.
 *
 * Each exchange is a lane of its own. A row that is refused (nack) or returned stays, and its lane pauses, 1
 * s at first and up to 30 s; the other lanes, and the orders, do not wait for it. While the broker is blocked
 * nothing is published. A confirm that does not come at all is outbox_relay_is_overdue's: only another
 * connection gets what was published out of doubt.
 *
 * Deleting is a write, so it rides along in the worker's next transaction (outbox_relay_sweep,
 * outbox_relay_swept) or, when there is none for a while, has one of its own. One thread. Error codes are
 * those of store.h.
 */
#ifndef SECKILL_PIPELINE_OUTBOX_RELAY_H
#define SECKILL_PIPELINE_OUTBOX_RELAY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/broker/connection.h"
#include "common/store/store.h"

struct outbox_relay;

#define RELAY_LANES_MAX 4

struct outbox_relay_options {
    const char *name; /* rows without a message_id go out as "<name>-<row id>", several together as
                         "<name>-<first>-<last>"; must stay valid */
    const char *const *exchanges; /* the lanes; ends with NULL, at most RELAY_LANES_MAX; must stay valid */
    int window;                   /* messages in flight, of each lane */
    int64_t confirm_timeout_ms;   /* see outbox_relay_is_overdue */
};

int outbox_relay_new(struct outbox_relay **out, struct store *store,
                     const struct outbox_relay_options *options, struct detail *why) MUST_USE;
void outbox_relay_free(struct outbox_relay *r); /* before the store is closed; NULL is fine */

void outbox_relay_wake(struct outbox_relay *r); /* rows were committed */

/* Publishes what is due. Outside of a transaction. A connection that breaks shows in its next pump. */
int outbox_relay_run(struct outbox_relay *r, struct broker_connection *publish, int64_t now_ns) MUST_USE;

/*
 * Has a message waited for its confirm for confirm_timeout_ms? To be asked about every half second, after
 * what came was pumped. What counts is the time between two questions, a second of it at most, since a
 * process that stood still did not wait; and nothing while the connection is blocked.
 */
bool outbox_relay_is_overdue(struct outbox_relay *r, const struct broker_connection *publish, int64_t now_ns);

/* Events of the publish connection. Tags of other messages on it are ignored. */
void outbox_relay_confirmed(struct outbox_relay *r, uint64_t tag, bool multiple, bool ack, int64_t now_ns);
void outbox_relay_returned(struct outbox_relay *r, const struct broker_returned *returned);
void outbox_relay_lost(struct outbox_relay *r); /* the connection is gone */

/* In a transaction: deletes the rows that were confirmed. After its commit call outbox_relay_swept; after a
 * rollback nothing, they are deleted the next time. */
int outbox_relay_sweep(struct outbox_relay *r) MUST_USE;
void outbox_relay_swept(struct outbox_relay *r);

/* Deletes in a transaction of its own, if rows have waited for it long enough, or at once if `now`. */
int outbox_relay_tidy(struct outbox_relay *r, int64_t now_ns, bool at_once) MUST_USE;

/* The moment (monotonic) when run or tidy have something to do again; INT64_MAX: nothing is waited for but
 * confirms. */
int64_t outbox_relay_due_ns(const struct outbox_relay *r);

bool outbox_relay_is_done(
    const struct outbox_relay *r); /* nothing in flight, nothing that could go out now */

#endif
