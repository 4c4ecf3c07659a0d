/*
 * Whose a dead letter is: the worker that made it, to be told what became of it, and the way back to the
 * queue that it came from.
 */
#ifndef SECKILL_CTL_DEAD_OWNER_H
#define SECKILL_CTL_DEAD_OWNER_H

#include "services/ctl/ask.h"
#include "services/ctl/dead_letter.h"

struct dead_way {         /* from the queue's name alone */
    const char *exchange; /* leads back to the queue, and nowhere else … */
    char key[64];         /* … under this key */
    char rpc_key[64];     /* the owner answers there */
    char whom[64];        /* "inventory of shard 0": for people */
};

/* false: the letter does not say where it came from, or no worker of ours reads that queue. */
bool dead_way_find(const struct letter *l, struct dead_way *out);

struct dead_owners;

/* Asks on a connection of its own. Returns an exit code, said. */
int dead_owners_open(const struct ctl *ctl, struct dead_owners **out);
void dead_owners_close(struct dead_owners *o); /* NULL is fine */

/* Is the letter's owner there to be told? Asked once for each, and said if not. true for a letter that has no
 * owner. */
bool dead_owner_answers(struct dead_owners *o, const struct letter *l);

/* Tells the owners what became of the letters ("replayed", "dropped"). told[i]: the i-th owner wrote it down,
 * or there is none to be told. An owner that does not answer is said, and not asked again. */
void dead_owners_tell(struct dead_owners *o, const struct letter *letters, size_t count, const char *how,
                      bool *told);

/* The same of a letter that is not in the queue any more, so that nobody knows whose it was: all workers are
 * asked. Returns how many had made it, or -1 if one did not answer, said. */
int dead_owners_tell_any(struct dead_owners *o, int shards, const char *id, const char *how);

#endif
