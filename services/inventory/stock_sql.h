/*
 * The SQL of inventory, each statement once and by name: stock_store.c prepares them, and a program that
 * measures what the same SQL costs alone can run the very same text.
 */
#ifndef SECKILL_INVENTORY_STOCK_SQL_H
#define SECKILL_INVENTORY_STOCK_SQL_H

/* For each order. No row changed: the order is a duplicate. */
#define SQL_ORDER_ADD                                                                                        \
    "INSERT INTO orders (order_id, user_id, sku, quantity, accepted_ms, decided_ms, reason, unit_price,"     \
    " receipt_no, limit_per_user) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING"

/* For each duplicate, and each question for a status. */
#define SQL_ORDER_FIND                                                                                       \
    "SELECT user_id, sku, quantity, decided_ms, reason, unit_price, receipt_no, accepted_ms,"                \
    " limit_per_user FROM orders WHERE order_id = ?1"

/* For each order that is good so far, of an item with a limit; and for each one confirmed. */
#define SQL_BUYER_UNITS "SELECT units FROM buyer WHERE item_id = ?1 AND user_id = ?2"
#define SQL_BUYER_ADD                                                                                        \
    "INSERT INTO buyer (item_id, user_id, units) VALUES (?1, ?2, ?3)"                                        \
    " ON CONFLICT DO UPDATE SET units = units + excluded.units"

/* For each transaction: once for each item that was sold, and once for the receipts. */
#define SQL_ITEM_TAKE "UPDATE item SET stock_left = stock_left - ?2 WHERE item_id = ?1 AND stock_left >= ?2"
#define SQL_SHARD_ADVANCE                                                                                    \
    "UPDATE shard SET receipt_no = receipt_no + ?1, mismatches = mismatches + ?2 WHERE id = 1"

/* At take-over and after a rollback. */
#define SQL_SHARD_READ "SELECT shard, epoch, receipt_no FROM shard WHERE id = 1"
#define SQL_SHARD_TAKE "UPDATE shard SET shard = ?1, epoch = ?2 WHERE id = 1"
#define SQL_ITEM_LIST                                                                                        \
    "SELECT item_id, sku, name, unit_price, stock_total, stock_left, limit_per_user, starts_ms, ends_ms,"    \
    " paused, version FROM item ORDER BY item_id"

/* When an operator creates or changes an item. */
#define SQL_ITEM_PUT                                                                                         \
    "INSERT INTO item (sku, name, unit_price, stock_total, stock_left, limit_per_user, starts_ms, ends_ms,"  \
    " paused, created_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)"                 \
    " ON CONFLICT (sku) DO UPDATE SET name = excluded.name, unit_price = excluded.unit_price,"               \
    " stock_total = excluded.stock_total, stock_left = excluded.stock_left,"                                 \
    " limit_per_user = excluded.limit_per_user, starts_ms = excluded.starts_ms, ends_ms = excluded.ends_ms," \
    " paused = excluded.paused, changed_ms = excluded.changed_ms, version = version + 1"

/* When an operator adds stock: once for each key. */
#define SQL_RESTOCK_FIND                                                                                     \
    "SELECT quantity, stock_total, version, at_ms FROM restock WHERE item_id = ?1 AND key = ?2"
#define SQL_RESTOCK_ITEM                                                                                     \
    "UPDATE item SET stock_total = stock_total + ?2, stock_left = stock_left + ?2, version = version + 1,"   \
    " changed_ms = ?3 WHERE item_id = ?1"
#define SQL_RESTOCK_ADD                                                                                      \
    "INSERT INTO restock (item_id, key, quantity, stock_total, version, at_ms)"                              \
    " SELECT item_id, ?2, ?3, stock_total, version, ?4 FROM item WHERE item_id = ?1"

/* When an item gets a limit or loses it. */
#define SQL_BUYERS_FORGET "DELETE FROM buyer WHERE item_id = ?1"
#define SQL_BUYERS_COUNT                                                                                     \
    "INSERT INTO buyer (item_id, user_id, units)"                                                            \
    " SELECT ?1, user_id, sum(quantity) FROM orders WHERE sku = ?2 AND reason = 0 GROUP BY user_id"

#endif
