/*
 * dead replay: letters go back to where they came from.
 *
 *   published and confirmed → the owner has written down that it was replayed → the letter is acknowledged
 *
 * Ensures: wherever this process dies the letter is in seckill.dead or its line is in its queue, or both; and
 * a letter that is replayed twice does what it does once, as everything is that comes twice. A line that
 * comes to nothing again is a letter again, under the same id.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/clock.h"
#include "common/base/fault.h"
#include "services/ctl/commands.h"
#include "services/ctl/dead_choice.h"
#include "services/ctl/dead_owner.h"
#include "services/ctl/dead_publisher.h"
#include "services/ctl/dead_queue.h"

const struct ctl_option cmd_dead_replay_options[] = {
    {"all", NULL, "all of them"},
    CTL_OPTIONS_DEAD_FILTER,
    {"json", NULL, "print JSON: {\"replayed\": N, \"left\": N}"},
    {NULL, NULL, NULL},
};

struct replay {
    struct dead_queue *queue;
    struct dead_publisher *publisher;
    struct dead_owners *owners;
    struct dead_choice choice;
    struct letter letters[DEAD_PUBLISH_MAX]; /* in hand */
    size_t count;
    int64_t replayed, left, homeless;
    int64_t told_ns;
    bool stop; /* there is no broker to be had any more */
    int status;
};

static void tell_progress(struct replay *r)
{
    int64_t now_ns = clock_mono_ns();
    if (now_ns - r->told_ns < NS_PER_S || !isatty(STDERR_FILENO))
        return;
    r->told_ns = now_ns;
    fprintf(stderr, "replayed %" PRId64 " of %" PRId64 " dead letters in the queue\n", r->replayed,
            dead_queue_count(r->queue));
}

/* What is in hand. */
static void send(struct replay *r)
{
    bool sent[DEAD_PUBLISH_MAX], told[DEAD_PUBLISH_MAX];
    if (r->count == 0)
        return;
    int status = dead_publisher_send(r->publisher, r->letters, r->count, sent);
    if (status)
        r->status = status;
    FAULT_POINT("replay.published");
    size_t kept = 0; /* those that were sent come first */
    for (size_t i = 0; i < r->count; i++) {
        struct letter l = r->letters[i];
        if (!sent[i])
            continue;
        r->letters[i] = r->letters[kept];
        r->letters[kept++] = l;
    }
    r->stop = kept == 0;
    dead_owners_tell(r->owners, r->letters, kept, "replayed", told);
    FAULT_POINT("replay.settled");
    for (size_t i = 0; i < r->count; i++) {
        bool is_done = i < kept && told[i];
        if (i < kept && !told[i])
            r->status = EXIT_UNAVAILABLE;
        if (is_done && dead_queue_ack(r->queue, r->letters[i].tag)) {
            r->status = EXIT_UNAVAILABLE;
            r->stop = true;
            is_done = false;
        }
        r->replayed += is_done;
        r->left += !is_done;
        letter_free(&r->letters[i]);
    }
    r->count = 0;
    tell_progress(r);
}

/* Takes the letter over. */
static void take(struct replay *r, struct letter *l)
{
    struct dead_way way;
    if (!dead_choice_has(&r->choice, l)) {
        letter_free(l);
    } else if (!dead_way_find(l, &way)) {
        r->homeless++;
        letter_free(l);
    } else if (!dead_owner_answers(r->owners, l)) {
        r->status = EXIT_UNAVAILABLE;
        r->left++;
        letter_free(l);
    } else {
        r->letters[r->count++] = *l;
    }
}

static void replay_all(struct replay *r)
{
    struct letter l;
    int more = 0;
    while (!r->stop && (more = dead_queue_next(r->queue, true, &l)) == 1) {
        take(r, &l);
        if (r->count == DEAD_PUBLISH_MAX)
            send(r);
    }
    if (more < 0)
        r->status = EXIT_UNAVAILABLE;
    send(r);
}

static void print(const struct ctl *ctl, const struct replay *r)
{
    if (ctl_json(ctl))
        printf("{\n  \"replayed\": %" PRId64 ",\n  \"left\": %" PRId64 "\n}\n", r->replayed,
               r->left + r->homeless);
    else if (r->left > 0)
        printf("%" PRId64 " replayed, %" PRId64 " stay\n", r->replayed, r->left);
    else
        printf("%" PRId64 " replayed\n", r->replayed);
}

int cmd_dead_replay(const struct ctl *ctl)
{
    struct replay *r = xcalloc(1, sizeof(*r));
    int status = dead_choice_read(ctl, &r->choice);
    if (status == EXIT_OK && (status = dead_queue_open(ctl, &r->queue)) == EXIT_OK &&
        (status = dead_publisher_open(ctl, &r->publisher)) == EXIT_OK)
        status = dead_owners_open(ctl, &r->owners);
    if (status == EXIT_OK) {
        replay_all(r);
        print(ctl, r);
        status = r->status;
        if (r->homeless > 0)
            status = ctl_fail(status ? status : EXIT_FAILED,
                              "%" PRId64
                              " letters do not say where they came from, and stay: see dead list, dead drop",
                              r->homeless);
        if (status == EXIT_OK)
            status = dead_choice_check(&r->choice);
    }
    dead_owners_close(r->owners);
    dead_publisher_close(r->publisher);
    dead_queue_close(r->queue);
    dead_choice_free(&r->choice);
    free(r);
    return status;
}
