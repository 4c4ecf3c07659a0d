/* Listening sockets: one for each HTTP thread, all on one address (SO_REUSEPORT: the kernel spreads the
 * connections). */
#ifndef SECKILL_ORDER_HTTP_LISTEN_H
#define SECKILL_ORDER_HTTP_LISTEN_H

#include "common/base/error.h"

#define LISTEN_ADDRESS_SIZE 128

/*
 * address: "127.0.0.1:8080", "[::1]:8080", "name:8080", or "*:8080" and ":8080" for all addresses, IPv6 and
 * IPv4. Port 0 takes a free one, the same for all. On success the sockets are non-blocking, listen already,
 * and belong to the caller; shown is the address with the port that was taken. E_INVALID: no such address.
 * E_IO: it cannot be bound.
 */
int http_listen(const char *address, int *sockets, int count, char shown[LISTEN_ADDRESS_SIZE],
                struct detail *why) MUST_USE;

#endif
