/*
 * What an operator sent over HTTP, as a question to inventory; or the reason why it is none. Pure: the rules
 * are item_change.h's, and inventory looks again.
 */
#ifndef SECKILL_ORDER_ADMIN_REQUEST_H
#define SECKILL_ORDER_ADMIN_REQUEST_H

#include "common/base/error.h"
#include "common/base/slice.h"

#define ADMIN_BODY_MAX 2048 /* bytes; a longer one is 413. An item's longest name, all escaped, fits */

struct admin_request {
    const char *sku;             /* of the path */
    struct slice body;           /* JSON */
    const char *if_match;        /* the headers' values; NULL: none */
    const char *if_none_match;   /* "*" alone is taken: only if there is no such item */
    const char *idempotency_key; /* a restock needs one */
};

enum admin_request_result {
    ADMIN_REQUEST_OK,
    ADMIN_REQUEST_MALFORMED, /* 400: not of the language that it claims to be */
    ADMIN_REQUEST_INVALID,   /* 422: it is, and says what cannot be; the detail names the member */
};

/* PUT of an item: the question RPC_ITEM_PUT. Its text is the caller's to free; unless OK, there is none and
 * *why has the reason, valid UTF-8. */
enum admin_request_result admin_request_put(const struct admin_request *r, char **question,
                                            struct detail *why);

/* POST of a restock, {"quantity": N}: the question RPC_ITEM_RESTOCK, in the same way. */
enum admin_request_result admin_request_restock(const struct admin_request *r, char **question,
                                                struct detail *why);

#endif
