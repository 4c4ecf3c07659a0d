/* dead drop: letters are given up for good. Their owners write it down first, so that the audit knows that
 * somebody decided it; then each is acknowledged. A letter that is named and not in the queue any more, since
 * somebody purged it, can be given up all the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "services/ctl/commands.h"
#include "services/ctl/dead_choice.h"
#include "services/ctl/dead_owner.h"
#include "services/ctl/dead_queue.h"

const struct ctl_option cmd_dead_drop_options[] = {
    {"all", NULL, "all of them"},
    CTL_OPTIONS_DEAD_FILTER,
    {"yes", NULL, "do not ask; needed where there is no terminal to ask on"},
    {"json", NULL, "print JSON: {\"dropped\": N, \"left\": N}"},
    {NULL, NULL, NULL},
};

struct drop {
    struct dead_queue *queue;
    struct dead_owners *owners;
    struct dead_choice choice;
    struct letter *letters; /* meant, without their bodies */
    size_t count, room;
    int64_t dropped;
};

static int gather(struct drop *d)
{
    struct letter l;
    int more;
    while ((more = dead_queue_next(d->queue, false, &l)) == 1) {
        if (!dead_choice_has(&d->choice, &l)) {
            letter_free(&l);
            continue;
        }
        if (d->count == d->room) {
            d->room = d->room ? 2 * d->room : 64;
            d->letters = xrealloc(d->letters, d->room * sizeof(d->letters[0]));
        }
        d->letters[d->count++] = l;
    }
    return more < 0 ? EXIT_UNAVAILABLE : EXIT_OK;
}

/* EXIT_OK: the person said yes. */
static int confirm(struct drop *d)
{
    char answer[16];
    fflush(stdout);
    size_t count = d->choice.count > d->count ? d->choice.count : d->count;
    fprintf(stderr, "Drop %zu dead letters for good? [y/N] ", count);
    int status = dead_queue_wait_for(d->queue, STDIN_FILENO);
    if (status)
        return status;
    if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
        return ctl_fail(EXIT_FAILED, "nothing was dropped");
    return EXIT_OK;
}

static int drop_all(struct drop *d)
{
    int status = EXIT_OK;
    bool *told = xcalloc(d->count + 1, sizeof(bool));
    dead_owners_tell(d->owners, d->letters, d->count, "dropped", told);
    for (size_t i = 0; i < d->count; i++) {
        if (told[i] && dead_queue_ack(d->queue, d->letters[i].tag) == EXIT_OK)
            d->dropped++;
        else
            status = EXIT_UNAVAILABLE;
    }
    free(told);
    return status;
}

/* Those that were named and are not in the queue. */
static int drop_purged(struct drop *d, int shards)
{
    for (size_t i = 0; i < d->choice.count; i++) {
        int known =
            d->choice.found[i] ? 0 : dead_owners_tell_any(d->owners, shards, d->choice.ids[i], "dropped");
        if (known < 0)
            return EXIT_UNAVAILABLE;
        if (known > 0) {
            fprintf(stderr, "%s was not in the queue; whoever made it knows now that it is given up\n",
                    d->choice.ids[i]);
            d->choice.found[i] = true;
        }
    }
    return EXIT_OK;
}

static int drop(const struct ctl *ctl, struct drop *d)
{
    int status = gather(d);
    if (status == EXIT_OK && d->count + d->choice.count > 0 && !ctl_option(ctl, "yes"))
        status = confirm(d);
    if (status)
        return status;
    status = drop_all(d);
    if (status == EXIT_OK)
        status = drop_purged(d, (int)ctl->settings->topology.shards);
    if (ctl_json(ctl))
        printf("{\n  \"dropped\": %" PRId64 ",\n  \"left\": %" PRId64 "\n}\n", d->dropped,
               (int64_t)d->count - d->dropped);
    else if (d->dropped < (int64_t)d->count)
        printf("%" PRId64 " dropped, %" PRId64 " stay\n", d->dropped, (int64_t)d->count - d->dropped);
    else
        printf("%" PRId64 " dropped\n", d->dropped);
    return status ? status : dead_choice_check(&d->choice);
}

int cmd_dead_drop(const struct ctl *ctl)
{
    struct drop d = {.queue = NULL};
    int status = dead_choice_read(ctl, &d.choice);
    if (status == EXIT_OK && !ctl_option(ctl, "yes") && !isatty(STDIN_FILENO))
        status = ctl_bad_usage(ctl, "what is dropped is gone for good: --yes, where nobody can be asked");
    if (status == EXIT_OK && (status = dead_queue_open(ctl, &d.queue)) == EXIT_OK)
        status = dead_owners_open(ctl, &d.owners);
    if (status == EXIT_OK)
        status = drop(ctl, &d);
    for (size_t i = 0; i < d.count; i++)
        letter_free(&d.letters[i]);
    free(d.letters);
    dead_owners_close(d.owners);
    dead_queue_close(d.queue);
    dead_choice_free(&d.choice);
    return status;
}
