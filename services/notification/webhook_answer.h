/*
 * What a gateway answered, as it comes in, and what that means. The head is read (its status, Retry-After);
 * of the body only the beginning is kept, for the log. It knows no sockets.
 */
#ifndef SECKILL_NOTIFICATION_WEBHOOK_ANSWER_H
#define SECKILL_NOTIFICATION_WEBHOOK_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "services/notification/sink.h"

#define ANSWER_HEAD_MAX  16384 /* bytes of a head, and … */
#define ANSWER_BODY_MAX  65536 /* … of a body: who sends more is hung up on */
#define ANSWER_BODY_KEPT 100

struct webhook_answer { /* a zeroed one has seen nothing */
    int status;         /* of the latest head, complete or not */
    bool has_head;      /* the final one, to its empty line */
    size_t head_len, body_len;
    int64_t retry_after_ms; /* 0: it names none */
    char body[ANSWER_BODY_KEPT];
};

/* One line of a head with its line end: a status line, a header, or the empty line. now_ms: wall clock.
 * false: too much. */
bool webhook_answer_header(struct webhook_answer *a, struct slice line, int64_t now_ms);

/* The next bytes of the body. false: too much. */
bool webhook_answer_body(struct webhook_answer *a, struct slice bytes);

/*
 * The verdict, once the request has ended, however it did: a whole head is an answer, whatever became of the
 * body. no_answer says what happened where there is none. The token is left alone.
 */
void webhook_answer_judge(const struct webhook_answer *a, const char *no_answer, struct sink_outcome *out);

#endif
