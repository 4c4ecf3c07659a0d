/* Pausing an item, and ending the pause. */
#ifndef SECKILL_CTL_ITEM_PAUSED_H
#define SECKILL_CTL_ITEM_PAUSED_H

#include "services/ctl/command.h"

/* Sets `paused` of the command's item, which must be there, and prints it. Returns the exit code. */
int item_set_paused(const struct ctl *ctl, bool paused);

#endif
