#include "services/redpacket/split_amount.h"

uint64_t random_below(const struct random_source *random, uint64_t bound)
{
    /* 2^64 mod bound: without so many of the 2^64 values the rest is a multiple of bound. */
    const uint64_t surplus = (0 - bound) % bound;
    uint64_t bits;
    do
        bits = random->next(random->context);
    while (bits < surplus);
    return bits % bound;
}

/*
 * In terms of what there is beyond the minimum: spare = left − packets·min. The draw is min plus a uniform
 * number in [0, 2·spare/packets], whose mean is spare/packets. That bound never exceeds spare, so nothing has
 * to be clipped: with two packets it is spare, and with three or more 2·spare/packets, rounded up, is at most
 * spare.
 */
int64_t split_amount(int64_t left, int64_t packets_left, int64_t min, const struct random_source *random)
{
    if (packets_left == 1)
        return left;
    const uint64_t packets = (uint64_t)packets_left;
    const uint64_t doubled = 2 * (uint64_t)(left - packets_left * min); /* below 2^64 */
    uint64_t width = doubled / packets;
    if (random_below(random, packets) < doubled % packets)
        width++;
    return min + (int64_t)random_below(random, width + 1);
}
