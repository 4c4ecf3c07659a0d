/*
 * Signals as file descriptor events. Call signals_start() in main before any thread is made: SIGTERM, SIGINT
 * and SIGHUP are blocked for every thread and read from one descriptor; SIGPIPE is ignored.
 */
#ifndef SECKILL_BASE_SIGNALS_H
#define SECKILL_BASE_SIGNALS_H

#include "common/base/error.h"

enum signal_event { SIGNAL_NONE, SIGNAL_STOP /* SIGTERM, SIGINT */, SIGNAL_RELOAD /* SIGHUP */ };

int signals_start(void) MUST_USE;       /* returns the descriptor to poll (non-blocking), or E_IO */
enum signal_event signals_next(int fd); /* the next one that waits, or SIGNAL_NONE */

#endif
