/* What a client would rather have: HTML or JSON, by its Accept headers (RFC 9110, 12.5.1). Pure. */
#ifndef SECKILL_ORDER_HTTP_ACCEPT_H
#define SECKILL_ORDER_HTTP_ACCEPT_H

#include <stdbool.h>

struct http_accept { /* zeroed: no header was read */
    struct accept_weight {
        int rank;      /* how exactly the best range names the type: 0 not at all … 3 by its whole name */
        int thousands; /* its q, 0 to 1000 */
    } html, json;
};

/* One Accept header's value. Several are read one after another, as if they were one list. A range that
 * cannot be read is passed over. */
void http_accept_read(struct http_accept *a, const char *value);

/* Only where HTML weighs more: who takes either, or says nothing, gets JSON, which is what this service
 * speaks. */
bool http_accept_prefers_html(const struct http_accept *a);

#endif
