/* What the inventory files of a stack say, read-only, beside the processes that write them. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/statement.h"
#include "common/store/store.h"
#include "tests/support/check.h"
#include "tests/support/trial_internal.h"

enum { FILES_MAX = 64 };

struct trial_files {
    struct store *stores[FILES_MAX];
    struct statement *has_order[FILES_MAX];
    int count;
};

static struct statement *prepare(struct store *s, const char *sql)
{
    struct statement *st = NULL;
    struct detail why = {.text = ""};

    if (statement_prepare(&st, s, sql, &why) != 0)
        fail_msg("%s: %s", sql, why.text);
    return st;
}

struct trial_files *trial_files_open(const char *store_dir)
{
    struct trial_files *files = take_memory(sizeof *files);
    struct detail why = {.text = ""};
    char pattern[600];
    glob_t found;

    snprintf(pattern, sizeof pattern, "%s/inventory.*.db", store_dir);
    if (glob(pattern, 0, NULL, &found) != 0)
        fail_msg("there is no %s", pattern);
    for (size_t i = 0; i < found.gl_pathc && files->count < FILES_MAX; i++) {
        int n = files->count++;

        if (store_open(&files->stores[n], found.gl_pathv[i], STORE_READER, &why) != 0)
            fail_msg("%s: %s", found.gl_pathv[i], why.text);
        files->has_order[n] = prepare(files->stores[n], "SELECT 1 FROM orders WHERE order_id = ?");
    }
    globfree(&found);
    return files;
}

void trial_files_close(struct trial_files *files)
{
    if (!files)
        return;
    for (int i = 0; i < files->count; i++) {
        statement_free(files->has_order[i]);
        store_close(files->stores[i]);
    }
    free(files);
}

bool trial_files_have(struct trial_files *files, const char *order_id)
{
    bool has = false;

    for (int i = 0; i < files->count && !has; i++) {
        int row;

        statement_bind_text(files->has_order[i], 1, slice_of(order_id));
        row = statement_next(files->has_order[i]);
        if (row < 0)
            fail_msg("reading orders: %s", store_error(files->stores[i]));
        has = row == 1;
        statement_reset(files->has_order[i]);
    }
    return has;
}

static void add_rows(struct store *s, const char *sku, struct trial_item_facts *facts, size_t *capacity)
{
    struct statement *st = prepare(s, "SELECT order_id, user_id, quantity, reason, receipt_no, unit_price "
                                      "FROM orders WHERE sku = ?");
    int more;

    statement_bind_text(st, 1, slice_of(sku));
    while ((more = statement_next(st)) == 1) {
        struct trial_row *row;

        if (facts->row_count == *capacity) {
            *capacity = *capacity ? *capacity * 2 : 1024;
            facts->rows = realloc(facts->rows, *capacity * sizeof *facts->rows);
            if (!facts->rows)
                abort();
        }
        row = &facts->rows[facts->row_count++];
        *row = (struct trial_row){.quantity = statement_int(st, 2),
                                  .confirmed = statement_int(st, 3) == 0,
                                  .receipt_no = statement_int(st, 4),
                                  .unit_price = statement_int(st, 5)};
        statement_copy_text(st, 0, row->id, sizeof row->id);
        statement_copy_text(st, 1, row->user, sizeof row->user);
    }
    if (more < 0)
        fail_msg("reading orders: %s", store_error(s));
    statement_free(st);
}

static void add_item(struct store *s, const char *sku, struct trial_item_facts *facts)
{
    struct statement *st = prepare(
        s, "SELECT stock_total, stock_left, (SELECT receipt_no FROM shard), (SELECT count(receipt_no) - "
           "count(DISTINCT receipt_no) FROM orders WHERE reason = 0) FROM item WHERE sku = ?");

    statement_bind_text(st, 1, slice_of(sku));
    if (statement_next(st) == 1) {
        facts->total = statement_int(st, 0);
        facts->left = statement_int(st, 1);
        facts->last_receipt = statement_int(st, 2);
        facts->receipts_twice = statement_int(st, 3);
    }
    statement_free(st);
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct trial_row *)a)->id, ((const struct trial_row *)b)->id);
}

void trial_files_read(struct trial_files *files, const char *sku, struct trial_item_facts *facts)
{
    size_t capacity = 0;

    *facts = (struct trial_item_facts){.total = -1, .left = -1};
    for (int i = 0; i < files->count; i++) {
        if (store_execute(files->stores[i], "BEGIN") != 0)
            fail_msg("%s", store_error(files->stores[i]));
        add_rows(files->stores[i], sku, facts, &capacity);
        add_item(files->stores[i], sku, facts);
        if (store_execute(files->stores[i], "COMMIT") != 0)
            fail_msg("%s", store_error(files->stores[i]));
    }
    if (facts->row_count > 0)
        qsort(facts->rows, facts->row_count, sizeof *facts->rows, by_id);
}

void trial_item_facts_free(struct trial_item_facts *facts)
{
    free(facts->rows);
    *facts = (struct trial_item_facts){0};
}

const struct trial_row *trial_row_find(const struct trial_item_facts *facts, const char *order_id)
{
    struct trial_row wanted;

    if (facts->row_count == 0)
        return NULL;
    snprintf(wanted.id, sizeof wanted.id, "%s", order_id);
    return bsearch(&wanted, facts->rows, facts->row_count, sizeof *facts->rows, by_id);
}
