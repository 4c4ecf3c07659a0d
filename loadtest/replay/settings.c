/* The settings of seckill-replay. */
#include "loadtest/replay/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"

static const char *const shapes[] = {"none", "constant", "ramp", "spike", "poisson", NULL}; /* plan_shape */

#define FIELD(name)   .key = "replay." #name, .offset = offsetof(struct replay_settings, name)
#define INT(low, top) .type = CONFIG_INT, .min = (low), .max = (top)
#define TEXT          .type = CONFIG_TEXT

/* clang-format off */
const struct config_option replay_table[] = {
    {FIELD(url), TEXT, .fallback = "http://127.0.0.1:8080", .word = "URL",
     .help = "The front end, by http."},
    {FIELD(trace), TEXT, .fallback = "", .word = "FILE",
     .help = "Replay this recorded sale."},
    {FIELD(speed), TEXT, .fallback = "1", .word = "X",
     .help = "… so many times as fast (0.001 to 1000)."},
    {FIELD(generate), .type = CONFIG_CHOICE, .choices = shapes, .fallback = "none", .word = "SHAPE",
     .help = "Make up a sale: constant, ramp (from nothing to --rate), spike (--rate in the opening second, then half "
             "as many each second), poisson (as independent buyers come)."},
    {FIELD(rate), INT(0, 10000000), .fallback = "0", .unit = "1/s", .word = "N",
     .help = "Requests a second; 0: as many as --count needs."},
    {FIELD(duration), INT(1, 3600), .fallback = "10", .unit = "s", .word = "N",
     .help = "How long the made-up sale lasts."},
    {FIELD(count), INT(0, PLAN_MAX), .fallback = "0", .word = "N",
     .help = "Requests at most; 0: as many as --rate gives, or as the trace has."},
    {FIELD(users), INT(1, 100000000), .fallback = "100000", .word = "N",
     .help = "How many buyers there are."},
    {FIELD(zipf), TEXT, .fallback = "0", .word = "S",
     .help = "How unevenly they come, by Zipf's law (0 to 10): 0 is evenly, 1 is as people do."},
    {FIELD(sku), TEXT, .fallback = "phone-1", .word = "SKU[:WEIGHT]", .list = true,
     .help = "An item that is asked for, and how often beside the others; repeatable."},
    {FIELD(quantity), INT(1, 1000), .fallback = "1", .word = "N",
     .help = "Units of each order."},
    {FIELD(keyed), .type = CONFIG_BOOL, .fallback = "yes",
     .help = "Send an Idempotency-Key with each order (--keyed=no: without)."},
    {FIELD(repeats), TEXT, .fallback = "0", .word = "SHARE",
     .help = "This share of the requests (0 to 1) are repeats of earlier ones with their key."},
    {FIELD(bots), TEXT, .fallback = "0", .word = "SHARE",
     .help = "This share comes from one hammering user."},
    {FIELD(malformed), TEXT, .fallback = "0", .word = "SHARE",
     .help = "This share is malformed."},
    {FIELD(seed), INT(0, INT64_MAX), .fallback = "0", .word = "N",
     .help = "The same seed makes up the same sale, keys too; 0: one of its own for each run, which the report names."},
    {FIELD(save_trace), TEXT, .fallback = "", .word = "FILE",
     .help = "Write the sale down as a trace instead of sending it."},
    {FIELD(connections), INT(1, 60000), .fallback = "256", .word = "N",
     .help = "Connections, kept open; a request for which none is free waits, and its latency counts."},
    {FIELD(threads), INT(1, 64), .fallback = "1", .word = "N",
     .help = "Threads that share them."},
    {FIELD(timeout), INT(1, 600), .fallback = "10", .unit = "s", .word = "N",
     .help = "A request without an answer after so long has failed."},
    {FIELD(overtime), INT(0, 86400), .fallback = "120", .unit = "s", .word = "N",
     .help = "How long after its end the peak may be late; what is not sent by then is not sent."},
    {FIELD(drain_timeout), INT(0, 86400), .fallback = "120", .unit = "s", .word = "N",
     .help = "How long to wait for the decisions of what was accepted; 0: not at all."},
    {FIELD(verify), .type = CONFIG_BOOL, .fallback = "no",
     .help = "Follow each accepted order to its decision, and check what a buyer can check."},
    {FIELD(verify_again), INT(0, PLAN_MAX), .fallback = "20000", .word = "N",
     .help = "Of these, ask again for so many whether the decision stands."},
    {FIELD(json), TEXT, .fallback = "", .word = "FILE",
     .help = "Write the report as JSON."},
    {FIELD(html), TEXT, .fallback = "", .word = "FILE",
     .help = "Write the report as one page with charts."},
    {.key = NULL},
};
/* clang-format on */

