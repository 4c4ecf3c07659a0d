/*
 * The batches that were published and not yet confirmed, in the order of publishing. Pure bookkeeping: no
 * I/O, no clock. One thread.
 *
 * A batch's end is decided here, by the one rule that keeps answers true:
 *   ack, never returned                       → ACCEPTED
 *   nack or returned, and this was the only copy ever sent → REFUSED: it is queued nowhere
 *   nack or returned for a second copy, or out of time     → UNKNOWN: an earlier copy may be queued
 */
#ifndef SECKILL_ORDER_INFLIGHT_H
#define SECKILL_ORDER_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "services/order/submission.h"

struct batch {
    struct batch *next;
    struct submission_list orders;
    struct buffer body; /* their lines */
    uint8_t shard;
    int64_t seq;   /* in this process run, from 1 */
    uint64_t tag;  /* of the latest copy, on the present connection; 0: not sent on it yet */
    int copies;    /* sent so far, on any connection */
    bool returned; /* the latest copy came back */
    int64_t first_sent_ns, last_sent_ns; /* the first copy, and the latest */
};

struct inflight {
    struct batch *head, *tail;
    int count;
};

struct batch *batch_new(void);
void batch_free(struct batch *b); /* its list must have been taken out; NULL is fine */

void inflight_add(struct inflight *f, struct batch *b); /* at the end */

/* The batch of that number, or NULL. */
struct batch *inflight_find(const struct inflight *f, int64_t seq);

/*
 * The confirm of a tag (multiple: of all sent tags up to it). Takes the next batch that it ends out of the
 * list, with its verdict; call it again until it returns NULL.
 */
struct batch *inflight_confirm(struct inflight *f, uint64_t tag, bool multiple, bool ack,
                               enum submit_verdict *verdict);

/* Takes out the first batch that was first sent at or before this moment, or NULL. Its verdict is UNKNOWN. */
struct batch *inflight_take_older(struct inflight *f, int64_t sent_until_ns);

/* The connection is gone: no tag means anything any more. */
void inflight_forget_tags(struct inflight *f);

#endif
