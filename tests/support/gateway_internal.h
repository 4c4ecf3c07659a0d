/* What the parts of the fake gateway share: gateway.c keeps the books, gateway_serve.c the sockets,
 * gateway_control.c what is asked by HTTP. */
#ifndef SECKILL_TESTS_GATEWAY_INTERNAL_H
#define SECKILL_TESTS_GATEWAY_INTERNAL_H

#include <pthread.h>

#include "tests/support/gateway.h"

struct gateway_key {
    int tries, accepted;
    uint64_t first_body; /* a hash */
    char key[];
};

struct gateway {
    int port, listener, epoll, wake;
    pthread_t thread;
    struct connection *connections; /* the thread's */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    struct gateway_rule rule;
    struct gateway_tally tally;
    void *keys; /* a tree (tsearch) of struct gateway_key */
    struct text last;
    bool wants_open, is_open, wants_end;
};

int64_t gateway_now_ms(void);

/* A request came in, whole: counts it, and says what to do with it and which key it has (NULL: none). */
struct gateway_rule gateway_note_request(struct gateway *g, const char *head, const char *body, size_t len,
                                         struct gateway_key **key);
/* Its answer is out, or its connection gone (status 0). */
void gateway_note_end(struct gateway *g, struct gateway_key *key, int status);

void *gateway_serve(void *gateway); /* the thread */

/* Appends the whole answer to a request for a path under /control. */
void gateway_control(struct gateway *g, const char *method, const char *path, const char *body,
                     struct text *answer);

/* Copies the header's value, without blanks around it. false: there is none. */
bool gateway_header(const char *head, const char *name, char *out, size_t size);

#endif
