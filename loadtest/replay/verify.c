/* What a buyer can check. */
#include "loadtest/replay/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

static const struct check check_table[CHECK_COUNT] = {
    [CHECK_DECIDED] = {.says = "every accepted order is decided", .of = "orders"},
    [CHECK_AS_SENT] = {.says = "what is decided is what was sent", .of = "orders"},
    [CHECK_KEYS] = {.says = "one order for each key, one key for each order", .of = "answers"},
    [CHECK_STANDS] = {.says = "asked again, the decision stands", .of = "orders"},
    [CHECK_STOCK] = {.says = "no more sold than there was", .of = "items"},
    [CHECK_LIMIT] = {.says = "no buyer beyond the limit", .of = "buyers"},
    [CHECK_RECEIPTS] = {.says = "no receipt number twice", .of = "receipts"},
};

static void PRINTF_LIKE(2, 3) note_failure(struct check *c, const char *format, ...)
{
    va_list args;
    if (c->failed++ > 0)
        return;
    va_start(args, format);
    vsnprintf(c->example, sizeof c->example, format, args);
    va_end(args);
}

/* ---- Ids and keys ---- */

static bool is_same_order(const struct intent *a, const struct intent *b)
{
    return a->key != 0 && a->key == b->key && a->user == b->user && a->sku == b->sku;
}

static int by_id(const void *a, const void *b)
{
    const struct accepted *x = a, *y = b;
    const int order = memcmp(x->order_id, y->order_id, ORDER_ID_LEN);
    return order ? order : x->intent < y->intent ? -1 : x->intent > y->intent;
}

static int by_key(const void *a, const void *b, void *context)
{
    const struct intent *intents = ((const struct plan *)context)->intents;
    const struct accepted *const *p = a, *const *q = b;
    const struct intent *x = &intents[(*p)->intent], *y = &intents[(*q)->intent];
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->user != y->user)
        return x->user < y->user ? -1 : 1;
    return x->sku < y->sku ? -1 : x->sku > y->sku;
}

/* The same user, item and key must have got one id. */
static void check_keys(struct verification *v, const struct plan *plan, struct accepted *orders, size_t count)
{
    struct check *c = &v->checks[CHECK_KEYS];
    const struct accepted **keyed = xcalloc(count + 1, sizeof(*keyed));
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (plan->intents[orders[i].intent].key != 0)
            keyed[n++] = &orders[i];
    qsort_r(keyed, n, sizeof(*keyed), by_key, (void *)(uintptr_t)plan);
    for (size_t i = 1; i < n; i++)
        if (is_same_order(&plan->intents[keyed[i - 1]->intent], &plan->intents[keyed[i]->intent]) &&
            strcmp(keyed[i - 1]->order_id, keyed[i]->order_id) != 0)
            note_failure(c, "one key got %s and %s", keyed[i - 1]->order_id, keyed[i]->order_id);
    free(keyed);
}

void verification_begin(struct verification *v, const struct plan *plan, struct accepted *orders,
                        size_t count)
{
    *v = (struct verification){0};
    memcpy(v->checks, check_table, sizeof v->checks);
    v->checks[CHECK_KEYS].checked = (int64_t)count;
    check_keys(v, plan, orders, count);
    qsort(orders, count, sizeof *orders, by_id);
    v->orders = xcalloc(count + 1, sizeof *v->orders);
    for (size_t i = 0; i < count; i++) {
        const struct followed *last = v->count > 0 ? &v->orders[v->count - 1] : NULL;
        if (last && strcmp(last->order_id, orders[i].order_id) == 0) {
            if (!is_same_order(&plan->intents[last->intent], &plan->intents[orders[i].intent]))
                note_failure(&v->checks[CHECK_KEYS], "two different orders got %s", last->order_id);
            continue;
        }
        struct followed *o = &v->orders[v->count++];
        memcpy(o->order_id, orders[i].order_id, sizeof o->order_id);
        o->intent = orders[i].intent;
    }
}

/* ---- Decisions ---- */

static void check_decisions(struct verification *v)
{
    struct check *decided = &v->checks[CHECK_DECIDED], *as_sent = &v->checks[CHECK_AS_SENT],
                 *stands = &v->checks[CHECK_STANDS];
    for (size_t i = 0; i < v->count; i++) {
        const struct followed *o = &v->orders[i];
        decided->checked++;
        v->confirmed += o->decision == CONFIRMED;
        v->rejected += o->decision == REJECTED;
        v->undecided += o->decision == UNDECIDED;
        v->missing += o->decision == MISSING;
        if (o->decision == REJECTED)
            tally_add(&v->reasons, 0, slice_of(o->reason), 1);
        if (o->decision == UNDECIDED || o->decision == MISSING) {
            note_failure(decided, "%s: %s", o->order_id,
                         o->decision == MISSING ? "404, after 202" : "not decided in time");
            continue;
        }
        as_sent->checked++;
        if (o->differs)
            note_failure(as_sent, "%s: another user, item or quantity", o->order_id);
        stands->checked += o->asked_again;
        if (o->changed)
            note_failure(stands, "%s: first it was %s, then something else", o->order_id,
                         o->decision == CONFIRMED ? "confirmed" : "rejected");
    }
}

/* The confirmed ones, sorted by item and buyer. */
struct sale {
    uint16_t sku, quantity;
    uint32_t user;
    int64_t shard, receipt;
    const struct followed *order;
};

