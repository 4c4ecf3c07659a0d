/*
 * One message to the buyer for each (order, kind of event), by way of one sink.
 *
 * A local sink takes the message inside the transaction that records it as sent. For a gateway the line is
 * recorded as pending with a row in to_send, and the work beside the queue does the rest: it begins rows in
 * their order as the sink has room, and settles each outcome in one transaction:
 *
 *   sent       → sent, the row goes
 *   retry      → waiting, the row goes, the line goes into the outbox to a delay queue (1 s, 5 s, 30 s, 5
 * min, and not before the gateway's Retry-After, up to 5 min) and comes back through our queue: pending again
 *   permanent, or a retry after the last delay → failed, the row goes, a dead letter is made
 *
 * Ensures: at each commit, a message that is not yet sent or failed has exactly one durable copy of ours: its
 * row in to_send, or its line in the outbox or in a delay queue. So it is sent at least once, and recorded
 * once.
 *
 * A line that comes again is a duplicate, but for the one that a waiting record waits for (retry_line.h), and
 * for one whose record has failed: that is a dead letter's replay and begins anew.
 *
 * Rows that a gateway left, when another sink was set meanwhile, go to that one.
 *
 * One thread at a time, but for notify_buyer_prepare. The functions below are those of struct worker_handler
 * and struct worker_beside (worker.h).
 */
#ifndef SECKILL_NOTIFICATION_NOTIFY_BUYER_H
#define SECKILL_NOTIFICATION_NOTIFY_BUYER_H

#include "common/pipeline/trail.h"
#include "common/pipeline/worker.h"
#include "services/notification/notification_store.h"
#include "services/notification/prepared_messages.h"
#include "services/notification/templates.h"

#define NOTIFY_OUTCOMES_MAX 256 /* in one transaction; rows of a local sink, too */

struct notify_buyer { /* these four are set before anything is called */
    struct notification_store *store;
    struct sink *sink;
    const struct templates *templates;
    struct trail *trail; /* NULL: none */

    /* Zeroed at first. */
    struct buffer text, line, retry, composed;
    struct message_preparer preparer; /* of notify_buyer_prepare alone */
    int64_t cursor;                   /* the last row of to_send that was begun */
    bool no_more;     /* nothing is behind the cursor, but for rows added in the open transaction */
    bool added;       /* some were */
    bool draining;    /* begin nothing any more */
    int error;        /* of reading; settle returns it */
    int64_t troubles; /* attempts that failed and are not in the log yet */
    int64_t troubles_due_ns;
    int outcome_count; /* not settled yet */
    struct sink_outcome outcomes[NOTIFY_OUTCOMES_MAX];
};

void notify_buyer_free(struct notify_buyer *n); /* its buffers; what was set stays the caller's */

void *notify_buyer_prepare(struct notify_buyer *n, struct slice body);
enum outcome notify_buyer_line(struct notify_buyer *n, struct task *task);
int notify_buyer_before_commit(struct notify_buyer *n) MUST_USE;
void notify_buyer_committed(struct notify_buyer *n);
void notify_buyer_rolled_back(struct notify_buyer *n);

bool notify_buyer_run(struct notify_buyer *n, int64_t now_ns);
int notify_buyer_settle(struct notify_buyer *n, const struct settlement *s) MUST_USE;
int notify_buyer_wait_fd(struct notify_buyer *n);
int64_t notify_buyer_due_ns(struct notify_buyer *n);
bool notify_buyer_drained(struct notify_buyer *n);

#endif
