/*
 * Whom a request is from, where it came by way of a proxy: X-Forwarded-For, read from the right, as far as
 * the hops are proxies that we trust. The first one that is not is the client; what stands to the left of it
 * is the client's own word. Of a peer that is no trusted proxy the header is not looked at. Pure.
 */
#ifndef SECKILL_ORDER_HTTP_FORWARDED_H
#define SECKILL_ORDER_HTTP_FORWARDED_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/base/error.h"

#define NETWORKS_MAX 64

struct networks { /* IPv4 as ::ffff:a.b.c.d; zeroed: none */
    size_t count;
    struct network {
        struct in6_addr address;
        unsigned bits; /* of 128 */
    } items[NETWORKS_MAX];
};

/* "10.0.0.0/8, ::1, 192.0.2.7": separated by commas. E_INVALID with a detail that names the entry. */
int networks_parse(const char *text, struct networks *out, struct detail *why) MUST_USE;
bool networks_have(const struct networks *n, const struct sockaddr *address);

#define FORWARDED_LINES 8

struct forwarded {                      /* the X-Forwarded-For lines of a request; zeroed: none */
    const char *lines[FORWARDED_LINES]; /* the latest of them: a ring */
    size_t count;                       /* of all that there were */
};

void forwarded_note(struct forwarded *f, const char *value);

/* Sets *out, and returns true, if the peer is trusted and names a client. A hop that is no address ends the
 * way: then the client is the last one before it, if there is one. */
bool forwarded_client(const struct forwarded *f, const struct networks *trusted, const struct sockaddr *peer,
                      struct sockaddr_in6 *out);

/* "192.0.2.7" or "2001:db8::1". */
void forwarded_text(const struct sockaddr_in6 *client, char out[INET6_ADDRSTRLEN]);

#endif
