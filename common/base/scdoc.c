#include "common/base/scdoc.h"

#include <string.h>

void scdoc_add(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '`') {
            buffer_add_text(out, "*");
            continue;
        }
        if (strchr("\\*_<>#[]|+~", *text))
            buffer_add_text(out, "\\");
        buffer_add(out, text, 1);
    }
}
