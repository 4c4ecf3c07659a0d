/*
 * Time. Inside: nanoseconds of the monotonic clock for durations, milliseconds since the Unix epoch for
 * moments. Outside (JSON, CLI): RFC 3339 in UTC.
 */
#ifndef SECKILL_BASE_CLOCK_H
#define SECKILL_BASE_CLOCK_H

#include <stdint.h>

#include "common/base/error.h"

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

int64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
int64_t clock_wall_ms(void); /* CLOCK_REALTIME */

/* Room for "2026-11-22T12:00:00.123Z" and its NUL. */
#define RFC3339_SIZE 32

/* Writes the moment into out and returns out. The milliseconds are always shown. A moment outside the years
 * 0–9999, which RFC 3339 has no words for, is shown as the nearest one inside. */
const char *rfc3339_format(int64_t wall_ms, char out[RFC3339_SIZE]);

/* Reads "2026-11-22T12:00:00Z", with any fraction (cut to ms) and any offset ("+08:00"). E_INVALID if it is
 * not one, is no such day, or is outside the years 1970–9999. A leap second (23:59:60 UTC, and nowhere else)
 * is taken as the next second's begin. */
int rfc3339_parse(const char *text, int64_t *wall_ms) MUST_USE;

#endif
