/*
 * Campaigns, packets and balances, in the database and in memory. This process is the only writer (it holds
 * the lock), so the campaigns are kept in memory and the database is told once for each transaction what was
 * drawn.
 *
 * Conserved: outside of a transaction the campaigns in memory are those of the database. In one,
 * campaign_take lowers the memory and red_packet_store_flush, before the commit, the database by the same, on
 * the condition that it is there; after a rollback red_packet_store_load reads everything again.
 *
 * One thread. Error codes are those of store.h.
 */
#ifndef SECKILL_REDPACKET_RED_PACKET_STORE_H
#define SECKILL_REDPACKET_RED_PACKET_STORE_H

#include <stdbool.h>

#include "common/pipeline/message.h"
#include "common/store/migrate.h"

extern const struct migration redpacket_migrations[]; /* schema/pipeline, schema/redpacket */

struct red_packet_store;

struct campaign { /* amounts in the smallest unit (fen) */
    char sku[NAME_SIZE];
    int64_t budget, packets; /* in all */
    int64_t min_amount;      /* of a packet; at least 1 */
    int64_t budget_left, packets_left;
    int64_t taken_amount, taken_packets; /* in the open transaction, not yet told to the database */
};

enum packet_status { /* stored as numbers in redpacket.db: only add at the end */
                     PACKET_GRANTED = 1,
                     PACKET_NONE_LEFT = 2,   /* the campaign has no packet left */
                     PACKET_NO_CAMPAIGN = 3, /* the item had none when the order's event came */
};
const char *packet_status_name(enum packet_status status); /* "none_left"; "" for none of them */

struct packet { /* what became of a confirmed order */
    char order_id[ORDER_ID_SIZE];
    char user_id[NAME_SIZE];
    char sku[NAME_SIZE];
    enum packet_status status;
    int64_t amount; /* 0 unless granted */
    int64_t at_ms;
};

int red_packet_store_new(struct red_packet_store **out, struct store *store, struct detail *why) MUST_USE;
void red_packet_store_free(struct red_packet_store *s); /* before the store is closed; NULL is fine */

int red_packet_store_load(struct red_packet_store *s) MUST_USE; /* memory := database */

const char *red_packet_store_error(const struct red_packet_store *s); /* SQLite's words for the latest */

/* The item's campaign, or NULL. Valid until campaigns are put or loaded again. */
struct campaign *campaign_find(struct red_packet_store *s, const char *sku);
const struct campaign *campaigns(const struct red_packet_store *s, size_t *count); /* by sku */

/* ---- in a transaction ---- */

/* Writes what became of the order, unless that was known before: then *is_new is false and nothing was
 * written. */
int packet_add(struct red_packet_store *s, const struct packet *packet, bool *is_new) MUST_USE;

/* The buyer has this much more, by one packet. */
int balance_add(struct red_packet_store *s, const char *user_id, int64_t amount) MUST_USE;

/* In memory: a packet of this amount leaves the campaign. Assumes that both are there. Cannot fail, so it
 * comes after all statements of the order. */
void campaign_take(struct red_packet_store *s, struct campaign *campaign, int64_t amount);

/* The last statements of a transaction. E_CORRUPT: the database has less than the memory says. */
int red_packet_store_flush(struct red_packet_store *s) MUST_USE;
void red_packet_store_committed(struct red_packet_store *s);

/* ---- any time ---- */

int packet_find(struct red_packet_store *s, const char *order_id,
                struct packet *out) MUST_USE; /* E_NOT_FOUND */

/* 0 and 0 for a buyer without packets. */
int balance_find(struct red_packet_store *s, const char *user_id, int64_t *amount, int64_t *packets) MUST_USE;

/* Creates the campaign, or replaces what it says (a transaction of its own). Everything but the taken_… is
 * taken as it is in *campaign; the caller has worked it out. */
int campaign_put(struct red_packet_store *s, const struct campaign *campaign, int64_t now_ms) MUST_USE;

#endif
