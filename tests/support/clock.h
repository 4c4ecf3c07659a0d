/* Time for tests: deadlines, and waiting for a condition that has no signal of its own. */
#ifndef SECKILL_TESTS_CLOCK_H
#define SECKILL_TESTS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_ms(void);      /* monotonic */
int64_t clock_wall_ms(void); /* since the epoch */

/* "2030-01-02T03:04:05Z" for this moment of the wall clock, to the second. */
#define RFC3339_SIZE 32
const char *rfc3339(int64_t wall_ms, char out[RFC3339_SIZE]);

/* Asks every 20 ms until it holds. false: the seconds are over. Only for what cannot be waited for otherwise.
 */
bool wait_until(bool (*holds)(void *context), void *context, int seconds);

#endif
