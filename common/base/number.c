/* Numbers from text, taken whole or not at all. */
#include "common/base/number.h"

#include <stdbool.h>
#include <string.h>

int number_parse_bytes(const char *data, size_t len, int64_t min, int64_t max, int64_t *out)
{
    bool negative = len > 0 && data[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == len)
        return E_INVALID;

    /* All digits are looked at even after an overflow: "99999999999999999999x" is no integer, not a large
     * one. The sum is kept below zero, where there is room for INT64_MIN. */
    int64_t value = 0;
    bool overflow = false;
    for (; i < len; i++) {
        if (data[i] < '0' || data[i] > '9')
            return E_INVALID;
        overflow = overflow || __builtin_mul_overflow(value, 10, &value) ||
                   __builtin_sub_overflow(value, data[i] - '0', &value);
    }
    if (!negative)
        overflow = overflow || __builtin_sub_overflow((int64_t)0, value, &value);
    if (overflow || value < min || value > max)
        return E_FULL;
    *out = value;
    return 0;
}

int number_parse(const char *text, int64_t min, int64_t max, int64_t *out)
{
    return number_parse_bytes(text, strlen(text), min, max, out);
}
