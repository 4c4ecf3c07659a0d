/* Random numbers that a seed brings back: xoshiro256** over splitmix64. Nothing secret hangs on them. One
 * thread. */
#ifndef SECKILL_REPLAY_RANDOM_H
#define SECKILL_REPLAY_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
double random_unit(struct random *r);                    /* uniform in [0, 1) */
uint64_t random_below(struct random *r, uint64_t bound); /* uniform in [0, bound); bound > 0 */
double random_exponential(struct random *r);             /* mean 1 */

/*
 * Zipf: rank k of 1..count with a chance proportional to 1 / k^exponent; exponent 0 is uniform. By rejection
 * inversion (Hörmann and Derflinger 1996), so a draw costs the same whatever the count.
 */
struct zipf {
    double count, exponent, at_low, at_high, shortcut;
};

void zipf_init(struct zipf *z, uint64_t count, double exponent);
uint64_t zipf_draw(const struct zipf *z, struct random *r);

#endif
