#include "services/inventory/archive_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/statement.h"
#include "services/inventory/id_filter.h"
#include "services/inventory/stock_sql.h"

#define ABOVE_ALL  "Z"  /* no id begins so */
#define FIRST_ROOM 4096 /* ids in a new filter */

enum { ORDER_ADD, ORDER_FIND, HORIZON_READ, HORIZON_WRITE, ODD_IDS, NEXT_IDS, BUYERS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [ORDER_ADD] = SQL_ORDER_ADD,
    [ORDER_FIND] = SQL_ORDER_FIND,
    [HORIZON_READ] = "SELECT shard, orders, highest_id, from_id, to_id FROM horizon WHERE id = 1",
    [HORIZON_WRITE] = "UPDATE horizon SET shard = ?1, orders = ?2, highest_id = ?3, from_id = ?4, to_id = ?5"
                      " WHERE id = 1",
    [ODD_IDS] = "SELECT order_id FROM orders WHERE order_id > ?1",
    [NEXT_IDS] =
        "SELECT order_id FROM orders WHERE order_id > ?1 AND order_id <= ?2 ORDER BY order_id LIMIT ?3",
    [BUYERS] = "SELECT user_id, sum(quantity) FROM orders WHERE sku = ?1 AND reason = 0 GROUP BY user_id",
};

struct archive_store {
    char *path;
    int shard;
    struct store *store; /* NULL: there is no file yet */
    struct statement *st[STATEMENTS];
    int64_t orders;
    char highest[ORDER_ID_SIZE]; /* "": nothing was archived */
    char from[ORDER_ID_SIZE], to[ORDER_ID_SIZE];
    struct id_filter odd;       /* ids above highest, when they were archived */
    int64_t added;              /* in the open transaction, as is */
    char rising[ORDER_ID_SIZE]; /* what highest will be */
    bool failed;                /* the disk: it is not to be written to any more */
};

static int fault(struct archive_store *a, int error)
{
    a->failed |= store_is_fault(error);
    return error;
}

/* Every id above highest. Twice the room that they need: more will come. */
static int fill_filter(struct archive_store *a)
{
    struct statement *st = a->st[ODD_IDS];
    char id[ORDER_ID_SIZE];
    size_t count = 0;
    int row;
    statement_bind_text(st, 1, slice_of(a->highest));
    while ((row = statement_next(st)) == 1)
        count++;
    if (row < 0)
        return row;
    if (count == 0) {
        id_filter_free(&a->odd);
        return 0;
    }
    id_filter_reset(&a->odd, 2 * count);
    statement_bind_text(st, 1, slice_of(a->highest));
    while ((row = statement_next(st)) == 1) {
        statement_copy_text(st, 0, id, sizeof id);
        id_filter_add(&a->odd, id);
    }
    return row;
}

static int read_horizon(struct archive_store *a, int *shard)
{
    struct statement *st = a->st[HORIZON_READ];
    int row = statement_next(st);
    if (row == 1) {
        *shard = (int)statement_int(st, 0);
        a->orders = statement_int(st, 1);
        statement_copy_text(st, 2, a->highest, sizeof a->highest);
        statement_copy_text(st, 3, a->from, sizeof a->from);
        statement_copy_text(st, 4, a->to, sizeof a->to);
    }
    statement_reset(st);
    return row == 1 ? 0 : row < 0 ? row : E_CORRUPT;
}

static int open_file(struct archive_store *a, enum store_mode mode, int *shard, struct detail *why)
{
    struct detail inner = {.text = ""};
    int error = store_open(&a->store, a->path, mode, why);
    if (error)
        return error;
    error = migrate_apply(a->store, archive_migrations, NULL, &inner);
    if (!error)
        error = statements_prepare(a->st, a->store, sql, STATEMENTS, &inner);
    if (!error && (error = read_horizon(a, shard)) == 0)
        error = fill_filter(a);
    if (error)
        detail_set(why, "%s: %s", a->path, inner.text[0] ? inner.text : store_error(a->store));
    return error;
}

static int check_file(const struct archive_store *a, int owner, int shard, int64_t archived,
                      struct detail *why)
{
    if (owner >= 0 && owner != shard)
        detail_set(why, "%s belongs to shard %d, not to %d", a->path, owner, shard);
    else if (a->orders < archived)
        detail_set(why,
                   "%s has %" PRId64 " orders, and %" PRId64
                   " were moved there: it is an older copy. Without them orders could be decided twice",
                   a->path, a->orders, archived);
    else
        return 0;
    return E_INVALID;
}

int archive_open(struct archive_store **out, const char *path, int shard, int64_t archived,
                 struct detail *why)
{
    int owner = -1, error = 0;
    if (!file_exists(path) && archived > 0) {
        detail_set(why,
                   "%s is missing, and %" PRId64
                   " orders were moved there: restore it. Without them orders could be decided twice",
                   path, archived);
        return E_NOT_FOUND;
    }
    struct archive_store *a = xcalloc(1, sizeof *a);
    a->path = xstrdup(path);
    a->shard = shard;
    if (file_exists(path))
        error = open_file(a, STORE_CREATE, &owner,
                          why); /* a first archiving may have been broken off very early */
    if (!error)
        error = check_file(a, owner, shard, archived, why);
    if (error) {
        archive_close(a);
        return error;
    }
    *out = a;
    return 0;
}

void archive_close(struct archive_store *a)
{
    if (!a)
        return;
    statements_free(a->st, STATEMENTS);
    if (a->failed)
        store_abandon(a->store);
    else
        store_close(a->store);
    id_filter_free(&a->odd);
    free(a->path);
    free(a);
}

struct store *archive_file(const struct archive_store *a, const char **path)
{
    if (!a)
        return NULL;
    *path = a->path;
    return a->store;
}

