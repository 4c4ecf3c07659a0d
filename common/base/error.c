/* The words for error codes, and the sentences that go with them. */
#include "common/base/error.h"

#include <stdarg.h>
#include <stdio.h>

const char *error_text(int code)
{
    switch (code) {
    case 0:
        return "success";
    case E_INVALID:
        return "invalid";
    case E_NOT_FOUND:
        return "not found";
    case E_EXISTS:
        return "exists already";
    case E_BUSY:
        return "held by somebody else";
    case E_TIMEOUT:
        return "timed out";
    case E_CLOSED:
        return "connection lost";
    case E_REFUSED:
        return "refused";
    case E_IO:
        return "input or output failed";
    case E_NEWER:
        return "written by a newer version";
    case E_CORRUPT:
        return "corrupt";
    case E_FULL:
        return "limit reached";
    default:
        return "unknown error";
    }
}

void detail_set(struct detail *d, const char *format, ...)
{
    if (!d)
        return;
    va_list args;
    va_start(args, format);
    if (vsnprintf(d->text, sizeof(d->text), format, args) < 0)
        d->text[0] = '\0';
    va_end(args);
}
