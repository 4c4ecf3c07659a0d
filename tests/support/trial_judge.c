/*
 * The judgement: what the files say against what every client was told. It trusts nothing that a program
 * under test says of itself; the audit, which does, is asked beside it.
 *
 * Requests of one user with one key are one order, and so is each request without a key. Where the answers
 * name an id, that is the row that may (or must) be there. A row that no answer names may be there only for
 * an order of its user that got no answer at all.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/trial_internal.h"

enum { PRINTED_OF_EACH = 5 };

void trial_violation(int64_t *counter, int64_t times, const char *format, ...)
{
    va_list args;

    if (*counter < PRINTED_OF_EACH) {
        fputs("VIOLATION ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
    }
    *counter += times;
}

static int by_order(const void *a, const void *b)
{
    const struct trial_claim *x = a, *y = b;
    int order = strcmp(x->user, y->user);

    return order ? order : (x->key > y->key) - (x->key < y->key);
}

static int by_user(const void *a, const void *b)
{
    const struct trial_row *const *x = a, *const *y = b;

    return strcmp((*x)->user, (*y)->user);
}

/* What the requests for one order were told, taken together. */
struct order_claims {
    const struct trial_claim *first;
    const char *id; /* that any answer named, or "" */
    bool accepted, unknown, refused;
};

static struct order_claims gather(const struct trial_claim *claims, size_t count,
                                  struct trial_verdict *verdict)
{
    struct order_claims o = {.first = claims, .id = ""};

    for (size_t i = 0; i < count; i++) {
        const struct trial_claim *c = &claims[i];

        o.accepted |= c->told == TOLD_ACCEPTED;
        o.refused |= c->told == TOLD_REFUSED;
        o.unknown |= c->told == TOLD_NOTHING;
        if (c->told == TOLD_ACCEPTED && c->id[0] == '\0')
            trial_violation(&verdict->told_wrongly, 1, "%s: 202 without an id", c->user);
        if (c->id[0] != '\0' && o.id[0] != '\0' && strcmp(c->id, o.id) != 0)
            trial_violation(&verdict->doubled, 1, "%s: one key has two ids, %s and %s", c->user, o.id, c->id);
        else if (c->id[0] != '\0')
            o.id = c->id;
    }
    return o;
}

static void judge_row(const struct order_claims *o, struct trial_row *row, struct trial_verdict *verdict)
{
    if (row->matched)
        trial_violation(&verdict->doubled, 1, "%s: the id %s was given to another order too", o->first->user,
                        row->id);
    row->matched = true;
    if (!o->accepted && !o->unknown)
        trial_violation(&verdict->told_wrongly, 1, "%s: %s was refused each time, and is decided", row->user,
                        row->id);
    if (strcmp(row->user, o->first->user) != 0 || row->quantity != o->first->quantity)
        trial_violation(&verdict->told_wrongly, 1, "%s: %s is decided as %" PRId64 " units of %s",
                        o->first->user, row->id, row->quantity, row->user);
}

/* Rows that no answer names, of one user: how many there may be, and whether that user was refused any. */
struct user_claims {
    const char *user;
    int64_t unnamed; /* orders that may be there under an id that nobody was told */
    bool refused;
};

static void judge_order(const struct order_claims *o, struct trial_item_facts *facts, struct user_claims *u,
                        struct trial_verdict *verdict)
{
    struct trial_row *row = o->id[0] ? (struct trial_row *)(uintptr_t)trial_row_find(facts, o->id) : NULL;

    if (row)
        judge_row(o, row, verdict);
    else if (o->accepted)
        trial_violation(&verdict->lost, 1, "%s: %s was accepted, and is not decided", o->first->user, o->id);
    u->unnamed += o->id[0] == '\0' && o->unknown;
    u->refused |= o->refused || (!o->accepted && !o->unknown);
}

/* Skips the users before this one. Returns the first row of it, or of one behind it. */
static size_t judge_strangers(struct trial_row **rows, size_t count, size_t at, const char *user,
                              struct trial_verdict *verdict)
{
    for (; at < count && (!user || strcmp(rows[at]->user, user) < 0); at++)
        trial_violation(&verdict->told_wrongly, 1, "%s is decided for %s, who never ordered", rows[at]->id,
                        rows[at]->user);
    return at;
}

static size_t judge_unnamed(struct trial_row **rows, size_t count, size_t at, const struct user_claims *u,
                            struct trial_verdict *verdict)
{
    int64_t allowed = u->unnamed;

    for (; at < count && strcmp(rows[at]->user, u->user) == 0; at++) {
        if (allowed-- > 0)
            continue;
        if (u->refused)
            trial_violation(&verdict->told_wrongly, 1, "%s: an order was refused, and %s is decided", u->user,
                            rows[at]->id);
        else
            trial_violation(&verdict->doubled, 1, "%s: %s is decided beside what was ordered", u->user,
                            rows[at]->id);
    }
    return at;
}

/* The rows that no claim named, by user. */
static struct trial_row **unmatched(struct trial_item_facts *facts, size_t *count)
{
    struct trial_row **rows = take_memory((facts->row_count + 1) * sizeof(struct trial_row *));

