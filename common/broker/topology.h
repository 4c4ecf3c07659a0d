/*
 * A topology as a table: exchanges, queues, bindings and policies. It is printed as a RabbitMQ definitions
 * file, which the set-up imports, and compared with what a broker has. Services never declare it themselves.
 */
#ifndef SECKILL_BROKER_TOPOLOGY_H
#define SECKILL_BROKER_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/broker/connection.h"

struct topology_exchange {
    const char *name;
    const char *type; /* direct, topic, fanout */
};

struct topology_queue {
    const char *name;
    bool quorum; /* else a classic one */
    bool single_active_consumer;
};

struct topology_binding {
    const char *exchange, *queue, *routing_key;
};

struct topology_policy {
    const char *name, *pattern; /* a regular expression over queue names; patterns must not overlap */
    int64_t max_length_bytes;   /* 0: none */
    int64_t message_ttl_ms;     /* 0: none */
    bool reject_publish;        /* else drop-head */
    const char *dead_letter_exchange,
        *dead_letter_routing_key; /* NULL: none; implies at-least-once on quorum queues */
};

struct topology {
    const struct topology_exchange *exchanges;
    size_t exchange_count;
    const struct topology_queue *queues;
    size_t queue_count;
    const struct topology_binding *bindings;
    size_t binding_count;
    const struct topology_policy *policies;
    size_t policy_count;
};

/* The definitions file (JSON) for this virtual host. */
int topology_print(const struct topology *t, const char *vhost, FILE *out) MUST_USE;

/* Looks for every exchange and queue; calls `missing` for each that is not there (kind is "exchange" or
 * "queue"). Returns 0 if all are there, E_NOT_FOUND if some are missing, E_CLOSED and the like if it could
 * not look. */
int topology_check(const struct topology *t, struct broker_connection *c,
                   void (*missing)(void *context, const char *kind, const char *name), void *context,
                   struct detail *why) MUST_USE;

#endif
