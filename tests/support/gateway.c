/* The fake gateway's books: rules, keys, counts; and its life. */
#include "tests/support/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/gateway_internal.h"

int64_t gateway_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- Requests ---- */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct gateway_key *)a)->key, ((const struct gateway_key *)b)->key);
}

static struct gateway_key *new_key(const char *name)
{
    struct gateway_key *key = take_memory(sizeof *key + strlen(name) + 1);

    memcpy(key->key, name, strlen(name) + 1);
    return key;
}

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return hash;
}

/* With the lock. */
static struct gateway_key *note_key(struct gateway *g, const char *name, const char *body, size_t len)
{
    struct gateway_key *fresh = new_key(name);
    struct gateway_key *key = *(struct gateway_key **)tsearch(fresh, &g->keys, compare_keys);

    if (key == fresh) {
        g->tally.keys++;
        key->first_body = hash_of(body, len);
    } else {
        free(fresh);
        if (key->first_body != hash_of(body, len))
            g->tally.differing++;
    }
    key->tries++;
    return key;
}

static bool hits(const struct gateway_rule *rule, const struct gateway_key *key, const char *body, size_t len)
{
    json_t *object;
    const char *user;
    bool does = true;

    if (rule->first_tries > 0 && key && key->tries > rule->first_tries)
        return false;
    if (rule->user_prefix[0]) {
        object = json_loadb(body, len, 0, NULL);
        user = json_string_value(json_object_get(object, "user_id"));
        does = user && strncmp(user, rule->user_prefix, strlen(rule->user_prefix)) == 0;
        json_decref(object);
    }
    return does;
}

struct gateway_rule gateway_note_request(struct gateway *g, const char *head, const char *body, size_t len,
                                         struct gateway_key **key)
{
    struct gateway_rule rule = {0};
    char name[256];

    pthread_mutex_lock(&g->lock);
    g->tally.received++;
    if (++g->tally.in_flight > g->tally.most_in_flight)
        g->tally.most_in_flight = g->tally.in_flight;
    text_clear(&g->last);
    text_format(&g->last, "%s", head);
    text_add(&g->last, body, len);
    *key = NULL;
    if (gateway_header(head, "Idempotency-Key", name, sizeof name))
        *key = note_key(g, name, body, len);
    else
        g->tally.unkeyed++;
    if (hits(&g->rule, *key, body, len))
        rule = g->rule;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return rule;
}

void gateway_note_end(struct gateway *g, struct gateway_key *key, int status)
{
    pthread_mutex_lock(&g->lock);
    g->tally.in_flight--;
    if (status >= 200 && status < 300) {
        g->tally.accepted++;
        if (key && key->accepted++ == 0)
            g->tally.accepted_keys++;
    }
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

/* ---- What a test asks ---- */

void gateway_set(struct gateway *g, const struct gateway_rule *rule)
{
    static const struct gateway_rule none;

    pthread_mutex_lock(&g->lock);
    g->rule = rule ? *rule : none;
    pthread_mutex_unlock(&g->lock);
}

void gateway_tally(struct gateway *g, struct gateway_tally *tally)
{
    pthread_mutex_lock(&g->lock);
    *tally = g->tally;
    pthread_mutex_unlock(&g->lock);
}

static void look_up(struct gateway *g, const char *name, int *tries, int *accepted)
{
    struct gateway_key *wanted = new_key(name);

    pthread_mutex_lock(&g->lock);
    void *found = tfind(wanted, &g->keys, compare_keys);
    *tries = found ? (*(struct gateway_key **)found)->tries : 0;
    *accepted = found ? (*(struct gateway_key **)found)->accepted : 0;
    pthread_mutex_unlock(&g->lock);
    free(wanted);
}

int gateway_tries(struct gateway *g, const char *key)
{
    int tries, accepted;

    look_up(g, key, &tries, &accepted);
    return tries;
}

int gateway_accepted(struct gateway *g, const char *key)
{
    int tries, accepted;

    look_up(g, key, &tries, &accepted);
    return accepted;
}

static bool wait_count(struct gateway *g, const int64_t *value, int64_t count, int seconds)
{
    struct timespec until;
    bool holds;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&g->lock);
    while (!(holds = *value >= count) && pthread_cond_timedwait(&g->changed, &g->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&g->lock);
    return holds;
}

bool gateway_wait_received(struct gateway *g, int64_t count, int seconds)
{
    return wait_count(g, &g->tally.received, count, seconds);
}

bool gateway_wait_accepted_keys(struct gateway *g, int64_t count, int seconds)
{
    return wait_count(g, &g->tally.accepted_keys, count, seconds);
}

void gateway_last(struct gateway *g, struct text *out)
{
    pthread_mutex_lock(&g->lock);
    text_add(out, text_c(&g->last), g->last.len);
    pthread_mutex_unlock(&g->lock);
}

/* ---- Its life ---- */

static void wake(struct gateway *g)
{
    if (write(g->wake, &(uint64_t){1}, sizeof(uint64_t)) != sizeof(uint64_t))
        abort();
}

static void open_or_shut(struct gateway *g, bool open)
{
    pthread_mutex_lock(&g->lock);
    g->wants_open = open;
    wake(g);
    while (g->is_open != open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

void gateway_shut(struct gateway *g)
{
    open_or_shut(g, false);
}

void gateway_open(struct gateway *g)
{
    open_or_shut(g, true);
}

/* Bound by a number of our own choice, so that the port stays ours while it does not listen. */
static int bind_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool bind_somewhere(struct gateway *g, int port)
{
    for (int i = 0; i < (port ? 1 : 1000); i++) {
        uint16_t random = 0;

        if (!port && getrandom(&random, sizeof random, 0) < 0)
            return false;
        g->port = port ? port : 20000 + random % 12000;
        g->listener = bind_to(g->port);
        if (g->listener >= 0 && listen(g->listener, 1024) == 0)
            return true;
        if (g->listener >= 0)
            close(g->listener);
    }
    return false;
}

struct gateway *gateway_start(int port)
{
    struct gateway *g = take_memory(sizeof *g);

    if (!bind_somewhere(g, port)) {
        fprintf(stderr, "the gateway's port: %s\n", strerror(errno));
        free(g);
        return NULL;
    }
    g->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->wants_open = g->is_open = true;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    if (g->wake < 0 || pthread_create(&g->thread, NULL, gateway_serve, g) != 0)
        abort();
    return g;
}

int gateway_port(const struct gateway *g)
{
    return g->port;
}

void gateway_free(struct gateway *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->lock);
    g->wants_end = true;
    wake(g);
    pthread_mutex_unlock(&g->lock);
    pthread_join(g->thread, NULL);
    close(g->listener);
    close(g->wake);
    tdestroy(g->keys, free);
    text_free(&g->last);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
