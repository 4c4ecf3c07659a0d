/* The settings of seckill-replay: one table, whose keys are its options, too (replay.rate is --rate). */
#ifndef SECKILL_REPLAY_SETTINGS_H
#define SECKILL_REPLAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/config.h"
#include "loadtest/replay/plan.h"

#define REPLAY_SKUS_MAX 256

struct replay_settings {
    const char *url;
    const char *trace, *speed;
    int generate; /* enum plan_shape */
    int64_t rate, duration, count;
    int64_t users, quantity, seed;
    const char *zipf, *sku, *repeats, *bots, *malformed;
    bool keyed;
    int64_t connections, threads, timeout, overtime, drain_timeout;
    bool verify;
    int64_t verify_again;
    const char *json, *html, *save_trace;
};

extern const struct config_option replay_table[];

/* program.h's check: what one value alone does not show. */
int replay_settings_check(const void *settings, struct detail *why);

/* "0.05", taken whole, in [min, max]. E_INVALID with a sentence that names the key. */
int replay_decimal(const char *key, const char *text, double min, double max, double *out,
                   struct detail *why) MUST_USE;

/* "phone-1:3,phone-2": items with their weights, 1 where none is given. Returns how many, or E_INVALID. The
 * names point into text. */
int replay_skus(const char *text, struct plan_sku skus[REPLAY_SKUS_MAX], struct detail *why) MUST_USE;

/* What the settings say of the generator; they have passed the check. skus is room that stays the caller's.
 */
void replay_generator(const struct replay_settings *s, struct plan_sku skus[REPLAY_SKUS_MAX],
                      struct plan_generator *out);

#endif