    *count = 0;
    for (size_t i = 0; i < facts->row_count; i++) {
        if (!facts->rows[i].matched)
            rows[(*count)++] = &facts->rows[i];
    }
    if (*count > 0)
        qsort(rows, *count, sizeof *rows, by_user);
    return rows;
}

/* How many claims from here on are for the same order. */
static size_t same_order(const struct trial_claims *claims, size_t from)
{
    const struct trial_claim *first = &claims->list[from];
    size_t to = from + 1;

    while (first->key >= 0 && to < claims->count && by_order(first, &claims->list[to]) == 0)
        to++;
    return to - from;
}

static void judge_answers(struct trial_claims *claims, struct trial_item_facts *facts,
                          struct trial_verdict *verdict)
{
    struct user_claims *users = take_memory((claims->count + 1) * sizeof *users);
    size_t user_count = 0, row_count, at = 0;
    struct trial_row **rows;

    if (claims->count > 0)
        qsort(claims->list, claims->count, sizeof *claims->list, by_order);
    for (size_t i = 0, step; i < claims->count; i += step) {
        struct order_claims o;

        step = same_order(claims, i);
        o = gather(&claims->list[i], step, verdict);
        if (user_count == 0 || strcmp(users[user_count - 1].user, o.first->user) != 0)
            users[user_count++].user = o.first->user;
        judge_order(&o, facts, &users[user_count - 1], verdict);
    }
    rows = unmatched(facts, &row_count);
    for (size_t i = 0; i < user_count; i++) {
        at = judge_strangers(rows, row_count, at, users[i].user, verdict);
        at = judge_unnamed(rows, row_count, at, &users[i], verdict);
    }
    judge_strangers(rows, row_count, at, NULL, verdict);
    free(rows);
    free(users);
}

static void judge_limit(const struct trial_terms *terms, struct trial_item_facts *facts,
                        struct trial_verdict *verdict)
{
    struct trial_row **rows = take_memory((facts->row_count + 1) * sizeof(struct trial_row *));
    int64_t units = 0;

    for (size_t i = 0; i < facts->row_count; i++)
        rows[i] = &facts->rows[i];
    if (facts->row_count > 0)
        qsort(rows, facts->row_count, sizeof *rows, by_user);
    for (size_t i = 0; i < facts->row_count && terms->limit > 0; i++) {
        if (i == 0 || by_user(&rows[i - 1], &rows[i]) != 0)
            units = 0;
        if (!rows[i]->confirmed)
            continue;
        units += rows[i]->quantity;
        if (units > terms->limit)
            trial_violation(&verdict->oversold, rows[i]->quantity, "%s: %" PRId64 " units with %s, of %d",
                            rows[i]->user, units, rows[i]->id, terms->limit);
    }
    free(rows);
}

static void judge_stock(const struct trial_terms *terms, const struct trial_item_facts *facts,
                        struct trial_verdict *verdict)
{
    int64_t confirmed = 0;

    for (size_t i = 0; i < facts->row_count; i++) {
        const struct trial_row *row = &facts->rows[i];

        if (!row->confirmed)
            continue;
        confirmed += row->quantity;
        if (row->receipt_no <= terms->first_receipt || row->receipt_no > facts->last_receipt)
            trial_violation(&verdict->doubled, 1,
                            "%s: receipt %" PRId64 " is not one of those after %" PRId64 " up to %" PRId64,
                            row->id, row->receipt_no, terms->first_receipt, facts->last_receipt);
    }
    if (facts->receipts_twice > 0)
        trial_violation(&verdict->doubled, facts->receipts_twice, "%" PRId64 " receipt numbers occur again",
                        facts->receipts_twice);
    if (facts->total != terms->stock)
        trial_violation(&verdict->told_wrongly, 1, "%s: %" PRId64 " units are stocked, not %" PRId64,
                        terms->sku, facts->total, terms->stock);
    if (confirmed > terms->stock || facts->left < 0)
        trial_violation(&verdict->oversold, confirmed > terms->stock ? confirmed - terms->stock : 1,
                        "%s: %" PRId64 " units confirmed of %" PRId64 ", %" PRId64 " left", terms->sku,
                        confirmed, terms->stock, facts->left);
    else if (confirmed + facts->left > terms->stock)
        trial_violation(&verdict->oversold, confirmed + facts->left - terms->stock,
                        "%s: %" PRId64 " units confirmed and %" PRId64 " left of %" PRId64, terms->sku,
                        confirmed, facts->left, terms->stock);
    if (confirmed + facts->left < terms->stock)
        trial_violation(&verdict->undersold, terms->stock - confirmed - facts->left,
                        "%s: %" PRId64 " units confirmed and %" PRId64 " left of %" PRId64, terms->sku,
                        confirmed, facts->left, terms->stock);
}

void trial_judge(const struct trial_terms *terms, struct trial_claims *claims, struct trial_item_facts *facts,
                 struct trial_verdict *verdict)
{
    for (size_t i = 0; i < claims->count; i++) {
        const struct trial_claim *c = &claims->list[i];

        verdict->offered += c->told != NOT_SENT;
        verdict->accepted += c->told == TOLD_ACCEPTED;
        verdict->refused += c->told == TOLD_REFUSED;
        verdict->unknown += c->told == TOLD_NOTHING;
    }
    judge_answers(claims, facts, verdict);
    judge_limit(terms, facts, verdict);
    judge_stock(terms, facts, verdict);
}
