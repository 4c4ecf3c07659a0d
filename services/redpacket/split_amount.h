/*
 * How a budget is split into red packets: the doubled average, in integers. Each draw is uniform in
 * [min, 2·mean − min], where mean = left / packets_left; the last packet gets what is left.
 *
 * Ensures, for a budget of at least packets · min: each amount is at least min, what remains still has min
 * for each packet that remains, and after the last nothing is left. The mean is a fraction, and so is the
 * upper bound: it is rounded up or down at random, in proportion, so that the expected amount is exactly the
 * mean whatever the draw's place. (Rounding down alone would make the first packets the smaller ones.)
 *
 * Pure: no state but the random source's. Any thread.
 */
#ifndef SECKILL_REDPACKET_SPLIT_AMOUNT_H
#define SECKILL_REDPACKET_SPLIT_AMOUNT_H

#include <stdint.h>

struct random_source {
    uint64_t (*next)(void *context); /* 64 random bits */
    void *context;
};

/* Uniform in [0, bound), without the bias of a remainder; bound ≥ 1. */
uint64_t random_below(const struct random_source *random, uint64_t bound);

/* The next packet's amount. Assumes packets_left ≥ 1, min ≥ 0 and left ≥ packets_left · min, in any size that
 * fits. */
int64_t split_amount(int64_t left, int64_t packets_left, int64_t min, const struct random_source *random);

#endif
