/* A plan's texts, and its end as a trace. */
#include "loadtest/replay/plan.h"

#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/trace/trace_writer.h"

void plan_free(struct plan *plan)
{
    struct plan_names *const all[] = {&plan->users, &plan->keys, &plan->skus};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        buffer_free(&all[i]->bytes);
        free(all[i]->ends);
    }
    free(plan->intents);
    *plan = (struct plan){0};
}

uint32_t plan_names_add(struct plan_names *names, struct slice text)
{
    if ((names->count & (names->count - 1)) == 0) /* 0, 1, 2, 4, 8 …: full */
        names->ends = xrealloc(names->ends, (names->count ? 2 * names->count : 1) * sizeof *names->ends);
    buffer_add(&names->bytes, text.data, text.len);
    names->ends[names->count] = names->bytes.len;
    return (uint32_t)names->count++;
}

static struct slice stored(const struct plan_names *names, uint32_t number)
{
    const size_t begin = number == 0 ? 0 : names->ends[number - 1];
    return (struct slice){.data = names->bytes.data + begin, .len = names->ends[number] - begin};
}

/* Prefix and number, by hand: this is done for each request. */
static struct slice made_up(const char *prefix, uint64_t number, char out[PLAN_NAME_SIZE])
{
    char digits[24], *p = digits + sizeof digits;
    size_t len = strlen(prefix);
    do {
        *--p = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, prefix, len);
    memcpy(out + len, p, (size_t)(digits + sizeof digits - p));
    return (struct slice){.data = out, .len = len + (size_t)(digits + sizeof digits - p)};
}

struct slice plan_user(const struct plan *plan, uint32_t user, char out[PLAN_NAME_SIZE])
{
    if (plan->users.count > 0)
        return stored(&plan->users, user);
    return user == 0 ? slice_of("bot") : made_up("u", user, out);
}

struct slice plan_sku(const struct plan *plan, uint16_t sku, char out[PLAN_NAME_SIZE])
{
    (void)out;
    return stored(&plan->skus, sku);
}

struct slice plan_key(const struct plan *plan, uint32_t key, char out[PLAN_NAME_SIZE])
{
    if (key == 0)
        return (struct slice){0};
    if (plan->keys.count > 0)
        return stored(&plan->keys, key - 1);
    return made_up(plan->key_prefix, key, out);
}

int plan_save(const struct plan *plan, const char *path, struct detail *why)
{
    struct trace_writer *w;
    const struct trace_header header = {.started_ms = clock_wall_ms(),
                                        .by = slice_of("seckill-replay " SECKILL_VERSION),
                                        .users_hashed = plan->users_hashed};
    int rc = trace_writer_open(&w, path, &header, why);
    if (rc)
        return rc;
    for (size_t i = 0; rc == 0 && i < plan->count; i++) {
        const struct intent *n = &plan->intents[i];
        char user[PLAN_NAME_SIZE], sku[PLAN_NAME_SIZE], key[PLAN_NAME_SIZE];
        struct trace_record record = {.at_us = n->at_ns / 1000};
        if (n->malformed) {
            record.verdict = slice_of("malformed");
        } else {
            record.user = plan_user(plan, n->user, user);
            record.sku = plan_sku(plan, n->sku, sku);
            record.key = plan_key(plan, n->key, key);
            record.quantity = n->quantity;
        }
        rc = trace_writer_add(w, &record);
    }
    int closed = trace_writer_close(w, why);
    return rc ? rc : closed;
}
