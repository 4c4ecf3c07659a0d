/* Tables for people: columns as wide as their widest cell, on a terminal that shows East Asian characters two
 * wide. */
#ifndef SECKILL_CTL_TABLE_H
#define SECKILL_CTL_TABLE_H

#include <stdio.h>

#include "common/base/error.h"

struct table;

/* columns: the headings, with a NULL at the end; one that begins with '>' is aligned to the right.
 * Where all are empty no line is printed for them. */
struct table *table_new(const char *const *columns);
void table_free(struct table *t); /* NULL is fine */

/* Appends a cell to the current row; rows fill from left to right and end by themselves. Control characters
 * in the text are shown as '?'. */
void table_add(struct table *t, const char *text);
void table_addf(struct table *t, const char *format, ...) PRINTF_LIKE(2, 3);

void table_print(const struct table *t, FILE *out);

/* Columns that the text takes on a terminal. */
int text_width(const char *text);

#endif
