/* dead show: one letter, whole. It stays where it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "services/ctl/commands.h"
#include "services/ctl/dead_choice.h"
#include "services/ctl/dead_queue.h"
#include "services/ctl/table.h"

const struct ctl_option cmd_dead_show_options[] = {
    CTL_OPTIONS_DEAD_FILTER,
    {"json", NULL, "print JSON"},
    {NULL, NULL, NULL},
};

static void add(struct table *t, const char *name, const char *text)
{
    if (text[0] == '\0')
        return;
    table_add(t, name);
    table_add(t, text);
}

static void add_number(struct table *t, const char *name, int64_t number)
{
    if (number == 0)
        return;
    table_add(t, name);
    table_addf(t, "%" PRId64, number);
}

/* A terminal must not be told to do anything by what somebody else wrote. */
static void print_body(const struct letter *l)
{
    for (size_t i = 0; i < l->body_len; i++) {
        unsigned char c = (unsigned char)l->body[i];
        if (c == '\n' || (c >= 0x20 && c != 0x7f))
            putchar(c);
        else
            printf("\\x%02x", c);
    }
    if (l->body_len == 0 || l->body[l->body_len - 1] != '\n')
        putchar('\n');
}

static void print_letter(const struct letter *l)
{
    static const char *const columns[] = {"", "", NULL};
    char at[RFC3339_SIZE];
    struct table *t = table_new(columns);
    add(t, "id", l->id);
    add(t, "from", l->queue);
    add(t, "reason", l->reason);
    add(t, "detail", l->detail);
    add(t, "at", l->at_ms > 0 ? rfc3339_format(l->at_ms, at) : "");
    add_number(t, "attempts", l->attempts);
    add_number(t, "times", l->times);
    add_number(t, "lines", l->orders);
    add(t, "message", l->message_id);
    add(t, "reply to", l->reply_to);
    add_number(t, "bytes", (int64_t)l->body_len);
    table_print(t, stdout);
    table_free(t);
    putchar('\n');
    print_body(l);
}

static void print_json(const struct letter *l)
{
    json_t *object = letter_json(l, true);
    json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(object);
}

int cmd_dead_show(const struct ctl *ctl)
{
    bool found = false;
    struct dead_choice choice = {.ids = &ctl->argument,
                                 .count = 1,
                                 .found = &found,
                                 .reason = ctl_option(ctl, "reason"),
                                 .queue = ctl_option(ctl, "queue")};
    struct dead_queue *q = NULL;
    struct letter l;
    int more = 0, status = dead_queue_open(ctl, &q);
    if (status)
        return status;
    while (!found && (more = dead_queue_next(q, true, &l)) == 1) {
        if (dead_choice_has(&choice, &l) && ctl_json(ctl))
            print_json(&l);
        else if (found)
            print_letter(&l);
        letter_free(&l);
    }
    dead_queue_close(q);
    return more < 0 ? EXIT_UNAVAILABLE : dead_choice_check(&choice);
}
