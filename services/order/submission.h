/*
 * One attempt to queue one order: the thing that goes from an HTTP thread to the broker thread and comes back
 * with a verdict. It is owned by the HTTP request throughout (embedded in it) and lent to the other side from
 * publisher_submit() until it comes out of its mailbox; in between only the other side touches it.
 */
#ifndef SECKILL_ORDER_SUBMISSION_H
#define SECKILL_ORDER_SUBMISSION_H

#include <stddef.h>
#include <stdint.h>

#include "common/pipeline/message.h"

struct mailbox;

enum submit_verdict {
    SUBMIT_PENDING,  /* not decided: it is with the broker thread */
    SUBMIT_ACCEPTED, /* the broker confirmed it and the ledger has it: 202 */
    SUBMIT_REFUSED,  /* not queued and never will be: 503 */
    SUBMIT_UNKNOWN,  /* a byte of it may have left and no confirm came: 504 */
};

struct submission {
    struct submission *next;
    struct order order; /* whole; reply_to unused */
    uint8_t shard;
    int64_t submitted_ns;    /* monotonic clock, as it was handed over */
    struct mailbox *mailbox; /* where the verdict goes */
    enum submit_verdict verdict;
    const char *why; /* SUBMIT_REFUSED: a constant sentence for the problem's detail */
};

/* A first-in first-out list. A zeroed struct is an empty one. */
struct submission_list {
    struct submission *head, *tail;
    int count;
};

static inline void submission_list_add(struct submission_list *l, struct submission *s)
{
    s->next = NULL;
    if (l->tail)
        l->tail->next = s;
    else
        l->head = s;
    l->tail = s;
    l->count++;
}

/* Moves all of `more` to the end of l. */
static inline void submission_list_append(struct submission_list *l, struct submission_list *more)
{
    if (!more->head)
        return;
    if (l->tail)
        l->tail->next = more->head;
    else
        l->head = more->head;
    l->tail = more->tail;
    l->count += more->count;
    *more = (struct submission_list){0};
}

static inline struct submission *submission_list_take(struct submission_list *l)
{
    struct submission *s = l->head;
    if (s) {
        l->head = s->next;
        if (!l->head)
            l->tail = NULL;
        l->count--;
        s->next = NULL;
    }
    return s;
}

#endif
