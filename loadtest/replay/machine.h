/* The machine that this runs on, and how busy it is. */
#ifndef SECKILL_REPLAY_MACHINE_H
#define SECKILL_REPLAY_MACHINE_H

#include <stdint.h>

struct machine {
    char cpu[128];    /* "AMD EPYC 7B13" */
    char system[192]; /* "Linux 6.1.0 x86_64" */
    int cores;
    int64_t memory_mib;
};

void machine_describe(struct machine *m);

struct machine_time { /* since the boot, and since the start of this process; in seconds of one core */
    double busy, all;
    double process;
};

void machine_time(struct machine_time *t);

/* How many cores were busy between the two, of the machine and of this process. */
double machine_busy_cores(const struct machine_time *from, const struct machine_time *to, int cores);

#endif
