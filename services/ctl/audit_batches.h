/* The batches of all ledgers: what front ends were told by the broker. */
#ifndef SECKILL_CTL_AUDIT_BATCHES_H
#define SECKILL_CTL_AUDIT_BATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/pipeline/ledger.h"
#include "services/ctl/audit.h"

struct batch {
    const char *producer; /* owned by the set */
    int64_t seq;
    int count;
    bool seen; /* by inventory */
};

struct batch_set {
    struct batch *items; /* by producer and number, each once */
    size_t count, room;
    char **producers;
    size_t producer_count;
};

/* Reads every ledger. A batch that stands in a ledger twice counts once; with two counts it is a finding.
 * Adds what there is to the report. Errors as ledger_read. */
int batches_read(struct batch_set *set, const char *dir, struct audit_report *report,
                 struct detail *why) MUST_USE;
void batches_free(struct batch_set *set);

#endif
