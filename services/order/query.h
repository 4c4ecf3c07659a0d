/* What can be asked of a front end beside orders (query_order.h): items, its own state. From memory; never
 * waits. */
#ifndef SECKILL_ORDER_QUERY_H
#define SECKILL_ORDER_QUERY_H

#include "services/order/front_end.h"
#include "services/order/http_reply.h"

void query_items(struct front_end *fe, struct http_reply *reply);
void query_item(struct front_end *fe, const char *sku, struct http_reply *reply);

void query_health(struct front_end *fe, struct http_reply *reply);    /* the process answers */
void query_readiness(struct front_end *fe, struct http_reply *reply); /* it can take orders */
void query_metrics(struct front_end *fe, struct http_reply *reply);

extern const struct slice openapi_file; /* generated: see embed_openapi.cmake */
void query_openapi(struct http_reply *reply);

#endif
