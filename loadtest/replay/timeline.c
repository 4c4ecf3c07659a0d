/* What happened in each slot of the time. */
#include "loadtest/replay/timeline.h"

#include <stdlib.h>

#include "common/base/alloc.h"

void timeline_init(struct timeline *t, int64_t slot_ns)
{
    *t = (struct timeline){.slot_ns = slot_ns};
}

void timeline_free(struct timeline *t)
{
    for (size_t i = 0; i < t->count; i++)
        histogram_free(&t->slots[i].latency);
    free(t->slots);
    *t = (struct timeline){0};
}

static struct slot *slot_at(struct timeline *t, size_t i)
{
    if (i >= TIMELINE_SLOTS_MAX)
        i = TIMELINE_SLOTS_MAX - 1;
    if (i >= t->room) {
        const size_t room = i + 1 + t->room / 2;
        t->slots = xrealloc(t->slots, room * sizeof *t->slots);
        t->room = room;
    }
    for (; t->count <= i; t->count++)
        t->slots[t->count] = (struct slot){0};
    return &t->slots[i];
}

static struct slot *slot_of_time(struct timeline *t, int64_t at_ns)
{
    return slot_at(t, at_ns < 0 ? 0 : (size_t)(at_ns / t->slot_ns));
}

void timeline_add(struct timeline *t, int64_t at_ns, enum moment what)
{
    slot_of_time(t, at_ns)->counts[what]++;
}

void timeline_latency(struct timeline *t, int64_t at_ns, int64_t latency_us)
{
    struct slot *slot = slot_of_time(t, at_ns);
    if (slot->latency.bits == 0)
        histogram_init(&slot->latency, HISTOGRAM_COARSE);
    histogram_add(&slot->latency, latency_us);
}

void timeline_merge(struct timeline *into, const struct timeline *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct slot *slot = slot_at(into, i);
        for (int k = 0; k < MOMENT_COUNT; k++)
            slot->counts[k] += from->slots[i].counts[k];
        if (from->slots[i].latency.bits == 0)
            continue;
        if (slot->latency.bits == 0)
            histogram_init(&slot->latency, HISTOGRAM_COARSE);
        histogram_merge(&slot->latency, &from->slots[i].latency);
    }
}
