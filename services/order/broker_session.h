/*
 * A front end's two connections as one thing: one to publish on (with confirms), one that consumes decisions
 * and answers (private queue bound to seckill.reply), catalogue snapshots and signs of life (private
 * drop-head queue bound to seckill.stock). If either is lost, both are given up: orders whose decisions could
 * not come back would not be counted. Broker thread only.
 */
#ifndef SECKILL_ORDER_BROKER_SESSION_H
#define SECKILL_ORDER_BROKER_SESSION_H

#include "common/broker/address.h"
#include "common/broker/connection.h"
#include "common/broker/consume.h"
#include "common/pipeline/settings.h"

#define CONSUMER_REPLY "reply"
#define CONSUMER_STOCK "stock"

struct broker_session {
    struct broker_connection *publish;
    struct broker_connection *consume;
    char reply_queue[BROKER_NAME_SIZE];
    char stock_queue[BROKER_NAME_SIZE];
};

/* Opens both and starts consuming. Looks first whether exchange and queues of the orders are there:
 * E_NOT_FOUND with a detail that names what is missing. Blocks for at most a few times broker.timeout_ms;
 * usually some 20 ms. */
int broker_session_open(struct broker_session *s, const struct broker_address *address,
                        const struct settings *settings, struct detail *why) MUST_USE;

/* Another connection to publish on, in the place of the one that is there; what was published on that and not
 * confirmed may or may not have arrived. An error leaves the session as it was. */
int broker_session_renew_publish(struct broker_session *s, const struct broker_address *address,
                                 const struct settings *settings, struct detail *why) MUST_USE;

/* polite: say goodbye; otherwise just drop (a broker that does not answer). Leaves a zeroed struct. */
void broker_session_close(struct broker_session *s, bool polite);

#endif
