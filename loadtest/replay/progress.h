/* What a person sees while it runs, on stderr: a bar on a terminal, now and then a line elsewhere. */
#ifndef SECKILL_REPLAY_PROGRESS_H
#define SECKILL_REPLAY_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;
struct sampler;
struct peak_share;
struct follow_share;

struct progress {
    const struct run *run;
    struct sampler *sampler;
    struct peak_share *peak; /* or */
    struct follow_share *follow;
    int64_t whole; /* requests, or orders to be followed */
    bool is_terminal;
    int64_t shown_ns, every_ns;
    int64_t sent, accepted, refused; /* when it was last shown */
};

void progress_peak(struct progress *p, const struct run *run, struct peak_share *shares,
                   struct sampler *sampler);
void progress_follow(struct progress *p, const struct run *run, struct follow_share *shares, size_t whole);
void progress_show(struct progress *p); /* looks at the clock itself: call it often */
void progress_end(struct progress *p);
void progress_note(const char *text); /* a line of its own */

#endif
