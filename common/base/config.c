/*
 * Settings from one table. Each value is kept as text with its source, and as the number that it stands for;
 * all are known to be good before the first is written into the caller's struct.
 */
#include "common/base/config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/config_file.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/scdoc.h"

enum source { FROM_DEFAULT, FROM_FILE, FROM_SET };

struct value {
    char *text;
    int64_t number; /* of all types but CONFIG_TEXT */
    enum source source;
    int line; /* FROM_FILE */
};

struct config {
    struct config_spec spec;
    const struct config_option *options;
    size_t count;
    struct value *values; /* one for each option */
    char *path;           /* NULL: no file */
    bool must_exist;
    char **sets;
    size_t set_count;
    char **old_texts; /* that a reload replaced: somebody may be reading them still */
    size_t old_text_count;
};

/* ---- One value ---- */

static int parse_bool(const char *text, int64_t *number)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *number = (int64_t)(i % 2);
            return 0;
        }
    return E_INVALID;
}

static int parse_choice(const char *text, const char *const *choices, int64_t *number)
{
    for (int64_t i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0) {
            *number = i;
            return 0;
        }
    return E_INVALID;
}

static int parse_value(const struct config_option *o, const char *text, int64_t *number)
{
    *number = 0;
    switch (o->type) {
    case CONFIG_TEXT:
        return 0;
    case CONFIG_INT:
        return number_parse(text, o->min, o->max, number);
    case CONFIG_BOOL:
        return parse_bool(text, number);
    case CONFIG_CHOICE:
        return parse_choice(text, o->choices, number);
    }
    return E_INVALID;
}

static void add_expectation(struct buffer *b, const struct config_option *o)
{
    switch (o->type) {
    case CONFIG_TEXT:
        buffer_add_text(b, "a text");
        break;
    case CONFIG_INT:
        buffer_printf(b, "an integer from %" PRId64 " to %" PRId64, o->min, o->max);
        break;
    case CONFIG_BOOL:
        buffer_add_text(b, "true or false");
        break;
    case CONFIG_CHOICE:
        for (size_t i = 0; o->choices[i]; i++)
            buffer_printf(b, "%s%s", i == 0 ? "one of " : ", ", o->choices[i]);
        break;
    }
}

static void add_place(struct buffer *b, const struct config *c, enum source source, int line)
{
    if (source == FROM_FILE)
        buffer_printf(b, "%s:%d", c->path, line);
    else
        buffer_add_text(b, source == FROM_SET ? "--set" : "default");
}

static int take_value(struct config *c, size_t option, const char *text, enum source source, int line,
                      struct detail *why)
{
    const struct config_option *o = &c->options[option];
    struct value *v = &c->values[option];
    struct buffer place = {0}, expected = {0};
    int64_t number;
    int rc = E_INVALID;
    add_place(&place, c, source, line);
    if (source == FROM_FILE && v->source == FROM_FILE) {
        detail_set(why, "%s: %s: given twice, first on line %d", buffer_text(&place), o->key, v->line);
    } else if (parse_value(o, text, &number) != 0) {
        add_expectation(&expected, o);
        detail_set(why, "%s: %s: expected %s, got \"%s\"", buffer_text(&place), o->key,
                   buffer_text(&expected), text);
    } else {
        free(v->text);
        *v = (struct value){.text = xstrdup(text), .number = number, .source = source, .line = line};
        rc = 0;
    }
    buffer_free(&place);
    buffer_free(&expected);
    return rc;
}

/* ---- The sources, in their order ---- */

static int take_from_file(void *context, size_t option, const char *text, int line, struct detail *why)
{
    return take_value(context, option, text, FROM_FILE, line, why);
}

static int take_set(struct config *c, const char *set, struct detail *why)
{
    const char *equals = strchr(set, '=');
    if (!equals) {
        detail_set(why, "--set: expected section.key=value, got \"%s\"", set);
        return E_INVALID;
    }
    const size_t len = (size_t)(equals - set);
    for (size_t i = 0; i < c->count; i++)
        if (strlen(c->options[i].key) == len && strncmp(c->options[i].key, set, len) == 0)
            return take_value(c, i, equals + 1, FROM_SET, 0, why);
    detail_set(why, "--set: %.*s: no such key", (int)len, set);
    return E_INVALID;
}

