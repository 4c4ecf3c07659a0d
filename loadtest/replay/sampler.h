/*
 * Looks at the front end's /metrics and at this machine's processor time again and again, in a thread of its
 * own: the backlog, the decisions, and how busy the machine is.
 *
 * Behind one address there may be several front ends; /metrics is that of the one which took this connection.
 */
#ifndef SECKILL_REPLAY_SAMPLER_H
#define SECKILL_REPLAY_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "loadtest/replay/machine.h"
#include "loadtest/replay/target.h"

struct sample {
    int64_t at_ns;              /* clock_mono_ns */
    int64_t undecided, decided; /* decided: since the front end started; -1: it could not be asked */
    struct machine_time time;
};

struct sampler;

/* Samples at once, and then each interval. Fails only if no thread can be made. */
int sampler_start(struct sampler **out, const struct target *target, int64_t interval_ns) MUST_USE;

struct sample sampler_latest(struct sampler *s); /* any thread */

/* Waits until a sample shows that nothing is undecided, or the moment is over. True if so; then *at_ns is
 * when it was seen. Samples are taken every 50 ms meanwhile. */
bool sampler_wait_drained(struct sampler *s, int64_t end_ns, int signal_fd, int64_t *at_ns);

/* Ends the thread, and gives the samples to the caller, to be freed. */
struct sample *sampler_stop(struct sampler *s, size_t *count);

#endif
