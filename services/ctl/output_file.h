/*
 * Output that is whole or not there: written beside the file under another name, and given its own when all
 * of it is on disk. What stood there before stays until then. Without a path it is stdout.
 */
#ifndef SECKILL_CTL_OUTPUT_FILE_H
#define SECKILL_CTL_OUTPUT_FILE_H

#include <stdio.h>

#include "common/base/error.h"

struct output_file {
    FILE *file;       /* to write to */
    const char *path; /* NULL: stdout */
    char *temporary;
};

/* E_IO with detail. The file is for its owner's eyes only (mode 0600). */
int output_file_open(struct output_file *o, const char *path, struct detail *why) MUST_USE;

/* All is written: gives it its name. E_IO with detail: then it is not there. */
int output_file_keep(struct output_file *o, struct detail *why) MUST_USE;

void output_file_discard(struct output_file *o); /* after output_file_keep too, where it does nothing */

#endif
