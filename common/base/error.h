/*
 * The one error idiom: a function that can fail returns 0, or one of these negative codes.
 *
 * Where a person will read the reason, the function also takes a `struct detail *` and writes one sentence
 * into it that names what is wrong. The pointer may be NULL; the text is never longer than the struct and is
 * only meaningful after a failure.
 */
#ifndef SECKILL_BASE_ERROR_H
#define SECKILL_BASE_ERROR_H

#define MUST_USE                         __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first) __attribute__((format(printf, format_index, first)))

enum error_code {
    E_INVALID = -1,   /* the input breaks a rule; the detail says which */
    E_NOT_FOUND = -2, /* what was named does not exist */
    E_EXISTS = -3,    /* it exists already, or differs from what exists */
    E_BUSY = -4,      /* somebody else holds it */
    E_TIMEOUT = -5,   /* no answer within the deadline */
    E_CLOSED = -6,    /* the connection is gone */
    E_REFUSED = -7,   /* the other side said no */
    E_IO = -8,        /* the operating system or the disk failed */
    E_NEWER = -9,     /* written by a newer version of this program */
    E_CORRUPT = -10,  /* the data cannot be what was written */
    E_FULL = -11,     /* a bound that we set ourselves is reached */
};

struct detail {
    char text[320];
};

/* The words for a code: "timed out" for E_TIMEOUT. Never NULL. */
const char *error_text(int code);

/* Writes the sentence into *d; does nothing if d is NULL. A text that is too long is cut. */
void detail_set(struct detail *d, const char *format, ...) PRINTF_LIKE(2, 3);

/* The exit codes that the programs use (sysexits.h). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,       /* the command was understood and its answer is "no" (audit, check) */
    EXIT_USAGE = 64,       /* EX_USAGE */
    EXIT_UNAVAILABLE = 69, /* EX_UNAVAILABLE: the broker is not to be had */
    EXIT_SOFTWARE = 70,    /* EX_SOFTWARE: a bug of ours */
    EXIT_DISK = 74,        /* EX_IOERR */
    EXIT_CONFIG = 78,      /* EX_CONFIG */
};

#endif
