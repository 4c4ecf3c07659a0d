/*
 * One thread's connections and its epoll loop. What is to be sent comes from a source, in the order of its
 * due time, and leaves then: on the connection that has been idle longest, or on the next one that becomes
 * free. One request at a time on each connection; a lost one is opened again.
 *
 * An engine belongs to the thread that runs it. It may be run again, with another source, on the connections
 * that it has.
 */
#ifndef SECKILL_REPLAY_ENGINE_H
#define SECKILL_REPLAY_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "loadtest/replay/response.h"
#include "loadtest/replay/target.h"

enum engine_end { /* how a request ended */
                  ENGINE_ANSWERED,
                  ENGINE_NO_CONNECTION, /* it was its turn, and no connection could be made for it */
                  ENGINE_LOST,          /* the connection broke before the answer was whole */
                  ENGINE_BROKEN,        /* the answer is no HTTP */
                  ENGINE_TIMEOUT,       /* no answer in time */
                  ENGINE_ENDS
};

struct engine_job {
    int64_t due_ns; /* when it should leave */
    uint32_t ticket;
};

struct engine_source {
    void *context;
    /* Takes the next request if it is due at now, and appends its bytes. Else false, with the time at which
     * to ask again: INT64_MAX if only an answer can change that. */
    bool (*next)(void *context, int64_t now_ns, struct engine_job *job, struct buffer *bytes,
                 int64_t *ask_ns);
    /* The request ended. r: the answer, valid during the call; NULL unless ENGINE_ANSWERED. */
    void (*done)(void *context, const struct engine_job *job, int64_t sent_ns, int64_t now_ns,
                 enum engine_end end, const struct response *r);
    /* No request is left: the loop ends when the last answer is here. */
    bool (*is_over)(void *context, int64_t now_ns);
};

struct engine;

struct engine *engine_new(const struct target *target, int connections);
void engine_free(struct engine *e); /* NULL is fine */

/* Opens all connections. E_REFUSED with the reason if none could be opened within the seconds. */
int engine_connect(struct engine *e, int seconds, struct detail *why) MUST_USE;

/* Runs the source to its end. A request ends after timeout_ns at the latest. stop: another thread may set it;
 * nothing leaves after that, and answers are awaited for one more second. */
void engine_run(struct engine *e, const struct engine_source *source, int64_t timeout_ns,
                const atomic_bool *stop);

int engine_open_connections(const struct engine *e);
int64_t engine_reconnects(const struct engine *e); /* connections lost and opened again */

#endif
