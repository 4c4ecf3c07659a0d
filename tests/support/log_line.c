/* A line in a log that a process is still writing. */
#include "tests/support/log_line.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/text.h"

struct log_line log_line_next(const struct stack *s, const char *log, const char *words)
{
    struct log_line line = {.words = words};
    struct text text = {0};

    snprintf(line.path, sizeof line.path, "%s/log/%s.log", s->dir, log);
    if (text_add_file(&text, line.path) == 0)
        line.from = text.len;
    text_free(&text);
    return line;
}

bool log_line_has(const struct log_line *line, const char *words)
{
    struct text text = {0};
    bool has = text_add_file(&text, line->path) == 0 && text.len > line->from &&
               strstr(text_c(&text) + line->from, words) != NULL;

    text_free(&text);
    return has;
}

bool log_line_is_there(void *line)
{
    return log_line_has(line, ((const struct log_line *)line)->words);
}
