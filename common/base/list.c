/* Entries between commas. */
#include "common/base/list.h"

#include <string.h>

#define BLANKS " \t\r\n"

size_t list_count(const char *text)
{
    if (text[strspn(text, BLANKS)] == '\0')
        return 0;
    size_t count = 1;
    for (const char *c = strchr(text, ','); c; c = strchr(c + 1, ','))
        count++;
    return count;
}

bool list_at(const char *text, size_t place, char *out, size_t size)
{
    for (; place > 0; place--) {
        text = strchr(text, ',');
        if (!text)
            return false;
        text++;
    }
    text += strspn(text, BLANKS);
    size_t len = strcspn(text, ",");
    while (len > 0 && strchr(BLANKS, text[len - 1]))
        len--;
    if (len == 0 || len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}
