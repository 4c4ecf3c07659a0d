#include "services/inventory/stock_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/log.h"
#include "common/store/statement.h"
#include "services/inventory/archive_store.h"
#include "services/inventory/stock_sql.h"

enum {
    ORDER_ADD,
    ORDER_FIND,
    BUYER_UNITS,
    BUYER_ADD,
    ITEM_TAKE,
    SHARD_ADVANCE,
    SHARD_READ,
    SHARD_TAKE,
    ITEM_LIST,
    ITEM_PUT,
    BUYERS_FORGET,
    BUYERS_COUNT,
    RESTOCK_FIND,
    RESTOCK_ITEM,
    RESTOCK_ADD,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [ORDER_ADD] = SQL_ORDER_ADD,         [ORDER_FIND] = SQL_ORDER_FIND,
    [BUYER_UNITS] = SQL_BUYER_UNITS,     [BUYER_ADD] = SQL_BUYER_ADD,
    [ITEM_TAKE] = SQL_ITEM_TAKE,         [SHARD_ADVANCE] = SQL_SHARD_ADVANCE,
    [SHARD_READ] = SQL_SHARD_READ,       [SHARD_TAKE] = SQL_SHARD_TAKE,
    [ITEM_LIST] = SQL_ITEM_LIST,         [ITEM_PUT] = SQL_ITEM_PUT,
    [BUYERS_FORGET] = SQL_BUYERS_FORGET, [BUYERS_COUNT] = SQL_BUYERS_COUNT,
    [RESTOCK_FIND] = SQL_RESTOCK_FIND,   [RESTOCK_ITEM] = SQL_RESTOCK_ITEM,
    [RESTOCK_ADD] = SQL_RESTOCK_ADD,
};

struct stock_store {
    struct store *store;
    struct statement *st[STATEMENTS];
    uint8_t shard;
    int64_t epoch;
    int64_t receipt_no;     /* the last one given out */
    int64_t new_receipts;   /* of them in the open transaction */
    int64_t new_mismatches; /* in the open transaction */
    struct stock_item *items;
    size_t count, cap;
    uint32_t *slots; /* open addressing: index into items + 1, or 0; a power of two, at most half full */
    size_t slot_count;
    struct archive_store *archive; /* NULL: none; the caller's */
    size_t latest;                 /* the item found last: a flash sale is about one */
};

/* ---- items in memory ---- */

static size_t hash_of(const char *sku) /* FNV-1a */
{
    uint64_t h = 14695981039346656037u;
    for (; *sku; sku++)
        h = (h ^ (unsigned char)*sku) * 1099511628211u;
    return (size_t)(h ^ (h >> 32));
}

static uint32_t *slot_of(const struct stock_store *s, const char *sku)
{
    size_t at = hash_of(sku) & (s->slot_count - 1);
    while (s->slots[at] && strcmp(s->items[s->slots[at] - 1].item.sku, sku) != 0)
        at = (at + 1) & (s->slot_count - 1);
    return &s->slots[at];
}

struct stock_item *stock_find(struct stock_store *s, const char *sku)
{
    if (s->count == 0)
        return NULL;
    if (strcmp(s->items[s->latest].item.sku, sku) == 0)
        return &s->items[s->latest];
    uint32_t found = *slot_of(s, sku);
    if (!found)
        return NULL;
    s->latest = found - 1;
    return &s->items[s->latest];
}

const struct stock_item *stock_items(const struct stock_store *s, size_t *count)
{
    *count = s->count;
    return s->items;
}

static void grow_slots(struct stock_store *s)
{
    free(s->slots);
    s->slot_count = s->slot_count ? 2 * s->slot_count : 64;
    s->slots = xcalloc(s->slot_count, sizeof *s->slots);
    for (size_t i = 0; i < s->count; i++)
        *slot_of(s, s->items[i].item.sku) = (uint32_t)i + 1;
}

static struct stock_item *add_to_memory(struct stock_store *s, const char *sku)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 16;
        s->items = xrealloc(s->items, s->cap * sizeof *s->items);
    }
    struct stock_item *item = &s->items[s->count++];
    *item = (struct stock_item){.item_id = 0};
    memcpy(item->item.sku, sku, strlen(sku) + 1);
    if (2 * s->count > s->slot_count)
        grow_slots(s);
    else
        *slot_of(s, sku) = (uint32_t)s->count;
    return item;
}

