/*
 * One trial of reliability: load, a fault, healing, and the judgement of what every client was told against
 * what the files say. Every test under tests/e2e makes its trials with this, so that the one report
 * (tests/RELIABILITY.md) can add them up.
 *
 *   struct trial *t = trial_begin(s, &(struct trial_spec){.area = "connection", .process = "inventory",
 *                                                         .fault = "cut", .how = "both ways", .seed = seed});
 *   struct load *l = trial_load(t, &(struct load_spec){…});   one or more; each has a sku of its own making
 *   load_wait_accepted(l, …);
 *   trial_fault(t);                                           the moment it happened
 *   … break something, wait, restart …
 *   trial_heal(t, 30);                                        until an order goes the whole way again
 *   assert_int_equal(trial_end(t, NULL), 0);                  joins the loads, waits for the drain, judges
 */
#ifndef SECKILL_TESTS_TRIAL_H
#define SECKILL_TESTS_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/support/load.h"
#include "tests/support/stack.h"

struct trial_spec {
    const char *area;    /* "crash", "connection", "disk", "standby", "cluster" */
    const char *process; /* whom it hits: "order", "inventory", "broker", … */
    const char *fault;   /* a fault point's name, or what happens: "cut", "disk full", … */
    const char *how;     /* "kill", "stop", "term", … ; "" where fault says it all */
    uint64_t seed;       /* reproduces the trial; printed with a failure */
    int64_t stock;       /* of the item that trial_begin puts up; 0: a stock that does not sell out */
    int limit;           /* units a user may have; 0: no limit */
    int drain_seconds;   /* at most, from the end of the loads to the last decision; 0: 60 */
};

struct trial;

/* Puts up an item of its own ("t<number>") and waits until the front end shows it. Fails the test (cmocka)
 * if that cannot be done. The strings of the spec are copied. */
struct trial *trial_begin(struct stack *s, const struct trial_spec *spec);
const char *trial_sku(const struct trial *t);

/* load_start with the trial's sku (spec->sku is ignored; port 0: the stack's) and a prefix to the users that
 * is this load's own, so that each order's user tells which answer it got. Owned by the trial. */
struct load *trial_load(struct trial *t, const struct load_spec *spec);

/* More units of the trial's item, while the services run or not: it may fail, and the judge takes either for
 * right. */
void trial_restock(struct trial *t, int64_t units);

/* The fault happens now. */
void trial_fault(struct trial *t);

/* One order of an own item of the trial, by a user of its own whose name begins so. Was it accepted? */
bool trial_order(struct trial *t, const char *user_prefix);

/* Sends single orders of that item until one is accepted and decided. Notes the time since trial_fault.
 * Fails the test if that takes longer than the seconds. */
void trial_heal(struct trial *t, int seconds);

struct trial_verdict {
    int64_t offered;  /* orders sent, those of healing too */
    int64_t accepted; /* 202s that a client holds */
    int64_t refused;  /* told that the order is not taken: 4xx, 503 */
    int64_t unknown;  /* 504, or sent and no answer */
    /* What must be 0: */
    int64_t lost;         /* 202, and after the drain not decided, in the file or over HTTP */
    int64_t doubled;      /* decided more than once: a key with two ids, an id or a receipt given twice, a row
                             beside what was ordered */
    int64_t oversold;     /* units confirmed beyond the stock or a user's limit */
    int64_t undersold;    /* units missing, by a duplicate: neither left nor of a confirmed order */
    int64_t told_wrongly; /* refused, and decided all the same (503, 429, 409 without a key say "never"); GET
                             or a later answer says something else than the file */
    bool audit_failed;    /* seckillctl audit */
    int64_t heal_ms;      /* trial_fault to the first order that went the whole way; -1: not asked for */
};

/* Joins the loads, waits for the drain, compares, prints one line, and appends it as JSON to the file that
 * SECKILL_TRIALS names, if it does. Returns the number of violations, each printed (the first few by id).
 * Frees the trial. verdict may be NULL. */
int64_t trial_end(struct trial *t, struct trial_verdict *verdict);

#endif
