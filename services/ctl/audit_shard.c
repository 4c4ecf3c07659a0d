/* What one inventory file says, in SQL. See audit_shard.h. */
#include "services/ctl/audit_shard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/pipeline/order_id.h"
#include "common/store/statement.h"

/* Text of the current row as "%.*s" wants it. */
#define TEXT(query, column) (int)statement_text(query, column).len, statement_text(query, column).data

static int fail(struct store *store, int rc, struct detail *why)
{
    detail_set(why, "%s", store_error(store));
    return rc;
}

int shard_mark_seen(struct store *store, struct batch_set *batches, struct audit_report *report,
                    struct detail *why)
{
    struct statement *query = NULL;
    int rc =
        statement_prepare(&query, store, "SELECT orders FROM batch_seen WHERE producer = ? AND seq = ?", why);
    for (size_t i = 0; i < batches->count && rc >= 0; i++) {
        struct batch *b = &batches->items[i];
        if (b->seen)
            continue;
        statement_bind_text(query, 1, slice_of(b->producer));
        statement_bind_int(query, 2, b->seq);
        rc = statement_next(query);
        if (rc < 0) {
            fail(store, rc, why);
            break;
        }
        if (rc == 1) {
            b->seen = true;
            if (statement_int(query, 0) != b->count)
                audit_found(report, AUDIT_BATCHES, 1,
                            "batch %s-%" PRId64 " was confirmed with %d orders, and inventory saw %" PRId64,
                            b->producer, b->seq, b->count, statement_int(query, 0));
            statement_reset(query);
        }
    }
    statement_free(query);
    return rc < 0 ? rc : 0;
}

/* One SELECT whose every row is a breach, told by `tell`. */
struct question {
    const char *sql;
    void (*tell)(struct statement *row, int shard, struct audit_report *report);
};

static void tell_unbalanced_batch(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_BATCHES, 1,
                "shard %d: batch %.*s-%" PRId64 " has %" PRId64 " orders, of which %" PRId64
                " are decided, %" PRId64 " duplicates, %" PRId64 " dead",
                shard, TEXT(row, 0), statement_int(row, 1), statement_int(row, 2), statement_int(row, 3),
                statement_int(row, 4), statement_int(row, 5));
}

static void tell_missing_letters(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_BATCHES, statement_int(row, 0) - statement_int(row, 1),
                "shard %d: the batches that were seen have %" PRId64
                " dead orders, and the file has dead letters for %" PRId64,
                shard, statement_int(row, 0), statement_int(row, 1));
}

static void tell_decided_rows(struct statement *row, int shard, struct audit_report *report)
{
    int64_t rows = statement_int(row, 0), recorded = statement_int(row, 1);
    audit_found(report, AUDIT_DECIDED_ONCE, llabs(rows - recorded),
                "shard %d: the batches that were seen have %" PRId64
                " decided orders, and the file has %" PRId64,
                shard, recorded, rows);
}

static void tell_repeated_receipt(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_DECIDED_ONCE, statement_int(row, 1) - 1,
                "shard %d: receipt %" PRId64 " was given %" PRId64 " times, to %.*s and others", shard,
                statement_int(row, 0), statement_int(row, 1), TEXT(row, 2));
}

static void tell_half_confirmed(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_DECIDED_ONCE, 1,
                "shard %d: order %.*s is confirmed and has no price or no receipt", shard, TEXT(row, 0));
}

static void tell_unbalanced_item(struct statement *row, int shard, struct audit_report *report)
{
    int64_t total = statement_int(row, 1), left = statement_int(row, 2), confirmed = statement_int(row, 3);
    audit_found(report, AUDIT_STOCK, 1,
                "shard %d: item \"%.*s\": %" PRId64 " confirmed + %" PRId64 " left, of %" PRId64
                " stocked: %s by %" PRId64,
                shard, TEXT(row, 0), confirmed, left, total,
                confirmed + left > total ? "oversold" : "undersold",
                (int64_t)llabs(confirmed + left - total));
}

static void tell_unknown_item(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_STOCK, 1,
                "shard %d: %" PRId64 " units are confirmed of \"%.*s\", which is no item", shard,
                statement_int(row, 1), TEXT(row, 0));
}

static void tell_beyond_limit(struct statement *row, int shard, struct audit_report *report)
{
    audit_found(report, AUDIT_LIMIT, 1,
                "shard %d: user \"%.*s\" has %" PRId64
                " units of \"%.*s\" with order %.*s, where the limit was %" PRId64,
                shard, TEXT(row, 0), statement_int(row, 3), TEXT(row, 1), TEXT(row, 2),
                statement_int(row, 4));
}

