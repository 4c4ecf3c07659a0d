/*
 * What the main() of every worker has in common: command line and settings, the signals, the broker's
 * addresses, the folder of the database.
 *
 *   worker_main_start(&m, "seckill-redpacket", "Gives …", argc, argv);
 *   return worker_main_run(&m, &(struct worker_spec){.service = "redpacket", …});
 *
 * One thread.
 */
#ifndef SECKILL_PIPELINE_WORKER_MAIN_H
#define SECKILL_PIPELINE_WORKER_MAIN_H

#include "common/pipeline/settings.h"
#include "common/pipeline/worker.h"

/* For workers that have no settings of their own for these. */
#define WORKER_PREFETCH     512
#define WORKER_RELAY_WINDOW 64
#define WORKER_LINGER_MS    100 /* nobody waits for what they do as for a decision */
#define WORKER_MAX_ATTEMPTS 5

struct worker_main { /* zeroed, but for check, before worker_main_start */
    int (*check)(const void *settings,
                 struct detail *why); /* instead of settings_check, which it calls; NULL */
    struct settings settings;         /* texts in it live until worker_main_run returns */
    struct config *config;
    struct broker_addresses addresses;
    bool init, init_only; /* these flags were given */
    int signal_fd;
};

/* Returns when there is work to do; otherwise the process has ended, as program_start says, with EXIT_CONFIG
 * for addresses that cannot be read, or with EXIT_DISK. Makes the folder store.dir. */
void worker_main_start(struct worker_main *m, const char *name, const char *summary, int argc, char **argv);

/* worker_run with the rest of the specification taken from the settings: init, addresses, heartbeat_s and
 * timeout_ms are set here, whatever *spec says. Frees what worker_main_start made. Returns the exit code. */
int worker_main_run(struct worker_main *m, const struct worker_spec *spec);

/* SIGHUP: for worker_handler.reload. Takes over what may change, the log's level too. */
void worker_main_reload(struct worker_main *m);

#endif
