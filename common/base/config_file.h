/*
 * The configuration file, read with libconfuse: `section { key = value }`. Only config.c uses this.
 *
 * What libconfuse 3.3 gets wrong is put right before it sees the text: it counts lines wrongly after each
 * comment, drops a stray '*' or '+' without a word, and does not miss a closing brace at the end of the file.
 */
#ifndef SECKILL_BASE_CONFIG_FILE_H
#define SECKILL_BASE_CONFIG_FILE_H

#include "common/base/config.h"

/* Is called for each value, in the file's order. option is an index into the table; the text is valid during
 * the call only. A result other than 0 ends the reading and is passed on. */
typedef int config_entry_fn(void *context, size_t option, const char *text, int line, struct detail *why);

/* Reads the file. E_NOT_FOUND, E_IO, E_INVALID with a detail that names file and line. One call at a time in
 * a process: libconfuse's scanner is global. */
int config_file_read(const char *path, const struct config_spec *spec, config_entry_fn *entry, void *context,
                     struct detail *why) MUST_USE;

#endif
