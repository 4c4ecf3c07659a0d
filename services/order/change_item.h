/*
 * PUT /v1/items/{sku} and POST /v1/items/{sku}/restock: what an operator sent becomes a question to the
 * inventory of the item's shard, and its outcome an answer. Nothing is changed here: the next snapshot brings
 * it. Never waits. Knows nothing of HTTP beyond the words of an answer; who may ask is not its business.
 *
 * What cannot be asked is a 503, and nothing was done. What was asked and not answered is a 504: it may have
 * been done. Both may be sent again: a PUT sets what is so already, and a restock counts once for its key.
 */
#ifndef SECKILL_ORDER_CHANGE_ITEM_H
#define SECKILL_ORDER_CHANGE_ITEM_H

#include "services/order/admin_request.h"
#include "services/order/front_end.h"
#include "services/order/http_reply.h"

enum change_step {
    CHANGE_ANSWERED, /* *reply is the answer */
    CHANGE_WAITING,  /* the question is at the desk and comes back through its mailbox: then finish */
};

/* q->mailbox is set by the owner. */
enum change_step change_item(struct front_end *fe, struct admin_question *q, const struct admin_request *r,
                             struct http_reply *reply) MUST_USE;
enum change_step restock_item(struct front_end *fe, struct admin_question *q, const struct admin_request *r,
                              struct http_reply *reply) MUST_USE;

/* The question is back. */
void change_item_finish(struct front_end *fe, struct admin_question *q, struct http_reply *reply);

#endif
