/*
 * The lines that travel: orders, decisions (= events), catalogue snapshots. One line is one JSON object with
 * "v": 1; a message body is one or more lines. To change a line: add optional members only (readers ignore
 * what they do not know); anything else is version 2, read by everybody before anybody writes it. Schemas
 * with examples are in schema/messages/, and the tests read those.
 */
#ifndef SECKILL_PIPELINE_MESSAGE_H
#define SECKILL_PIPELINE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buffer.h"
#include "common/base/slice.h"
#include "common/pipeline/order_id.h"

#define NAME_MAX_BYTES 64 /* user_id and sku: 1–64 bytes of UTF-8 without control characters */
#define NAME_SIZE      (NAME_MAX_BYTES + 1)
#define QUANTITY_MAX   1000
#define REPLY_TO_SIZE  256
#define ITEM_NAME_SIZE 257 /* an item's name for people: 0–256 bytes */

/* Is it 1–64 bytes of UTF-8 without control characters (U+0000–U+001F, U+007F–U+009F)? */
bool name_is_valid(struct slice name);

/* Is it UTF-8 without those control characters, of any length? */
bool text_is_printable(struct slice text);

struct order {
    char order_id[ORDER_ID_SIZE];
    char user_id[NAME_SIZE];
    char sku[NAME_SIZE];
    int32_t quantity;
    int64_t accepted_ms;
    char reply_to[REPLY_TO_SIZE]; /* from the line, else from the message's property; "" if neither */
};

/* Appends the line, with its "\n". reply_to is not written: it is a property of the message. */
void order_encode(struct buffer *out, const struct order *order);

/* Reads one line. Missing quantity: 1; missing accepted_ms: now_ms; missing reply_to: "". E_INVALID with a
 * detail that names the member. */
int order_decode(struct slice line, int64_t now_ms, struct order *out, struct detail *why) MUST_USE;

enum order_status { ORDER_UNKNOWN, ORDER_ACCEPTED, ORDER_CONFIRMED, ORDER_REJECTED };
enum reject_reason { /* stored as numbers in inventory.db: only add at the end */
                     REASON_NONE = 0,
                     REASON_SOLD_OUT = 1,
                     REASON_LIMIT_EXCEEDED = 2,
                     REASON_UNKNOWN_ITEM = 3,
                     REASON_SALE_NOT_STARTED = 4,
                     REASON_SALE_ENDED = 5,
                     REASON_SALE_PAUSED = 6,
};
const char *order_status_name(enum order_status s);   /* "confirmed" */
const char *reject_reason_name(enum reject_reason r); /* "sold_out"; "" for REASON_NONE */

struct decision {
    enum order_status
        status; /* ORDER_CONFIRMED, ORDER_REJECTED; ORDER_UNKNOWN only in an answer to RPC_ORDER_STATUS */
    char order_id[ORDER_ID_SIZE];
    char user_id[NAME_SIZE];
    char sku[NAME_SIZE];
    int32_t quantity;
    int64_t at_ms;
    enum reject_reason reason;             /* rejected */
    int64_t unit_price, total, receipt_no; /* confirmed */
};

/* The event line "order.confirmed" or "order.rejected", with its "\n"; for ORDER_UNKNOWN the line
 * {"v":1,"order_id":…,"status":"unknown"}. */
void decision_encode(struct buffer *out, const struct decision *decision);
int decision_decode(struct slice line, struct decision *out, struct detail *why) MUST_USE;

/* The same from a parsed object (jansson's json_t), such as an element of the answer to RPC_ORDER_STATUS. */
struct json_t;
int decision_decode_json(const struct json_t *object, struct decision *out, struct detail *why) MUST_USE;

/* An item as the catalogue shows it. */
struct item {
    char sku[NAME_SIZE];
    char name[ITEM_NAME_SIZE];
    int64_t unit_price; /* in the smallest unit (fen) */
    int64_t stock_total, stock_left;
    int32_t limit_per_user;     /* units; 0: no limit */
    int64_t starts_ms, ends_ms; /* 0: open on that side; the window is starts <= t < ends */
    bool paused;
    uint8_t shard;
    int64_t version; /* rises with each operator's change, never with a sale; 0: not told */
};

/* Appends the object {"sku":…,…} with starts_at and ends_at as RFC 3339 or null; no newline. */
void item_encode(struct buffer *out, const struct item *item);

/* The item of such an object. E_INVALID with a detail that names the member. */
int item_decode_json(const struct json_t *object, struct item *out, struct detail *why) MUST_USE;

struct snapshot { /* the whole catalogue of one shard */
    uint8_t shard;
    int64_t epoch, seq; /* a later one has a higher (epoch, seq) */
    int64_t at_ms;      /* inventory's wall clock as it was sent */
    struct item *items; /* owned by the snapshot */
    size_t count;
};

void snapshot_encode(struct buffer *out, const struct snapshot *snapshot);
int snapshot_decode(struct slice body, struct snapshot *out,
                    struct detail *why) MUST_USE; /* free it when 0 */
void snapshot_free(struct snapshot *s);           /* frees the items; NULL is fine */

/* Walks the lines of a body: takes the next non-empty line (without "\n" or "\r\n") off *rest. false: no
 * more. */
bool line_next(struct slice *rest, struct slice *line);

#endif
