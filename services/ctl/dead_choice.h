/* Which dead letters a command means: all, those of a reason or a queue, or those named. */
#ifndef SECKILL_CTL_DEAD_CHOICE_H
#define SECKILL_CTL_DEAD_CHOICE_H

#include "services/ctl/command.h"
#include "services/ctl/dead_letter.h"

struct dead_choice {
    const char *reason, *queue; /* NULL: any */
    const char *const *ids;     /* count 0: any */
    size_t count;
    bool *found; /* of each id */
};

#define CTL_OPTIONS_DEAD_FILTER                                                                              \
    {"reason", "WORD", "only those of this reason"},                                                         \
    {                                                                                                        \
        "queue", "NAME", "only those that came from this queue"                                              \
    }

/* From --all, --reason, --queue and the words: --all, or at least one of the others, of which all must hold.
 * EXIT_USAGE, said. */
int dead_choice_read(const struct ctl *ctl, struct dead_choice *out);
void dead_choice_free(struct dead_choice *c);

/* Is the letter meant? Notes an id that was found. */
bool dead_choice_has(struct dead_choice *c, const struct letter *l);

/* Says which ids were not found; EXIT_FAILED if any. */
int dead_choice_check(const struct dead_choice *c);

#endif
