/* Items as inventory answers them, for people and for programs. */
#ifndef SECKILL_CTL_ITEM_VIEW_H
#define SECKILL_CTL_ITEM_VIEW_H

#include <jansson.h>
#include <stdbool.h>

/* One item, a line for each of its properties, or as JSON. Returns the exit code. */
int item_print(json_t *item, bool as_json);

/* {"items": […]} as a table with a line for each item, or as it is. */
int item_list_print(json_t *list, bool as_json);

#endif
