/* Tables for people. See table.h. */
#include "services/ctl/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/alloc.h"
#include "common/base/buffer.h"

struct table {
    const char *const *columns;
    size_t column_count;
    char **cells; /* owned */
    size_t cell_count, cell_room;
};

struct range {
    uint32_t first, last;
};

/* Unicode's East Asian Width W and F, and what takes no room, in strokes wide enough for a table. */
static const struct range wide[] = {
    {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0x9fff},
    {0xa000, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};
static const struct range empty[] = {{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};

static bool is_in(const struct range *ranges, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* Takes one character off *text, which is UTF-8; a stray byte counts as a character. */
static uint32_t next_character(const unsigned char **text)
{
    const unsigned char *s = *text;
    int more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    uint32_t c = more == 3 ? s[0] & 0x07u : more == 2 ? s[0] & 0x0fu : more == 1 ? s[0] & 0x1fu : s[0];
    s++;
    for (; more > 0 && (*s & 0xc0) == 0x80; more--)
        c = c << 6 | (*s++ & 0x3fu);
    *text = s;
    return c;
}

int text_width(const char *text)
{
    int width = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        uint32_t c = next_character(&s);
        if (is_in(wide, sizeof(wide) / sizeof(wide[0]), c))
            width += 2;
        else if (!is_in(empty, sizeof(empty) / sizeof(empty[0]), c))
            width++;
    }
    return width;
}

struct table *table_new(const char *const *columns)
{
    struct table *t = xcalloc(1, sizeof(*t));
    t->columns = columns;
    while (columns[t->column_count])
        t->column_count++;
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->cell_count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

void table_add(struct table *t, const char *text)
{
    if (t->cell_count == t->cell_room) {
        t->cell_room = t->cell_room ? t->cell_room * 2 : 64;
        t->cells = xrealloc(t->cells, t->cell_room * sizeof(t->cells[0]));
    }
    char *cell = xstrdup(text);
    for (char *c = cell; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    t->cells[t->cell_count++] = cell;
}

void table_addf(struct table *t, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    table_add(t, text);
}

static bool is_right(const struct table *t, size_t column)
{
    return t->columns[column][0] == '>';
}

static const char *heading(const struct table *t, size_t column)
{
    return t->columns[column] + (is_right(t, column) ? 1 : 0);
}

static void print_row(const struct table *t, const char *const *cells, const int *widths, FILE *out)
{
    for (size_t c = 0; c < t->column_count; c++) {
        int room = widths[c] - text_width(cells[c]);
        const char *gap = c > 0 ? "  " : "";
        if (is_right(t, c))
            fprintf(out, "%s%*s%s", gap, room, "", cells[c]);
        else if (c + 1 < t->column_count)
            fprintf(out, "%s%s%*s", gap, cells[c], room, "");
        else /* nothing behind the last */
            fprintf(out, "%s%s", gap, cells[c]);
    }
    fputc('\n', out);
}

void table_print(const struct table *t, FILE *out)
{
    int *widths = xcalloc(t->column_count, sizeof(widths[0]));
    const char **headings = xcalloc(t->column_count, sizeof(headings[0]));
    bool any_heading = false;
    for (size_t c = 0; c < t->column_count; c++) {
        headings[c] = heading(t, c);
        any_heading = any_heading || headings[c][0] != '\0';
        widths[c] = text_width(headings[c]);
        for (size_t i = c; i < t->cell_count; i += t->column_count) {
            int width = text_width(t->cells[i]);
            if (width > widths[c])
                widths[c] = width;
        }
    }
    if (any_heading)
        print_row(t, headings, widths, out);
    for (size_t i = 0; i + t->column_count <= t->cell_count; i += t->column_count)
        print_row(t, (const char *const *)&t->cells[i], widths, out);
    free(headings);
    free(widths);
}
