/* See order_pages.h. */
#include "services/ctl/order_pages.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "common/pipeline/settings.h"
#include "common/store/statement.h"
#include "services/ctl/service_file.h"

#define PAGE_ROWS 1000

struct source { /* a file with a table of orders */
    struct store *store;
    struct statement *query; /* NULL: there is no such file */
    struct order_row rows[PAGE_ROWS];
    size_t count, taken;
    bool is_full; /* the page: there may be more behind it */
};

struct order_pages {
    struct source file, archive;
    char after[ORDER_ID_SIZE];
    struct order_row merged[2 * PAGE_ROWS];
};

static int source_open(struct source *s, const char *path, const struct migration *migrations,
                       struct detail *why)
{
    int rc = service_file_open(&s->store, path, migrations, why);
    if (rc == 0)
        rc = statement_prepare(
            &s->query, s->store,
            "SELECT order_id, user_id, sku, quantity, accepted_ms, decided_ms, reason, "
            "unit_price, receipt_no FROM orders WHERE order_id > ?1 ORDER BY order_id LIMIT ?2",
            why);
    return rc;
}

int order_pages_open(struct order_pages **out, const char *path, struct detail *why)
{
    char archive[STORE_PATH_SIZE];
    struct order_pages *p = xcalloc(1, sizeof(*p));
    int rc = source_open(&p->file, path, inventory_migrations, why);
    if (rc == 0 && file_exists(settings_archive_of(path, archive)))
        rc = source_open(&p->archive, archive, archive_migrations, why);
    if (rc) {
        order_pages_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void order_pages_close(struct order_pages *p)
{
    if (!p)
        return;
    statement_free(p->file.query);
    statement_free(p->archive.query);
    store_close(p->file.store);
    store_close(p->archive.store);
    free(p);
}

static void read_row(struct statement *row, struct order_row *out)
{
    struct decision *d = &out->decision;
    *out = (struct order_row){.accepted_ms = statement_int(row, 4)};
    statement_copy_text(row, 0, d->order_id, sizeof(d->order_id));
    statement_copy_text(row, 1, d->user_id, sizeof(d->user_id));
    statement_copy_text(row, 2, d->sku, sizeof(d->sku));
    d->quantity = (int32_t)statement_int(row, 3);
    d->at_ms = statement_int(row, 5);
    d->reason = (enum reject_reason)statement_int(row, 6);
    d->status = d->reason == REASON_NONE ? ORDER_CONFIRMED : ORDER_REJECTED;
    d->unit_price = statement_int(row, 7);
    d->total = d->unit_price * d->quantity;
    d->receipt_no = statement_int(row, 8);
}

/* The rows behind `after`: one statement to its end, and so one short read transaction. */
static int source_read(struct source *s, const char *after, struct detail *why)
{
    int row = 0;
    s->count = s->taken = 0;
    s->is_full = false;
    if (!s->query)
        return 0;
    statement_bind_text(s->query, 1, slice_of(after));
    statement_bind_int(s->query, 2, PAGE_ROWS);
    while ((row = statement_next(s->query)) == 1)
        read_row(s->query, &s->rows[s->count++]);
    if (row < 0)
        detail_set(why, "the orders cannot be read: %s", store_error(s->store));
    s->is_full = s->count == PAGE_ROWS;
    return row;
}

static const struct order_row *peek(const struct source *s)
{
    return s->taken < s->count ? &s->rows[s->taken] : NULL;
}

/* The lesser of the next two, taken from both where both have it. NULL: a source is used up that may have
 * more, or both are. */
static const struct order_row *merge_next(struct order_pages *p)
{
    const struct order_row *a = peek(&p->file), *b = peek(&p->archive);
    if ((!a && p->file.is_full) || (!b && p->archive.is_full) || (!a && !b))
        return NULL;
    int order = !a ? 1 : !b ? -1 : strcmp(a->decision.order_id, b->decision.order_id);
    p->file.taken += order <= 0;
    p->archive.taken += order >= 0;
    return order <= 0 ? a : b;
}

int order_pages_next(struct order_pages *p, const struct order_row **rows, size_t *count, struct detail *why)
{
    const struct order_row *row;
    int rc = source_read(&p->file, p->after, why); /* first: see the header */
    if (rc == 0)
        rc = source_read(&p->archive, p->after, why);
    if (rc)
        return rc;
    *rows = p->merged;
    *count = 0;
    while ((row = merge_next(p)))
        p->merged[(*count)++] = *row;
    if (*count == 0)
        return 0;
    memcpy(p->after, p->merged[*count - 1].decision.order_id, sizeof(p->after));
    return 1;
}
