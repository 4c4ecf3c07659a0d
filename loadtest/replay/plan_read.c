/* A plan from a trace: the texts are kept once each, in the order in which they come. */
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/trace/trace_reader.h"
#include "loadtest/replay/plan.h"

/* The numbers of texts that were seen: an open hash table, doubled when half full. */
struct seen {
    struct plan_names *names;
    uint32_t *slots; /* number + 1; 0: free */
    size_t size;
};

static uint64_t hash_of(struct slice text)
{
    uint64_t h = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.data[i]) * 0x100000001b3ULL;
    return h ^ (h >> 29);
}

static struct slice text_of(const struct plan_names *names, uint32_t number)
{
    const size_t begin = number == 0 ? 0 : names->ends[number - 1];
    return (struct slice){.data = names->bytes.data + begin, .len = names->ends[number] - begin};
}

static void place(struct seen *s, uint32_t number)
{
    size_t at = hash_of(text_of(s->names, number)) & (s->size - 1);
    while (s->slots[at] != 0)
        at = (at + 1) & (s->size - 1);
    s->slots[at] = number + 1;
}

static void seen_grow(struct seen *s)
{
    free(s->slots);
    s->size = s->size ? 2 * s->size : 1024;
    s->slots = xcalloc(s->size, sizeof *s->slots);
    for (size_t i = 0; i < s->names->count; i++)
        place(s, (uint32_t)i);
}

static uint32_t seen_number(struct seen *s, struct slice text, bool *is_new)
{
    if (2 * s->names->count >= s->size)
        seen_grow(s);
    size_t at = hash_of(text) & (s->size - 1);
    for (; s->slots[at] != 0; at = (at + 1) & (s->size - 1)) {
        const struct slice other = text_of(s->names, s->slots[at] - 1);
        if (other.len == text.len && memcmp(other.data, text.data, text.len) == 0) {
            *is_new = false;
            return s->slots[at] - 1;
        }
    }
    *is_new = true;
    s->slots[at] = plan_names_add(s->names, text) + 1;
    return s->slots[at] - 1;
}

static void count_verdict(struct plan *plan, struct slice verdict)
{
    int i = 0;
    if (verdict.len == 0)
        return;
    while (i < plan->verdict_count && !slice_is(verdict, plan->verdicts[i].name))
        i++;
    if (i == PLAN_VERDICTS)
        i--; /* a trace with more verdicts than there are: the rest counts as the last */
    else if (i == plan->verdict_count) {
        plan->verdict_count++;
        memcpy(plan->verdicts[i].name, verdict.data, verdict.len);
    }
    plan->verdicts[i].count++;
}

static struct intent *intent_new(struct plan *plan)
{
    if ((plan->count & (plan->count - 1)) == 0)
        plan->intents = xrealloc(plan->intents, (plan->count ? 2 * plan->count : 1) * sizeof *plan->intents);
    plan->intents[plan->count] = (struct intent){0};
    return &plan->intents[plan->count++];
}

struct reading {
    struct plan *plan;
    struct seen users, keys, skus;
    double speed;
};

static int take_record(struct reading *reading, const struct trace_record *record, struct detail *why)
{
    struct plan *plan = reading->plan;
    struct intent *n = intent_new(plan);
    bool is_new;
    n->at_ns = (int64_t)((double)record->at_us * 1000 / reading->speed);
    count_verdict(plan, record->verdict);
    if (record->user.len == 0) {
        n->malformed = true;
        n->user = (uint32_t)plan->malformed++;
        return 0;
    }
    n->user = seen_number(&reading->users, record->user, &is_new);
    const uint32_t sku = seen_number(&reading->skus, record->sku, &is_new);
    if (sku > UINT16_MAX) {
        detail_set(why, "more than %d different items", UINT16_MAX);
        return E_FULL;
    }
    n->sku = (uint16_t)sku;
    n->quantity = (uint16_t)record->quantity;
    if (record->key.len > 0) {
        n->key = seen_number(&reading->keys, record->key, &is_new) + 1;
        n->repeat = !is_new;
        plan->repeats += n->repeat;
    }
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct intent *x = a, *y = b;
    return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

int plan_read(struct plan *plan, const char *path, double speed, uint64_t count, struct detail *why)
{
    struct trace_reader *reader;
    struct trace_record record;
    struct reading reading = {.plan = plan, .speed = speed};
    int rc = trace_reader_open(&reader, path, why);
    if (rc)
        return rc;
    *plan = (struct plan){.users_hashed = trace_reader_header(reader)->users_hashed};
    reading.users.names = &plan->users;
    reading.keys.names = &plan->keys;
    reading.skus.names = &plan->skus;
    while ((count == 0 || plan->count < count) && (rc = trace_reader_next(reader, &record, why)) > 0) {
        if (plan->count == PLAN_MAX) {
            detail_set(why, "%s: more than %d requests (see --count)", path, PLAN_MAX);
            rc = E_FULL;
        } else {
            rc = take_record(&reading, &record, why);
        }
        if (rc)
            break;
    }
    plan->truncated = trace_reader_is_truncated(reader);
    trace_reader_close(reader);
    free(reading.users.slots);
    free(reading.keys.slots);
    free(reading.skus.slots);
    if (rc >= 0 && plan->count == 0) {
        detail_set(why, "%s: no request in it", path);
        rc = E_INVALID;
    }
    if (rc < 0) {
        plan_free(plan);
        return rc;
    }
    qsort(plan->intents, plan->count, sizeof *plan->intents, by_time);
    const int64_t first_ns = plan->intents[0].at_ns; /* nobody wants to wait for the first one */
    for (size_t i = 0; i < plan->count; i++)
        plan->intents[i].at_ns -= first_ns;
    return 0;
}
