/*
 * The ledger: what a front end's process was told by the broker, one line for each confirmed batch, written
 * before the batch's orders are answered. `seckillctl audit` holds it against what inventory saw. It guards
 * against a broker that loses what it confirmed, and survives kill -9 (the page cache does); no fsync, so not
 * a power cut on this host.
 *
 * Format: a file "<producer>.ledger" of each process run; first line "seckill-ledger 1 <producer> <started
 * RFC 3339>", then "<seq> <count>\n" for each batch. A last line without "\n" was cut off and does not count.
 */
#ifndef SECKILL_PIPELINE_LEDGER_H
#define SECKILL_PIPELINE_LEDGER_H

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"

#define PRODUCER_SIZE 64

struct ledger;

/* Makes <dir>/<producer>.ledger; it must not exist. E_IO with detail. */
int ledger_create(struct ledger **out, const char *dir, const char *producer, struct detail *why) MUST_USE;
int ledger_append(struct ledger *l, int64_t seq,
                  int count) MUST_USE; /* one write(2); E_IO: nothing may be answered 202 */

/* Could a line be appended now? Writes as much and takes it away again: after a ledger_append that failed,
 * whoever publishes asks this first, so that no more orders are queued that cannot be answered. E_IO. */
int ledger_probe(struct ledger *l) MUST_USE;
void ledger_close(struct ledger *l);

/* Reads one ledger file, calling entry for each batch. E_CORRUPT names the line. */
int ledger_read(const char *path, char producer[PRODUCER_SIZE],
                int (*entry)(void *context, const char *producer, int64_t seq, int count), void *context,
                struct detail *why) MUST_USE;

/* Calls file for each "*.ledger" in dir. A missing dir has none. */
int ledger_list(const char *dir, int (*file)(void *context, const char *path), void *context,
                struct detail *why) MUST_USE;

#endif
