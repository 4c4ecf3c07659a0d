/*
 * What an operator may say about an item, and what may be said: one set of rules for everybody who takes such
 * a change, over HTTP or from the queue of questions. Pure.
 */
#ifndef SECKILL_PIPELINE_ITEM_CHANGE_H
#define SECKILL_PIPELINE_ITEM_CHANGE_H

#include "common/pipeline/message.h"

#define UNIT_PRICE_MAX                                                                                       \
    INT64_C(1000000000000) /* times QUANTITY_MAX it is exact in every JSON reader (below 2^53) */
#define STOCK_MAX           INT64_C(1000000000)
#define LIMIT_PER_USER_MAX  1000000
#define IDEMPOTENCY_KEY_MAX 128

/* {"name", "unit_price", "stock", "limit_per_user", "starts_at", "ends_at", "paused"}: a change's members. */
#define ITEM_CHANGE_MEMBERS "name", "unit_price", "stock", "limit_per_user", "starts_at", "ends_at", "paused"

struct item_change {
    /* Whether the member is there; without it the item keeps what it has. */
    bool has_name, has_unit_price, has_stock, has_limit, has_starts, has_ends, has_paused;
    char name[ITEM_NAME_SIZE];
    int64_t unit_price, stock;
    int32_t limit_per_user;
    int64_t starts_ms, ends_ms;
    bool paused;
};

/* Reads the members that are there and looks at each; other members are not looked at
 * (json_read_known_members). E_INVALID with a detail that names the member. */
int item_change_decode_json(const struct json_t *object, struct item_change *out,
                            struct detail *why) MUST_USE;

/* Lays the change over the item, stock_total too; stock_left moves by the difference, and below zero where
 * less is wanted than was sold: the caller looks. A new item needs unit_price and stock. E_INVALID with
 * detail: the whole of it cannot be, such as a window that ends before it begins. */
int item_change_apply(const struct item_change *change, bool is_new, struct item *item,
                      struct detail *why) MUST_USE;

/* Is there any difference that an operator can make? stock_left is not compared. */
bool item_terms_differ(const struct item *a, const struct item *b);

/* 1 to 128 visible ASCII characters (0x21 to 0x7e)? */
bool idempotency_key_is_valid(const char *key);

#endif
