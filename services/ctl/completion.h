/* Completion for bash, made of the table of commands and the table of settings. */
#ifndef SECKILL_CTL_COMPLETION_H
#define SECKILL_CTL_COMPLETION_H

#include "common/base/buffer.h"
#include "services/ctl/command.h"

/* Appends the script, to be sourced by bash. Completes nouns, verbs, options, the values of an option whose
 * argument says them ("csv|ndjson"), files where it says FILE, and the names of settings. */
void completion_add(struct buffer *out, const struct command *commands);

#endif
