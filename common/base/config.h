/*
 * Settings from one table. The table parses, checks, prints and documents: a key that is not in it does not
 * exist.
 *
 * A value comes from the table's default, from the file (libconfuse: `section { key = value }`), or from
 * `--set section.key=value`; a later one wins. Every error names the file and line (or the --set), the key
 * and what was expected. The struct that receives the values belongs to the caller; strings in it are owned
 * by the config.
 *
 * How a file is written:
 *
 *     # a comment; C comments will do as well
 *     broker {
 *         url = 'amqp://user:pa$$word@one:5672/,amqp://user:pa$$word@two:5672/'
 *         heartbeat_s = 10
 *     }
 *
 *  - A value is one word, or stands in quotes. It needs quotes if it has blanks or any of # " ' = { } ( ) , *
 * + in it.
 *  - Single quotes take everything as it stands but \' and \\: use them for passwords.
 *  - Double quotes know C's escapes and put in environment variables: "${HOME}/x", "${PORT:-8080}". A bare
 * word that is
 *    ${NAME} as a whole is put in, too.
 *  - A section may be opened again further down; a key may be given only once.
 *
 * Threads: load, reload and free belong to one thread, and the settings struct is plain memory. A program in
 * which other threads look at a reloadable value gives config_reload() a copy of the struct that only it
 * looks at, and passes the new values on in its own way (one atomic each, say).
 */
#ifndef SECKILL_BASE_CONFIG_H
#define SECKILL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/error.h"

enum config_type {
    CONFIG_TEXT,   /* const char *, never NULL */
    CONFIG_INT,    /* int64_t in [min, max] */
    CONFIG_BOOL,   /* bool: true/false, yes/no, on/off */
    CONFIG_CHOICE, /* int: index into choices */
};

struct config_option {
    const char *key; /* "section.name" */
    enum config_type type;
    size_t offset;              /* into the settings struct */
    const char *fallback;       /* the default, as text; it must parse */
    int64_t min, max;           /* CONFIG_INT */
    const char *const *choices; /* CONFIG_CHOICE, NULL-terminated */
    const char *unit;           /* "ms", "bytes", "1/s" or NULL: for people */
    bool reloadable;            /* SIGHUP takes it over */
    bool secret;                /* value holds a password (an AMQP address): printed with it masked */
    const char *help;           /* one sentence */
    const char *word;           /* what stands for the value in --help, "FILE"; NULL: by the type */
    bool list;                  /* CONFIG_TEXT: a second option of a program_spec's option_section adds to the
                                 * first, behind a comma */
};

struct config; /* the values with their sources */

struct config_spec {
    const struct config_option *options; /* ends with key == NULL */
    bool passes_over; /* sections of the file that are not in the table belong to other programs */
};

/* Loads defaults, then the file (a missing file is fine unless must_exist), then the sets (count strings
 * "a.b=c") into *settings. On failure *out and *settings are untouched and *why says what and where. path may
 * be NULL: no file. */
int config_load(struct config **out, const struct config_spec *spec, const char *path, bool must_exist,
                const char *const *sets, size_t set_count, void *settings, struct detail *why) MUST_USE;
void config_free(struct config *c);

/* `section.key = value  # source` for every option, in the table's order. The source is "default", "--set" or
 * "/path/of/file:line"; a value that is empty or has blanks stands in quotes; passwords are shown as ***. */
void config_print(const struct config *c, FILE *out);

/* The table as Markdown, for the README: key, default, range, help; and in scdoc's form, for the manual page. */
void config_document(const struct config_spec *spec, FILE *out);
void config_document_scdoc(const struct config_spec *spec, FILE *out);

/* SIGHUP: reads everything (file and sets) again and copies the reloadable values into *settings; others that
 * changed are named in a warning and stay. A text that was replaced stays valid until config_free, for those
 * who still read it. On failure nothing changes. To apply the new values (log_set_level, …) is the caller's
 * part. */
int config_reload(struct config *c, void *settings, struct detail *why) MUST_USE;

#endif