static void read_item(struct stock_store *s, struct statement *row)
{
    char sku[NAME_SIZE];
    statement_copy_text(row, 1, sku, sizeof sku);
    struct stock_item *cached = add_to_memory(s, sku);
    struct item *item = &cached->item;
    cached->item_id = statement_int(row, 0);
    statement_copy_text(row, 2, item->name, sizeof item->name);
    item->unit_price = statement_int(row, 3);
    item->stock_total = statement_int(row, 4);
    item->stock_left = statement_int(row, 5);
    item->limit_per_user = (int32_t)statement_int(row, 6);
    item->starts_ms = statement_int(row, 7);
    item->ends_ms = statement_int(row, 8);
    item->paused = statement_int(row, 9) != 0;
    item->version = statement_int(row, 10);
    item->shard = s->shard;
}

int stock_store_load(struct stock_store *s)
{
    struct statement *shard = s->st[SHARD_READ], *list = s->st[ITEM_LIST];
    int row = statement_next(shard);
    if (row == 1)
        s->receipt_no = statement_int(shard, 2);
    statement_reset(shard);
    if (row != 1)
        return row < 0 ? row : E_CORRUPT;

    s->new_receipts = s->new_mismatches = 0;
    s->count = s->latest = 0;
    if (s->slot_count)
        memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    while ((row = statement_next(list)) == 1)
        read_item(s, list);
    return row;
}

/* ---- taking over ---- */

static int check_shard(struct stock_store *s, int shard, struct detail *why)
{
    struct statement *st = s->st[SHARD_READ];
    int row = statement_next(st);
    int64_t owner = row == 1 ? statement_int(st, 0) : -1;
    int64_t stored_epoch = row == 1 ? statement_int(st, 1) : 0;
    statement_reset(st);
    if (row != 1) {
        detail_set(why, "cannot read the shard: %s", store_error(s->store));
        return row < 0 ? row : E_CORRUPT;
    }
    if (owner >= 0 && owner != shard) {
        detail_set(why, "the database belongs to shard %lld, not to %d", (long long)owner, shard);
        return E_INVALID;
    }
    int64_t now_ms = clock_wall_ms();
    s->epoch = stored_epoch + 1 > now_ms ? stored_epoch + 1 : now_ms;
    return 0;
}

static int take_over(struct stock_store *s, int shard, struct detail *why)
{
    int error = check_shard(s, shard, why);
    if (error)
        return error;
    statement_bind_int(s->st[SHARD_TAKE], 1, shard);
    statement_bind_int(s->st[SHARD_TAKE], 2, s->epoch);
    error = statement_run(s->st[SHARD_TAKE]);
    if (!error)
        error = stock_store_load(s);
    if (error)
        detail_set(why, "cannot take the shard over: %s", store_error(s->store));
    return error;
}

int stock_store_new(struct stock_store **out, struct store *store, int shard, struct detail *why)
{
    struct stock_store *s = xcalloc(1, sizeof *s);
    s->store = store;
    s->shard = (uint8_t)shard;
    int error = statements_prepare(s->st, store, sql, STATEMENTS, why);
    if (!error)
        error = take_over(s, shard, why);
    if (error) {
        stock_store_free(s);
        return error;
    }
    *out = s;
    return 0;
}

void stock_store_free(struct stock_store *s)
{
    if (!s)
        return;
    statements_free(s->st, STATEMENTS);
    free(s->items);
    free(s->slots);
    free(s);
}

int stock_store_shard(const struct stock_store *s)
{
    return s->shard;
}

int64_t stock_store_epoch(const struct stock_store *s)
{
    return s->epoch;
}

void stock_store_use_archive(struct stock_store *s, struct archive_store *archive)
{
    s->archive = archive;
}

const char *stock_store_error(const struct stock_store *s)
{
    return store_error(s->store);
}

/* ---- orders ---- */

int stock_buyer_units(struct stock_store *s, const struct stock_item *item, const char *user_id,
                      int64_t *units)
{
    struct statement *st = s->st[BUYER_UNITS];
    statement_bind_int(st, 1, item->item_id);
    statement_bind_text(st, 2, slice_of(user_id));
    int row = statement_next(st);
    *units = row == 1 ? statement_int(st, 0) : 0;
    statement_reset(st);
    return row < 0 ? row : 0;
}

