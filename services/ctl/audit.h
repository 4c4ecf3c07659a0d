/*
 * The audit: the invariants of a deployment, proved from what is on disk and in the broker, without asking
 * any service. It only reads.
 *
 *   1  every order that was answered 202 is decided exactly once, or still queued, or a dead letter (which
 *      fails until somebody replays or drops it by name)
 *   2  for each item, in units: confirmed + left = stocked, and left >= 0
 *   3  for each user and item: confirmed <= the limit that held at each decision
 *   4  each (order, kind of event) has exactly one notification record, each confirmed order one decision
 * about a red packet; granted + left = budget 5  published = decided + queued + dead-lettered, batch by batch
 *
 * What the ledgers had at the beginning is what is accounted for. The broker does not say what is delivered
 * and not yet acknowledged, so the audit looks again until every batch has been seen and the queues are
 * empty, or the time is over: then it says what still moves. What no message in a queue can explain, while
 * nothing moves, is lost.
 *
 * Invariant 4 is about the services that have a file. Where neither has, they were never set up, and it is
 * said to be unchecked.
 */
#ifndef SECKILL_CTL_AUDIT_H
#define SECKILL_CTL_AUDIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/error.h"

#define AUDIT_FINDINGS_KEPT 20 /* of each invariant; all are counted */

struct audit_invariant {
    int number;
    const char *title;
    int64_t checked, broken; /* in what `unit` says */
    const char *unit;
    char *findings[AUDIT_FINDINGS_KEPT];
    int kept;
    bool unchecked; /* there is nothing here to check it by */
};

enum { AUDIT_DECIDED_ONCE, AUDIT_STOCK, AUDIT_LIMIT, AUDIT_EVENTS, AUDIT_BATCHES, AUDIT_INVARIANTS };

struct audit_queue {
    int64_t ready, consumers;
};

struct audit_queues {         /* what the broker says */
    int64_t ready, consumers; /* summed over the shards' order queues */
    int64_t dead;             /* messages in the dead-letter queue */
    struct audit_queue notification, redpacket;
    int64_t delayed; /* in the delay queues */
};

struct audit_letters { /* dead letters, as the files that made them say */
    int64_t made, replayed, dropped;
    int64_t unsettled;
    int64_t outgoing; /* of them, still in an outbox */
};

struct audit_report {
    struct audit_invariant invariants[AUDIT_INVARIANTS];
    bool settled;                          /* nothing was under way that the verdict depends on */
    char moving[320];                      /* !settled: what still moves */
    struct audit_queues queues;            /* as they were at the end */
    int64_t ledgers, batches, orders;      /* of the ledgers */
    int64_t unseen_batches, unseen_orders; /* of them, those that inventory has not seen */
    int64_t decided, confirmed, rejected, items, outbox; /* of the inventory files */
    bool has_notification, has_redpacket;                /* there is a file */
    int64_t outgoing;                                    /* events and retries in the outboxes of all files */
    int64_t to_send;                                     /* messages that notification has still to send */
    int64_t records, failed;      /* notification records; of them, those that failed for good */
    int64_t packets, granted;     /* orders that red packets were decided for; those that got one */
    struct audit_letters letters; /* of all files */
};

struct audit_options {
    const char *const *stores; /* paths of the inventory files, one of each shard */
    int store_count;
    const char *notification, *redpacket; /* paths of their files; NULL: there is none */
    const char *ledger_dir;
    int64_t wait_ms;
    int64_t still_ms; /* a deployment in which nothing changed for so long stands still */
    /* Asks the broker: E_CLOSED and the like if it cannot. */
    int (*look)(void *context, struct audit_queues *out, struct detail *why);
    void *context;
    void (*progress)(void *context, const char *text); /* what it waits for, now and then; may be NULL */
};

/* 0: *report says (audit_report_free). E_NOT_FOUND: a file is missing. E_INVALID, E_NEWER: a file's schema is
 * not this version's. E_IO, E_CORRUPT: the disk, or a damaged file. Others: from look. */
int audit_run(const struct audit_options *options, struct audit_report *report, struct detail *why) MUST_USE;

bool audit_holds(
    const struct audit_report *report); /* settled, and no invariant that was checked is broken */
void audit_print(const struct audit_report *report, FILE *out);
void audit_print_json(const struct audit_report *report, FILE *out);
void audit_report_free(struct audit_report *report);

/* For the audit's own files. */
void audit_report_start(struct audit_report *report);
void audit_invariant_clear(struct audit_invariant *v); /* forgets what was found and checked */
/* Counts `times` breaches of an invariant and keeps the sentence that names them. */
void audit_found(struct audit_report *report, int invariant, int64_t times, const char *format, ...)
    PRINTF_LIKE(4, 5);
void audit_invariant_found(struct audit_invariant *v, int64_t times, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
