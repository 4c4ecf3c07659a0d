/*
 * The connections of one HTTP thread, and how long each has been sending its request. libmicrohttpd bounds
 * inactivity only: a client that sends a byte now and then would keep its connection for ever. Here a request
 * has to be whole within a total time, else its connection is shut down; the library then closes it.
 *
 * What is noted, and what it costs: a client moves between two lists in the order of time (no search, no
 * timer). SENDING begins with the connection, and on later requests with their first line. A client that
 * begins a later request and does not finish its first line is not seen by the library's callbacks; so
 * clients at rest are asked for the time of their last byte now and then (TCP_INFO), and whether they are
 * still there.
 */
#ifndef SECKILL_ORDER_HTTP_CLIENTS_H
#define SECKILL_ORDER_HTTP_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

enum http_client_phase {
    CLIENT_SENDING,  /* a request comes in: under the total time */
    CLIENT_ANSWERED, /* the request is whole and is ours */
    CLIENT_RESTING,  /* between two requests: only under the library's time-out */
};

struct http_client {
    struct http_client *older, *newer; /* in the list of its phase */
    enum http_client_phase phase;
    int fd;
    int64_t since_ns; /* SENDING: since when. RESTING: since when, as far as it was looked at */
    int64_t rest_ns;  /* RESTING: since when */
};

struct http_client_list {
    struct http_client *oldest, *newest;
};

struct http_clients { /* zeroed, then request_timeout_ns set */
    int64_t request_timeout_ns;
    struct http_client_list sending, resting;
};

/* A new connection. The client belongs to the caller and must be closed before its descriptor is. */
void http_clients_open(struct http_clients *c, struct http_client *client, int fd, int64_t now_ns);
void http_clients_close(struct http_clients *c, struct http_client *client);

void http_clients_began(struct http_clients *c, struct http_client *client,
                        int64_t now_ns);                                     /* a first line */
void http_clients_whole(struct http_clients *c, struct http_client *client); /* all of the request is here */
void http_clients_rests(struct http_clients *c, struct http_client *client, int64_t now_ns); /* answered */

/* Shuts down those that are out of time; returns how many. Cheap when there is nothing to do. */
int http_clients_expire(struct http_clients *c, int64_t now_ns);

#endif
