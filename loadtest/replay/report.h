/* What a run came to: as text, as JSON, as one page with charts. */
#ifndef SECKILL_REPLAY_REPORT_H
#define SECKILL_REPLAY_REPORT_H

#include <stdio.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "loadtest/replay/run.h"

/* Figures that text and JSON must not count in two ways. */
struct report_rates {
    double peak_s, offered, sent, accepted, refused;
    double decided;        /* -1: not known */
    double decided_s;      /* the time that `decided` is over: to the end of the drain */
    int64_t decisions;     /* in it */
    int64_t failed, other; /* other: answers that are neither 202 nor a refusal */
    int64_t most_undecided;
    double process_cores, machine_cores; /* busy during the peak */
};

void report_rates(const struct run *run, struct report_rates *out);

void report_text(const struct run *run, FILE *out);
void report_json(const struct run *run, struct buffer *out);

/* Writes it into a file, in place of what it held. E_IO with the reason. */
int report_write_json(const struct run *run, const char *path, struct detail *why) MUST_USE;
int report_write_html(const struct run *run, const char *path, struct detail *why) MUST_USE;

/* The names of enum engine_end, for people and for JSON. */
extern const char *const report_end_words[ENGINE_ENDS];
extern const char *const report_end_names[ENGINE_ENDS];

#endif