const char *archive_error(const struct archive_store *a)
{
    return a->store ? store_error(a->store) : "";
}

bool archive_may_have(const struct archive_store *a, const char *order_id)
{
    return a && a->orders > 0 &&
           (memcmp(order_id, a->highest, ORDER_ID_CHARS) <= 0 || id_filter_may_have(&a->odd, order_id));
}

int archive_find(struct archive_store *a, const char *order_id, struct order_record *out)
{
    struct statement *st = a->st[ORDER_FIND];
    statement_bind_text(st, 1, slice_of(order_id));
    int row = statement_next(st);
    if (row == 1) {
        order_record_read(st, order_id, out);
        out->archived = true;
    }
    statement_reset(st);
    return row == 1 ? 0 : row == 0 ? E_NOT_FOUND : fault(a, row);
}

int archive_count_buyers(struct archive_store *a, const char *sku, struct statement *buyer_add,
                         int64_t item_id)
{
    if (!a || a->orders == 0)
        return 0;
    struct statement *st = a->st[BUYERS];
    int row, error = 0;
    statement_bind_text(st, 1, slice_of(sku));
    while (!error && (row = statement_next(st)) != 0) {
        if (row < 0)
            return fault(a, row);
        statement_bind_int(buyer_add, 1, item_id);
        statement_bind_text(buyer_add, 2, statement_text(st, 0));
        statement_bind_int(buyer_add, 3, statement_int(st, 1));
        error = statement_run(buyer_add);
    }
    statement_reset(st);
    return error;
}

/* ---- moving orders here ---- */

int archive_begin(struct archive_store *a, int64_t decided_before_ms)
{
    struct detail why = {.text = ""};
    int owner = -1, error = 0;
    char quoted[512];
    if (!a->store)
        error = open_file(a, STORE_CREATE, &owner, &why);
    if (error)
        log_error("archive_unusable", "why=%s", log_quote(why.text, quoted, sizeof quoted));
    a->added = 0;
    order_id_ceiling(decided_before_ms, a->rising);
    if (strcmp(a->rising, a->highest) < 0)
        memcpy(a->rising, a->highest, sizeof a->rising);
    return fault(a, error ? error : store_begin(a->store));
}

/* Before the commit: an id too many only costs a look. */
static int note_odd(struct archive_store *a, const char *id)
{
    int error = 0;
    if (strcmp(id, a->rising) <= 0)
        return 0;
    if (id_filter_is_full(&a->odd))
        error = fill_filter(a);
    if (id_filter_is_full(&a->odd))
        id_filter_reset(&a->odd, FIRST_ROOM);
    id_filter_add(&a->odd, id);
    return error;
}

int archive_add(struct archive_store *a, const struct order_record *record)
{
    struct statement *st = a->st[ORDER_ADD];
    const struct decision *d = &record->decision;
    int64_t changed = 0;
    statement_bind_text(st, 1, slice_of(d->order_id));
    statement_bind_text(st, 2, slice_of(d->user_id));
    statement_bind_text(st, 3, slice_of(d->sku));
    statement_bind_int(st, 4, d->quantity);
    statement_bind_int(st, 5, record->accepted_ms);
    statement_bind_int(st, 6, d->at_ms);
    statement_bind_int(st, 7, d->reason);
    if (d->status == ORDER_CONFIRMED) {
        statement_bind_int(st, 8, d->unit_price);
        statement_bind_int(st, 9, d->receipt_no);
        statement_bind_int(st, 10, record->limit_per_user);
    } else {
        statement_bind_null(st, 8);
        statement_bind_null(st, 9);
        statement_bind_null(st, 10);
    }
    int error = statement_run_counted(st, &changed);
    a->added += changed;
    return fault(a, error ? error : note_odd(a, d->order_id));
}

int archive_commit(struct archive_store *a, const char *from, const char *to)
{
    struct statement *st = a->st[HORIZON_WRITE];
    statement_bind_int(st, 1, a->shard);
    statement_bind_int(st, 2, a->orders + a->added);
    statement_bind_text(st, 3, slice_of(a->rising));
    statement_bind_text(st, 4, slice_of(from));
    statement_bind_text(st, 5, slice_of(to));
    int error = statement_run(st);
    if (!error)
        error = store_commit(a->store);
    if (error)
        return fault(a, error);
    a->orders += a->added;
    memcpy(a->highest, a->rising, sizeof a->highest);
    return fault(a, store_checkpoint_if_large(a->store));
}

void archive_rollback(struct archive_store *a)
{
    if (a->store)
        store_rollback(a->store);
}

int archive_settle(struct archive_store *a)
{
    return a->store ? fault(a, store_checkpoint_truncate(a->store)) : 0;
}

int64_t archive_count(const struct archive_store *a)
{
    return a ? a->orders : 0;
}

int archive_ids(struct archive_store *a, bool only_last, char after[ORDER_ID_SIZE],
                char (*ids)[ORDER_ID_SIZE], size_t room, size_t *count)
{
    struct statement *st = a->st[NEXT_IDS];
    int row = 0;
    *count = 0;
    if (!a->store)
        return 0;
    if (only_last && strcmp(after, a->from) < 0)
        memcpy(after, a->from, sizeof a->from);
    statement_bind_text(st, 1, slice_of(after));
    statement_bind_text(st, 2, slice_of(only_last ? a->to : ABOVE_ALL));
    statement_bind_int(st, 3, (int64_t)room);
    while ((row = statement_next(st)) == 1)
        statement_copy_text(st, 0, ids[(*count)++], ORDER_ID_SIZE);
    if (row == 0 && *count > 0)
        memcpy(after, ids[*count - 1], ORDER_ID_SIZE);
    return fault(a, row);
}
