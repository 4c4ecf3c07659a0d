/*
 * A whole replay: the plan is sent, the drain awaited, the accepted orders followed; then all of it is in
 * this struct, for the report.
 */
#ifndef SECKILL_REPLAY_RUN_H
#define SECKILL_REPLAY_RUN_H

#include "loadtest/replay/machine.h"
#include "loadtest/replay/peak.h"
#include "loadtest/replay/plan.h"
#include "loadtest/replay/sampler.h"
#include "loadtest/replay/settings.h"
#include "loadtest/replay/target.h"
#include "loadtest/replay/verify.h"

struct run {
    const struct replay_settings *settings;
    const struct plan *plan;
    struct target target;
    struct machine machine;
    int64_t started_ms; /* wall clock */
    int64_t start_ns;   /* of the peak, by clock_mono_ns */
    int64_t peak_ns;    /* from then to the last answer */
    bool stopped;       /* by a signal */

    struct peak_counts counts;
    struct machine_time begin, end; /* of the peak */
    int64_t connections, reconnects;

    struct sample *samples; /* owned */
    size_t sample_count;
    bool is_drained;  /* the front end said so … */
    int64_t drain_ns; /* … so long after the last answer */

    bool is_verified; /* the verification below was made */
    struct verification verification;
    char verify_trouble[320]; /* why it was not, or not wholly */
    int64_t verify_ns;
};

/* Opens the connections, runs everything, fills the struct. E_REFUSED if the server is not to be had;
 * E_INVALID if the system does not allow so many connections. signal_fd: signals_start's. */
int run_replay(struct run *run, int signal_fd, struct detail *why) MUST_USE;
void run_free(struct run *run);

#endif
