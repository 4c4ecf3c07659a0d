/* Dead letters, by seckillctl dead. Every function fails the test if it cannot do its work. */
#ifndef SECKILL_TESTS_DEAD_LETTERS_H
#define SECKILL_TESTS_DEAD_LETTERS_H

#include <jansson.h>

#include "tests/support/stack.h"

/* Waits until so many letters are in the queue; their list as dead list shows it, to be freed. */
json_t *dead_wait(struct stack *s, int count);

/* The letter's body by dead show, to be freed. */
char *dead_body(struct stack *s, const char *id);

/* Waits for so many letters and drops them all. */
void dead_drop(struct stack *s, int count);

#endif
