#include "services/ctl/random_key.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void random_key(const char *prefix, char *out, size_t size)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        abort(); /* never for so few bytes */
    snprintf(out, size, "%s-%016" PRIx64, prefix, bits);
}
