/* Text for scdoc(5), from which the manual pages are made. */
#ifndef SECKILL_BASE_SCDOC_H
#define SECKILL_BASE_SCDOC_H

#include "common/base/buffer.h"

/* Appends plain text so that scdoc shows it as it is; `what stands so` becomes bold. */
void scdoc_add(struct buffer *out, const char *text);

#endif
