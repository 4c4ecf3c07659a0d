/* How often each answer came. */
#include "loadtest/replay/tally.h"

#include <stdlib.h>
#include <string.h>

void tally_add(struct tally *t, int status, struct slice code, int64_t count)
{
    if (code.len >= TALLY_CODE)
        code.len = TALLY_CODE - 1;
    for (int i = 0; i < t->count; i++)
        if (t->rows[i].status == status && slice_is(code, t->rows[i].code)) {
            t->rows[i].count += count;
            return;
        }
    if (t->count == TALLY_ROWS) {
        t->rows[TALLY_ROWS - 1].count += count;
        return;
    }
    struct tally_row *row = &t->rows[t->count++];
    *row = (struct tally_row){.status = status, .count = count};
    if (code.len > 0)
        memcpy(row->code, code.data, code.len);
}

void tally_merge(struct tally *into, const struct tally *from)
{
    for (int i = 0; i < from->count; i++)
        tally_add(into, from->rows[i].status, slice_of(from->rows[i].code), from->rows[i].count);
}

static int by_status(const void *a, const void *b)
{
    const struct tally_row *x = a, *y = b;
    if (x->status != y->status)
        return x->status < y->status ? -1 : 1;
    return x->count > y->count ? -1 : x->count < y->count;
}

void tally_sort(struct tally *t)
{
    qsort(t->rows, (size_t)t->count, sizeof *t->rows, by_status);
}

int64_t tally_of(const struct tally *t, int status)
{
    int64_t sum = 0;
    for (int i = 0; i < t->count; i++)
        if (t->rows[i].status == status)
            sum += t->rows[i].count;
    return sum;
}
