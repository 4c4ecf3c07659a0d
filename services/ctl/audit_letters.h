/* What every worker's file says of itself, whichever service it is: what it has still to publish, and its
 * dead letters. */
#ifndef SECKILL_CTL_AUDIT_LETTERS_H
#define SECKILL_CTL_AUDIT_LETTERS_H

#include "common/store/store.h"
#include "services/ctl/audit.h"

struct file_look {
    int64_t letters;  /* dead letters in the outbox */
    int64_t outgoing; /* everything else in it */
    int64_t handled;  /* deliveries without a batch's headers; rises with each: something moves */
};

/* Adds to *out. */
int file_look(struct store *store, struct file_look *out, struct detail *why) MUST_USE;

/* Adds the file's dead letters to the report; those that nobody has replayed or dropped are breaches of
 * invariant 1. owner: "inventory of shard 0". */
int letters_check(struct store *store, const char *owner, struct audit_report *report,
                  struct detail *why) MUST_USE;

/* When all files were checked: what the queue has against what they say. */
void letters_judge(struct audit_report *report);

#endif
