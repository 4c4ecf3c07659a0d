/*
 * A sign of life: every front end and every active worker sends one about once a second, transient, through
 * EXCHANGE_STOCK (HEADER_KIND says what it is), to every front end and to whoever else listens. Who has not
 * been heard of for HEARTBEAT_GONE_NS is gone. A standby opens nothing, the broker included, so it sends
 * none. schema/messages/heartbeat.json has it as JSON Schema with examples.
 */
#ifndef SECKILL_PIPELINE_HEARTBEAT_H
#define SECKILL_PIPELINE_HEARTBEAT_H

#include <stdint.h>

#include "common/base/buffer.h"
#include "common/broker/connection.h"

#define HEARTBEAT_EVERY_NS INT64_C(1000000000)
#define HEARTBEAT_GONE_NS  INT64_C(10000000000)

struct heartbeat {
    char service[32];  /* "order", "inventory.0", "redpacket", "notification" */
    char instance[96]; /* this run of it, of all runs on all hosts */
    char host[65];
    int64_t pid;
    char version[24];
    int64_t at_ms, started_ms; /* wall clock of the sender */
    int64_t handled;           /* orders accepted (a front end), lines handled (a worker), since the start */
    int64_t rate;              /* of these, in the last second */
    int64_t backlog;           /* accepted and undecided; or in hand, delivered and not handled yet */
    int64_t lag_ms; /* the oldest undecided one's age; or how old was, at most, what was handled since
                       the last sign of life */
    int64_t errors; /* answers 503 and 504; or dead letters; since the start */
};

/* Fills in what stays the same: host, pid, version, started_ms (now), and an instance made of these. */
void heartbeat_begin(struct heartbeat *h, const char *service);

/* Sets at_ms and rate, from what was handled since the last call. now_ns: monotonic. */
struct heartbeat_clock {
    int64_t due_ns, last_ns, last_handled;
};
void heartbeat_measure(struct heartbeat *h, struct heartbeat_clock *clock, int64_t now_ns);

/* Publishes it. Nobody needs to take it. E_CLOSED: the connection died of it. */
int heartbeat_send(const struct heartbeat *h, struct broker_connection *publish) MUST_USE;

/* Is it one, among what comes from EXCHANGE_STOCK? */
bool heartbeat_is(const struct broker_properties *p);

void heartbeat_encode(struct buffer *out, const struct heartbeat *h); /* with its "\n" */
int heartbeat_decode(struct slice body, struct heartbeat *out, struct detail *why) MUST_USE;

/* As it is shown, over HTTP and by seckillctl: an object, without a newline. */
void heartbeat_show(struct buffer *out, const struct heartbeat *h, int64_t last_seen_ms);

#endif
