#include "common/base/job_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"

struct job_thread {
    pthread_t thread;
    int done_fd;
    pthread_mutex_t lock; /* over the rest */
    pthread_cond_t begun;
    int (*job)(void *context); /* NULL: none is under way */
    void *context;
    int result;
    bool ending;
};

/* Waits for the next one; false: there will be none. */
static bool next(struct job_thread *t)
{
    pthread_mutex_lock(&t->lock);
    while (!t->job && !t->ending)
        pthread_cond_wait(&t->begun, &t->lock);
    bool found = t->job != NULL;
    pthread_mutex_unlock(&t->lock);
    return found;
}

static void *run(void *context)
{
    struct job_thread *t = context;
    while (next(t)) {
        int result = t->job(t->context);
        pthread_mutex_lock(&t->lock);
        t->job = NULL;
        t->result = result;
        pthread_mutex_unlock(&t->lock);
        eventfd_write(t->done_fd, 1);
    }
    return NULL;
}

int job_thread_start(struct job_thread **out)
{
    struct job_thread *t = xcalloc(1, sizeof *t);
    t->done_fd = eventfd(0, EFD_CLOEXEC);
    if (t->done_fd < 0) {
        free(t);
        return E_IO;
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->begun, NULL);
    int failure = pthread_create(&t->thread, NULL, run, t);
    if (failure == 0) {
        *out = t;
        return 0;
    }
    close(t->done_fd);
    free(t);
    errno = failure;
    return E_IO;
}

void job_thread_free(struct job_thread *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->ending = true;
    pthread_cond_signal(&t->begun);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->begun);
    pthread_mutex_destroy(&t->lock);
    close(t->done_fd);
    free(t);
}

void job_thread_begin(struct job_thread *t, int (*job)(void *context), void *context)
{
    pthread_mutex_lock(&t->lock);
    t->job = job;
    t->context = context;
    pthread_cond_signal(&t->begun);
    pthread_mutex_unlock(&t->lock);
}

int job_thread_fd(const struct job_thread *t)
{
    return t->done_fd;
}

bool job_thread_is_done(struct job_thread *t)
{
    pthread_mutex_lock(&t->lock);
    bool done = t->job == NULL;
    pthread_mutex_unlock(&t->lock);
    return done;
}

int job_thread_end(struct job_thread *t)
{
    eventfd_t done;
    while (eventfd_read(t->done_fd, &done) != 0)
        ; /* a signal is not what ends it */
    pthread_mutex_lock(&t->lock);
    int result = t->result;
    pthread_mutex_unlock(&t->lock);
    return result;
}
