/* What the ledgers say was confirmed. See audit_batches.h. */
#include "services/ctl/audit_batches.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

struct reading {
    struct batch_set *set;
    struct audit_report *report;
    struct detail *why;
};

static int add_batch(void *context, const char *producer, int64_t seq, int count)
{
    (void)producer; /* the same for the whole file: the one that was added last */
    struct batch_set *set = ((struct reading *)context)->set;
    if (set->count == set->room) {
        set->room = set->room ? set->room * 2 : 1024;
        set->items = xrealloc(set->items, set->room * sizeof(set->items[0]));
    }
    set->items[set->count++] =
        (struct batch){.producer = set->producers[set->producer_count - 1], .seq = seq, .count = count};
    return 0;
}

static int read_ledger(void *context, const char *path)
{
    struct reading *r = context;
    struct batch_set *set = r->set;
    set->producers = xrealloc(set->producers, (set->producer_count + 1) * sizeof(set->producers[0]));
    char *producer = xcalloc(1, PRODUCER_SIZE); /* filled in before the first batch */
    set->producers[set->producer_count++] = producer;
    r->report->ledgers++;
    return ledger_read(path, producer, add_batch, r, r->why);
}

static int compare(const void *a, const void *b)
{
    const struct batch *x = a, *y = b;
    int order = strcmp(x->producer, y->producer);
    if (order != 0)
        return order;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

static void drop_repeated(struct batch_set *set, struct audit_report *report)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct batch *b = &set->items[i];
        struct batch *last = kept > 0 ? &set->items[kept - 1] : NULL;
        if (!last || strcmp(last->producer, b->producer) != 0 || last->seq != b->seq)
            set->items[kept++] = *b;
        else if (last->count != b->count)
            audit_found(report, AUDIT_BATCHES, 1,
                        "batch %s-%" PRId64 " stands in the ledger with %d orders and with %d", b->producer,
                        b->seq, last->count, b->count);
    }
    set->count = kept;
}

int batches_read(struct batch_set *set, const char *dir, struct audit_report *report, struct detail *why)
{
    struct reading reading = {.set = set, .report = report, .why = why};
    *set = (struct batch_set){0};
    int rc = ledger_list(dir, read_ledger, &reading, why);
    if (rc) {
        batches_free(set);
        return rc;
    }
    if (set->count > 0)
        qsort(set->items, set->count, sizeof(set->items[0]), compare);
    drop_repeated(set, report);
    report->batches = (int64_t)set->count;
    for (size_t i = 0; i < set->count; i++)
        report->orders += set->items[i].count;
    return 0;
}

void batches_free(struct batch_set *set)
{
    for (size_t i = 0; i < set->producer_count; i++)
        free(set->producers[i]);
    free(set->producers);
    free(set->items);
    *set = (struct batch_set){0};
}
