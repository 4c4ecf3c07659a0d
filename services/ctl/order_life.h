/*
 * All that the services know of one order: inventory's decision, the red packet, the messages to the buyer,
 * and the dead letters that name it. They are asked by RPC, from any host. Where no inventory answers, its
 * files on this host are read instead, and that is said; the others' answers are then left out.
 */
#ifndef SECKILL_CTL_ORDER_LIFE_H
#define SECKILL_CTL_ORDER_LIFE_H

#include <jansson.h>

#include "common/pipeline/message.h"
#include "services/ctl/command.h"

struct order_life {
    bool is_decided;
    struct decision decision;
    int64_t accepted_ms;
    int64_t limit_per_user; /* that held for a confirmed order; 0: none */
    bool archived;
    int shard;
    bool from_file; /* no inventory answered */

    char packet[32]; /* "granted", "none_left", "no_campaign", "unknown": not decided yet; "": nobody said */
    int64_t packet_amount, packet_ms;

    json_t *records; /* notification's, an array; NULL: nobody said */
    json_t *letters; /* dead letters, as `dead show` has them; NULL: not looked for */
};

struct order_life_wants { /* beside the decision */
    bool records, letters;
};

/* An exit code; EXIT_OK also where the order is not decided. What cannot be had is said on stderr. */
int order_life_read(const struct ctl *ctl, const char *id, const struct order_life_wants *wants,
                    struct order_life *out);
void order_life_free(struct order_life *o);

#endif
