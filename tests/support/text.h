/* A growing, always NUL-terminated piece of text or bytes. A zeroed struct is an empty one; running out of
 * memory ends the test program. */
#ifndef SECKILL_TESTS_TEXT_H
#define SECKILL_TESTS_TEXT_H

#include <stddef.h>

struct text {
    char *data; /* NULL while nothing was ever added: use text_c */
    size_t len, capacity;
};

void text_add(struct text *t, const void *bytes, size_t len);
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_drop_front(struct text *t, size_t len);
void text_clear(struct text *t); /* keeps the memory */
void text_free(struct text *t);  /* leaves an empty one */

static inline const char *text_c(const struct text *t)
{
    return t->data ? t->data : "";
}

/* malloc, realloc and strdup that end the test program instead of failing. */
void *take_memory(size_t size); /* zeroed */
char *copy_text(const char *text);

/* The whole file appended; -1 if it cannot be read. */
int text_add_file(struct text *t, const char *path);

#endif
