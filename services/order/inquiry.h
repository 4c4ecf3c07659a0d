/*
 * One question of a client about one order that is not answered at once: it needs inventory's word, waits for
 * the decision, or then for word about the order's red packet. Like a submission it belongs to the HTTP
 * request (embedded in it) and is lent to the status desk from status_desk_add(), and to the packet desk from
 * packet_desk_add(), until it comes out of its mailbox.
 */
#ifndef SECKILL_ORDER_INQUIRY_H
#define SECKILL_ORDER_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/pipeline/message.h"

#define INQUIRY_WAIT_MAX_S 30

struct identity;
struct mailbox;
struct subject; /* subject_table.h */

struct inquiry {
    /* The question, by its owner: */
    char order_id[ORDER_ID_SIZE];  /* well-formed */
    bool is_issued;                /* by a front end of this deployment */
    const struct identity *viewer; /* who asks: the details are for the buyer and the administrator */
    int wait_s;                    /* 0 to INQUIRY_WAIT_MAX_S: hold the answer until it is decided */
    struct mailbox *mailbox;       /* where it comes back to */
    /* The answer: */
    bool is_decided; /* the decision is here */
    bool is_heard;   /* not decided, by inventory's own word within the time that this was held */
    struct decision decision;
    bool is_packet_asked; /* the packet desk had it: there is no more to wait for */
    int64_t packet;       /* as pending_packet() says it */
    /* The desk's, and then the mailbox's: */
    struct subject *subject;
    int64_t until_ns;
    TAILQ_ENTRY(inquiry) of_subject, by_time;
    STAILQ_ENTRY(inquiry) in_mailbox;
};

STAILQ_HEAD(inquiry_list, inquiry);

#endif
