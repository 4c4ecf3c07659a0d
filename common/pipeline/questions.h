/*
 * Questions that came at a moment when they cannot be answered, such as inside of a transaction: whole
 * deliveries, copied, in the order in which they came. One thread.
 */
#ifndef SECKILL_PIPELINE_QUESTIONS_H
#define SECKILL_PIPELINE_QUESTIONS_H

#include "common/broker/connection.h"

struct question {
    struct broker_delivery delivery; /* its slices point into bytes */
    char bytes[];
};

struct questions { /* zeroed: empty */
    struct question **list;
    size_t count, cap;
};

void questions_keep(struct questions *q, const struct broker_delivery *delivery);
void questions_drop(struct questions *q); /* all; the list stays for the next ones */
void questions_free(struct questions *q);

#endif
