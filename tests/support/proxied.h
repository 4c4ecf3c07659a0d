/* A stack whose front end and inventory reach the broker through bad networks (tcp_proxy.h), each its own. */
#ifndef SECKILL_TESTS_PROXIED_H
#define SECKILL_TESTS_PROXIED_H

#include "tests/support/stack.h"
#include "tests/support/tcp_proxy.h"

struct proxied {
    struct tcp_proxy *order, *inventory;
};

/* What a connection is known by: the end of the name that the programs give to it. For tcp_rule.only. */
#define PROXIED_PUBLISH " publish"
#define PROXIED_CONSUME " consume"

/* Starts the two services again, behind proxies. Fails the test if that cannot be done. */
void proxied_start(struct proxied *p, struct stack *s);

/* Starts inventory behind its proxy again, with these settings ("KEY=VALUE"; ends with NULL) as well. They
 * stay until they are given again. It may not have connected yet. */
void proxied_restart_inventory(struct proxied *p, struct stack *s, const char *const *sets);

/* After the stack's end. */
void proxied_stop(struct proxied *p);

#endif
