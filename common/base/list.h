/* Settings that hold several values: entries separated by commas, with white space around each that is no
 * part of it. Pure. */
#ifndef SECKILL_BASE_LIST_H
#define SECKILL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

size_t list_count(const char *text); /* "": 0; "a": 1; "a,": 2, the second of them empty */

/* Copies the entry at this place (from 0) into out. false: there is none, it is empty, or out is too small.
 */
bool list_at(const char *text, size_t place, char *out, size_t size);

#endif
