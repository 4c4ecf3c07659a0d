/* The red packets' file on its own (invariant 4): what was granted against what was to be had. */
#ifndef SECKILL_CTL_AUDIT_PACKETS_H
#define SECKILL_CTL_AUDIT_PACKETS_H

#include "common/store/store.h"
#include "services/ctl/audit.h"

/* For each campaign granted + left = budget, and the same of its packets; each balance is the sum of its
 * user's packets. Counts what there is. */
int packets_check(struct store *store, struct audit_report *report, struct detail *why) MUST_USE;

#endif
