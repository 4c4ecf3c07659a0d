#include "services/inventory/archive_orders.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/log.h"
#include "common/store/statement.h"

enum { ORDERS_AFTER, ORDER_REMOVE, MOVED_READ, MOVED_WRITE, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    /* The columns of SQL_ORDER_FIND, and the id. */
    [ORDERS_AFTER] = "SELECT user_id, sku, quantity, decided_ms, reason, unit_price, receipt_no, accepted_ms,"
                     " limit_per_user, order_id FROM orders WHERE order_id > ?1 ORDER BY order_id LIMIT ?2",
    [ORDER_REMOVE] = "DELETE FROM orders WHERE order_id = ?1",
    [MOVED_READ] = "SELECT archived FROM shard WHERE id = 1",
    [MOVED_WRITE] = "UPDATE shard SET archived = ?1 WHERE id = 1",
};

struct archive_orders {
    struct store *store;
    struct statement *st[STATEMENTS];
    int64_t moved;
};

int archive_orders_new(struct archive_orders **out, struct store *store, struct detail *why)
{
    struct archive_orders *o = xcalloc(1, sizeof *o);
    o->store = store;
    int error = statements_prepare(o->st, store, sql, STATEMENTS, why), row = 0;
    if (!error && (row = statement_next(o->st[MOVED_READ])) == 1) {
        o->moved = statement_int(o->st[MOVED_READ], 0);
        statement_reset(o->st[MOVED_READ]);
    } else if (!error) {
        detail_set(why, "cannot read how many orders were archived: %s", store_error(store));
        error = row < 0 ? row : E_CORRUPT;
    }
    if (error) {
        archive_orders_free(o);
        return error;
    }
    *out = o;
    return 0;
}

void archive_orders_free(struct archive_orders *o)
{
    if (!o)
        return;
    statements_free(o->st, STATEMENTS);
    free(o);
}

int64_t archive_orders_moved(const struct archive_orders *o)
{
    return o->moved;
}

/* Copies what is old enough of the next orders, and notes which: ids has room for a->limit. */
static int copy_orders(struct archive_orders *o, struct archive_store *archive, struct archiving *a,
                       char (*ids)[ORDER_ID_SIZE])
{
    struct statement *st = o->st[ORDERS_AFTER];
    struct order_record record;
    int row, error = 0;
    statement_bind_text(st, 1, slice_of(a->after));
    statement_bind_int(st, 2, a->limit);
    while (!error && (row = statement_next(st)) != 0) {
        if (row < 0)
            return row;
        statement_copy_text(st, 9, a->next, sizeof a->next);
        order_record_read(st, a->next, &record);
        a->looked_at++;
        if (record.decision.at_ms >= a->decided_before_ms)
            continue;
        if (a->moved == 0)
            error = archive_begin(archive, a->decided_before_ms);
        memcpy(ids[a->moved++], a->next, sizeof a->next);
        if (!error)
            error = archive_add(archive, &record);
    }
    statement_reset(st);
    return error || a->moved == 0 ? error : archive_commit(archive, a->after, a->next);
}

static int remove_orders(struct archive_orders *o, const char (*ids)[ORDER_ID_SIZE], int64_t count)
{
    int64_t removed = 0;
    int error = store_begin(o->store);
    for (int64_t i = 0; i < count && !error; i++) {
        int64_t changed = 0;
        statement_bind_text(o->st[ORDER_REMOVE], 1, slice_of(ids[i]));
        error = statement_run_counted(o->st[ORDER_REMOVE], &changed);
        removed += changed;
    }
    statement_bind_int(o->st[MOVED_WRITE], 1, o->moved + removed);
    if (!error)
        error = statement_run(o->st[MOVED_WRITE]);
    if (!error)
        error = store_commit(o->store);
    if (error)
        store_rollback(o->store);
    else
        o->moved += removed;
    return error;
}

int archive_orders(struct archive_orders *o, struct archive_store *archive, struct archiving *a)
{
    char(*ids)[ORDER_ID_SIZE] = xcalloc((size_t)a->limit, sizeof *ids);
    a->moved = a->looked_at = 0;
    a->next[0] = '\0';
    int error = copy_orders(o, archive, a, ids);
    if (error)
        archive_rollback(archive);
    else if (a->moved > 0)
        error = remove_orders(o, (const char(*)[ORDER_ID_SIZE])ids, a->moved);
    if (!error && a->looked_at < a->limit) { /* the last of them */
        a->next[0] = '\0';
        error = archive_settle(archive);
    }
    free(ids);
    return error;
}

static int remove_archived(struct archive_orders *o, struct archive_store *archive, bool only_last)
{
    enum { AT_ONCE = 1000 };
    char after[ORDER_ID_SIZE] = "", (*ids)[ORDER_ID_SIZE] = xcalloc(AT_ONCE, sizeof *ids);
    size_t count = 0;
    int error;
    do {
        error = archive_ids(archive, only_last, after, ids, AT_ONCE, &count);
        if (!error && count > 0)
            error = remove_orders(o, (const char(*)[ORDER_ID_SIZE])ids, (int64_t)count);
    } while (!error && count == AT_ONCE);
    free(ids);
    return error;
}

/* What was copied last may not have been taken out of here. Where the archive has more even so, one of the
 * two files is a copy of another time: then all of the archive is gone through, and what it has counts. */
int archive_orders_finish(struct archive_orders *o, struct archive_store *archive)
{
    int error = 0;
    if (archive_count(archive) > o->moved)
        error = remove_archived(o, archive, true);
    if (!error && archive_count(archive) > o->moved)
        error = remove_archived(o, archive, false);
    if (error || archive_count(archive) <= o->moved)
        return error;
    log_warn("archive_has_more", "orders=%lld moved=%lld", (long long)archive_count(archive),
             (long long)o->moved);
    o->moved = archive_count(archive);
    return remove_orders(o, NULL, 0);
}
