/* What can be asked of a front end: orders, items, its own state. From memory; never waits. */
#ifndef SECKILL_ORDER_QUERY_H
#define SECKILL_ORDER_QUERY_H

#include "services/order/front_end.h"
#include "services/order/http_reply.h"

/* GET /v1/orders/{id}: 200 if it is in memory here; 404 if no front end of this deployment issued the id;
 * else 503, since only inventory could tell. */
void query_order(struct front_end *fe, const char *id, struct http_reply *reply);

void query_items(struct front_end *fe, struct http_reply *reply);
void query_item(struct front_end *fe, const char *sku, struct http_reply *reply);

void query_health(struct front_end *fe, struct http_reply *reply);    /* the process answers */
void query_readiness(struct front_end *fe, struct http_reply *reply); /* it can take orders */
void query_metrics(struct front_end *fe, struct http_reply *reply);

#endif
