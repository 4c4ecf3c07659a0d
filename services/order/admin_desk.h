/*
 * Changes that operators asked this front end for, on their way to inventory. An HTTP thread lays a question
 * down; the broker thread sends it (ask_admin.h) and brings back what it learns, within ADMIN_ANSWER_NS.
 *
 * Conserved: each question that was taken comes back through its mailbox exactly once, with an outcome: when
 * it was answered, when it could not be sent, or when its time is over (admin_desk_expire, which any thread
 * may call, so that a broker thread that hangs keeps nobody). NOT_ASKED only while not a byte of it can have
 * left; after that, no answer is UNKNOWN. All functions may be called from any thread. Bounded in number.
 */
#ifndef SECKILL_ORDER_ADMIN_DESK_H
#define SECKILL_ORDER_ADMIN_DESK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/base/error.h"

#define ADMIN_ANSWER_NS INT64_C(5000000000)
#define ADMIN_MAX_HELD  256

struct mailbox;
struct admin_flight;

enum admin_outcome {
    ADMIN_ANSWERED,  /* result */
    ADMIN_REFUSED,   /* inventory says no, and has done nothing: code, why */
    ADMIN_NOT_ASKED, /* it was not sent, and nothing was done: why */
    ADMIN_UNKNOWN,   /* it was sent and there is no telling: why */
};

struct admin_question {
    /* The question, by its owner, the HTTP request: */
    const char *method; /* of inventory: RPC_ITEM_PUT */
    int shard;
    char *text;              /* JSON, heap; the desk takes it */
    struct mailbox *mailbox; /* where it comes back to */
    /* The answer: */
    enum admin_outcome outcome;
    char *result; /* JSON, heap, the owner's: admin_question_clear */
    char code[32];
    struct detail why;
    /* The desk's, and then the mailbox's: */
    int64_t until_ns;
    struct admin_flight *flight; /* NULL: not sent yet */
    TAILQ_ENTRY(admin_question) in_desk;
    STAILQ_ENTRY(admin_question) in_mailbox;
};

STAILQ_HEAD(admin_question_list, admin_question);

void admin_question_clear(struct admin_question *q); /* frees both texts */

struct admin_desk;

int admin_desk_new(struct admin_desk **out) MUST_USE; /* E_IO */
void admin_desk_free(struct admin_desk *d);           /* nothing may be held; NULL is fine */

/* ---- for HTTP threads ---- */

/* true: it is held. false: too many are, or the desk is closed; *q was not touched. */
bool admin_desk_add(struct admin_desk *d, struct admin_question *q, int64_t now_ns);

void admin_desk_expire(struct admin_desk *d, int64_t now_ns); /* cheap when nobody is due */
int64_t admin_desk_next_ns(const struct admin_desk *d); /* nobody is due before; INT64_MAX: nobody is held */

/* Takes no more, and sends back what was not sent. The others are worth waiting for: admin_desk_held. */
void admin_desk_close(struct admin_desk *d);
int admin_desk_held(struct admin_desk *d);

/* ---- for the broker thread ---- */

struct admin_flight { /* one question that is being asked; its asker may be gone */
    struct admin_desk *desk;
    struct admin_question *question; /* NULL: given up */
    const char *method;
    int shard;
    char *text;
    int64_t until_ns;
};

int admin_desk_fd(const struct admin_desk *d); /* readable: there are questions to send */
bool admin_desk_heed(struct admin_desk *d);    /* clears it; true: take until there are none */

/* The next one, which counts as sent from here on; NULL: none. It ends with admin_desk_end, and only so. */
struct admin_flight *admin_desk_take(struct admin_desk *d);

struct admin_answer {
    enum admin_outcome outcome;
    char *result;     /* ADMIN_ANSWERED: heap, the desk takes it */
    const char *code; /* ADMIN_REFUSED */
    const char *why;  /* a sentence, unless ADMIN_ANSWERED */
};
void admin_desk_end(struct admin_flight *f, const struct admin_answer *answer);

void admin_desk_cannot_ask(struct admin_desk *d); /* no broker: what was not sent goes back */

#endif
