/* GET /v1/stats: what this front end counts and how fast, and which services of the deployment are alive.
 * From memory; never waits. */
#ifndef SECKILL_ORDER_QUERY_STATS_H
#define SECKILL_ORDER_QUERY_STATS_H

#include "services/order/front_end.h"
#include "services/order/http_reply.h"

void query_stats(struct front_end *fe, struct http_reply *reply);

#endif
