/*
 * What the floors of the workers after the decision have in common: an empty database with a worker's schema,
 * and what every worker writes beside its own rows (what came in, what must go out). Whatever fails ends the
 * program.
 */
#ifndef SECKILL_LOADTEST_SQL_FLOOR_H
#define SECKILL_LOADTEST_SQL_FLOOR_H

#include "common/base/buffer.h"
#include "common/pipeline/event_message.h"
#include "common/pipeline/outbox.h"
#include "common/store/migrate.h"
#include "common/store/statement.h"

struct sql_floor {
    struct store *store;
    struct outbox *outbox;
    struct statement *record, *sweep;
    int64_t rows_written; /* of the outbox, in all */
};

void floor_must(int error, const char *what, const char *why);

void sql_floor_open(struct sql_floor *f, const char *dir, const struct migration *migrations);
void sql_floor_close(struct sql_floor *f);

/* What inbox_record writes for one message of so many lines. */
void sql_floor_record(struct sql_floor *f, int64_t lines);

/* So many lines of this length as rows of the outbox, out of `body`, which is full of them; the rows that
 * were written before go. */
void sql_floor_emit(struct sql_floor *f, const char *routing_key, const struct buffer *body, size_t line_len,
                    int64_t lines);

/* Orders that were confirmed, as inventory tells of them: ids that grow with time, and as many different
 * users as one thread of post_orders.lua has. The caller's to free. */
struct decision *floor_confirmed_orders(int64_t count, const char *sku);

#endif
