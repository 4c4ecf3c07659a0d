#include "common/pipeline/trail.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/log.h"

#define STEP_SIZE 512 /* of a line's text; a longer one is cut */

/* steps holds, for each line: the pointer to its event, its text, a NUL. */

void trail_note(struct trail *t, const char *event, const char *format, ...)
{
    if (!t->is_on)
        return;
    char text[STEP_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    buffer_add(&t->steps, &event, sizeof event);
    buffer_add(&t->steps, text, strlen(text) + 1);
}

void trail_committed(struct trail *t)
{
    for (size_t at = 0; at < t->steps.len;) {
        const char *event, *text = t->steps.data + at + sizeof event;
        memcpy(&event, t->steps.data + at, sizeof event);
        log_info(event, "%s", text);
        at += sizeof event + strlen(text) + 1;
    }
    buffer_clear(&t->steps);
}

void trail_rolled_back(struct trail *t)
{
    buffer_clear(&t->steps);
}

void trail_free(struct trail *t)
{
    buffer_free(&t->steps);
}
