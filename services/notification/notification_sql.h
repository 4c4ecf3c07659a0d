/*
 * The SQL of notification, each statement once and by name: notification_store.c prepares them, and a program
 * that measures what the same SQL costs alone can run the very same text.
 */
#ifndef SECKILL_NOTIFICATION_NOTIFICATION_SQL_H
#define SECKILL_NOTIFICATION_NOTIFICATION_SQL_H

/* For each event. No row changed: there is a record. */
#define SQL_RECORD_ADD                                                                                       \
    "INSERT INTO notification (order_id, kind, state, attempts, created_ms, changed_ms)"                     \
    " VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO NOTHING"

/* For each event that has a record, and for each attempt that ended. */
#define SQL_RECORD_FIND                                                                                      \
    "SELECT state, attempts, changed_ms FROM notification WHERE order_id = ?1 AND kind = ?2"

/* When somebody asks for an order. */
#define SQL_RECORDS_OF                                                                                       \
    "SELECT kind, state, attempts, last_error, created_ms, changed_ms FROM notification"                     \
    " WHERE order_id = ?1 ORDER BY kind"

/* For each attempt that ended, and for each message that is to be sent once more. An attempt that succeeds
 * leaves the words of the one before. */
#define SQL_RECORD_CHANGE                                                                                    \
    "UPDATE notification SET state = ?3, attempts = ?4, last_error = coalesce(?5, last_error),"              \
    " changed_ms = ?6 WHERE order_id = ?1 AND kind = ?2"

/* For each message to a gateway: when it is recorded, when it is begun, and when it has ended. */
#define SQL_TO_SEND_ADD "INSERT INTO to_send (order_id, kind, line) VALUES (?1, ?2, ?3)"
#define SQL_TO_SEND_NEXT                                                                                     \
    "SELECT t.seq, t.line, n.attempts FROM to_send AS t JOIN notification AS n"                              \
    " ON n.order_id = t.order_id AND n.kind = t.kind WHERE t.seq > ?1 ORDER BY t.seq LIMIT 1"
#define SQL_TO_SEND_FIND   "SELECT order_id, kind, line FROM to_send WHERE seq = ?1"
#define SQL_TO_SEND_REMOVE "DELETE FROM to_send WHERE seq = ?1"

#endif
