/*
 * How many connections each client address has, over all HTTP threads, so that one host cannot take all of
 * them.
 *
 * IPv4 counts by address, also where it comes in over an IPv6 socket; IPv6 by its /64, which is what one
 * customer gets. Loopback is not counted: there the peer is a proxy or a test that speaks for many. Memory:
 * one small node for each address that has a connection, in a balanced tree, so that nobody can choose
 * addresses that collide.
 */
#ifndef SECKILL_ORDER_ADDRESS_LIMIT_H
#define SECKILL_ORDER_ADDRESS_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct address_limit;
struct address_entry; /* one address; NULL: it is not counted */

struct address_limit *address_limit_new(int64_t most); /* of each address; 0: no limit */
void address_limit_free(struct address_limit *l);      /* all connections are gone; NULL is fine */

/* May this address have one more? Any thread; with several, each may let one too many in. */
bool address_limit_allows(struct address_limit *l, const struct sockaddr *address);

/* Counts a connection; what it returns is for its end. */
struct address_entry *address_limit_enter(struct address_limit *l, const struct sockaddr *address);
void address_limit_leave(struct address_limit *l, struct address_entry *entry);

#endif
