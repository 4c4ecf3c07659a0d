/* Growing text. */
#include "tests/support/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *memory)
{
    if (!memory) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *take_memory(size_t size)
{
    return or_abort(calloc(1, size ? size : 1));
}

char *copy_text(const char *text)
{
    return or_abort(strdup(text));
}

static void reserve(struct text *t, size_t more)
{
    size_t needed = t->len + more + 1;

    if (needed <= t->capacity)
        return;
    t->capacity = needed < 256 ? 256 : needed * 2;
    t->data = or_abort(realloc(t->data, t->capacity));
}

void text_add(struct text *t, const void *bytes, size_t len)
{
    reserve(t, len);
    if (len)
        memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void text_format(struct text *t, const char *format, ...)
{
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0) {
        reserve(t, (size_t)len);
        vsnprintf(t->data + t->len, (size_t)len + 1, format, again);
        t->len += (size_t)len;
    }
    va_end(again);
}

void text_drop_front(struct text *t, size_t len)
{
    if (!t->data)
        return;
    memmove(t->data, t->data + len, t->len - len);
    t->len -= len;
    t->data[t->len] = '\0';
}

void text_clear(struct text *t)
{
    t->len = 0;
    if (t->data)
        t->data[0] = '\0';
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

int text_add_file(struct text *t, const char *path)
{
    char chunk[65536];
    size_t len;
    FILE *file = fopen(path, "re");
    int result;

    if (!file)
        return -1;
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0)
        text_add(t, chunk, len);
    result = ferror(file) ? -1 : 0;
    fclose(file);
    return result;
}
