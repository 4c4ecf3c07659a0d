/* How often each answer came: by status and problem code. One thread; merging reads the other one. */
#ifndef SECKILL_REPLAY_TALLY_H
#define SECKILL_REPLAY_TALLY_H

#include <stdint.h>

#include "common/base/slice.h"

#define TALLY_ROWS 64
#define TALLY_CODE 32

struct tally_row {
    int status;
    char code[TALLY_CODE]; /* "" where the answer has none */
    int64_t count;
};

struct tally { /* zeroed: empty */
    struct tally_row rows[TALLY_ROWS];
    int count;
};

/* What does not fit (a server that makes up codes) is counted in the last row. */
void tally_add(struct tally *t, int status, struct slice code, int64_t count);
void tally_merge(struct tally *into, const struct tally *from);
void tally_sort(struct tally *t); /* by status, then by count, the most first */
int64_t tally_of(const struct tally *t, int status);

#endif
