/* The changes that operators asked for, sent to inventory by the broker thread, one message each; what comes
 * of them goes back to the desk. Broker thread only. */
#ifndef SECKILL_ORDER_ASK_ADMIN_H
#define SECKILL_ORDER_ASK_ADMIN_H

#include "common/pipeline/rpc_client.h"
#include "services/order/admin_desk.h"

/* Sends all that is to be sent. E_CLOSED: the publish connection died of it. */
int ask_admin(struct admin_desk *desk, struct rpc_client *rpc) MUST_USE;

#endif
