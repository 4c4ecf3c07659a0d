/*
 * What is to be sent, and when: made before the first request leaves, from a trace or by a generator, in the
 * order of time. 32 bytes a request and nothing else where it is generated, so that a million cost little.
 *
 * Afterwards it is only read, by any thread.
 */
#ifndef SECKILL_REPLAY_PLAN_H
#define SECKILL_REPLAY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/base/slice.h"

#define PLAN_MAX       20000000 /* requests */
#define PLAN_NAME_SIZE 132      /* of any text that plan_… writes */

struct intent {
    int64_t at_ns; /* from the peak's start */
    uint32_t user; /* what plan_user() makes a name of; for a malformed request: which kind */
    uint32_t key;  /* 0: none */
    uint16_t sku;
    uint16_t quantity;
    bool malformed;
    bool repeat; /* of an earlier one: the same user, item and key */
};

/* Texts by number. From a trace: as they stood there. Made up: a prefix and the number. */
struct plan_names {
    struct buffer bytes; /* one behind the other; empty where they are made up */
    size_t *ends;        /* owned; ends[i]: where text i ends */
    size_t count;
    const char *prefix;
};

struct plan_verdict { /* what a trace says was answered then */
    char name[33];
    int64_t count;
};

#define PLAN_VERDICTS 32

struct plan {
    struct intent *intents; /* owned, by at_ns */
    size_t count;
    struct plan_names users, keys, skus;
    char key_prefix[20]; /* of made-up keys: by the seed */
    size_t repeats, bots, malformed;
    struct plan_verdict verdicts[PLAN_VERDICTS];
    int verdict_count;
    bool truncated;    /* the trace's end is missing */
    bool users_hashed; /* the trace says so */
};

enum plan_shape { SHAPE_NONE, SHAPE_CONSTANT, SHAPE_RAMP, SHAPE_SPIKE, SHAPE_POISSON };

struct plan_sku {
    struct slice name;
    double weight;
};

struct plan_generator {
    enum plan_shape shape;
    double rate; /* requests/s: of the whole, at the top of the ramp, in the opening second; 0: by count */
    double duration_s; /* of the whole peak */
    uint64_t count;    /* at most so many; the shape is scaled to it where rate is 0. 0: what rate gives */
    uint64_t users;
    double zipf;
    const struct plan_sku *skus;
    size_t sku_count;
    uint16_t quantity;
    double repeats, bots, malformed; /* shares of all requests */
    bool keyed;
    uint64_t seed;
};

/* How the shapes run, in requests/s at t of the duration D with the rate R:
 *   constant   R                    at even distances
 *   ramp       R · t / D
 *   spike      R in the first second, then half as many each second
 *   poisson    R                    at random distances, as independent buyers come */

/* E_INVALID where it comes to no request, E_FULL where to more than PLAN_MAX. */
int plan_generate(struct plan *plan, const struct plan_generator *g, struct detail *why) MUST_USE;

/* From a trace file, `speed` times as fast, at most `count` requests (0: all). As trace_reader.h; E_FULL. */
int plan_read(struct plan *plan, const char *path, double speed, uint64_t count, struct detail *why) MUST_USE;

/* Writes it down as a trace. E_EXISTS, E_IO. */
int plan_save(const struct plan *plan, const char *path, struct detail *why) MUST_USE;

void plan_free(struct plan *plan);

/* The texts of an intent. The slice points into the plan, or into out. */
struct slice plan_user(const struct plan *plan, uint32_t user, char out[PLAN_NAME_SIZE]);
struct slice plan_sku(const struct plan *plan, uint16_t sku, char out[PLAN_NAME_SIZE]);
struct slice plan_key(const struct plan *plan, uint32_t key, char out[PLAN_NAME_SIZE]); /* empty for 0 */

/* Adds a text and returns its number. */
uint32_t plan_names_add(struct plan_names *names, struct slice text);

#endif
