/* Events off a queue of the test's own, to be looked at and published again in another order. */
#ifndef SECKILL_TESTS_EVENT_LINES_H
#define SECKILL_TESTS_EVENT_LINES_H

#include <stddef.h>

#include "tests/support/stack.h"

struct event_lines {
    char **items; /* owned; without their "\n" */
    size_t count;
};

/* Takes at least so many lines off the queue (amqp_make_queue): sorted, and each once, since at least once is
 * what an event promises. Fails the test if they do not come. */
struct event_lines event_lines_take(struct stack *s, const char *queue, int count, int seconds);
void event_lines_free(struct event_lines *l);

void event_lines_shuffle(struct event_lines *l); /* by random() */

/* Publishes all of them to seckill.events, in messages of so many lines. */
void event_lines_publish(struct stack *s, const struct event_lines *l, const char *routing_key,
                         size_t in_message);

#endif
