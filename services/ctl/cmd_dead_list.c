/* dead list: what is in seckill.dead, and why. Everything stays there. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "services/ctl/commands.h"
#include "services/ctl/dead_choice.h"
#include "services/ctl/dead_queue.h"
#include "services/ctl/table.h"

#define LIMIT_DEFAULT 1000

const struct ctl_option cmd_dead_list_options[] = {
    CTL_OPTIONS_DEAD_FILTER,
    {"limit", "N", "show at most so many; 1000 where left out"},
    {"json", NULL, "print JSON: {\"letters\": [...], \"in_queue\": N}"},
    {NULL, NULL, NULL},
};

static void add_row(struct table *t, const struct letter *l)
{
    char at[RFC3339_SIZE];
    table_add(t, l->id);
    table_add(t, l->queue[0] ? l->queue : "-");
    table_add(t, l->reason[0] ? l->reason : "-");
    table_add(t, l->at_ms > 0 ? rfc3339_format(l->at_ms, at) : "-");
    table_addf(t, "%" PRId64, l->attempts);
    table_addf(t, "%" PRId64, l->times);
    table_addf(t, "%" PRId64, l->orders);
    table_add(t, l->detail);
}

/* An exit code. */
static int gather(struct dead_queue *q, struct dead_choice *choice, int64_t limit, struct table *t,
                  json_t *letters)
{
    struct letter l;
    int more = 1;
    for (int64_t shown = 0; shown < limit && (more = dead_queue_next(q, false, &l)) == 1;) {
        if (dead_choice_has(choice, &l)) {
            add_row(t, &l);
            json_array_append_new(letters, letter_json(&l, false));
            shown++;
        }
        letter_free(&l);
    }
    return more < 0 ? EXIT_UNAVAILABLE : EXIT_OK;
}

static void print(const struct ctl *ctl, const struct table *t, json_t *letters, int64_t in_queue)
{
    if (ctl_json(ctl)) {
        json_t *all = json_pack("{s:O, s:I}", "letters", letters, "in_queue", (json_int_t)in_queue);
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(all);
        return;
    }
    size_t shown = json_array_size(letters);
    if (shown > 0)
        table_print(t, stdout);
    if (in_queue == 0)
        printf("there are no dead letters\n");
    else if ((int64_t)shown < in_queue)
        printf("%zu of %" PRId64 " dead letters\n", shown, in_queue);
}

int cmd_dead_list(const struct ctl *ctl)
{
    static const char *const columns[] = {"ID",     "FROM",   "REASON", "AT", ">ATTEMPTS",
                                          ">TIMES", ">LINES", "DETAIL", NULL};
    struct dead_choice choice = {.reason = ctl_option(ctl, "reason"), .queue = ctl_option(ctl, "queue")};
    struct dead_queue *q = NULL;
    int64_t limit = LIMIT_DEFAULT;
    int status = ctl_option_number(ctl, "limit", 1, 1000000, &limit);
    if (status == EXIT_OK)
        status = dead_queue_open(ctl, &q);
    if (status)
        return status;
    struct table *t = table_new(columns);
    json_t *letters = json_array();
    status = gather(q, &choice, limit, t, letters);
    if (status == EXIT_OK)
        print(ctl, t, letters, dead_queue_count(q));
    json_decref(letters);
    table_free(t);
    dead_queue_close(q);
    return status;
}
