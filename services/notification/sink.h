/*
 * Where messages to buyers go. Two families:
 *
 *  - local ones (log, file) take a message at once. It is composed at any time, and written inside of the
 * transaction that records it as sent: a crash before the commit writes it again. If they cannot be written,
 * the environment has failed, and with it the transaction.
 *  - a gateway (webhook) needs its time. Messages are recorded as pending first, sent beside the queue, many
 * at once, and each outcome is recorded when it is there.
 *
 * One thread at a time, but for compose. A sink is made by sink_log_new, sink_file_new or sink_webhook_new.
 */
#ifndef SECKILL_NOTIFICATION_SINK_H
#define SECKILL_NOTIFICATION_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/pipeline/event_message.h"

struct sink_message { /* valid during the call */
    const struct event *event;
    struct slice text; /* for the buyer, rendered from the template; UTF-8 */
    int64_t attempt;   /* 1 for the first */
    uint64_t token;    /* a gateway's: comes back with the outcome */
};

/* "<order id>:<kind>", the same at each attempt: the gateway's Idempotency-Key. */
#define SINK_KEY_SIZE 64
const char *sink_key(const struct event *e, char out[SINK_KEY_SIZE]);

enum sink_verdict {
    SINK_SENT,      /* taken */
    SINK_RETRY,     /* 408, 429, 5xx or no answer: not now */
    SINK_PERMANENT, /* any other answer: never */
};

struct sink_outcome {
    uint64_t token;
    enum sink_verdict verdict;
    int64_t retry_after_ms; /* what the gateway asked for; 0: nothing */
    struct detail why;      /* unless it was sent */
};

struct sink {
    const char *name;
    const struct sink_ops *ops;
};

struct sink_ops {
    void (*free)(struct sink *s);

    /* Local sinks; NULL for a gateway. */
    /* Appends what write is to be given. Reads nothing but the message: may run beside the others. */
    void (*compose)(const struct sink_message *m, struct buffer *out);
    void (*write)(struct sink *s, struct slice composed);
    int (*flush)(struct sink *s); /* before the commit; E_IO with its own log line */
    /* After a rollback. What was flushed stays: a commit that failed to sync can still be found in the log by
     * the next process, and then its messages count as sent. */
    void (*discard)(struct sink *s);

    /* Gateways; NULL for a local sink. None of these waits. */
    int (*room)(struct sink *s); /* how many more it takes now */
    void (*start)(struct sink *s, const struct sink_message *m);
    /* Moves what is under way; copies outcomes, at most max, and returns how many. */
    int (*run)(struct sink *s, int64_t now_ns, struct sink_outcome *outcomes, int max);
    int (*wait_fd)(struct sink *s);
    int64_t (*due_ns)(struct sink *s); /* monotonic; INT64_MAX: only the descriptor */
    int (*in_flight)(struct sink *s);

    void (*reload)(struct sink *s); /* SIGHUP: reads its secrets again; NULL: it has none */
};

struct settings;

struct sink *sink_log_new(void);
int sink_file_new(struct sink **out, const struct settings *settings, struct detail *why) MUST_USE; /* E_IO */
int sink_webhook_new(struct sink **out, const struct settings *settings,
                     struct detail *why) MUST_USE; /* E_INVALID */

static inline void sink_free(struct sink *s)
{
    if (s)
        s->ops->free(s);
}

#endif
