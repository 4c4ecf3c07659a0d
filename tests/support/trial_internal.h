/*
 * What the parts of a trial share: what clients were told (claims), what the files of inventory say (rows),
 * and the judgement of the one by the other, which needs neither a stack nor a socket.
 */
#ifndef SECKILL_TESTS_TRIAL_INTERNAL_H
#define SECKILL_TESTS_TRIAL_INTERNAL_H

#include "tests/support/trial.h"

enum trial_told {
    TOLD_ACCEPTED, /* 202 */
    TOLD_REFUSED,  /* this attempt is not queued and never will be */
    TOLD_NOTHING,  /* 504, no answer, or one that promises nothing: it may be queued */
    NOT_SENT,      /* nobody listened: not a byte left */
};

/* One request for an order, and what its client was told. */
struct trial_claim {
    char user[LOAD_USER_SIZE];
    int key; /* those of one user with the same number sent the same key; -1: none */
    enum trial_told told;
    int quantity;
    char id[LOAD_ID_SIZE]; /* that the answer named, or "" */
};

struct trial_claims {
    struct trial_claim *list;
    size_t count, capacity;
};

void trial_claims_add(struct trial_claims *claims, const struct trial_claim *claim);
void trial_claims_add_load(struct trial_claims *claims, const struct load *l);
void trial_claims_free(struct trial_claims *claims);
enum trial_told trial_told_by(int status, enum swarm_failure why);

/* A decided order. */
struct trial_row {
    char id[LOAD_ID_SIZE], user[LOAD_USER_SIZE];
    int64_t quantity;
    bool confirmed;
    int64_t receipt_no, unit_price; /* of a confirmed one */
    bool matched;                   /* the judgement's own: a claim names it */
};

/* What the files say of one item, all at one moment of each file. */
struct trial_item_facts {
    struct trial_row *rows; /* by id */
    size_t row_count;
    int64_t total, left;    /* of the item; -1: no file has it */
    int64_t receipts_twice; /* of the whole file that has the item */
    int64_t last_receipt;   /* … the last one given out there */
};

/* The inventory files of a stack: one for each shard. */
struct trial_files;

/* Those in D/store. Fails the test if there is none or one cannot be read. */
struct trial_files *trial_files_open(const char *store_dir);
void trial_files_close(struct trial_files *files); /* NULL is fine */
bool trial_files_have(struct trial_files *files, const char *order_id);
void trial_files_read(struct trial_files *files, const char *sku, struct trial_item_facts *facts);
void trial_item_facts_free(struct trial_item_facts *facts);
const struct trial_row *trial_row_find(const struct trial_item_facts *facts, const char *order_id);

struct trial_terms {
    const char *sku;
    int64_t stock;
    int64_t stock_before;  /* as good as stock: a restocking may have failed; -1: there was none */
    int limit;             /* 0: none */
    int64_t first_receipt; /* the file's last one before the trial: its own come after it */
};

/* Adds the violations to the verdict, each printed (the first few). Sorts the claims, marks the rows. */
void trial_judge(const struct trial_terms *terms, struct trial_claims *claims, struct trial_item_facts *facts,
                 struct trial_verdict *verdict);

/* Counts a violation; prints it while there are few. */
void trial_violation(int64_t *counter, int64_t times, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Asks the front end for a sample of the ids that clients were told, and adds to told_wrongly each answer
 * that differs from the files. */
void trial_ask_sample(int port, const struct trial_claims *claims, const struct trial_item_facts *facts,
                      uint64_t seed, struct trial_verdict *verdict);

/* One line for people, and one of JSON appended to the file that SECKILL_TRIALS names. */
int64_t trial_violations(const struct trial_verdict *verdict);
void trial_report(const struct trial_spec *spec, const struct trial_verdict *verdict, const char *remark);

#endif
