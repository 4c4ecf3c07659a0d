/*
 * Log lines on stderr: "2026-11-22T12:00:00.123Z info seckill-order event key=value key="two words"". Where
 * stderr is systemd's journal (JOURNAL_STREAM names it) the time is left out and each line begins with
 * sd-daemon's "<N>" priority.
 *
 * The words for trouble: warn = something is off and we go on; error = this request or message fails; fatal =
 * the environment makes it impossible to go on and the process ends; panic = our own bug.
 *
 * Each call writes one line with one write(2). Any thread may call; never blocks on a lock for long.
 */
#ifndef SECKILL_BASE_LOG_H
#define SECKILL_BASE_LOG_H

#include <stdbool.h>

#include "common/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* The program's name goes into each line. Call once, before any thread; name must stay valid. */
void log_start(const char *program);
void log_set_level(enum log_level level); /* any thread, any time */
bool log_wants(enum log_level level);     /* to be asked before a line that is costly to prepare */

/*
 * `event` is a short constant such as "broker_lost"; the format makes the "key=value" pairs after it and may
 * be "". Values that came from outside go through log_quote() first. A line is cut at 4 KiB and ends with
 * "..." then; control characters are replaced by "?".
 */
#pragma GCC diagnostic ignored                                                                               \
    "-Wformat-zero-length" /* "" is a format of ours; clang knows the pragma, too */
void log_debug(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_info(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_warn(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);
void log_error(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);

/* Logs at error level and ends the process with this exit code. Only main's thread, before work began, or
 * when going on would break a promise (a database that cannot be written). */
_Noreturn void log_fatal(int exit_code, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* Our own bug: logs and aborts. */
_Noreturn void log_panic(const char *event, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Writes text as a value that is safe in a key=value line into out, and returns out. Plain text stays as it
 * is; else it stands in quotes, with \" \\ \n \r \t, and \xNN for other control characters and for what is
 * not UTF-8. A text that does not fit ends with ...", and is "" where not even that fits (less than 6 bytes).
 */
const char *log_quote(const char *text, char *out, unsigned long out_size);

#endif
