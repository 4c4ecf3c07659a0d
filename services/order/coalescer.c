/* Where orders gather while a publish waits for its confirm. See coalescer.h. */
#include "services/order/coalescer.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/pipeline/names.h"

struct coalescer {
    pthread_mutex_t lock; /* over everything but fd */
    struct submission_list waiting[MAX_SHARDS];
    int shards; /* waiting[] is empty from here on */
    int count;
    bool open;
    int fd;
};

int coalescer_new(struct coalescer **out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return E_IO;
    struct coalescer *c = xcalloc(1, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    c->fd = fd;
    *out = c;
    return 0;
}

void coalescer_free(struct coalescer *c)
{
    if (!c)
        return;
    close(c->fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int coalescer_fd(const struct coalescer *c)
{
    return c->fd;
}

bool coalescer_add(struct coalescer *c, struct submission *s)
{
    pthread_mutex_lock(&c->lock);
    bool taken = c->open;
    bool was_empty = c->count == 0;
    if (taken) {
        submission_list_add(&c->waiting[s->shard], s);
        c->count++;
        if (s->shard >= c->shards)
            c->shards = s->shard + 1;
    }
    pthread_mutex_unlock(&c->lock);
    if (taken && was_empty)
        eventfd_write(c->fd, 1);
    return taken;
}

static void set_open(struct coalescer *c, bool open)
{
    pthread_mutex_lock(&c->lock);
    c->open = open;
    pthread_mutex_unlock(&c->lock);
}

void coalescer_open(struct coalescer *c)
{
    set_open(c, true);
}

void coalescer_close(struct coalescer *c)
{
    set_open(c, false);
}

/* The shard whose first order waits longest, or -1. Assumes the lock. */
static int oldest_shard(const struct coalescer *c)
{
    int oldest = -1;
    for (int i = 0; i < c->shards; i++) {
        const struct submission *head = c->waiting[i].head;
        if (head && (oldest < 0 || head->submitted_ns < c->waiting[oldest].head->submitted_ns))
            oldest = i;
    }
    return oldest;
}

/* Splits the first `count` off the list in one walk. */
static struct submission_list split_front(struct submission_list *list, int count)
{
    if (count >= list->count) {
        struct submission_list all = *list;
        *list = (struct submission_list){0};
        return all;
    }
    struct submission_list front = {0};
    while (front.count < count)
        submission_list_add(&front, submission_list_take(list));
    return front;
}

/* Puts what did not fit back before the others of its shard. */
static void put_back(struct coalescer *c, int shard, struct submission_list *rest)
{
    int count = rest->count;
    pthread_mutex_lock(&c->lock);
    submission_list_append(rest, &c->waiting[shard]);
    c->waiting[shard] = *rest;
    c->count += count;
    pthread_mutex_unlock(&c->lock);
    *rest = (struct submission_list){0};
}

void coalescer_take(struct coalescer *c, int max_orders, size_t max_bytes, struct submission_list *list,
                    uint8_t *shard, struct buffer *body)
{
    *list = (struct submission_list){0};
    eventfd_t ignored;
    eventfd_read(c->fd, &ignored);

    pthread_mutex_lock(&c->lock);
    int from = oldest_shard(c);
    struct submission_list taken = {0};
    if (from >= 0) {
        taken = split_front(&c->waiting[from], max_orders);
        c->count -= taken.count;
    }
    pthread_mutex_unlock(&c->lock);
    if (from < 0)
        return;

    /* Encoded outside the lock: HTTP threads go on adding meanwhile. */
    *shard = (uint8_t)from;
    while (taken.head) {
        size_t before = body->len;
        order_encode(body, &taken.head->order);
        if (list->count > 0 && body->len > max_bytes) {
            body->len = before;
            put_back(c, from, &taken);
            return;
        }
        submission_list_add(list, submission_list_take(&taken));
    }
}

struct submission_list coalescer_take_all(struct coalescer *c)
{
    struct submission_list all = {0};
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->shards; i++)
        submission_list_append(&all, &c->waiting[i]);
    c->count = 0;
    pthread_mutex_unlock(&c->lock);
    return all;
}

struct submission_list coalescer_take_older(struct coalescer *c, int64_t before_ns)
{
    struct submission_list old = {0};
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < c->shards; i++)
        while (c->waiting[i].head && c->waiting[i].head->submitted_ns < before_ns)
            submission_list_add(&old, submission_list_take(&c->waiting[i]));
    c->count -= old.count;
    pthread_mutex_unlock(&c->lock);
    return old;
}

int coalescer_count(struct coalescer *c)
{
    pthread_mutex_lock(&c->lock);
    int count = c->count;
    pthread_mutex_unlock(&c->lock);
    return count;
}
