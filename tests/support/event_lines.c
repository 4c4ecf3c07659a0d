/* Events, taken and published again. */
#include "tests/support/event_lines.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/amqp.h"
#include "tests/support/check.h"
#include "tests/support/json.h"
#include "tests/support/text.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void keep_different(struct event_lines *l)
{
    size_t different = 0;

    qsort(l->items, l->count, sizeof *l->items, compare);
    for (size_t i = 0; i < l->count; i++) {
        if (different > 0 && strcmp(l->items[i], l->items[different - 1]) == 0)
            free(l->items[i]);
        else
            l->items[different++] = l->items[i];
    }
    l->count = different;
}

struct event_lines event_lines_take(struct stack *s, const char *queue, int count, int seconds)
{
    json_t *messages = amqp_take_lines(s, queue, count, seconds);
    struct event_lines l = {.count = 0};
    size_t i, capacity = 0;
    const json_t *message;

    assert_non_null(messages);
    json_array_foreach(messages, i, message)
    {
        char *body = copy_text(json_text(message, "body")), *rest = body, *line;

        while ((line = strtok_r(rest, "\n", &rest))) {
            if (l.count == capacity) {
                capacity = capacity ? 2 * capacity : 256;
                l.items = realloc(l.items, capacity * sizeof *l.items);
                assert_non_null(l.items);
            }
            l.items[l.count++] = copy_text(line);
        }
        free(body);
    }
    json_decref(messages);
    keep_different(&l);
    return l;
}

void event_lines_free(struct event_lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct event_lines){.count = 0};
}

void event_lines_shuffle(struct event_lines *l)
{
    for (size_t i = l->count; i > 1; i--) {
        size_t k = (size_t)random() % i;
        char *other = l->items[i - 1];

        l->items[i - 1] = l->items[k];
        l->items[k] = other;
    }
}

void event_lines_publish(struct stack *s, const struct event_lines *l, const char *routing_key,
                         size_t in_message)
{
    for (size_t i = 0; i < l->count;) {
        struct text body = {0};

        for (size_t n = 0; n < in_message && i < l->count; n++, i++)
            text_format(&body, "%s\n", l->items[i]);
        assert_int_equal(amqp_publish(s, "seckill.events", routing_key, text_c(&body)), 0);
        text_free(&body);
    }
}
