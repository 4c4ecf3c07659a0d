/* One connection through a tcp_proxy: two sockets, and a way between them in each direction. For tcp_proxy.c,
 * under its lock. */
#ifndef SECKILL_TESTS_TCP_PAIR_H
#define SECKILL_TESTS_TCP_PAIR_H

#include <poll.h>
#include <stddef.h>

#include "tests/support/tcp_proxy.h"

/* What all connections of a proxy share. */
struct tcp_net {
    struct tcp_rule rule;
    struct tcp_counts counts;
};

struct tcp_piece; /* what was read at once, with the moment before which it may not go on */

struct tcp_way {
    int from, to; /* of the connection's two sockets */
    struct tcp_piece *head, **tail;
    size_t queued;
    bool ended;        /* nothing more comes from there */
    bool finished;     /* … and that was told on, or never will be */
    bool lossy;        /* something was swallowed: it never passes again */
    int64_t forwarded; /* bytes since the rule was set */
    int64_t paid_ms;   /* up to this moment its bytes are paid for, where there is a rate */
};

struct tcp_pair {
    bool open;
    int client, server;
    struct tcp_way up, down; /* to the server, to the client */
    bool client_broke, server_broke;
    char head[1024]; /* what the client said first */
    size_t head_len;
    struct tcp_net *net;
};

/* Takes the sockets over, which do not block. */
void tcp_pair_open(struct tcp_pair *c, struct tcp_net *net, int client, int server);

/* reset: both other ends see ECONNRESET, not an orderly end. Does nothing if it is not open. */
void tcp_pair_close(struct tcp_pair *c, bool reset);

/* Did its client say this? NULL: any. */
bool tcp_pair_is_meant(const struct tcp_pair *c, const char *only);

/* Says what to poll its sockets for. false: something waits for its time, so come again soon. */
bool tcp_pair_prepare(struct tcp_pair *c, struct pollfd *client, struct pollfd *server);

/* Moves what can be moved. */
void tcp_pair_turn(struct tcp_pair *c, const struct pollfd *client, const struct pollfd *server);

#endif
