/* The configuration file, read with libconfuse. All values are strings to it; the table parses them. */
#include "common/base/config_file.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"
#include "common/base/file.h"
#include "common/base/log.h"

#define FILE_MAX ((size_t)1 << 20)

struct reading {
    const char *path;
    const struct config_option *options;
    config_entry_fn *entry;
    void *context;
    struct detail *why;
    int rc; /* the first failure; later ones only follow from it */
};

/* libconfuse's callbacks have no context argument. */
static struct reading *current;

/* ---- The text, made fit for libconfuse ---- */

struct scan {
    char *p;
    int line;
};

/* Moves behind the next `end`, which is len bytes long. Without one: to the text's end, and false. A
 * backslash hides the byte behind it where `escapes` is set. */
static bool skip_past(struct scan *s, const char *end, bool escapes)
{
    const size_t len = strlen(end);
    for (; *s->p != '\0'; s->p++) {
        if (strncmp(s->p, end, len) == 0) {
            s->p += len;
            return true;
        }
        if (escapes && *s->p == '\\' && s->p[1] != '\0')
            s->p++;
        if (*s->p == '\n')
            s->line++;
    }
    return false;
}

static void blank(char *from, const char *to)
{
    for (; from < to; from++)
        if (*from != '\n')
            *from = ' ';
}

/* A comment becomes blanks, up to its line's end or to its closing mark. */
static bool blank_comment(struct scan *s)
{
    char *begin = s->p;
    bool closed = true;
    if (s->p[0] == '/' && s->p[1] == '*') {
        s->p += 2;
        closed = skip_past(s, "*/", false);
    } else {
        s->p += strcspn(s->p, "\n");
    }
    blank(begin, s->p);
    return closed;
}

static bool is_comment(const char *p, bool in_word)
{
    return *p == '#' || (!in_word && p[0] == '/' && (p[1] == '/' || p[1] == '*'));
}

static bool is_word(char c)
{
    return !strchr(" \t\r\n={}(),\"'#", c);
}

/* Is one of the options' sections called by the word that begins here? */
static bool has_section(const struct config_option *options, const char *word)
{
    size_t len = 0;
    while (is_word(word[len])) /* not the NUL either */
        len++;
    for (; options->key; options++)
        if (strncmp(options->key, word, len) == 0 && options->key[len] == '.')
            return true;
    return false;
}

/* Blanks the comments out, and the sections that are passed over; refuses what libconfuse would read as
 * something else than it says. */
static int clean(char *text, const char *path, const struct config_spec *spec, struct detail *why)
{
    struct scan s = {.p = text, .line = 1};
    int depth = 0, open_line = 0;
    char *word = text;    /* the latest one outside of sections */
    char *foreign = NULL; /* where a section began that is passed over */
    bool in_word = false; /* "amqp://host" is no comment */
    while (*s.p != '\0') {
        const int line = s.line;
        const char c = *s.p;
        bool closed = true;
        if (is_comment(s.p, in_word)) {
            closed = blank_comment(&s);
        } else if (c == '"' || c == '\'') {
            s.p++;
            closed = skip_past(&s, c == '"' ? "\"" : "'", true);
        } else if (c == '*' || c == '+') {
            detail_set(why, "%s:%d: a value with a \"%c\" needs quotes", path, line, c);
            return E_INVALID;
        } else {
            s.p++;
            s.line += c == '\n';
            if (c == '{' && depth++ == 0) {
                open_line = line;
                foreign = spec->passes_over && !has_section(spec->options, word) ? word : NULL;
            }
            depth -= c == '}';
            if (c == '}' && depth == 0 && foreign) {
                blank(foreign, s.p);
                foreign = NULL;
            }
            if (depth == 0 && !in_word && is_word(c))
                word = s.p - 1;
        }
        if (!closed) {
            detail_set(why, "%s:%d: %s never closed", path, line, c == '/' ? "a comment is" : "a quote is");
            return E_INVALID;
        }
        in_word = is_word(c);
    }
    if (depth > 0) {
        detail_set(why, "%s:%d: a section is never closed: its \"}\" is missing", path, open_line);
        return E_INVALID;
    }
    return 0;
}

