/*
 * What follows a decision, as the audit reads it: the notification and red packet files against the orders of
 * the inventory files (invariant 4). Everything is in the order of its primary key, so one walk through all
 * files side by side sees each order once; a million take a few seconds.
 *
 * The files are read as of one moment each, effects before their causes: a record whose event is not there is
 * a breach whatever moves. What is missing may still come: those findings are kept apart.
 */
#ifndef SECKILL_CTL_AUDIT_EVENTS_H
#define SECKILL_CTL_AUDIT_EVENTS_H

#include "services/ctl/audit.h"

/* Checks the files that there are, and adds what they have to the report; *missing (cleared before) gets what
 * is a breach only if nothing moves any more. Errors as audit_run. */
int events_check(const struct audit_options *files, struct audit_report *report,
                 struct audit_invariant *missing, struct detail *why) MUST_USE;

#endif