int replay_decimal(const char *key, const char *text, double min, double max, double *out, struct detail *why)
{
    char *end;
    const bool plain = *text != '\0' && text[strspn(text, "0123456789.")] == '\0';
    *out = plain ? strtod(text, &end) : NAN;
    if (plain && *end == '\0' && *out >= min && *out <= max)
        return 0;
    detail_set(why, "%s: expected a number from %g to %g, got \"%s\"", key, min, max, text);
    return E_INVALID;
}

/* The part behind the last colon, if it is a number: a weight. */
static int take_weight(struct plan_sku *sku, struct detail *why)
{
    const char *colon = memrchr(sku->name.data, ':', sku->name.len);
    char digits[16] = {0};
    sku->weight = 1;
    if (!colon)
        return 0;
    const size_t len = sku->name.len - (size_t)(colon + 1 - sku->name.data);
    if (len < sizeof digits)
        memcpy(digits, colon + 1, len);
    sku->name.len = (size_t)(colon - sku->name.data);
    return replay_decimal("replay.sku: the weight", digits, 0.001, 1000000, &sku->weight, why);
}

int replay_skus(const char *text, struct plan_sku skus[REPLAY_SKUS_MAX], struct detail *why)
{
    int n = 0;
    for (const char *p = text;; p++) {
        const size_t len = strcspn(p, ",");
        if (n == REPLAY_SKUS_MAX) {
            detail_set(why, "replay.sku: expected at most %d items", REPLAY_SKUS_MAX);
            return E_INVALID;
        }
        skus[n].name = (struct slice){.data = p, .len = len};
        if (take_weight(&skus[n], why) != 0)
            return E_INVALID;
        if (skus[n].name.len == 0 || skus[n].name.len > 64) {
            detail_set(why, "replay.sku: expected an item's name of 1 to 64 bytes, got \"%.*s\"", (int)len,
                       p);
            return E_INVALID;
        }
        n++;
        p += len;
        if (*p == '\0')
            return n;
    }
}

static int check_shares(const struct replay_settings *s, struct detail *why)
{
    double repeats, bots, malformed;
    if (replay_decimal("replay.repeats", s->repeats, 0, 1, &repeats, why) != 0 ||
        replay_decimal("replay.bots", s->bots, 0, 1, &bots, why) != 0 ||
        replay_decimal("replay.malformed", s->malformed, 0, 1, &malformed, why) != 0)
        return E_INVALID;
    if (repeats + bots + malformed > 1) {
        detail_set(why, "replay.repeats, replay.bots and replay.malformed: expected at most 1 together");
        return E_INVALID;
    }
    if (repeats > 0 && !s->keyed) {
        detail_set(why,
                   "replay.repeats: without a key a repeat is another order; expected replay.keyed = yes");
        return E_INVALID;
    }
    return 0;
}

int replay_settings_check(const void *settings, struct detail *why)
{
    const struct replay_settings *s = settings;
    struct plan_sku skus[REPLAY_SKUS_MAX];
    double number;
    if (replay_decimal("replay.speed", s->speed, 0.001, 1000, &number, why) != 0 ||
        replay_decimal("replay.zipf", s->zipf, 0, 10, &number, why) != 0 || check_shares(s, why) != 0 ||
        replay_skus(s->sku, skus, why) < 0)
        return E_INVALID;
    if (s->connections < s->threads) {
        detail_set(why, "replay.connections: expected at least one for each of the %d threads",
                   (int)s->threads);
        return E_INVALID;
    }
    return 0;
}

void replay_generator(const struct replay_settings *s, struct plan_sku skus[REPLAY_SKUS_MAX],
                      struct plan_generator *out)
{
    const int sku_count = replay_skus(s->sku, skus, NULL);
    *out = (struct plan_generator){.shape = (enum plan_shape)s->generate,
                                   .rate = (double)s->rate,
                                   .duration_s = (double)s->duration,
                                   .count = (uint64_t)s->count,
                                   .users = (uint64_t)s->users,
                                   .zipf = strtod(s->zipf, NULL),
                                   .skus = skus,
                                   .sku_count = sku_count > 0 ? (size_t)sku_count : 0,
                                   .quantity = (uint16_t)s->quantity,
                                   .repeats = strtod(s->repeats, NULL),
                                   .bots = strtod(s->bots, NULL),
                                   .malformed = strtod(s->malformed, NULL),
                                   .keyed = s->keyed,
                                   .seed = (uint64_t)s->seed};
}
