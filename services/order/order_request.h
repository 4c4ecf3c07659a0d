/*
 * What a client sent, as bytes, into an order's fields; or the reason why it is none. Pure.
 *
 * MALFORMED (400): the bytes are not of the language that they claim to be. INVALID (422): they are, and say
 * something that an order cannot be; the detail names the member. Unknown and repeated members are errors: a
 * mistyped "quantitty" must not buy 1.
 */
#ifndef SECKILL_ORDER_ORDER_REQUEST_H
#define SECKILL_ORDER_ORDER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/base/slice.h"
#include "common/pipeline/item_change.h" /* idempotency_key_is_valid */
#include "common/pipeline/message.h"

#define ORDER_BODY_MAX 4096 /* bytes; a longer one is 413 */

enum body_type {
    BODY_JSON,
    BODY_FORM, /* application/x-www-form-urlencoded */
    BODY_UNSUPPORTED,
};

/* By the Content-Type header, whatever its parameters. NULL, no such header: JSON, which is what this service
 * speaks. */
enum body_type order_request_body_type(const char *content_type);

struct order_request {
    char user_id[NAME_SIZE];
    char sku[NAME_SIZE];
    int32_t quantity;
};

enum order_request_result { ORDER_REQUEST_OK, ORDER_REQUEST_MALFORMED, ORDER_REQUEST_INVALID };

/* Unless OK, *out is undefined and *why has the reason: valid UTF-8, though it may quote what the client
 * sent. */
enum order_request_result order_request_parse(enum body_type type, struct slice body,
                                              struct order_request *out, struct detail *why);

#endif
