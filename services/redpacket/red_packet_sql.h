/*
 * The SQL of red packets, each statement once and by name: red_packet_store.c prepares them, and a program
 * that measures what the same SQL costs alone runs the very same text.
 */
#ifndef SECKILL_REDPACKET_RED_PACKET_SQL_H
#define SECKILL_REDPACKET_RED_PACKET_SQL_H

/* For each confirmed order. No row changed: it is a duplicate. */
#define SQL_PACKET_ADD                                                                                       \
    "INSERT INTO packet (order_id, user_id, sku, status, amount, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"     \
    " ON CONFLICT DO NOTHING"

/* For each packet granted. */
#define SQL_BALANCE_ADD                                                                                      \
    "INSERT INTO balance (user_id, amount, packets) VALUES (?1, ?2, 1)"                                      \
    " ON CONFLICT DO UPDATE SET amount = amount + excluded.amount, packets = packets + 1"

/* For each transaction, once for each campaign that was drawn from. */
#define SQL_CAMPAIGN_TAKE                                                                                    \
    "UPDATE campaign SET budget_left = budget_left - ?2, packets_left = packets_left - ?3"                   \
    " WHERE sku = ?1 AND budget_left >= ?2 AND packets_left >= ?3"

/* For each duplicate, and each question. */
#define SQL_PACKET_FIND  "SELECT user_id, sku, status, amount, at_ms FROM packet WHERE order_id = ?1"
#define SQL_BALANCE_FIND "SELECT amount, packets FROM balance WHERE user_id = ?1"

/* At take-over and after a rollback. The order is memcmp's. */
#define SQL_CAMPAIGN_LIST                                                                                    \
    "SELECT sku, budget, packets, min_amount, budget_left, packets_left FROM campaign ORDER BY sku"

/* When an operator creates or changes a campaign. */
#define SQL_CAMPAIGN_PUT                                                                                     \
    "INSERT INTO campaign (sku, budget, packets, min_amount, budget_left, packets_left, created_ms,"         \
    " changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"                                                   \
    " ON CONFLICT (sku) DO UPDATE SET budget = excluded.budget, packets = excluded.packets,"                 \
    " min_amount = excluded.min_amount, budget_left = excluded.budget_left,"                                 \
    " packets_left = excluded.packets_left, changed_ms = excluded.changed_ms"

#endif
