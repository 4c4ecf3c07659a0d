/* See dead_choice.h. */
#include "services/ctl/dead_choice.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"

int dead_choice_read(const struct ctl *ctl, struct dead_choice *out)
{
    *out = (struct dead_choice){.reason = ctl_option(ctl, "reason"),
                                .queue = ctl_option(ctl, "queue"),
                                .ids = ctl->words,
                                .count = ctl->word_count};
    bool all = ctl_option(ctl, "all") != NULL, filter = out->reason || out->queue;
    if (all == (filter || out->count > 0))
        return ctl_bad_usage(ctl, "which letters? Their ids, --reason or --queue, or --all");
    out->found = xcalloc(out->count + 1, sizeof(bool));
    return EXIT_OK;
}

void dead_choice_free(struct dead_choice *c)
{
    free(c->found);
    c->found = NULL;
}

bool dead_choice_has(struct dead_choice *c, const struct letter *l)
{
    if ((c->reason && strcmp(c->reason, l->reason) != 0) || (c->queue && strcmp(c->queue, l->queue) != 0))
        return false;
    bool is_named = c->count == 0;
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->ids[i], l->id) == 0)
            is_named = c->found[i] = true;
    return is_named;
}

int dead_choice_check(const struct dead_choice *c)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < c->count; i++)
        if (!c->found[i])
            status = ctl_fail(EXIT_FAILED, "there is no dead letter %s", c->ids[i]);
    return status;
}
