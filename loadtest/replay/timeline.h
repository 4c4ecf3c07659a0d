/* What happened in each slot of the time since the start. One thread; merging reads the other one. */
#ifndef SECKILL_REPLAY_TIMELINE_H
#define SECKILL_REPLAY_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "loadtest/replay/histogram.h"

enum moment { MOMENT_SENT, MOMENT_ACCEPTED, MOMENT_REFUSED, MOMENT_FAILED, MOMENT_COUNT };

struct slot {
    int64_t counts[MOMENT_COUNT];
    struct histogram
        latency; /* of what was answered in it, from the intended time; coarse; bits 0: none yet */
};

struct timeline {
    struct slot *slots; /* owned */
    size_t count, room;
    int64_t slot_ns;
};

#define TIMELINE_SLOTS_MAX 100000 /* what comes later is counted in the last one */

void timeline_init(struct timeline *t, int64_t slot_ns);
void timeline_free(struct timeline *t);
void timeline_add(struct timeline *t, int64_t at_ns, enum moment what);
void timeline_latency(struct timeline *t, int64_t at_ns, int64_t latency_us);
void timeline_merge(struct timeline *into, const struct timeline *from);

#endif
