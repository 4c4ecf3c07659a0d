#include "services/notification/templates.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/file.h"
#include "services/notification/shipped_templates.h"
#include "services/notification/template_field.h"

#define KINDS   (EVENT_KIND_GRANTED + 1)
#define REASONS (REASON_SALE_PAUSED + 1)

struct piece { /* literal text, or a field */
    struct slice text;
    const struct template_field *field;
};

struct message_template {
    struct piece *pieces; /* NULL: not in the file */
    size_t count;
};

struct templates {
    struct buffer copy; /* of the file: what the pieces point into */
    struct message_template kinds[KINDS];
    struct slice reasons[REASONS]; /* data NULL: not in the file */
};

struct parser {
    struct templates *t;
    const char *name;
    int line;
    struct detail *why;
};

#define REFUSE(p, format, ...)                                                                               \
    (detail_set((p)->why, "%s:%d: " format, (p)->name, (p)->line, __VA_ARGS__), E_INVALID)

/* ---- one text ---- */

static void add_piece(struct message_template *m, struct slice text, const struct template_field *field)
{
    if (text.len == 0 && !field)
        return;
    m->pieces = xrealloc(m->pieces, (m->count + 1) * sizeof *m->pieces);
    m->pieces[m->count++] = (struct piece){.text = text, .field = field};
}

static int refuse_field(const struct parser *p, enum event_kind kind, struct slice name)
{
    struct buffer list = {0};
    template_field_list(kind, &list);
    int error = REFUSE(p, "%s has no field {%.*s}; it has %s", event_kind_name(kind),
                       (int)(name.len < 64 ? name.len : 64), name.data, buffer_text(&list));
    buffer_free(&list);
    return error;
}

/* What begins at the brace *at: "{{", "}}" or "{field}". Moves *at behind it. */
static int take_brace(const struct parser *p, enum event_kind kind, const char **at, const char *end)
{
    struct message_template *m = &p->t->kinds[kind];
    const char *brace = *at;
    if (end - brace >= 2 && brace[1] == brace[0]) {
        add_piece(m, (struct slice){.data = brace, .len = 1}, NULL);
        *at = brace + 2;
        return 0;
    }
    const char *close = *brace == '{' ? memchr(brace, '}', (size_t)(end - brace)) : NULL;
    if (!close)
        return REFUSE(p, "%s has a single %c; write %c%c for the sign itself", event_kind_name(kind), *brace,
                      *brace, *brace);
    struct slice name = {.data = brace + 1, .len = (size_t)(close - brace - 1)};
    const struct template_field *field = template_field_find(name);
    if (!field || !template_field_has_kind(field, kind))
        return refuse_field(p, kind, name);
    add_piece(m, (struct slice){0}, field);
    *at = close + 1;
    return 0;
}

static int parse_template(const struct parser *p, enum event_kind kind, struct slice text)
{
    const char *at = text.data, *const end = text.data + text.len;
    if (p->t->kinds[kind].pieces)
        return REFUSE(p, "%s is there twice", event_kind_name(kind));
    while (at < end) {
        const char *begin = at;
        while (at < end && *at != '{' && *at != '}')
            at++;
        add_piece(&p->t->kinds[kind], (struct slice){.data = begin, .len = (size_t)(at - begin)}, NULL);
        int error = at < end ? take_brace(p, kind, &at, end) : 0;
        if (error)
            return error;
    }
    return 0;
}

static int parse_reason(const struct parser *p, enum reject_reason reason, struct slice text)
{
    if (p->t->reasons[reason].data)
        return REFUSE(p, "reason.%s is there twice", reject_reason_name(reason));
    p->t->reasons[reason] = text;
    return 0;
}

/* ---- the file ---- */

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s.data++, s.len--;
    while (s.len > 0 && strchr(" \t\r", s.data[s.len - 1]) && s.data[s.len - 1])
        s.len--;
    return s;
}

