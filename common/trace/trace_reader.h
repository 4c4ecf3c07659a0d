/*
 * Reads a trace (trace_record.h) line by line, from a file or a pipe, within bounds whatever the file holds:
 * a line has at most 4 KiB, and zstd takes at most 8 MiB for its window.
 */
#ifndef SECKILL_TRACE_READER_H
#define SECKILL_TRACE_READER_H

#include "common/base/error.h"
#include "common/trace/trace_record.h"

struct trace_reader;

/* Opens the file and reads the header. E_NOT_FOUND, E_IO; E_CORRUPT if it is no trace; E_NEWER for a version
 * that this program does not know. */
int trace_reader_open(struct trace_reader **out, const char *path, struct detail *why) MUST_USE;
void trace_reader_close(struct trace_reader *r); /* r may be NULL */

/* Valid as long as the reader. */
const struct trace_header *trace_reader_header(const struct trace_reader *r);

/* 1: *record is the next line, its slices valid until the next call. 0: the end. E_CORRUPT: a line that
 * breaks the format's rules, named by its number; E_IO. */
int trace_reader_next(struct trace_reader *r, struct trace_record *record, struct detail *why) MUST_USE;

/* After the end: is a part of the file's end missing (half a line, or an unfinished zstd frame)? */
bool trace_reader_is_truncated(const struct trace_reader *r);

#endif
