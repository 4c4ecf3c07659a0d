/* Many clients at once that ask one front end for orders and wait for the decision, in a thread of their own.
 */
#ifndef SECKILL_TESTS_WAITERS_H
#define SECKILL_TESTS_WAITERS_H

struct waiters;

/* `count` connections; connection i asks for ids[i % id_count], once, with ?wait=wait_s. */
struct waiters *waiters_start(int port, int count, int wait_s, char (*ids)[27], int id_count);

struct waiters_tally {
    int accepted, confirmed, unknown, unavailable; /* 200 with that status; 503 */
    int other;                                     /* any other answer, or none */
};

/* Waits for all answers, and frees it. */
void waiters_join(struct waiters *w, struct waiters_tally *tally);

#endif