static int by_buyer(const void *a, const void *b)
{
    const struct sale *x = a, *y = b;
    if (x->sku != y->sku)
        return x->sku < y->sku ? -1 : 1;
    return x->user < y->user ? -1 : x->user > y->user;
}

static int by_receipt(const void *a, const void *b)
{
    const struct sale *x = a, *y = b;
    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return x->receipt < y->receipt ? -1 : x->receipt > y->receipt;
}

/* Units of one item. What was gone before the peak cannot have been sold in it. */
static void check_stock(struct verification *v, const struct plan *plan, uint16_t sku, int64_t units,
                        const struct items *before, const struct items *after)
{
    struct check *c = &v->checks[CHECK_STOCK];
    char text[PLAN_NAME_SIZE];
    const struct slice name = plan_sku(plan, sku, text);
    const struct item_told *then = items_find(before, name), *now = items_find(after, name);
    c->checked++;
    if (!now) {
        note_failure(c, "%.*s: %lld units confirmed of an item that is not in the catalogue", (int)name.len,
                     name.data, (long long)units);
        return;
    }
    const int64_t gone = then ? then->stock_total - then->stock_left : 0, sold_before = gone > 0 ? gone : 0;
    if (units > now->stock_total - sold_before)
        note_failure(c, "%.*s: %lld units confirmed; stock %lld, of which %lld were sold before",
                     (int)name.len, name.data, (long long)units, (long long)now->stock_total,
                     (long long)sold_before);
    else if (now->stock_left < 0)
        note_failure(c, "%.*s: %lld left", (int)name.len, name.data, (long long)now->stock_left);
}

/* The limit may have been changed meanwhile: the more generous of the two counts. 0: none. */
static int64_t limit_of(const struct plan *plan, uint16_t sku, const struct items *before,
                        const struct items *after)
{
    char text[PLAN_NAME_SIZE];
    const struct slice name = plan_sku(plan, sku, text);
    const struct item_told *then = items_find(before, name), *now = items_find(after, name);
    const int64_t a = then ? then->limit_per_user : 0, b = now ? now->limit_per_user : a;
    return a == 0 || b == 0 ? 0 : a > b ? a : b;
}

static void check_buyer(struct verification *v, const struct plan *plan, const struct sale *first,
                        int64_t units, int64_t limit)
{
    struct check *c = &v->checks[CHECK_LIMIT];
    char text[PLAN_NAME_SIZE];
    const struct slice name = plan_user(plan, first->user, text);
    c->checked++;
    if (limit > 0 && units > limit)
        note_failure(c, "%.*s got %lld units; the limit is %lld", (int)name.len, name.data, (long long)units,
                     (long long)limit);
}

static void check_sales(struct verification *v, const struct plan *plan, struct sale *sales, size_t n,
                        const struct items *before, const struct items *after)
{
    int64_t of_item = 0, of_buyer = 0;
    size_t first = 0;
    qsort(sales, n, sizeof *sales, by_buyer);
    for (size_t i = 0; i < n; i++) {
        const bool item_ends = i + 1 == n || sales[i + 1].sku != sales[i].sku;
        of_item += sales[i].quantity;
        of_buyer += sales[i].quantity;
        if (item_ends || sales[i + 1].user != sales[i].user) {
            check_buyer(v, plan, &sales[first], of_buyer, limit_of(plan, sales[i].sku, before, after));
            of_buyer = 0;
            first = i + 1;
        }
        if (item_ends) {
            check_stock(v, plan, sales[i].sku, of_item, before, after);
            of_item = 0;
        }
    }
}

static void check_receipts(struct verification *v, struct sale *sales, size_t n)
{
    struct check *c = &v->checks[CHECK_RECEIPTS];
    qsort(sales, n, sizeof *sales, by_receipt);
    c->checked = (int64_t)n;
    for (size_t i = 1; i < n; i++)
        if (by_receipt(&sales[i - 1], &sales[i]) == 0)
            note_failure(c, "%lld: %s and %s", (long long)sales[i].receipt, sales[i - 1].order->order_id,
                         sales[i].order->order_id);
}

void verification_end(struct verification *v, const struct plan *plan, const struct items *before,
                      const struct items *after)
{
    struct sale *sales = xcalloc(v->count + 1, sizeof *sales);
    size_t n = 0;
    check_decisions(v);
    for (size_t i = 0; i < v->count; i++) {
        const struct followed *o = &v->orders[i];
        const struct intent *intent = &plan->intents[o->intent];
        char text[PLAN_NAME_SIZE];
        if (o->decision != CONFIRMED)
            continue;
        const struct item_told *item = items_find(after, plan_sku(plan, intent->sku, text));
        sales[n++] = (struct sale){.sku = intent->sku,
                                   .quantity = intent->quantity,
                                   .user = intent->user,
                                   .shard = item ? item->shard : 0,
                                   .receipt = o->receipt,
                                   .order = o};
    }
    check_sales(v, plan, sales, n, before, after);
    check_receipts(v, sales, n);
    tally_sort(&v->reasons);
    free(sales);
}

bool verification_holds(const struct verification *v)
{
    for (int i = 0; i < CHECK_COUNT; i++)
        if (v->checks[i].failed > 0)
            return false;
    return true;
}

void verification_free(struct verification *v)
{
    free(v->orders);
    *v = (struct verification){0};
}