static const struct question questions[] = {
    /* Messages without our headers add up in the row ('', 0), where all are lines found: it must balance too.
     */
    {"SELECT producer, seq, orders, decided, duplicates, dead FROM batch_seen "
     "WHERE orders <> decided + duplicates + dead",
     tell_unbalanced_batch},
    /* A letter that was made again after a replay counts again; those of messages without headers are beside.
     */
    {"SELECT dead, letters FROM (SELECT (SELECT coalesce(sum(dead), 0) FROM batch_seen WHERE producer <> '')"
     " AS dead, (SELECT coalesce(sum(orders * times), 0) FROM dead_letter) AS letters) WHERE dead > letters",
     tell_missing_letters},
    {"SELECT rows, recorded FROM (SELECT (SELECT count(*) FROM orders) AS rows, "
     "(SELECT coalesce(sum(decided), 0) FROM batch_seen) AS recorded) WHERE rows <> recorded",
     tell_decided_rows},
    {"SELECT receipt_no, count(*) AS times, min(order_id) FROM orders WHERE reason = 0 AND receipt_no IS NOT "
     "NULL "
     "GROUP BY receipt_no HAVING times > 1",
     tell_repeated_receipt},
    {"SELECT order_id FROM orders WHERE reason = 0 AND (unit_price IS NULL OR receipt_no IS NULL)",
     tell_half_confirmed},
    {"SELECT item.sku, stock_total, stock_left, coalesce(units, 0) AS confirmed FROM item "
     "LEFT JOIN (SELECT sku, sum(quantity) AS units FROM orders WHERE reason = 0 GROUP BY sku) AS sold USING "
     "(sku) "
     "WHERE confirmed + stock_left <> stock_total OR stock_left < 0",
     tell_unbalanced_item},
    {"SELECT sku, sum(quantity) FROM orders WHERE reason = 0 AND sku NOT IN (SELECT sku FROM item) GROUP BY "
     "sku",
     tell_unknown_item},
    /* What a user had of an item after each confirmed order, in the order of the decisions, against the limit
     * of that decision: a limit that was lowered later does not judge what came before. */
    {"SELECT user_id, sku, order_id, units, limit_per_user FROM (SELECT user_id, sku, order_id, "
     "limit_per_user, "
     "sum(quantity) OVER (PARTITION BY sku, user_id ORDER BY receipt_no) AS units FROM orders WHERE reason = "
     "0) "
     "WHERE limit_per_user > 0 AND units > limit_per_user",
     tell_beyond_limit},
};

static int ask(struct store *store, const struct question *q, int shard, struct audit_report *report,
               struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store, q->sql, why);
    if (rc)
        return rc;
    while ((rc = statement_next(query)) == 1)
        q->tell(query, shard, report);
    if (rc < 0)
        fail(store, rc, why);
    statement_free(query);
    return rc;
}

/* Adds up what the file has. */
static int count(struct store *store, struct audit_report *report, struct detail *why)
{
    struct statement *query = NULL;
    int rc = statement_prepare(&query, store,
                               "SELECT count(*), coalesce(sum(reason = 0), 0), (SELECT count(*) FROM item), "
                               "(SELECT count(*) FROM outbox), (SELECT count(*) FROM batch_seen) FROM orders",
                               why);
    if (rc)
        return rc;
    rc = statement_next(query);
    if (rc == 1) {
        int64_t decided = statement_int(query, 0), confirmed = statement_int(query, 1);
        report->decided += decided;
        report->confirmed += confirmed;
        report->rejected += decided - confirmed;
        report->items += statement_int(query, 2);
        report->outbox += statement_int(query, 3);
        report->invariants[AUDIT_DECIDED_ONCE].checked += decided;
        report->invariants[AUDIT_STOCK].checked += statement_int(query, 2);
        report->invariants[AUDIT_LIMIT].checked += confirmed;
        report->invariants[AUDIT_BATCHES].checked += statement_int(query, 4);
    } else if (rc < 0) {
        fail(store, rc, why);
    }
    statement_free(query);
    return rc < 0 ? rc : 0;
}

int shard_check(struct store *store, int shard, struct audit_report *report, struct detail *why)
{
    int rc = count(store, report, why);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && rc == 0; i++)
        rc = ask(store, &questions[i], shard, report, why);
    return rc;
}

/* The ids of each shard come sorted, so that one walk through all of them side by side finds those that two
 * have. */
int shards_check_distinct(struct store *const *stores, int n, struct audit_report *report, struct detail *why)
{
    int rc = 0;
    struct statement **queries = xcalloc((size_t)n, sizeof(struct statement *));
    bool *more = xcalloc((size_t)n, sizeof(bool));
    for (int i = 0; i < n && rc >= 0; i++) {
        rc = statement_prepare(&queries[i], stores[i], "SELECT order_id FROM orders ORDER BY order_id", why);
        if (rc == 0 && (rc = statement_next(queries[i])) < 0)
            fail(stores[i], rc, why);
        more[i] = rc == 1;
    }
    while (rc >= 0) {
        char least[ORDER_ID_SIZE] = "", id[ORDER_ID_SIZE];
        int holders = 0, first = -1;
        for (int i = 0; i < n; i++) {
            if (!more[i])
                continue;
            statement_copy_text(queries[i], 0, id, sizeof(id));
            int order = first < 0 ? -1 : strcmp(id, least);
            if (order < 0) {
                memcpy(least, id, sizeof(id));
                first = i;
                holders = 1;
            } else if (order == 0) {
                holders++;
            }
        }
        if (first < 0)
            break;
        if (holders > 1)
            audit_found(report, AUDIT_DECIDED_ONCE, holders - 1, "order %s was decided by %d shards", least,
                        holders);
        for (int i = 0; i < n && rc >= 0; i++) {
            if (!more[i])
                continue;
            statement_copy_text(queries[i], 0, id, sizeof(id));
            if (strcmp(id, least) != 0)
                continue;
            rc = statement_next(queries[i]);
            more[i] = rc == 1;
            if (rc < 0)
                fail(stores[i], rc, why);
        }
    }
    statements_free(queries, n);
    free(queries);
    free(more);
    return rc < 0 ? rc : 0;
}
