/*
 * Recording (trace.file): what arrives at POST /v1/orders goes into a trace (common/trace/trace_record.h), to
 * be replayed before the next sale.
 *
 * The request path copies the request as it came into memory, under a lock that is held for that long; a
 * thread of the recorder reads, hashes, compresses and writes behind it. The memory is bounded: what finds no
 * room is dropped and counted, and so is what a disk does not take. The first failure to write ends the
 * recording; orders are taken all the same.
 */
#ifndef SECKILL_ORDER_TRACE_RECORDER_H
#define SECKILL_ORDER_TRACE_RECORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "services/order/order_request.h"

struct trace_recorder;

struct arrival {
    int64_t at_ns; /* monotonic clock: its headers were here */
    enum body_type type;
    struct slice body;   /* as it came, at most ORDER_BODY_MAX bytes; empty: it was not read */
    const char *key;     /* its Idempotency-Key; NULL: none */
    const char *verdict; /* a constant word: "accepted", or the problem's code */
};

struct trace_recorder_options {
    const char
        *path; /* where there is a file already, the next free "NAME-2.zst", "NAME-3.zst", … is taken */
    const char *by;    /* who records, for the trace's header */
    bool hash_users;   /* users are written as a hash under a key that is forgotten with the recorder */
    size_t memory_max; /* bytes that may wait to be written; 0: 8 MiB */
};

/* Makes the file and starts the thread. E_IO, E_EXISTS (all names are taken), with a reason. */
int trace_recorder_start(struct trace_recorder **out, const struct trace_recorder_options *options,
                         struct detail *why) MUST_USE;

/* Any thread. Everything is copied. */
void trace_recorder_note(struct trace_recorder *t, const struct arrival *arrival);

const char *trace_recorder_path(const struct trace_recorder *t); /* the name that was taken */

struct trace_recorder_counts {
    uint64_t written, dropped;
};
struct trace_recorder_counts trace_recorder_counts(const struct trace_recorder *t); /* any thread */

/* Writes what waits, ends the file and the thread, and frees. NULL is fine. Nobody notes any more. */
void trace_recorder_stop(struct trace_recorder *t);

#endif
