/*
 * The crash matrix: each process x each of its fault points (and random moments) x kill -9, SIGSTOP beyond
 * two heartbeats, SIGTERM. crash_matrix.c chooses the trials, crash_trial.c makes one, crash_reach.c knows
 * how each point is reached, crash_provoke.c does what it takes, crash_gateway.c takes the buyers' messages.
 */
#ifndef SECKILL_TESTS_CRASH_H
#define SECKILL_TESTS_CRASH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/faults.h"
#include "tests/support/tracer.h"
#include "tests/support/trial.h"

#define CRASH_HEARTBEAT_S 1 /* broker.heartbeat_s of the stack */
#define CRASH_POINT_SIZE  64

/* A process that is tried. A further worker joins by one line of crash_processes. */
struct crash_process {
    const char *service; /* of stack.sh */
    const char *program; /* NULL: it has no fault points, and fails at random moments only */
};
extern const struct crash_process crash_processes[];
extern const int crash_process_count;

enum crash_how { CRASH_KILL, CRASH_STOP, CRASH_TERM, CRASH_HOWS };
extern const char *const crash_how_names[CRASH_HOWS]; /* as in SECKILL_FAULT */

/* One trial, as it was chosen: it can be made again from this alone. */
struct crash {
    const struct crash_process *process;
    char point[CRASH_POINT_SIZE]; /* "": a random moment */
    enum crash_how how;
    uint64_t seed;
    int orders; /* go on until so many are accepted, if that is a matter of seconds */
};

/* How a point is reached. */
enum crash_reach {
    REACH_LOAD,       /* by orders */
    REACH_BACKLOG,    /* by starting it with orders enough for several of the longest transactions */
    REACH_START,      /* by starting the process */
    REACH_REDELIVERY, /* by starting it after a kill with messages in hand */
    REACH_IDLE,       /* by having nothing to do */
    REACH_ASKED,      /* by an operator's question: item put, campaign put, dead drop */
    REACH_CUT,        /* by the broker closing all connections */
    REACH_SILENCE,    /* by a broker that does not answer for longer than a confirm may take */
    REACH_UNROUTABLE, /* by orders that the broker has no queue for */
    REACH_NO_EVENTS,  /* by what the process puts out having no queue at the broker */
    REACH_BAD_LINE,   /* by a message that cannot be read */
    REACH_FILE_SINK,  /* by orders, with notification's messages going into a file */
    REACH_BAD_DISK,   /* by a file that cannot be made durable, once */
    REACH_NO_LEDGER,  /* by a ledger that cannot be written, once */
    REACH_TERM,       /* by SIGTERM */
    REACH_NEW_FILE,   /* by the very first start on an empty folder */
    REACH_KINDS
};

/* For a point that the table does not have: REACH_KINDS; all ways are tried in turn. *most: how often it may
 * be let pass before the fault, so that it comes in the middle of a load. */
enum crash_reach crash_reach_of(const char *point, int *most);

enum { CRASH_LOADS = 3 };

/* A trial under way. */
struct crash_scene {
    struct stack *stack;
    const struct crash *crash;
    struct trial *trial;
    uint64_t random;
    struct load *loads[CRASH_LOADS];
    int load_count;
    bool sells_out;
    enum crash_reach reach;
    char max_batch[48]; /* a setting for its start */
    struct armed armed;
    /* What a provocation has done, to be undone: */
    pid_t frozen, operator_pid;
    struct tracer *tracer;
    bool orders_unbound, events_unbound, bad_line;
    int64_t letters_before; /* that the process had made before the bad line */
};

uint64_t crash_random(uint64_t *state);
int crash_draw(uint64_t *state, int least, int most);

/* Once; may be called again while the point is not reached. */
void crash_provoke(struct crash_scene *scene, enum crash_reach reach);
/* Undoes all of it but the bad line, before healing. */
void crash_provoke_end(struct crash_scene *scene);
/* After healing: waits for the operator's command, and has the dead letter of the bad line dropped. */
void crash_provoke_tidy(struct crash_scene *scene);

/* A worker's first start on an empty folder, with a fault in it; then the next start must find a sound file.
 */
void crash_new_file(struct crash_scene *scene);

/* Lines in a transaction of a worker: many transactions, so that a fault meets one; and a full one that is
 * long, which a thread of its own makes, although orders come a few in a message. */
#define CRASH_MAX_BATCH      "500"
#define CRASH_MAX_BATCH_LONG "1000"

/* The settings of a stack, with the port of the gateway that is opened once it is up (its guardian wants to
 * be alone), and closed before it ends. 0 or -1. */
const char *const *crash_settings(void);
int crash_gateway_open(void);
void crash_gateway_close(void);
/* From now on the first try of each message to these users is in vain: it goes the way of the retries. */
void crash_gateway_refuse_first(const char *user_prefix);

/* Makes the trial. Fails the test (cmocka) for any violation. */
void crash_trial(struct stack *s, const struct crash *crash);

#endif
