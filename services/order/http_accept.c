/* Media ranges and their weights. */
#include "services/order/http_accept.h"

#include <string.h>
#include <strings.h>

#include "common/base/slice.h"

static struct slice trimmed(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (struct slice){.data = from, .len = (size_t)(to - from)};
}

static bool is_word(struct slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.data, word, s.len) == 0;
}

/* The end of the piece that begins at p: the separator or `end`. One inside a quoted string does not count.
 */
static const char *piece_end(const char *p, const char *end, char separator)
{
    bool quoted = false;
    for (; p < end; p++) {
        if (quoted && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == separator && !quoted)
            break;
    }
    return p;
}

/* "0.8" → 800; at most three digits behind the point, nothing above 1. -1: it is no weight. */
static int read_weight(struct slice s)
{
    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1') || (s.len > 1 && s.data[1] != '.'))
        return -1;
    int thousands = (s.data[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return -1;
        thousands += (s.data[i] - '0') * unit;
    }
    return thousands <= 1000 ? thousands : -1;
}

static void weigh(struct accept_weight *w, int rank, int thousands)
{
    if (rank > w->rank || (rank == w->rank && thousands > w->thousands))
        *w = (struct accept_weight){.rank = rank, .thousands = thousands};
}

static void read_range(struct http_accept *a, const char *from, const char *to)
{
    const char *at = piece_end(from, to, ';');
    struct slice type = trimmed(from, at);
    int thousands = 1000;
    while (at < to) {
        const char *end = piece_end(at + 1, to, ';');
        struct slice parameter = trimmed(at + 1, end);
        if (parameter.len >= 2 && strncasecmp(parameter.data, "q=", 2) == 0)
            thousands = read_weight((struct slice){.data = parameter.data + 2, .len = parameter.len - 2});
        at = end;
    }
    if (thousands < 0)
        return;
    if (is_word(type, "text/html"))
        weigh(&a->html, 3, thousands);
    else if (is_word(type, "application/json") || is_word(type, "application/problem+json"))
        weigh(&a->json, 3, thousands);
    else if (is_word(type, "text/*"))
        weigh(&a->html, 2, thousands);
    else if (is_word(type, "application/*"))
        weigh(&a->json, 2, thousands);
    else if (is_word(type, "*/*")) {
        weigh(&a->html, 1, thousands);
        weigh(&a->json, 1, thousands);
    }
}

void http_accept_read(struct http_accept *a, const char *value)
{
    const char *end = value + strlen(value);
    while (value < end) {
        const char *to = piece_end(value, end, ',');
        read_range(a, value, to);
        value = to < end ? to + 1 : end;
    }
}

bool http_accept_prefers_html(const struct http_accept *a)
{
    return a->html.thousands > a->json.thousands;
}
