/*
 * Every name that travels between programs: exchanges, queues, routing keys, message headers, JSON members.
 * They are fixed; a virtual host keeps deployments apart. The topology table (topology_table.c) is built from
 * them.
 */
#ifndef SECKILL_PIPELINE_NAMES_H
#define SECKILL_PIPELINE_NAMES_H

/* Exchanges */
#define EXCHANGE_ORDERS "seckill.orders" /* direct, key = shard */
#define EXCHANGE_EVENTS "seckill.events" /* topic, key = event name */
#define EXCHANGE_RETRY  "seckill.retry"
#define EXCHANGE_DEAD   "seckill.dead"
#define EXCHANGE_STOCK  "seckill.stock" /* fanout: catalogue snapshots, signs of life */
#define EXCHANGE_RPC    "seckill.rpc"   /* direct: questions */
#define EXCHANGE_REPLY  "seckill.reply" /* direct: decisions and answers, key = the asker's own queue */

/* Queues */
#define QUEUE_ORDERS_PREFIX        "seckill.orders." /* + shard */
#define QUEUE_NOTIFICATION         "seckill.notification"
#define QUEUE_REDPACKET            "seckill.redpacket"
#define QUEUE_DEAD                 "seckill.dead"
#define QUEUE_RPC_INVENTORY_PREFIX "seckill.rpc.inventory." /* + shard */
#define QUEUE_RPC_REDPACKET        "seckill.rpc.redpacket"
#define QUEUE_RPC_NOTIFICATION     "seckill.rpc.notification"
#define QUEUE_RETRY_PREFIX         "seckill.retry." /* + delay + "." + consumer: a delay queue */

/* Routing keys on EXCHANGE_RPC */
#define KEY_RPC_INVENTORY_PREFIX "inventory." /* + shard */
#define KEY_RPC_REDPACKET        "redpacket"
#define KEY_RPC_NOTIFICATION     "notification"

/* Routing keys on EXCHANGE_RETRY. What is published under a delay's key waits that long in the delay queue,
 * and is then dead-lettered to the same exchange under the consumer's own key, which leads back to the
 * consumer's queue. */
#define KEY_RETRY_1S_NOTIFICATION  "1s.notification"
#define KEY_RETRY_5S_NOTIFICATION  "5s.notification"
#define KEY_RETRY_30S_NOTIFICATION "30s.notification"
#define KEY_RETRY_5M_NOTIFICATION  "5m.notification"
#define KEY_RETRY_NOTIFICATION     "notification"
#define KEY_RETRY_REDPACKET        "redpacket" /* no delays: for the replay of its dead letters */

#define MAX_SHARDS 64 /* one byte of an order id is the shard */

/* Content types */
#define TYPE_LINES "application/x-ndjson"
#define TYPE_JSON  "application/json"

/* Message headers of an order batch: who published it, its number there (from 1, without gaps where published
 * in turn), and how many orders it holds. message_id is "<producer>-<seq>". */
#define HEADER_PRODUCER "seckill-producer"
#define HEADER_SEQ      "seckill-seq"
#define HEADER_COUNT    "seckill-count"

/* Message headers of a dead letter: where it came from, why, when, how often. HEADER_COUNT is there too. */
#define HEADER_DEAD_REASON     "seckill-reason" /* a word */
#define HEADER_DEAD_DETAIL     "seckill-detail" /* a sentence */
#define HEADER_DEAD_QUEUE      "seckill-queue"
#define HEADER_DEAD_AT_MS      "seckill-at-ms"
#define HEADER_DEAD_ATTEMPTS   "seckill-attempts"
#define HEADER_DEAD_TIMES      "seckill-times"      /* that it became one: more after replays */
#define HEADER_DEAD_MESSAGE_ID "seckill-message-id" /* of the message it was; absent: it had none */
#define HEADER_DEAD_REPLY_TO   "seckill-reply-to"   /* the same */

/* Message headers of a question: the method, and the moment (wall clock, ms) after which nobody waits any
 * more. */
#define HEADER_RPC_METHOD      "seckill-method"
#define HEADER_RPC_DEADLINE_MS "seckill-deadline-ms"

/* The code of an answer where the environment failed, a disk mostly: nobody knows what was done. Every other
 * code says that nothing was. */
#define RPC_CODE_FAILED "failed"

/* What came from EXCHANGE_STOCK; without this header it is a snapshot. */
#define HEADER_KIND    "seckill-kind"
#define KIND_HEARTBEAT "heartbeat"

/* Version of every line, and of the snapshots. */
#define MESSAGE_VERSION 1

/* Events; each is its own routing key on EXCHANGE_EVENTS. */
#define EVENT_ORDER_CONFIRMED   "order.confirmed"
#define EVENT_ORDER_REJECTED    "order.rejected"
#define EVENT_REDPACKET_GRANTED "redpacket.granted"

/* Questions to inventory. */
#define RPC_ITEM_PUT                                                                                         \
    "item.put" /* {sku, name?, unit_price?, stock?, …, "if_match"?, "if_absent"?} → the item, with       \
                  "created":true where it is new */
#define RPC_ITEM_RESTOCK                                                                                     \
    "item.restock" /* {sku, quantity, key} → {sku, quantity, stock_total, version, restocked_at}, the same \
                      again for the same key */
#define RPC_ITEM_SHOW "item.show" /* {sku} → the item */
#define RPC_ITEM_LIST "item.list" /* {} → {"items": […]} */
#define RPC_ORDER_STATUS                                                                                     \
    "order.status" /* {"ids": […]} → {"orders": [decision lines, or {order_id, "status":"unknown"}]} */

#define RPC_ORDER_SHOW                                                                                       \
    "order.show" /* {order_id} → what order.status says of it, with "accepted_ms", "limit_per_user" and    \
                    "archived"; not_found */

#define RPC_ORDERS_ARCHIVE                                                                                   \
    "orders.archive" /* {"decided_before_ms", "limit", "after"?} → {"moved", "looked_at", "next": id or    \
                        null}: of the next orders behind `after`, the old ones go into the archive */

/* Questions to every worker: an operator has dealt with dead letters that it made. */
#define RPC_DEAD_SETTLE                                                                                      \
    "dead.settle" /* {"how": "replayed"|"dropped", "letters": [{"message", "line", "times"}]}                \
                     → {"settled": N, "unknown": N} */

/* Questions to notification. */
#define RPC_NOTIFICATION_SHOW                                                                                \
    "notification.show" /* {order_id} → {"records": [{"event", "state", "attempts", "last_error"?,         \
                           "created_ms", "changed_ms"}]} */

/* Questions to the red packets' worker. */
#define RPC_CAMPAIGN_PUT  "campaign.put"  /* {sku, budget?, packets?, min_amount?} → the campaign */
#define RPC_CAMPAIGN_SHOW "campaign.show" /* {sku} → the campaign */
#define RPC_CAMPAIGN_LIST "campaign.list" /* {} → {"campaigns": […]} */
#define RPC_PACKET_SHOW   "packet.show"   /* {"order_id"} → {…,"status","amount","at_ms"}; not_found. */
                                          /* {"ids": […]} → {"packets": […]}, an unknown one too */
#define RPC_BALANCE_SHOW "balance.show"   /* {"user_id"} → {"user_id","amount","packets"} */

#endif
