/*
 * What the threads of one front end share. main() makes it before the HTTP threads start and it outlives
 * them; whatever changes in between is atomic or has its own lock.
 */
#ifndef SECKILL_ORDER_FRONT_END_H
#define SECKILL_ORDER_FRONT_END_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/pipeline/order_id.h"
#include "services/order/address_limit.h"
#include "services/order/admin_desk.h"
#include "services/order/admin_token.h"
#include "services/order/alive.h"
#include "services/order/authenticate.h"
#include "services/order/catalogue.h"
#include "services/order/http_forwarded.h"
#include "services/order/metrics.h"
#include "services/order/packet_desk.h"
#include "services/order/pending.h"
#include "services/order/publisher.h"
#include "services/order/stats.h"
#include "services/order/status_desk.h"
#include "services/order/trace_recorder.h"
#include "services/order/user_rate.h"

struct front_end {
    struct pending *pending;
    struct catalogue *catalogue;
    struct publisher *publisher;
    struct status_desk *desk;
    struct packet_desk *packets;
    struct admin_desk *admin;
    struct admin_token *admin_token;
    struct metrics *metrics;
    struct trace_recorder *trace; /* NULL: nothing is recorded */
    struct stats *stats;
    struct alive *alive;
    const char *instance;                        /* this run's name, in messages, ledger and signs of life */
    _Atomic(const struct order_id_key *) id_key; /* SIGHUP may replace it; the old ones stay until the end */
    struct authenticator *authenticator;
    int shards;
    struct {
        const char *order, *busy, *sold_out;
    } pages;                         /* where browsers are sent; settings_check has looked at them */
    struct address_limit *addresses; /* their connections */
    struct address_limit *clients;   /* requests under way of clients behind trusted proxies */
    struct networks proxies;         /* http.trusted_proxies */
    int64_t max_connections;     /* of the whole process; beyond it requests are answered 503 and closed */
    _Atomic int64_t connections; /* open right now; the HTTP threads count */
    struct rate_bucket requests; /* POST /v1/orders, of all threads */
    struct rate_line refused;    /* … those that this bucket had no token for */
    struct user_rates *users;
    /* admission.*, which SIGHUP may change. Each is read on its own: a request may see an old burst beside a
     * new rate. */
    _Atomic int64_t max_rate, user_rate, user_burst, max_pending;
    _Atomic bool log_orders; /* log.orders; SIGHUP may change it */
    _Atomic bool draining;   /* SIGTERM came: no new orders, and every answer closes its connection */
};

#endif
