/* systemd's sd_notify, and nothing where there is no systemd. Any thread. */
#ifndef SECKILL_BASE_NOTIFY_H
#define SECKILL_BASE_NOTIFY_H

#include <stdint.h>

#include "common/base/error.h"

void notify_ready(void);
void notify_stopping(void);
void notify_reloading(void);
void notify_status(const char *format, ...)
    PRINTF_LIKE(1, 2); /* cut at 255 bytes; control characters become blanks */

/* The ping that the watchdog wants, sent at most twice in each watchdog interval; call it from the working
 * loop, or from what the loop waits for, and only there, as often as you like. */
void notify_watchdog(int64_t now_ns);

#endif
