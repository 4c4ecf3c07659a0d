/* Time for tests: deadlines, and waiting for a condition that has no signal of its own. */
#ifndef SECKILL_TESTS_CLOCK_H
#define SECKILL_TESTS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int64_t clock_ms(void); /* monotonic */

/* Since the epoch. Inline, so that it does not meet common/base's in programs that link both. */
static inline int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "2030-01-02T03:04:05Z" for this moment of the wall clock, to the second. */
#define RFC3339_SIZE 32
const char *rfc3339(int64_t wall_ms, char out[RFC3339_SIZE]);

/* Asks every 20 ms until it holds. false: the seconds are over. Only for what cannot be waited for otherwise.
 */
bool wait_until(bool (*holds)(void *context), void *context, int seconds);

#endif
