#include "tests/support/dead_letters.h"

#include <stdio.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/json.h"

enum { DEAD_SECONDS = 60 };

struct wanted {
    struct stack *stack;
    int count;
    json_t *letters;
};

static bool are_there(void *context)
{
    struct wanted *w = context;
    struct ctl_answer answer;

    ctl(w->stack, &answer, (const char *[]){"dead", "list", NULL});
    json_decref(w->letters);
    w->letters = json_incref(json_object_get(answer.json, "letters"));
    ctl_free(&answer);
    return (int)json_array_size(w->letters) == w->count;
}

json_t *dead_wait(struct stack *s, int count)
{
    struct wanted w = {.stack = s, .count = count};

    if (!wait_until(are_there, &w, DEAD_SECONDS)) {
        json_dumpf(w.letters, stderr, JSON_INDENT(2));
        fail_msg("%zu dead letters, not %d", json_array_size(w.letters), count);
    }
    return w.letters;
}

char *dead_body(struct stack *s, const char *id)
{
    struct ctl_answer answer;
    char *body;

    ctl(s, &answer, (const char *[]){"dead", "show", id, NULL});
    assert_int_equal(answer.output.status, 0);
    assert_string_equal(json_text(answer.json, "id"), id);
    body = copy_text(json_text(answer.json, "body"));
    ctl_free(&answer);
    return body;
}

void dead_drop(struct stack *s, int count)
{
    json_decref(dead_wait(s, count));
    assert_int_equal(ctl_status(s, 0, (const char *[]){"dead", "drop", "--all", "--yes", NULL}), 0);
    json_decref(dead_wait(s, 0));
}
