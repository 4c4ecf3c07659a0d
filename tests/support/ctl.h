/* Running seckillctl against a stack. */
#ifndef SECKILL_TESTS_CTL_H
#define SECKILL_TESTS_CTL_H

#include <jansson.h>

#include "tests/support/process.h"
#include "tests/support/stack.h"

struct ctl_answer {
    struct process_output output; /* its status is the exit code */
    json_t *json;                 /* what it printed, or NULL */
};

/* seckillctl --config D/seckill.conf --json words…; the words end with NULL. Free the answer. */
void ctl(struct stack *s, struct ctl_answer *answer, const char *const words[]);
void ctl_free(struct ctl_answer *answer);

/* The exit status alone; prints the output if it is not the expected one. */
int ctl_status(struct stack *s, int expected, const char *const words[]);

struct item_terms {
    const char *sku;
    int64_t stock, unit_price;  /* unit_price 0: 100 */
    int limit;                  /* units for each user; 0: none */
    int64_t starts_ms, ends_ms; /* wall clock; 0: open */
    bool paused;
};

/* Puts the item and waits until the front end's catalogue shows these terms. 0, or -1 after having said why.
 */
int item_put(struct stack *s, const struct item_terms *terms);

/* stock_left by seckillctl item show, or -1. */
int64_t item_left(struct stack *s, const char *sku);

/* Is the audit's exit status 0? Prints what it says otherwise. */
bool audit_passes(struct stack *s);

#endif
