/*
 * Who waits for word about a confirmed order's red packet. Inquiries of all HTTP threads hang here on the
 * order's id, for PACKET_WAIT_NS at most; the broker thread takes the ids, many at once, asks the red
 * packets' worker and brings back what it learns (ask_packets.h). What is learned for good is remembered by
 * pending, so that an order that is in memory is asked for until then, and not again.
 *
 *  - One question is under way at a time, and they begin PACKET_GAP_NS apart; the ids that come meanwhile
 *    gather and go out together in the next. Several who ask for one id share its place.
 *  - An order was decided a moment before its event comes to the worker: an id that the worker does not know
 *    yet is asked for again every PACKET_AGAIN_NS while somebody waits for it.
 *  - A worker that has not answered for PACKET_WAIT_NS makes nobody wait: whoever comes then goes on without
 *    its word, but for one each second that tries. An answer that is late all the same is heard.
 *
 * Conserved: each inquiry that was taken comes back through its mailbox exactly once: when its packet is
 * known, when its time is over (packet_desk_expire, which any thread may call), when nobody can be asked, or
 * when the desk is closed. All functions may be called from any thread. Bounded in number.
 */
#ifndef SECKILL_ORDER_PACKET_DESK_H
#define SECKILL_ORDER_PACKET_DESK_H

#include "services/order/inquiry.h"

#define PACKET_WAIT_NS   INT64_C(300000000)  /* the contract's 300 ms */
#define PACKET_ANSWER_NS INT64_C(1000000000) /* when a question is given up, and the next one tries */
#define PACKET_GAP_NS    INT64_C(5000000)
#define PACKET_AGAIN_NS  INT64_C(20000000)
#define PACKET_MAX_HELD  16000 /* beyond it: nobody waits */

struct packet_desk;

int packet_desk_new(struct packet_desk **out) MUST_USE; /* E_IO */
void packet_desk_free(struct packet_desk *d);           /* nobody may be held; NULL is fine */

/* ---- for HTTP threads ---- */

/* true: it is held, and comes back through its mailbox with q->packet as far as it is known. false: there is
 * nothing to wait for now, and *q was not touched. */
bool packet_desk_add(struct packet_desk *d, struct inquiry *q, int64_t now_ns);

/* Sends back whoever has waited long enough. Cheap when nobody has. */
void packet_desk_expire(struct packet_desk *d, int64_t now_ns);
int64_t
packet_desk_next_ns(const struct packet_desk *d); /* nobody is due before; INT64_MAX: nobody is held */

/* Sends everybody back, as things stand, and takes nobody any more. */
void packet_desk_close(struct packet_desk *d);

/* ---- for the broker thread ---- */

int packet_desk_fd(const struct packet_desk *d); /* readable: there are ids to ask about */
void packet_desk_heed(struct packet_desk *d);    /* clears it; then take */

/* The ids of the next question, at most max; 0: none now. *next_ns: take again then, if nothing else happens
 * (INT64_MAX: the descriptor, or the end of the question under way, says when). */
int packet_desk_take(struct packet_desk *d, int64_t now_ns, int max, char (*ids)[ORDER_ID_SIZE],
                     int64_t *next_ns);

void packet_desk_told(struct packet_desk *d, const char order_id[ORDER_ID_SIZE],
                      int64_t packet); /* for good */
void packet_desk_not_known(struct packet_desk *d, const char order_id[ORDER_ID_SIZE], int64_t now_ns);

/* The question under way is over; each question that was taken ends so. is_silent: there was no answer that
 * tells anything, so everybody goes on without. */
void packet_desk_answered(struct packet_desk *d, int64_t now_ns, bool is_silent);
void packet_desk_cannot_ask(struct packet_desk *d); /* no broker: everybody goes on without */

int packet_desk_held(struct packet_desk *d);

#endif