static int parse_entry(const struct parser *p, struct slice key, struct slice text)
{
    const int key_len = text_is_printable(key) ? (int)(key.len < 64 ? key.len : 64) : 0;
    if (!text_is_printable(text))
        return REFUSE(p, "%.*s: the text is not UTF-8, or has a control character in it", key_len, key.data);
    if (text.len == 0)
        return REFUSE(p, "%.*s has no text", key_len, key.data);
    if (text.len > TEMPLATE_TEXT_MAX)
        return REFUSE(p, "%.*s has more than %d bytes", key_len, key.data, TEMPLATE_TEXT_MAX);
    for (enum event_kind kind = EVENT_KIND_CONFIRMED; kind < KINDS; kind++)
        if (slice_is(key, event_kind_name(kind)))
            return parse_template(p, kind, text);
    static const char prefix[] = "reason.";
    const size_t len = sizeof prefix - 1;
    if (key.len > len && memcmp(key.data, prefix, len) == 0) {
        struct slice name = {.data = key.data + len, .len = key.len - len};
        for (enum reject_reason reason = REASON_SOLD_OUT; reason < REASONS; reason++)
            if (slice_is(name, reject_reason_name(reason)))
                return parse_reason(p, reason, text);
    }
    return REFUSE(p, "there is no kind of message \"%.*s\"", key_len, key.data);
}

static int parse_line(const struct parser *p, struct slice line)
{
    line = trim(line);
    if (line.len == 0 || line.data[0] == '#')
        return 0;
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon)
        return REFUSE(p, "expected a kind of message, a colon (:) and its text%s", "");
    size_t len = (size_t)(colon - line.data);
    return parse_entry(p, trim((struct slice){.data = line.data, .len = len}),
                       trim((struct slice){.data = colon + 1, .len = line.len - len - 1}));
}

static int check_complete(const struct parser *p)
{
    for (enum event_kind kind = EVENT_KIND_CONFIRMED; kind < KINDS; kind++)
        if (!p->t->kinds[kind].pieces) {
            detail_set(p->why, "%s: %s is missing", p->name, event_kind_name(kind));
            return E_INVALID;
        }
    for (enum reject_reason reason = REASON_SOLD_OUT; reason < REASONS; reason++)
        if (!p->t->reasons[reason].data) {
            detail_set(p->why, "%s: reason.%s is missing", p->name, reject_reason_name(reason));
            return E_INVALID;
        }
    return 0;
}

int templates_parse(struct templates **out, const char *name, struct slice text, struct detail *why)
{
    static const char mark[] = "\xef\xbb\xbf"; /* a byte order mark, which some editors put there */
    struct parser p = {.t = xcalloc(1, sizeof *p.t), .name = name, .why = why};
    buffer_add(&p.t->copy, text.data, text.len);
    const char *at = buffer_text(&p.t->copy), *const end = at + text.len;
    if (strncmp(at, mark, 3) == 0)
        at += 3;
    int error = 0;
    while (at < end && !error) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        p.line++;
        error = parse_line(&p, (struct slice){.data = at, .len = len});
        at += len + 1;
    }
    if (!error)
        error = check_complete(&p);
    if (error) {
        templates_free(p.t);
        return error;
    }
    *out = p.t;
    return 0;
}

static int open_shipped(struct templates **out, const char *language, struct detail *why)
{
    for (const struct shipped_templates *s = shipped_templates; s->language; s++)
        if (strcmp(s->language, language) == 0)
            return templates_parse(out, language, slice_of(s->text), why);
    detail_set(why, "notification.language: there are templates for \"zh\" and \"en\", not for \"%s\"",
               language);
    return E_INVALID;
}

int templates_open(struct templates **out, const struct settings *settings, struct detail *why)
{
    const char *path = settings->notification.templates;
    if (path[0] == '\0')
        return open_shipped(out, settings->notification.language, why);
    struct buffer text = {0};
    struct detail what = {.text = ""};
    int error = file_read(path, TEMPLATES_FILE_MAX, &text, &what);
    if (!error)
        error = templates_parse(out, path, (struct slice){.data = text.data, .len = text.len}, &what);
    if (error)
        detail_set(why, "notification.templates: %s", what.text);
    buffer_free(&text);
    return error;
}

void templates_free(struct templates *t)
{
    if (!t)
        return;
    for (int i = 0; i < KINDS; i++)
        free(t->kinds[i].pieces);
    buffer_free(&t->copy);
    free(t);
}

void templates_render(const struct templates *t, const struct event *e, struct buffer *out)
{
    const struct message_template *m = &t->kinds[e->kind];
    for (size_t i = 0; i < m->count; i++) {
        const struct piece *piece = &m->pieces[i];
        struct slice text = piece->text;
        if (piece->field && piece->field->write) {
            piece->field->write(out, e);
            continue;
        }
        if (piece->field)
            text = t->reasons[e->decision.reason];
        buffer_add(out, text.data, text.len);
    }
}
