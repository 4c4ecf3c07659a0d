/*
 * What became of one line that a worker handled, and what holds if the process dies right there.
 *
 * A line is handled inside a transaction, and its message is acknowledged only after the commit. So dying
 * before the commit always means the same: nothing was done, the broker delivers the message again. What
 * differs is what the second delivery finds after a death between commit and acknowledgement.
 */
#ifndef SECKILL_PIPELINE_OUTCOME_H
#define SECKILL_PIPELINE_OUTCOME_H

enum outcome {
    /* Written in this transaction, with its events and replies. Again: a DUPLICATE. */
    OUTCOME_DONE,

    /* It had been done before. Nothing was written, no event made; its stored answer goes out again. Again:
       the same. */
    OUTCOME_DUPLICATE,

    /* It cannot be done now, and nothing was written. The whole message goes back to the queue after the
     * commit, its other lines will be duplicates; each return counts as an attempt
     * (worker_spec.max_attempts). Again: the same. */
    OUTCOME_RETRY,

    /* It breaks a rule and never can be done; nothing was written. A dead letter is made of it in this
     * transaction, which the outbox carries out. Again: the dead letter is known, and not made twice. */
    OUTCOME_REJECT,

    /* A statement failed over this line alone, not over the environment. The transaction is rolled back and
     * done again message by message, line by line under savepoints; a line that fails there too becomes a
     * dead letter. */
    OUTCOME_FAILED,

    /* The environment failed: disk full, I/O error, locked for long. The transaction is rolled back, nothing
     * is acknowledged and the process ends with EXIT_DISK. The broker still has everything. */
    OUTCOME_FAULT,
};

#endif