static int read_values(struct config *c, struct detail *why)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->count; i++)
        rc = take_value(c, i, c->options[i].fallback, FROM_DEFAULT, 0, why);
    if (rc == 0 && c->path) {
        rc = config_file_read(c->path, &c->spec, take_from_file, c, why);
        if (rc == E_NOT_FOUND && !c->must_exist)
            rc = 0;
    }
    for (size_t i = 0; rc == 0 && i < c->set_count; i++)
        rc = take_set(c, c->sets[i], why);
    return rc;
}

static struct config *config_new(const struct config_spec *spec, const char *path, bool must_exist,
                                 const char *const *sets, size_t set_count)
{
    struct config *c = xcalloc(1, sizeof(*c));
    c->spec = *spec;
    c->options = spec->options;
    while (c->options[c->count].key)
        c->count++;
    c->values = xcalloc(c->count, sizeof(*c->values));
    c->path = path ? xstrdup(path) : NULL;
    c->must_exist = must_exist;
    c->sets = xcalloc(set_count, sizeof(*c->sets));
    for (; c->set_count < set_count; c->set_count++)
        c->sets[c->set_count] = xstrdup(sets[c->set_count]);
    return c;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->values[i].text);
    for (size_t i = 0; i < c->set_count; i++)
        free(c->sets[i]);
    for (size_t i = 0; i < c->old_text_count; i++)
        free(c->old_texts[i]);
    free(c->old_texts);
    free(c->values);
    free(c->sets);
    free(c->path);
    free(c);
}

/* ---- The caller's struct ---- */

static void store_value(const struct config_option *o, const struct value *v, void *settings)
{
    void *field = (char *)settings + o->offset;
    switch (o->type) {
    case CONFIG_TEXT:
        *(const char **)field = v->text;
        break;
    case CONFIG_INT:
        *(int64_t *)field = v->number;
        break;
    case CONFIG_BOOL:
        *(bool *)field = v->number != 0;
        break;
    case CONFIG_CHOICE:
        *(int *)field = (int)v->number;
        break;
    }
}

int config_load(struct config **out, const struct config_spec *spec, const char *path, bool must_exist,
                const char *const *sets, size_t set_count, void *settings, struct detail *why)
{
    struct config *c = config_new(spec, path, must_exist, sets, set_count);
    int rc = read_values(c, why);
    if (rc) {
        config_free(c);
        return rc;
    }
    for (size_t i = 0; i < c->count; i++)
        store_value(&c->options[i], &c->values[i], settings);
    *out = c;
    return 0;
}

