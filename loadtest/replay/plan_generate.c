/* The generator: times by the shape, then who asks for what at each of them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "loadtest/replay/plan.h"
#include "loadtest/replay/random.h"

#define REPEAT_WINDOW 4096 /* a repeat is of one of so many before it */
#define NS            ((double)NS_PER_S)

/* Requests from 0 to t seconds at a rate of 1. */
static double shape_integral(const struct plan_generator *g, double t)
{
    switch (g->shape) {
    case SHAPE_RAMP:
        return t * t / (2 * g->duration_s);
    case SHAPE_SPIKE:
        return t <= 1 ? t : 1 + (1 - exp2(1 - t)) / M_LN2;
    default:
        return t;
    }
}

/* The time at which the integral is y. */
static double shape_time(const struct plan_generator *g, double y)
{
    switch (g->shape) {
    case SHAPE_RAMP:
        return sqrt(2 * g->duration_s * y);
    case SHAPE_SPIKE:
        return y <= 1 ? y : 1 - log2(1 - (y - 1) * M_LN2);
    default:
        return y;
    }
}

/* How many, and the rate that gives them. */
static int settle_count(const struct plan_generator *g, uint64_t *count, double *rate, struct detail *why)
{
    const double whole = shape_integral(g, g->duration_s);
    *rate = g->rate > 0 ? g->rate : (double)g->count / whole;
    const double wanted = floor(*rate * whole + 0.5);
    const double capped = g->count > 0 && (double)g->count < wanted ? (double)g->count : wanted;
    if (capped > PLAN_MAX) {
        detail_set(why, "this comes to %.0f requests; the most is %d", capped, PLAN_MAX);
        return E_FULL;
    }
    if (capped < 1) {
        detail_set(why, "this comes to no request at all: give --rate, or --count");
        return E_INVALID;
    }
    *count = (uint64_t)capped;
    return 0;
}

static void set_times(struct plan *plan, const struct plan_generator *g, double rate, struct random *r)
{
    double at = 0;
    for (size_t i = 0; i < plan->count; i++) {
        if (g->shape == SHAPE_POISSON)
            at += random_exponential(r) / rate;
        else
            at = shape_time(g, (double)i / rate);
        plan->intents[i].at_ns = (int64_t)(at * NS);
    }
}

static uint16_t draw_sku(const struct plan_generator *g, double whole, struct random *r)
{
    double at = random_unit(r) * whole;
    for (size_t i = 0; i + 1 < g->sku_count; i++) {
        if (at < g->skus[i].weight)
            return (uint16_t)i;
        at -= g->skus[i].weight;
    }
    return (uint16_t)(g->sku_count - 1);
}

/* An earlier well-formed request to be sent once more, or NULL. */
static const struct intent *draw_earlier(const struct plan *plan, size_t i, struct random *r)
{
    const size_t window = i < REPEAT_WINDOW ? i : REPEAT_WINDOW;
    for (int attempt = 0; window > 0 && attempt < 8; attempt++) {
        const struct intent *earlier = &plan->intents[i - 1 - random_below(r, window)];
        if (!earlier->malformed)
            return earlier;
    }
    return NULL;
}

static void set_buyers(struct plan *plan, const struct plan_generator *g, struct random *r)
{
    struct zipf zipf;
    double weights = 0;
    uint32_t keys = 0;
    zipf_init(&zipf, g->users, g->zipf);
    for (size_t i = 0; i < g->sku_count; i++)
        weights += g->skus[i].weight;
    for (size_t i = 0; i < plan->count; i++) {
        struct intent *n = &plan->intents[i];
        const struct intent *earlier;
        const double kind = random_unit(r);
        if (kind < g->malformed) {
            n->malformed = true;
            n->user = (uint32_t)random_below(r, 1 << 16);
            plan->malformed++;
            continue;
        }
        if (kind < g->malformed + g->repeats && (earlier = draw_earlier(plan, i, r)) != NULL) {
            const int64_t at_ns = n->at_ns;
            *n = *earlier;
            n->at_ns = at_ns;
            n->repeat = true;
            plan->repeats++;
            continue;
        }
        const bool is_bot = kind >= 1 - g->bots;
        plan->bots += is_bot;
        n->user = is_bot ? 0 : (uint32_t)zipf_draw(&zipf, r);
        n->sku = draw_sku(g, weights, r);
        n->quantity = g->quantity;
        n->key = g->keyed ? ++keys : 0;
    }
}

int plan_generate(struct plan *plan, const struct plan_generator *g, struct detail *why)
{
    struct random times, buyers;
    uint64_t count;
    double rate;
    int rc = settle_count(g, &count, &rate, why);
    if (rc)
        return rc;
    *plan = (struct plan){.count = count};
    plan->intents = xcalloc(count, sizeof *plan->intents);
    for (size_t i = 0; i < g->sku_count; i++)
        (void)plan_names_add(&plan->skus, g->skus[i].name);
    /* Apart, so that the same buyers come whatever the shape is. */
    random_seed(&times, g->seed);
    random_seed(&buyers, ~g->seed);
    snprintf(plan->key_prefix, sizeof plan->key_prefix, "%016" PRIx64 "-", random_next(&buyers));
    set_times(plan, g, rate, &times);
    set_buyers(plan, g, &buyers);
    return 0;
}
