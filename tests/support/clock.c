/* Time for tests. */
#include "tests/support/clock.h"

#include <time.h>

int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *rfc3339(int64_t wall_ms, char out[RFC3339_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    strftime(out, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return out;
}

bool wait_until(bool (*holds)(void *context), void *context, int seconds)
{
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000;

    while (!holds(context)) {
        if (clock_ms() >= deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return true;
}
