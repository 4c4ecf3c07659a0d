/*
 * Who waits for word about which order. Inquiries of all HTTP threads hang here on the order's id; the broker
 * thread takes the ids that inventory has to be asked about, many at once, and brings back what it learns
 * (ask_status.h). No thread and no poll for each who waits.
 *
 *  - One question is under way for each shard, and they begin DESK_GAP_NS apart; the ids that come meanwhile
 *    gather and go out together in the next. Alone, an id goes out at once. Several who ask for one id share
 * its place.
 *  - An order that this front end holds as accepted is not asked for: its decision comes by itself, or is
 * asked for as a lost one. Whoever waits for another order has it asked for at once, and again once a second,
 * all of the shard together, until it is decided or the time is over.
 *  - An id that no front end issued (another producer's) says nothing about its shard, so the shards are
 * asked one after the other. Nobody waits for such an order: what nobody knows now may be a guess.
 *  - A question that nobody answers is given up after INQUIRY_ANSWER_NS. Its shard is held for silent then:
 *    inquiries are turned away at once, but for one each second that tries, until it is heard again.
 *
 * Conserved: each inquiry that was taken comes back through its mailbox exactly once: when it is decided,
 * when inventory answered, when its time is over (status_desk_expire, which any thread may call, so that a
 * broker thread that hangs keeps nobody), when nobody can be asked, or when the desk is closed. All functions
 * may be called from any thread. Bounded in number; nothing of it outlives its asker.
 */
#ifndef SECKILL_ORDER_STATUS_DESK_H
#define SECKILL_ORDER_STATUS_DESK_H

#include "services/order/inquiry.h"
#include "services/order/pending.h"

#define INQUIRY_ANSWER_NS INT64_C(2000000000) /* inventory's time to answer */
#define DESK_GAP_NS       INT64_C(5000000)    /* a question costs the broker much more than an id in it */
#define DESK_MAX_WAITING  8000                /* with ?wait=; beyond it the present status is the answer */
#define DESK_MAX_HELD     16000               /* in all; beyond it: unavailable */

struct status_desk;

int status_desk_new(struct status_desk **out, struct pending *pending, int shards) MUST_USE; /* E_IO */
void status_desk_free(struct status_desk *d); /* nobody may be held; NULL is fine */

/* ---- for HTTP threads ---- */

enum desk_step {
    DESK_HELD,        /* it comes back through its mailbox */
    DESK_NOW,         /* pending has the answer: the desk holds nothing */
    DESK_UNAVAILABLE, /* inventory's word is needed and not to be had */
};

enum desk_step status_desk_add(struct status_desk *d, struct inquiry *q, int64_t now_ns);

/* Sends back whoever has waited long enough. Cheap when nobody has. */
void status_desk_expire(struct status_desk *d, int64_t now_ns);
int64_t
status_desk_next_ns(const struct status_desk *d); /* nobody is due before; INT64_MAX: nobody is held */

/* Sends everybody back, as things stand, and takes nobody any more. */
void status_desk_close(struct status_desk *d);

/* ---- for the broker thread ---- */

int status_desk_fd(const struct status_desk *d); /* readable: there are ids to ask about */
void status_desk_heed(struct status_desk *d);    /* clears it; then take for each shard */

/* The ids of the shard's next question, at most max. 0: none, or one is under way. E_BUSY: there are, but the
 * last question has only begun: take again within DESK_GAP_NS. */
int status_desk_take(struct status_desk *d, int shard, int64_t now_ns, int max, char (*ids)[ORDER_ID_SIZE]);

void status_desk_decided(struct status_desk *d, const struct decision *decisions, int count);
void status_desk_not_decided(struct status_desk *d, const char order_id[ORDER_ID_SIZE]);

/* The question under way is over; each question that was taken ends so. Ids that got no word of their own by
 * then have failed: those who have heard nothing yet go back. */
void status_desk_answered(struct status_desk *d, int shard, int64_t now_ns, bool is_silent);
void status_desk_heard_of(struct status_desk *d, int shard); /* a sign of life: not silent any more */
void status_desk_cannot_ask(struct status_desk *d);          /* no broker: who has heard nothing yet fails */

struct desk_counts {
    int held, waiting; /* waiting: of these, with ?wait= */
};
struct desk_counts status_desk_counts(struct status_desk *d);

#endif
