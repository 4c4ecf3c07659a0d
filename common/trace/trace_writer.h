/*
 * Writes a trace (trace_record.h). For one thread. What is added gathers in memory and goes to the file when
 * 64 KiB are there, so that an add costs some hundred nanoseconds and now and then a write; nothing here
 * syncs to the disk.
 *
 * A failure to write is kept: the file ends with what was written before, later calls say the same at once,
 * and trace_writer_why() tells the reason.
 */
#ifndef SECKILL_TRACE_WRITER_H
#define SECKILL_TRACE_WRITER_H

#include "common/base/error.h"
#include "common/trace/trace_record.h"

struct trace_writer;

/* Makes the file, mode 0640, and writes the header; compresses where the name ends in ".zst". E_EXISTS if
 * there is a file already: a trace is never continued or replaced. E_IO. */
int trace_writer_open(struct trace_writer **out, const char *path, const struct trace_header *header,
                      struct detail *why) MUST_USE;

/* Adds one line. The slices are looked at during the call only; they hold valid UTF-8 within the bounds of
 * trace_record.h. E_IO. */
int trace_writer_add(struct trace_writer *w, const struct trace_record *record) MUST_USE;

/* All that was added is in the file afterwards, and can be read from it while it grows. Compression suffers
 * from it: a few times a second at most. E_IO. */
int trace_writer_flush(struct trace_writer *w) MUST_USE;

/* The reason of the first failure; "" if there was none. */
const char *trace_writer_why(const struct trace_writer *w);

/* Writes what is left and the end of the zstd frame, closes and frees. E_IO with the reason if this or
 * anything before failed. w may be NULL: 0. */
int trace_writer_close(struct trace_writer *w, struct detail *why) MUST_USE;

#endif
