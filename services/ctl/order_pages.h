/*
 * All decided orders of one inventory file and its archive, by id, in pages. Each page is a read transaction
 * of its own and as short as it can be, so that reading millions of orders never keeps inventory from
 * beginning its WAL anew. An order that moves into the archive meanwhile is there once: a page of the file is
 * read before the archive's, and the archive has an order before the file loses it.
 */
#ifndef SECKILL_CTL_ORDER_PAGES_H
#define SECKILL_CTL_ORDER_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/pipeline/message.h"

struct order_row {
    struct decision decision;
    int64_t accepted_ms;
};

struct order_pages;

/* path: of the inventory file; its archive beside it is read too, where there is one. Errors as
 * service_file_open. */
int order_pages_open(struct order_pages **out, const char *path, struct detail *why) MUST_USE;
void order_pages_close(struct order_pages *p); /* NULL is fine */

/* 1: *rows has the next *count orders (at least one), until the next call. 0: there are no more. Or an error.
 */
int order_pages_next(struct order_pages *p, const struct order_row **rows, size_t *count,
                     struct detail *why) MUST_USE;

#endif