/* ---- libconfuse's callbacks ---- */

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    struct reading *r = current;
    if (r->rc)
        return;
    r->rc = E_INVALID;
    const bool top = strcmp(cfg->name, "root") == 0;
    if (strcmp(format, "no such option '%s'") == 0) {
        const char *name = va_arg(args, const char *);
        detail_set(r->why, "%s:%d: %s%s%s: no such %s", r->path, cfg->line, top ? "" : cfg->name,
                   top ? "" : ".", name, top ? "section" : "key");
        return;
    }
    char reason[sizeof(r->why->text)];
    vsnprintf(reason, sizeof(reason), format, args);
    detail_set(r->why, "%s:%d: %s", r->path, cfg->line, reason);
}

static bool is_key(const char *key, const char *section, const char *name)
{
    const size_t len = strlen(section);
    return strncmp(key, section, len) == 0 && key[len] == '.' && strcmp(key + len + 1, name) == 0;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct reading *r = current;
    *(const char **)result = value;
    for (size_t i = 0; r->options[i].key; i++)
        if (is_key(r->options[i].key, cfg->name, opt->name)) {
            r->rc = r->entry(r->context, i, value, cfg->line, r->why);
            return r->rc ? -1 : 0;
        }
    /* libconfuse also takes "section|key" at the top level; nobody should come to rely on it. */
    r->rc = E_INVALID;
    detail_set(r->why, "%s:%d: %s: must stand inside its section", r->path, cfg->line, opt->name);
    return -1;
}

/* ---- The table as libconfuse's options ---- */

static size_t section_length(const char *key)
{
    const char *dot = strchr(key, '.');
    if (!dot)
        log_panic("config_key_without_section", "key=%s", key);
    return (size_t)(dot - key);
}

static bool same_section(const char *a, const char *b)
{
    const size_t len = section_length(a);
    return len == section_length(b) && strncmp(a, b, len) == 0;
}

static bool begins_section(const struct config_option *options, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (same_section(options[i].key, options[at].key))
            return false;
    return true;
}

static cfg_opt_t section_option(const struct config_option *options, size_t count, size_t first)
{
    const char *key = options[first].key;
    cfg_opt_t *keys = xcalloc(count - first + 1, sizeof(*keys)); /* CFG_END is all zeroes */
    size_t n = 0;
    for (size_t i = first; i < count; i++)
        if (same_section(options[i].key, key))
            keys[n++] = (cfg_opt_t)CFG_STR_CB(options[i].key + section_length(key) + 1, NULL, CFGF_NODEFAULT,
                                              on_value);
    char *name = xstrdup(key);
    name[section_length(key)] = '\0';
    return (cfg_opt_t)CFG_SEC(name, keys, CFGF_NONE);
}

static cfg_opt_t *sections_new(const struct config_option *options)
{
    size_t count = 0, n = 0;
    while (options[count].key)
        count++;
    cfg_opt_t *sections = xcalloc(count + 1, sizeof(*sections));
    for (size_t i = 0; i < count; i++)
        if (begins_section(options, i))
            sections[n++] = section_option(options, count, i);
    return sections;
}

static void sections_free(cfg_opt_t *sections)
{
    for (cfg_opt_t *s = sections; s->name; s++) {
        free((char *)s->name);
        free(s->subopts);
    }
    free(sections);
}

static int parse(const char *text, struct reading *r)
{
    cfg_opt_t *sections = sections_new(r->options);
    cfg_t *cfg = cfg_init(sections, CFGF_NONE);
    if (!cfg)
        log_panic("libconfuse_init_failed", "");
    cfg_set_error_function(cfg, on_error);
    current = r;
    const bool failed = cfg_parse_buf(cfg, text) != CFG_SUCCESS;
    current = NULL;
    if (failed && r->rc == 0) {
        r->rc = E_INVALID;
        detail_set(r->why, "%s: cannot be parsed", r->path);
    }
    cfg_free(cfg);
    sections_free(sections);
    return r->rc;
}

int config_file_read(const char *path, const struct config_spec *spec, config_entry_fn *entry, void *context,
                     struct detail *why)
{
    struct detail unread; /* the callbacks may write without asking */
    struct buffer text = {0};
    struct reading r = {.path = path,
                        .options = spec->options,
                        .entry = entry,
                        .context = context,
                        .why = why ? why : &unread};
    int rc = file_read(path, FILE_MAX, &text, why);
    if (rc)
        goto done;
    if (text.len > 0 && memchr(text.data, '\0', text.len)) {
        detail_set(why, "%s: not a text file: it has a NUL byte", path);
        rc = E_INVALID;
        goto done;
    }
    buffer_text(&text);
    rc = clean(text.data, path, spec, r.why);
    if (rc == 0)
        rc = parse(text.data, &r);
done:
    buffer_free(&text);
    return rc;
}
