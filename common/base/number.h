/* Numbers from text, taken whole or not at all: no leading blanks, no "+", no trailing bytes, no silent wrap.
 */
#ifndef SECKILL_BASE_NUMBER_H
#define SECKILL_BASE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

/* Decimal integer in [min, max]. E_INVALID if it is not an integer, E_FULL if it is one but out of range. */
int number_parse(const char *text, int64_t min, int64_t max, int64_t *out) MUST_USE;

/* The same for bytes that are not NUL-terminated. */
int number_parse_bytes(const char *data, size_t len, int64_t min, int64_t max, int64_t *out) MUST_USE;

#endif
