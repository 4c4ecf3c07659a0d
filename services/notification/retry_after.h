/* The header Retry-After (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of HTTP. */
#ifndef SECKILL_NOTIFICATION_RETRY_AFTER_H
#define SECKILL_NOTIFICATION_RETRY_AFTER_H

#include <stdint.h>

#include "common/base/slice.h"

#define RETRY_AFTER_MAX_MS (24 * 3600 * INT64_C(1000)) /* longer ones count as this */

/* How long to wait from now (wall clock, ms); 0 for a moment that is over, and for what is neither form. */
int64_t retry_after_ms(struct slice value, int64_t now_ms);

#endif
