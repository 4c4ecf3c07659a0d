/* Random bits that nobody can foresee, from libsodium: a red packet is money. */
#ifndef SECKILL_REDPACKET_RANDOM_BITS_H
#define SECKILL_REDPACKET_RANDOM_BITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

/* The system is asked for many at once. One thread. */
struct random_bits {
    uint64_t words[256];
    size_t left;
};

int random_bits_start(struct random_bits *r) MUST_USE; /* E_IO: there is no randomness to be had */
uint64_t random_bits_next(void *random_bits);          /* a random_source's */

#endif
