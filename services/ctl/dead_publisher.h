/* Sends dead letters back to where they came from. A connection of its own, with confirms. One thread. */
#ifndef SECKILL_CTL_DEAD_PUBLISHER_H
#define SECKILL_CTL_DEAD_PUBLISHER_H

#include "services/ctl/command.h"
#include "services/ctl/dead_letter.h"

struct dead_publisher;

/* Returns an exit code, said. */
int dead_publisher_open(const struct ctl *ctl, struct dead_publisher **out);
void dead_publisher_close(struct dead_publisher *p); /* NULL is fine */

/* Publishes the letters (at most DEAD_PUBLISH_MAX, each with a way back: dead_way_find), persistent and
 * mandatory, without the headers of the batch that they were part of, under the id of a replay (inbox.h), and
 * waits for the broker's word. sent[i]: the i-th is durably back in its queue. EXIT_OK, or EXIT_UNAVAILABLE,
 * said, if any is not. */
#define DEAD_PUBLISH_MAX 200
int dead_publisher_send(struct dead_publisher *p, const struct letter *letters, size_t count, bool *sent);

#endif
