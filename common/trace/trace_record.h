/*
 * A trace: what arrived at POST /v1/orders, when, and what was answered. It is recorded by a front end or
 * written by a generator, and replayed by seckill-replay.
 *
 * The format, version 1. Lines of JSON in UTF-8, each ended by a line feed. The file may be one or more zstd
 * frames; it is where its name ends in ".zst". It can be written and read as a stream, and by any other
 * program.
 *
 *   {"seckill_trace":1,"started":"2026-11-11T00:00:00.000Z","by":"seckill-order 0.1.0","users":"plain"}
 *   {"t":1250,"user":"u17","sku":"phone-1","quantity":1,"key":"cart-77","verdict":"accepted"}
 *   {"t":1261,"verdict":"malformed"}
 *
 * The first line is the header: "seckill_trace" is the format's version; "started" is RFC 3339; "by" says who
 * wrote it; "users" is "plain", or "hashed" where the names stand for the buyers' real ones. Each further
 * line is one POST:
 *
 *   t         microseconds from "started" to the arrival. Lines may be a little out of order.
 *   user, sku as in the request, 1 to 64 bytes. Both are left out of a request that could not be read.
 *   quantity  1 to 1000; left out together with user and sku.
 *   key       its Idempotency-Key, 1 to 128 bytes; left out where it had none.
 *   verdict   "accepted", or the code of the problem that was answered ("sold_out"); left out where nobody
 *             was asked, as in a generated trace.
 *
 * A file whose end is missing (the writer died) is good up to its last whole line.
 *
 * To change it: members may be added, since a reader passes over those that it does not know. What an old
 * reader would misunderstand needs a new version number, and this reader must go on reading the old one.
 */
#ifndef SECKILL_TRACE_RECORD_H
#define SECKILL_TRACE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

#define TRACE_VERSION      1
#define TRACE_NAME_MAX     64  /* bytes of a user or a sku */
#define TRACE_KEY_MAX      128 /* of a key */
#define TRACE_VERDICT_MAX  32
#define TRACE_BY_MAX       64
#define TRACE_QUANTITY_MAX 1000
#define TRACE_AT_MAX_US    (366LL * 86400 * 1000000) /* a year: what is later is damage */

struct trace_header {
    int64_t started_ms; /* wall clock */
    struct slice by;
    bool users_hashed;
};

/* An empty slice is a member that is left out; user and sku are both there or neither, and quantity with
 * them. */
struct trace_record {
    int64_t at_us;
    int64_t quantity;
    struct slice user, sku, key, verdict;
};

/* Is it a name of a file that is compressed? */
bool trace_name_is_compressed(const char *path);

#endif
