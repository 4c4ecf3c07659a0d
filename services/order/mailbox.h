/*
 * Verdicts, answered inquiries and questions of operators on their way back to one HTTP thread: three lists
 * under a lock and an eventfd that wakes the thread once for many.
 */
#ifndef SECKILL_ORDER_MAILBOX_H
#define SECKILL_ORDER_MAILBOX_H

#include "common/base/error.h"
#include "services/order/admin_desk.h"
#include "services/order/inquiry.h"
#include "services/order/submission.h"

struct mailbox;

int mailbox_new(struct mailbox **out) MUST_USE; /* E_IO */
void mailbox_free(struct mailbox *m);           /* NULL is fine */
int mailbox_fd(const struct mailbox *m);        /* readable while something may be in it */

/* Any thread: appends the whole list, which is empty afterwards. */
void mailbox_post(struct mailbox *m, struct submission_list *list);

void mailbox_post_inquiry(struct mailbox *m, struct inquiry *q);         /* any thread */
void mailbox_post_question(struct mailbox *m, struct admin_question *q); /* any thread */

/* The owning thread: takes all submissions and clears the descriptor; then all inquiries and questions are to
 * be taken. Never waits. */
struct submission_list mailbox_take(struct mailbox *m);
void mailbox_take_inquiries(struct mailbox *m, struct inquiry_list *taken); /* initialises *taken */
void mailbox_take_questions(struct mailbox *m, struct admin_question_list *taken);

#endif
