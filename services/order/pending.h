/*
 * The orders of this front end: those submitted or accepted and not yet decided (the backlog, counted for
 * each shard, never sampled), and the latest decided ones. In memory only. All functions may be called from
 * any thread.
 *
 * An order's life here: pending_begin (SUBMITTING, holds a slot of its shard's backlog) → pending_settle with
 * the broker's verdict (ACCEPTED keeps the slot; REFUSED and UNKNOWN give it back) → pending_decide (slot
 * given back; stays to be looked up until newer decided ones push it out). A decision may overtake the
 * confirm. A slot never leaks: what stays undecided is asked for (pending_overdue) and given up when
 * inventory does not know it any more.
 */
#ifndef SECKILL_ORDER_PENDING_H
#define SECKILL_ORDER_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/pipeline/message.h"
#include "services/order/submission.h"

struct pending;

struct pending *pending_new(int64_t keep_decided);
void pending_free(struct pending *p);

enum pending_claim {
    PENDING_BEGUN, /* registered; submit it, then settle it */
    PENDING_KNOWN, /* accepted or decided earlier: 202 again, nothing to submit, nothing to settle */
    PENDING_FULL,  /* the shard's backlog has max_pending already: nothing was registered */
};

/* Begins an attempt for this order. max_pending 0: no threshold. The same id may have several attempts at
 * once (a keyed order sent twice at the same time); it holds one slot, and each attempt is settled. */
enum pending_claim pending_begin(struct pending *p, const struct order *order, uint8_t shard,
                                 int64_t max_pending);

/* Is a keyed order accepted or decided here already? (Before the catalogue is asked, so that a repeat after
 * the sell-out still gets its 202.) */
bool pending_is_accepted(struct pending *p, const char order_id[ORDER_ID_SIZE]);

/* The verdicts of these submissions. Broker thread, or the HTTP thread for one that could not be handed over.
 */
void pending_settle(struct pending *p, const struct submission_list *list);

/* A decision came back. Unknown ids (of another process's run) are counted and ignored. */
void pending_decide(struct pending *p, const struct decision *decisions, int count);

/* A confirmed order's red packet: its amount, or one of these. */
#define PACKET_UNKNOWN INT64_C(-1) /* not learned yet */
#define PACKET_NONE    INT64_C(0)  /* it has none, and never will */

/* What became of a red packet, for good: remembered as long as the order is, if it is held as confirmed. */
void pending_note_packet(struct pending *p, const char order_id[ORDER_ID_SIZE], int64_t packet);

/* PACKET_UNKNOWN too for an order that is not in memory here. */
int64_t pending_packet(struct pending *p, const char order_id[ORDER_ID_SIZE]);

struct pending_view {
    enum order_status status; /* ORDER_UNKNOWN: submitted, or its outcome is unknown */
    struct order order;
    struct decision decision; /* status CONFIRMED or REJECTED */
};

/* Looks an order up. false: not in memory here. */
bool pending_find(struct pending *p, const char order_id[ORDER_ID_SIZE], struct pending_view *out);

/* Numbers for admission, Retry-After and /metrics. */
int64_t pending_backlog(struct pending *p, uint8_t shard); /* slots in use; lock-free */
int64_t pending_oldest_age_ms(struct pending *p,
                              uint8_t shard); /* of the accepted and undecided ones; 0 if none */
double pending_drain_rate(struct pending *p, uint8_t shard); /* decided per second, over the last seconds */

/* Up to max ids of accepted orders of the shard that have waited for min_age_ms and were not asked for since
 * then: ask inventory. Marks them as asked. */
int pending_overdue(struct pending *p, uint8_t shard, int64_t min_age_ms, int max,
                    char (*ids)[ORDER_ID_SIZE]);

/* Inventory's answer: it has not decided this id. Given up (slot back, counted, logged) when orders accepted
 * after it have been decided and this was answered three times. */
void pending_not_decided(struct pending *p, const char order_id[ORDER_ID_SIZE]);

struct pending_counts {
    uint64_t decided_confirmed, decided_rejected, decisions_unmatched, given_up;
    int64_t undecided, remembered;
};
struct pending_counts pending_counts(struct pending *p);

#endif
