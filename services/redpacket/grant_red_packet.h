/*
 * A confirmed order gets its red packet.
 *
 * Assumes a transaction, and that this process is the only writer. Ensures, when it is committed: the order
 * has one record, made when its event came for the first time; if it was granted a packet, the amount has
 * left its item's campaign and come to the buyer's balance, and its event is in the outbox. Every later copy
 * of the event finds that record, and changes nothing. Conserved: a campaign's granted amounts + budget_left
 * = budget, its granted packets + packets_left = packets.
 */
#ifndef SECKILL_REDPACKET_GRANT_RED_PACKET_H
#define SECKILL_REDPACKET_GRANT_RED_PACKET_H

#include "common/pipeline/trail.h"
#include "common/pipeline/worker.h"
#include "services/redpacket/red_packet_store.h"
#include "services/redpacket/split_amount.h"

struct grant_red_packet {
    struct red_packet_store *store;
    struct random_source random;
    struct trail trail;
    struct buffer line;  /* scratch */
    uint64_t mismatches; /* the same order with another user or item: the first stood */
};

/* Decodes the line, decides, writes the record and the event. A worker_handler's `line`: any event but
 * order.confirmed is a REJECT, since no other is bound to the queue. */
enum outcome grant_red_packet(struct grant_red_packet *g, struct task *task);

/* Frees the trail and the scratch. */
void grant_red_packet_free(struct grant_red_packet *g);

#endif
