/* Verdicts on their way back to one HTTP thread. See mailbox.h. */
#include "services/order/mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/alloc.h"

struct mailbox {
    pthread_mutex_t lock; /* over the lists */
    struct submission_list list;
    struct inquiry_list inquiries;
    struct admin_question_list questions;
    int fd;
};

int mailbox_new(struct mailbox **out)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return E_IO;
    struct mailbox *m = xcalloc(1, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    STAILQ_INIT(&m->inquiries);
    STAILQ_INIT(&m->questions);
    m->fd = fd;
    *out = m;
    return 0;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int mailbox_fd(const struct mailbox *m)
{
    return m->fd;
}

void mailbox_post(struct mailbox *m, struct submission_list *list)
{
    if (list->count == 0)
        return;
    pthread_mutex_lock(&m->lock);
    bool was_empty = m->list.count == 0;
    submission_list_append(&m->list, list);
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        eventfd_write(m->fd, 1); /* fails only when 2^64 - 2 wake-ups wait, and then it is readable anyway */
}

struct submission_list mailbox_take(struct mailbox *m)
{
    eventfd_t ignored;
    eventfd_read(m->fd, &ignored); /* before the list is taken, so that a later post is seen */
    pthread_mutex_lock(&m->lock);
    struct submission_list taken = m->list;
    m->list = (struct submission_list){0};
    pthread_mutex_unlock(&m->lock);
    return taken;
}

void mailbox_post_inquiry(struct mailbox *m, struct inquiry *q)
{
    pthread_mutex_lock(&m->lock);
    bool was_empty = STAILQ_EMPTY(&m->inquiries);
    STAILQ_INSERT_TAIL(&m->inquiries, q, in_mailbox);
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        eventfd_write(m->fd, 1);
}

void mailbox_take_inquiries(struct mailbox *m, struct inquiry_list *taken)
{
    STAILQ_INIT(taken);
    pthread_mutex_lock(&m->lock);
    STAILQ_CONCAT(taken, &m->inquiries);
    pthread_mutex_unlock(&m->lock);
}

void mailbox_post_question(struct mailbox *m, struct admin_question *q)
{
    pthread_mutex_lock(&m->lock);
    bool was_empty = STAILQ_EMPTY(&m->questions);
    STAILQ_INSERT_TAIL(&m->questions, q, in_mailbox);
    pthread_mutex_unlock(&m->lock);
    if (was_empty)
        eventfd_write(m->fd, 1);
}

void mailbox_take_questions(struct mailbox *m, struct admin_question_list *taken)
{
    STAILQ_INIT(taken);
    pthread_mutex_lock(&m->lock);
    STAILQ_CONCAT(taken, &m->questions);
    pthread_mutex_unlock(&m->lock);
}
