/* Random numbers that a seed brings back. */
#include "loadtest/replay/random.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void random_seed(struct random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->state[i] = splitmix(&seed);
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t random_next(struct random *r)
{
    uint64_t *s = r->state;
    const uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double random_unit(struct random *r)
{
    return (double)(random_next(r) >> 11) * 0x1p-53;
}

uint64_t random_below(struct random *r, uint64_t bound)
{
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t drawn;
    do {
        drawn = random_next(r);
    } while (drawn >= limit);
    return drawn % bound;
}

double random_exponential(struct random *r)
{
    return -log1p(-random_unit(r));
}

/* ---- Zipf ---- */

/* The integral of x^-s, and its inverse; both without loss where s is near 1. */
static double integral(const struct zipf *z, double x)
{
    const double log_x = log(x), t = (1 - z->exponent) * log_x;
    return (fabs(t) > 1e-8 ? expm1(t) / t : 1 + t / 2) * log_x;
}

static double integral_inverse(const struct zipf *z, double y)
{
    double t = y * (1 - z->exponent);
    if (t < -1)
        t = -1;
    return exp((fabs(t) > 1e-8 ? log1p(t) / t : 1 - t / 2) * y);
}

static double weight(const struct zipf *z, double x)
{
    return exp(-z->exponent * log(x));
}

void zipf_init(struct zipf *z, uint64_t count, double exponent)
{
    *z = (struct zipf){.count = (double)count, .exponent = exponent};
    z->at_low = integral(z, 1.5) - 1;
    z->at_high = integral(z, z->count + 0.5);
    z->shortcut = 2 - integral_inverse(z, integral(z, 2.5) - weight(z, 2));
}

uint64_t zipf_draw(const struct zipf *z, struct random *r)
{
    for (;;) {
        const double u = z->at_high + random_unit(r) * (z->at_low - z->at_high);
        const double x = integral_inverse(z, u);
        double k = floor(x + 0.5);
        if (k < 1)
            k = 1;
        else if (k > z->count)
            k = z->count;
        if (k - x <= z->shortcut || u >= integral(z, k + 0.5) - weight(z, k))
            return (uint64_t)k;
    }
}
