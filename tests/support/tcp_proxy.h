/*
 * A TCP proxy on the loopback that can be made a bad network at run time, in a thread of the test program. It
 * knows nothing of what it carries. Bounded: at most 64 connections (more are reset), 256 KiB kept in each
 * direction of one.
 */
#ifndef SECKILL_TESTS_TCP_PROXY_H
#define SECKILL_TESTS_TCP_PROXY_H

#include <stdbool.h>
#include <stdint.h>

enum tcp_flow {
    TCP_PASS = 0,
    TCP_HOLD,    /* nothing goes on, the end of a connection neither; all of it does once this is over */
    TCP_SWALLOW, /* read and thrown away, the end too. What was lost cannot come later: a connection that has
                    lost something that way never passes again in this direction */
};

/* All zero: it passes everything on. */
struct tcp_rule {
    const char *only; /* for connections whose client said this in its first KiB; NULL: all. Must outlive the
                         rule. The others pass */
    enum tcp_flow to_server, to_client;
    int delay_ms;    /* each way */
    int bytes_per_s; /* each way of each connection; 0: as fast as it goes */
    /* A connection is reset after so many more bytes that way; once, the first one that comes to it. 0: none
     */
    int64_t cut_after_to_server, cut_after_to_client;
    bool refuse; /* new connections find nobody listening, whatever `only` says */
};

struct tcp_counts {
    int accepted, open;
    int cut;                      /* by tcp_proxy_cut and cut_after */
    int64_t to_server, to_client; /* bytes that went on */
    int64_t swallowed;            /* bytes, both ways */
};

struct tcp_proxy;

/* Listens on a free port and forwards to this one. Fails the test if that cannot be done. */
struct tcp_proxy *tcp_proxy_start(int server_port);
int tcp_proxy_port(const struct tcp_proxy *p);

/* From when it returns on; for the connections that there are, too. NULL: pass. */
void tcp_proxy_set(struct tcp_proxy *p, const struct tcp_rule *rule);

/* Resets both sides of the connections whose client said this (NULL: all), and drops what is under way.
 * Returns how many. */
int tcp_proxy_cut(struct tcp_proxy *p, const char *only);

void tcp_proxy_counts(struct tcp_proxy *p, struct tcp_counts *counts);

/* Waits until it has reset so many connections (`cut`), swallowed at least so many bytes (`swallowed`). */
bool tcp_proxy_wait_cut(struct tcp_proxy *p, int cut, int seconds);
bool tcp_proxy_wait_swallowed(struct tcp_proxy *p, int64_t bytes, int seconds);

/* Resets what is open. NULL is fine. */
void tcp_proxy_stop(struct tcp_proxy *p);

#endif
