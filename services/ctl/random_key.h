/* Idempotency keys for whoever did not bring one. */
#ifndef SECKILL_CTL_RANDOM_KEY_H
#define SECKILL_CTL_RANDOM_KEY_H

#include <stddef.h>

/* "<prefix>-" and 16 random hexadecimal digits; out has room for `size` bytes, its NUL included. */
void random_key(const char *prefix, char *out, size_t size);

#endif
