/*
 * A second thread that does one job at a time for the thread that owns it, which goes on meanwhile.
 *
 * What a job touches is the job's from job_thread_begin to job_thread_end, and the owner's before and after,
 * so nothing of it needs a lock. All functions are for the owner.
 */
#ifndef SECKILL_BASE_JOB_THREAD_H
#define SECKILL_BASE_JOB_THREAD_H

#include <stdbool.h>

#include "common/base/error.h"

struct job_thread;

/* E_IO, and errno says why: the system has no thread or descriptor left. */
int job_thread_start(struct job_thread **out) MUST_USE;

/* NULL is fine. Waits for a job that is under way. */
void job_thread_free(struct job_thread *t);

/* Begins job(context) and returns at once. None may be under way: each begin has its end. */
void job_thread_begin(struct job_thread *t, int (*job)(void *context), void *context);

/* Becomes readable when what was begun is done; not to be read from. */
int job_thread_fd(const struct job_thread *t);

/* Between begin and end only: whether the job is done, so that job_thread_end does not wait. */
bool job_thread_is_done(struct job_thread *t);

/* Waits until it is done. Returns what the job returned. */
int job_thread_end(struct job_thread *t) MUST_USE;

#endif