int stock_add_order(struct stock_store *s, const struct order *order, const struct decision *decision,
                    int32_t limit, bool *is_new)
{
    struct statement *st = s->st[ORDER_ADD];
    int64_t changed = 0;
    if (archive_may_have(s->archive, order->order_id)) {
        struct order_record record;
        int found = archive_find(s->archive, order->order_id, &record);
        *is_new = found == E_NOT_FOUND;
        if (found != E_NOT_FOUND)
            return found;
    }
    statement_bind_text(st, 1, (struct slice){.data = order->order_id, .len = ORDER_ID_CHARS});
    statement_bind_text(st, 2, slice_of(order->user_id));
    statement_bind_text(st, 3, slice_of(order->sku));
    statement_bind_int(st, 4, order->quantity);
    statement_bind_int(st, 5, order->accepted_ms);
    statement_bind_int(st, 6, decision->at_ms);
    statement_bind_int(st, 7, decision->reason);
    if (decision->status == ORDER_CONFIRMED) {
        statement_bind_int(st, 8, decision->unit_price);
        statement_bind_int(st, 9, decision->receipt_no);
        statement_bind_int(st, 10, limit);
    } else {
        statement_bind_null(st, 8);
        statement_bind_null(st, 9);
        statement_bind_null(st, 10);
    }
    int error = statement_run_counted(st, &changed);
    *is_new = changed == 1;
    return error;
}

int stock_add_buyer(struct stock_store *s, const struct stock_item *item, const char *user_id,
                    int32_t quantity)
{
    struct statement *st = s->st[BUYER_ADD];
    statement_bind_int(st, 1, item->item_id);
    statement_bind_text(st, 2, slice_of(user_id));
    statement_bind_int(st, 3, quantity);
    return statement_run(st);
}

void order_record_read(struct statement *row, const char *order_id, struct order_record *out)
{
    *out = (struct order_record){.accepted_ms = statement_int(row, 7),
                                 .limit_per_user = (int32_t)statement_int(row, 8)};
    struct decision *d = &out->decision;
    *d = (struct decision){.quantity = (int32_t)statement_int(row, 2),
                           .at_ms = statement_int(row, 3),
                           .reason = (enum reject_reason)statement_int(row, 4),
                           .unit_price = statement_int(row, 5),
                           .receipt_no = statement_int(row, 6)};
    d->status = d->reason == REASON_NONE ? ORDER_CONFIRMED : ORDER_REJECTED;
    d->total = d->unit_price * d->quantity;
    memcpy(d->order_id, order_id, ORDER_ID_SIZE);
    statement_copy_text(row, 0, d->user_id, sizeof d->user_id);
    statement_copy_text(row, 1, d->sku, sizeof d->sku);
}

int stock_begin_reading(struct stock_store *s)
{
    return store_begin_reading(s->store);
}

void stock_end_reading(struct stock_store *s)
{
    store_end_reading(s->store);
}

int stock_find_record(struct stock_store *s, const char *order_id, struct order_record *out)
{
    struct statement *st = s->st[ORDER_FIND];
    statement_bind_text(st, 1, slice_of(order_id));
    int row = statement_next(st);
    if (row == 1)
        order_record_read(st, order_id, out);
    statement_reset(st);
    if (row == 0)
        return archive_may_have(s->archive, order_id) ? archive_find(s->archive, order_id, out) : E_NOT_FOUND;
    return row < 0 ? row : 0;
}

int stock_find_order(struct stock_store *s, const char *order_id, struct decision *out)
{
    struct order_record record;
    int error = stock_find_record(s, order_id, &record);
    if (!error)
        *out = record.decision;
    return error;
}

/* ---- stock and receipts, by the transaction ---- */

int64_t stock_next_receipt(const struct stock_store *s)
{
    return s->receipt_no + 1;
}

void stock_take(struct stock_store *s, struct stock_item *item, int32_t quantity)
{
    item->item.stock_left -= quantity;
    item->taken += quantity;
    s->receipt_no++;
    s->new_receipts++;
}

void stock_count_mismatch(struct stock_store *s)
{
    s->new_mismatches++;
}

static int tell_item(struct stock_store *s, const struct stock_item *item)
{
    int64_t changed = 0;
    statement_bind_int(s->st[ITEM_TAKE], 1, item->item_id);
    statement_bind_int(s->st[ITEM_TAKE], 2, item->taken);
    int error = statement_run_counted(s->st[ITEM_TAKE], &changed);
    if (!error && changed != 1) {
        log_error("stock_not_there", "item_id=%lld units=%lld", (long long)item->item_id,
                  (long long)item->taken);
        return E_CORRUPT;
    }
    return error;
}

int stock_store_flush(struct stock_store *s)
{
    if (s->new_receipts > 0) /* else nothing was taken */
        for (size_t i = 0; i < s->count; i++) {
            int error = s->items[i].taken ? tell_item(s, &s->items[i]) : 0;
            if (error)
                return error;
        }
    if (s->new_receipts == 0 && s->new_mismatches == 0)
        return 0;
    statement_bind_int(s->st[SHARD_ADVANCE], 1, s->new_receipts);
    statement_bind_int(s->st[SHARD_ADVANCE], 2, s->new_mismatches);
    return statement_run(s->st[SHARD_ADVANCE]);
}

