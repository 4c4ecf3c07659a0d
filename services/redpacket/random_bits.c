#include "services/redpacket/random_bits.h"

#include <sodium.h>

int random_bits_start(struct random_bits *r)
{
    r->left = 0;
    return sodium_init() < 0 ? E_IO : 0;
}

uint64_t random_bits_next(void *random_bits)
{
    struct random_bits *r = random_bits;
    if (r->left == 0) {
        randombytes_buf(r->words, sizeof r->words);
        r->left = sizeof r->words / sizeof r->words[0];
    }
    uint64_t bits = r->words[--r->left];
    r->words[r->left] = 0; /* given out: nobody is to find it here afterwards */
    return bits;
}