static bool is_same(const struct config_option *o, const struct value *a, const struct value *b)
{
    return o->type == CONFIG_TEXT ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

/* The old value goes to *fresh, to be freed with it; but a text that changed is kept. */
static void exchange(struct config *c, size_t option, struct value *fresh)
{
    struct value old = c->values[option];
    c->values[option] = *fresh;
    *fresh = old;
    if (c->options[option].type != CONFIG_TEXT)
        return;
    c->old_texts = xrealloc(c->old_texts, (c->old_text_count + 1) * sizeof(*c->old_texts));
    c->old_texts[c->old_text_count++] = old.text;
    fresh->text = NULL;
}

int config_reload(struct config *c, void *settings, struct detail *why)
{
    struct config *fresh =
        config_new(&c->spec, c->path, c->must_exist, (const char *const *)c->sets, c->set_count);
    int rc = read_values(fresh, why);
    for (size_t i = 0; rc == 0 && i < c->count; i++) {
        const struct config_option *o = &c->options[i];
        bool is_changed = !is_same(o, &c->values[i], &fresh->values[i]);
        if (!o->reloadable && is_changed)
            log_warn("setting_needs_restart", "key=%s", o->key);
        if (!o->reloadable)
            continue;
        if (is_changed || o->type != CONFIG_TEXT) /* the same text stays where it is */
            exchange(c, i, &fresh->values[i]);
        store_value(o, &c->values[i], settings);
    }
    config_free(fresh);
    return rc;
}

/* ---- For people ---- */

/* The end of the address that begins at p: the next comma with "scheme://" behind it, since a password may
 * have a comma of its own. */
static const char *address_end(const char *p)
{
    for (p = strchr(p, ','); p; p = strchr(p + 1, ',')) {
        const char *scheme = p + 1 + strspn(p + 1, " ");
        if (strncmp(scheme + strspn(scheme, "abcdefghijklmnopqrstuvwxyz"), "://", 3) == 0)
            return p;
    }
    return NULL;
}

/* "amqp://user:***@host": leaves out what stands between the first colon behind the scheme and the last "@";
 * without a scheme, all before the "@". */
static void add_masked_address(struct buffer *b, const char *text, size_t len)
{
    const char *at = memrchr(text, '@', len);
    if (!at) { /* no password in it */
        buffer_add(b, text, len);
        return;
    }
    const size_t before = (size_t)(at - text);
    const char *scheme = memmem(text, before, "://", 3);
    const char *user = scheme ? scheme + 3 : text;
    const char *colon = scheme ? memchr(user, ':', (size_t)(at - user)) : NULL;
    buffer_add(b, text, colon ? (size_t)(colon - text) + 1 : scheme ? before : 0);
    if (colon || !scheme)
        buffer_add_text(b, "***");
    buffer_add(b, at, len - before);
}

static void add_masked(struct buffer *b, const char *text)
{
    const char *end;
    for (; (end = address_end(text)) != NULL; text = end + 1) {
        add_masked_address(b, text, (size_t)(end - text));
        buffer_add_text(b, ",");
    }
    add_masked_address(b, text, strlen(text));
}

void config_print(const struct config *c, FILE *out)
{
    struct buffer shown = {0}, place = {0};
    for (size_t i = 0; i < c->count; i++) {
        const struct config_option *o = &c->options[i];
        const struct value *v = &c->values[i];
        buffer_clear(&shown);
        if (o->secret)
            add_masked(&shown, v->text);
        else
            buffer_add_text(&shown, v->text);

        const size_t quoted_size = 4 * shown.len + sizeof("\"\"...");
        char *quoted = xmalloc(quoted_size);
        buffer_clear(&place);
        add_place(&place, c, v->source, v->line);
        fprintf(out, "%s = %s  # %s\n", o->key, log_quote(buffer_text(&shown), quoted, quoted_size),
                buffer_text(&place));
        free(quoted);
    }
    buffer_free(&shown);
    buffer_free(&place);
}

static void add_range(struct buffer *b, const struct config_option *o)
{
    switch (o->type) {
    case CONFIG_TEXT:
        break;
    case CONFIG_INT:
        buffer_printf(b, "%" PRId64 " – %" PRId64, o->min, o->max);
        break;
    case CONFIG_BOOL:
    case CONFIG_CHOICE:
        add_expectation(b, o);
        break;
    }
    if (o->unit)
        buffer_printf(b, " %s", o->unit);
}

void config_document_scdoc(const struct config_spec *spec, FILE *out)
{
    struct buffer text = {0}, range = {0};
    for (const struct config_option *o = spec->options; o->key; o++) {
        buffer_clear(&range);
        add_range(&range, o);
        buffer_add_text(&text, "*");
        scdoc_add(&text, o->key);
        buffer_add_text(&text, "* = ");
        if (*o->fallback) {
            buffer_add_text(&text, "_");
            scdoc_add(&text, o->fallback);
            buffer_add_text(&text, "_");
        } else {
            buffer_add_text(&text, "(empty)");
        }
        if (range.len > 0) {
            buffer_add_text(&text, " (");
            scdoc_add(&text, buffer_text(&range));
            buffer_add_text(&text, ")");
        }
        buffer_add_text(&text, "\n\t");
        scdoc_add(&text, o->help);
        buffer_add_text(&text, o->reloadable ? " Taken over on SIGHUP.\n\n" : "\n\n");
    }
    fwrite(text.data, 1, text.len, out);
    buffer_free(&text);
    buffer_free(&range);
}

void config_document(const struct config_spec *spec, FILE *out)
{
    struct buffer range = {0};
    fputs("| key | default | range | what it is |\n|---|---|---|---|\n", out);
    for (const struct config_option *o = spec->options; o->key; o++) {
        buffer_clear(&range);
        add_range(&range, o);
        fprintf(out, "| `%s` | %s%s%s | %s | %s%s |\n", o->key, *o->fallback ? "`" : "", o->fallback,
                *o->fallback ? "`" : "", buffer_text(&range), o->help,
                o->reloadable ? " *Taken over on SIGHUP.*" : "");
    }
    buffer_free(&range);
}