void stock_store_committed(struct stock_store *s)
{
    if (s->new_receipts > 0)
        for (size_t i = 0; i < s->count; i++)
            s->items[i].taken = 0;
    s->new_receipts = s->new_mismatches = 0;
}

/* ---- items, by an operator ---- */

static int write_item(struct stock_store *s, const struct item *item, int64_t now_ms)
{
    struct statement *st = s->st[ITEM_PUT];
    statement_bind_text(st, 1, slice_of(item->sku));
    statement_bind_text(st, 2, slice_of(item->name));
    statement_bind_int(st, 3, item->unit_price);
    statement_bind_int(st, 4, item->stock_total);
    statement_bind_int(st, 5, item->stock_left);
    statement_bind_int(st, 6, item->limit_per_user);
    statement_bind_int(st, 7, item->starts_ms);
    statement_bind_int(st, 8, item->ends_ms);
    statement_bind_int(st, 9, item->paused);
    statement_bind_int(st, 10, now_ms);
    return statement_run(st);
}

/* Units of each user are kept only while there is a limit: with a new one they are counted from the orders.
 */
static int write_buyers(struct stock_store *s, int64_t item_id, const struct item *item)
{
    statement_bind_int(s->st[BUYERS_FORGET], 1, item_id);
    int error = statement_run(s->st[BUYERS_FORGET]);
    if (error || item->limit_per_user == 0)
        return error;
    statement_bind_int(s->st[BUYERS_COUNT], 1, item_id);
    statement_bind_text(s->st[BUYERS_COUNT], 2, slice_of(item->sku));
    error = statement_run(s->st[BUYERS_COUNT]);
    return error ? error : archive_count_buyers(s->archive, item->sku, s->st[BUYER_ADD], item_id);
}

int stock_put_item(struct stock_store *s, const struct item *item, int64_t now_ms)
{
    const struct stock_item *old = stock_find(s, item->sku);
    int error = store_begin(s->store);
    if (!error)
        error = write_item(s, item, now_ms);
    if (!error && old && (old->item.limit_per_user > 0) != (item->limit_per_user > 0))
        error = write_buyers(s, old->item_id, item);
    FAULT_POINT("item.before_commit");
    if (!error)
        error = store_commit(s->store);
    if (error)
        store_rollback(s->store);
    int loading = stock_store_load(s);
    return error ? error : loading;
}

int stock_find_restock(struct stock_store *s, const struct stock_item *item, struct restock *r)
{
    struct statement *st = s->st[RESTOCK_FIND];
    statement_bind_int(st, 1, item->item_id);
    statement_bind_text(st, 2, slice_of(r->key));
    int row = statement_next(st);
    if (row == 1) {
        r->quantity = statement_int(st, 0);
        r->stock_total = statement_int(st, 1);
        r->version = statement_int(st, 2);
        r->at_ms = statement_int(st, 3);
    }
    statement_reset(st);
    if (row == 0)
        return E_NOT_FOUND;
    return row < 0 ? row : 0;
}

static int write_restock(struct stock_store *s, int64_t item_id, const struct restock *r, int64_t now_ms)
{
    struct statement *raise = s->st[RESTOCK_ITEM], *add = s->st[RESTOCK_ADD];
    statement_bind_int(raise, 1, item_id);
    statement_bind_int(raise, 2, r->quantity);
    statement_bind_int(raise, 3, now_ms);
    int error = statement_run(raise);
    if (error)
        return error;
    statement_bind_int(add, 1, item_id);
    statement_bind_text(add, 2, slice_of(r->key));
    statement_bind_int(add, 3, r->quantity);
    statement_bind_int(add, 4, now_ms);
    return statement_run(add);
}

int stock_restock(struct stock_store *s, const struct stock_item *item, int64_t now_ms, struct restock *r)
{
    const int64_t item_id = item->item_id;
    int error = store_begin(s->store);
    if (!error)
        error = write_restock(s, item_id, r, now_ms);
    FAULT_POINT("item.before_commit");
    if (!error)
        error = store_commit(s->store);
    if (error)
        store_rollback(s->store);
    int loading = stock_store_load(s); /* the item is another one in memory from here on */
    if (error || loading)
        return error ? error : loading;
    const struct stock_item *now = stock_find(s, r->sku);
    r->stock_total = now->item.stock_total;
    r->version = now->item.version;
    r->at_ms = now_ms;
    return 0;
}
