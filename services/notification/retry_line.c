#include "services/notification/retry_line.h"

#include <string.h>

#define MEMBER ",\"attempts\":"

static struct slice without_blanks(struct slice s)
{
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

void retry_line_encode(struct buffer *out, struct slice event, int64_t attempts)
{
    event = without_blanks(event);
    buffer_add(out, event.data, event.len - 1); /* without its brace */
    buffer_add_text(out, MEMBER);
    buffer_add_int(out, attempts);
    buffer_add_text(out, "}\n");
}

/* Its attempts, 0: none; *len: of what is before them. */
static int64_t attempts_of(struct slice line, size_t *len)
{
    const size_t member = sizeof MEMBER - 1;
    const char *end = line.data + line.len;
    if (line.len < member + 3 || end[-1] != '}')
        return 0;
    const char *digit = end - 2;
    int64_t attempts = 0, weight = 1;
    for (; digit > line.data + member && *digit >= '0' && *digit <= '9' && weight <= 100;
         digit--, weight *= 10)
        attempts += weight * (*digit - '0');
    const char *begin = digit + 1 - member;
    if (attempts == 0 || memcmp(begin, MEMBER, member) != 0)
        return 0;
    *len = (size_t)(begin - line.data);
    return attempts;
}

int64_t retry_line_attempts(struct slice line)
{
    size_t len;
    return attempts_of(line, &len);
}

int64_t retry_line_decode(struct slice line, struct buffer *event)
{
    size_t len = 0;
    int64_t attempts = attempts_of(line, &len);
    if (attempts == 0)
        return 0;
    buffer_clear(event);
    buffer_add(event, line.data, len);
    buffer_add_text(event, "}");
    return attempts;
}
