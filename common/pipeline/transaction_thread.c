#include "common/pipeline/transaction_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"

struct transaction_thread {
    struct transaction *transaction;
    pthread_t thread;
    int done_fd;
    pthread_mutex_t lock; /* over the rest */
    pthread_cond_t begun;
    struct inbound *const *messages; /* NULL: none is under way */
    int count;
    int result;
    bool ending;
};

/* Waits for the next one; false: there will be none. */
static bool next(struct transaction_thread *tt)
{
    pthread_mutex_lock(&tt->lock);
    while (!tt->messages && !tt->ending)
        pthread_cond_wait(&tt->begun, &tt->lock);
    bool found = tt->messages != NULL;
    pthread_mutex_unlock(&tt->lock);
    return found;
}

static void *run(void *context)
{
    struct transaction_thread *tt = context;
    while (next(tt)) {
        int result = transaction_handle(tt->transaction, tt->messages, tt->count);
        pthread_mutex_lock(&tt->lock);
        tt->messages = NULL;
        tt->result = result;
        pthread_mutex_unlock(&tt->lock);
        eventfd_write(tt->done_fd, 1);
    }
    return NULL;
}

int transaction_thread_start(struct transaction_thread **out, struct transaction *t)
{
    struct transaction_thread *tt = xcalloc(1, sizeof *tt);
    tt->transaction = t;
    tt->done_fd = eventfd(0, EFD_CLOEXEC);
    if (tt->done_fd < 0) {
        free(tt);
        return E_IO;
    }
    pthread_mutex_init(&tt->lock, NULL);
    pthread_cond_init(&tt->begun, NULL);
    int failure = pthread_create(&tt->thread, NULL, run, tt);
    if (failure == 0) {
        *out = tt;
        return 0;
    }
    close(tt->done_fd);
    free(tt);
    errno = failure;
    return E_IO;
}

void transaction_thread_free(struct transaction_thread *tt)
{
    if (!tt)
        return;
    pthread_mutex_lock(&tt->lock);
    tt->ending = true;
    pthread_cond_signal(&tt->begun);
    pthread_mutex_unlock(&tt->lock);
    pthread_join(tt->thread, NULL);
    pthread_cond_destroy(&tt->begun);
    pthread_mutex_destroy(&tt->lock);
    close(tt->done_fd);
    free(tt);
}

void transaction_thread_begin(struct transaction_thread *tt, struct inbound *const *messages, int count)
{
    pthread_mutex_lock(&tt->lock);
    tt->messages = messages;
    tt->count = count;
    pthread_cond_signal(&tt->begun);
    pthread_mutex_unlock(&tt->lock);
}

int transaction_thread_fd(const struct transaction_thread *tt)
{
    return tt->done_fd;
}

int transaction_thread_end(struct transaction_thread *tt)
{
    eventfd_t done;
    while (eventfd_read(tt->done_fd, &done) != 0)
        ; /* a signal is not what ends it */
    pthread_mutex_lock(&tt->lock);
    int result = tt->result;
    pthread_mutex_unlock(&tt->lock);
    return result;
}
