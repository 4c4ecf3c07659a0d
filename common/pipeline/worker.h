/*
 * What every worker process is: it takes the lock beside its database, opens and migrates it, consumes a
 * queue, and handles what comes in transactions that grow with the backlog. A worker's own code is a handler.
 *
 *   lock → open → migrate → test write → connect → consume
 *   gather → BEGIN IMMEDIATE → handle each line → outbox → COMMIT → replies → ack
 *
 *  - The lock (on "<database>.lock") says who is active. A second process waits for it, having opened
 * nothing: a hot standby. systemd is told READY as soon as the process is one or the other, not only once
 * there is a broker: a broker that is down must not make the unit fail; STATUS says which it is.
 *  - An environment fault (store_is_fault) ends the process with EXIT_DISK, without acknowledging. The broker
 * still has everything.
 *  - A lost connection costs what was in hand and not committed: it comes again. Connecting is tried every
 * 0.5 s, for ever, each address in turn.
 *  - Two connections: to consume, and to publish (an alarm at the broker stops reading a whole connection).
 * While it lasts orders are decided all the same; replies are dropped, events wait in the outbox.
 *  - Once a second it sends a sign of life (heartbeat.h), beside the transactions.
 *  - One thread, and a second one that makes long transactions while the first takes what comes for the next.
 * They take turns with everything but that and the handler's prepare: no lock is needed.
 *  - SIGTERM: no new work, what is in hand is committed and acknowledged, what is under way beside the queue
 * gets five more seconds and the outbox two, exit 0.
 */
#ifndef SECKILL_PIPELINE_WORKER_H
#define SECKILL_PIPELINE_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/broker/address.h"
#include "common/broker/connection.h"
#include "common/pipeline/outbox.h"
#include "common/pipeline/outcome.h"
#include "common/pipeline/replies.h"
#include "common/pipeline/rpc_server.h"
#include "common/store/migrate.h"

struct task { /* one line to handle; valid during the call */
    struct slice line;
    int64_t number;        /* of the line in its message, from 1 */
    const void *prepared;  /* what the handler's prepare made of the message; NULL: nothing */
    struct slice reply_to; /* of the message; empty if it has none */
    int64_t now_ms;        /* wall clock; the same for all lines of a transaction */
    struct outbox *outbox;
    struct replies *replies;
    struct detail *why; /* what is wrong, for REJECT, FAILED and FAULT */
    const char *reason; /* out, for REJECT: a constant word for the dead letter; "malformed" if left alone */
    int64_t since_ms;   /* out: when what the line tells of happened, by its sender's clock; 0: not told */
};

struct settlement { /* a transaction that no message asked for; valid during the call */
    int64_t now_ms;
    struct outbox *outbox;
    struct inbox *inbox; /* for dead letters: inbox_bury_line */
};

/*
 * Work beside the queue: what a handler does on its own, such as sending to a gateway. It runs in the
 * worker's first thread, never beside a transaction, and never waits; what it has to write, it writes in a
 * transaction of the worker's.
 *
 *   run → results are there → BEGIN, settle, before_commit, outbox, COMMIT → committed (or rolled_back)
 */
struct worker_beside {
    /* In every round, outside of a transaction, connected or not. true: settle has something to write. */
    bool (*run)(void *context, int64_t now_ns);
    /* Writes it. 0, or a fault: rolled back, the process ends with EXIT_DISK. */
    int (*settle)(void *context, const struct settlement *s);
    /* A descriptor that is readable when run has something to do; -1: none. Asked before each sleep. */
    int (*wait_fd)(void *context);
    /* The moment (monotonic) when run is to be called at the latest; INT64_MAX: when wait_fd is readable. */
    int64_t (*due_ns)(void *context);
    /* SIGTERM: begins nothing any more. Called in rounds of the drain, with run; true: nothing is under way.
     */
    bool (*drained)(void *context);
};

struct worker_handler { /* every function but `line` may be NULL; codes are those of store.h */
    /* Once, when the database is ours and up to date: prepare statements, read what is kept in memory. */
    int (*open)(void *context, struct store *store, struct detail *why);
    void (*close)(void *context); /* before the store is closed; also after an open that failed */

    /* When a message has come: works out what can be known of its lines before their transaction. It may run
     * while another transaction is made, the only one of these functions that does, so it reads nothing that
     * line to rolled_back write. Returns memory for free(), or NULL. */
    void *(*prepare)(void *context, struct slice body);

    /* Handles one line, in a transaction. Adds to outbox and replies, and changes its memory, only after all
     * its statements have succeeded: then a line that failed has left nothing behind but what the rollback
     * undoes. */
    enum outcome (*line)(void *context, struct task *task);

    int (*before_commit)(void *context); /* the last statements of the transaction */
    void (*committed)(void *context);
    int (*rolled_back)(void *context); /* memory must be as the database is again */

    /* Beside the transactions, while connected and not blocked: publish what goes out by the clock. Returns
     * the moment (monotonic) when it wants to be called again. A connection that breaks shows in its next
     * pump. */
    int64_t (*tick)(void *context, struct broker_connection *publish, int64_t now_ns);

    void (*reload)(void *context); /* SIGHUP */

    const struct worker_beside *beside; /* NULL: none */

    /* Another file of the handler's, to be backed up as the database is (backup_request.h); NULL: there is
     * none now. *path is the handler's. */
    struct store *(*other_file)(void *context, const char **path);
};

struct worker_spec {      /* what is pointed to outlives worker_run */
    const char *service;  /* "inventory.0": in logs, message ids, the broker's list of connections */
    const char *database; /* path */
    bool init;            /* make the database if it is missing; else a missing one ends with EXIT_CONFIG */
    bool init_only;       /* with init: that is all; nothing is consumed */
    const struct migration *migrations;

    const struct broker_addresses *addresses;
    int heartbeat_s, timeout_ms;
    const char *queue;                   /* its lines are handled */
    const char *rpc_queue;               /* questions come from it; NULL: none */
    const char *const *exchanges;        /* that it publishes to: looked for after connecting; ends with NULL.
                                            EXCHANGE_STOCK is one of them: the signs of life go there */
    const char *const *outbox_exchanges; /* lanes of the relay; ends with NULL */

    int prefetch;  /* messages in hand or on their way */
    int max_batch; /* lines in a transaction, about */
    int linger_ms; /* where lines came while the last transaction was written, the next one waits so long for
                      max_batch of them; 0: as long as the last one took, and a few ms at most */
    int relay_window;           /* messages of the outbox in flight, of each lane */
    int64_t confirm_timeout_ms; /* of these messages: then another connection publishes them */
    int max_attempts; /* a redelivered message that was begun so often and never finished is dead-lettered as
                         poison */

    struct worker_handler handler;
    void *context;                    /* the handler's */
    const struct rpc_method *methods; /* beside RPC_DEAD_SETTLE, which every worker answers; NULL: none */
    void *methods_context;
};

/* Runs until SIGTERM or a fault; signal_fd is from signals_start(). Returns the exit code. */
int worker_run(const struct worker_spec *spec, int signal_fd);

#endif
