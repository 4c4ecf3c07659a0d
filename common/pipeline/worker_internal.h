/* The inside of a worker, for worker.c (its life), worker_link.c (the broker), worker_events.c (what comes
 * from there), worker_hand.c (what waits for a transaction) and worker_loop.c (the work). */
#ifndef SECKILL_PIPELINE_WORKER_INTERNAL_H
#define SECKILL_PIPELINE_WORKER_INTERNAL_H

#include "common/base/job_thread.h"
#include "common/base/signals.h"
#include "common/broker/renewal.h"
#include "common/pipeline/answer_dead_settle.h"
#include "common/pipeline/backup_request.h"
#include "common/pipeline/heartbeat.h"
#include "common/pipeline/questions.h"
#include "common/pipeline/transaction.h"

#define TROUBLES 8 /* addresses that are told apart */

struct link { /* both connections, or none */
    struct broker_connection *consume, *publish;
    size_t address;          /* the one to try next, or the one that holds */
    int64_t next_attempt_ns; /* while there is none */
    bool lost;               /* dead, to be closed at the next safe moment */
    bool blocked;            /* as the publish connection said last */
    int64_t quiet_since_ns;  /* the last message came, or the broker was asked what waits */
    bool suspect;            /* asked last, something waited */
    struct renewal renewal;  /* of the publish connection */
    bool silent;             /* it does not confirm: the reason for the next renewal */
    /* What was logged last of each address, so that it is logged once. */
    char trouble[TROUBLES][sizeof(struct detail)];
};

struct hand { /* messages that were delivered and not yet handled */
    struct inbound **messages;
    int count, cap;
    int64_t lines;
    int64_t since_ns; /* when the first came */
    int64_t target;   /* so many lines are worth a transaction at once: grows with the backlog */
    bool fresh;       /* nothing was taken since the last transaction */
};

struct worker {
    const struct worker_spec *spec;
    int signal_fd;
    int lock_fd; /* -1: not ours */
    struct store *store;
    struct inbox *inbox;
    struct outbox *outbox;
    struct outbox_relay *relay;
    struct replies *replies;
    struct rpc_server *rpc;
    struct answer_dead_settle dead_settle;
    struct transaction transaction;
    struct job_thread *thread;                  /* makes the long ones */
    struct backup_request backup, other_backup; /* of the database; of the handler's other file */
    struct link link;
    struct hand hand;
    bool handling; /* the hand, in a transaction: what comes now goes to the two that follow */
    struct hand next;
    struct questions questions;
    int64_t rush_since_ns; /* 0: the last transaction was not full */
    bool opened;           /* the handler */
    bool stopping;
    int fault; /* of the environment: the process is to end */
    int64_t tick_due_ns, status_due_ns, worked_ns;
    int64_t status_lines; /* as the last STATUS said */
    struct heartbeat heartbeat;
    struct heartbeat_clock beat;
};

/* worker_link.c. Both return at once or within the broker's time-outs. */
void link_open(struct worker *w, int64_t now_ns);      /* one attempt at both connections */
void link_close(struct worker *w, bool politely);      /* and forget what belongs to them */
void link_renew(struct worker *w, int64_t now_ns);     /* the publish connection, where it is time for that */
void link_trouble(struct worker *w, const char *what); /* dead: logged once for each reason */
void link_unconfirmed(struct worker *w, int64_t now_ns); /* the publish connection: it is to be renewed */
void link_check_quiet(struct worker *w, int64_t now_ns); /* with nothing in hand: is it quiet, or stuck? */
/* Around everything that publishes: a broker that stops reading must not stop us for ever. */
void link_guard_begin(struct worker *w);
void link_guard_end(void);

#define CONSUMER_WORK "work"
#define CONSUMER_RPC  "rpc"

/* worker_beat.c: sends a sign of life if it is time; connected, not blocked, under the guard. */
void worker_beat(struct worker *w, int64_t now_ns);

/* worker_loop.c */
void worker_work(struct worker *w);  /* until SIGTERM or a fault */
void worker_drain(struct worker *w); /* cancels, finishes what is in hand, relays for a moment */
/* Of what is done beside the transactions, which log their faults themselves: if this is one, logs it. */
void worker_note_fault(struct worker *w, const char *doing, int error);
bool worker_signals(struct worker *w); /* reads what waits; returns whether to stop */

/* worker_events.c. Handles what has arrived on the connection, at most so many deliveries (0: no bound). 1:
 * more is waiting; 0: drained; -1: the connection is dead. */
int worker_pump(struct worker *w, struct broker_connection *c, int max_deliveries);
#define DELIVERIES_A_PUMP 8 /* so that a transaction overshoots its size by little */
/* Takes what has arrived, up to what one transaction may hold. Returns whether all was taken. */
bool worker_gather(struct worker *w);
void worker_answer_kept(struct worker *w); /* the questions that came inside of a transaction */

/* worker_hand.c */
void hand_add(struct hand *h, struct inbound *m); /* which is the hand's then */
void hand_drop(struct hand *h);                   /* frees all its messages */
bool hand_is_full(const struct worker *w, const struct hand *h);
/*
 * How many lines w->hand waits for. What came while the last transaction was being written is the backlog:
 * none, and the next order is handled at once; some, and a few milliseconds bring as much again, which shares
 * the cost of a commit.
 */
void hand_aim(struct worker *w);
int64_t hand_linger_ns(const struct worker *w);             /* for so long at most */
bool hand_is_ready(const struct worker *w, int64_t now_ns); /* w->hand */

#endif
