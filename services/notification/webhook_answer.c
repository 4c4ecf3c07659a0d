/* A gateway's answer. */
#include "services/notification/webhook_answer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/base/log.h"
#include "common/base/number.h"
#include "services/notification/retry_after.h"

/* "HTTP/1.1 200 OK": a new head begins. Behind a body it would be a trailer's name, which has no such form.
 */
static bool read_status_line(struct webhook_answer *a, struct slice line)
{
    static const char prefix[] = "HTTP/";
    if (line.len < sizeof(prefix) || memcmp(line.data, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *blank = memchr(line.data, ' ', line.len);
    int64_t status = 0;
    if (blank && blank + 4 <= line.data + line.len)
        (void)!number_parse_bytes(blank + 1, 3, 100, 999, &status); /* 0 is the verdict on what is none */
    a->status = (int)status;
    a->retry_after_ms = 0;
    return true;
}

bool webhook_answer_header(struct webhook_answer *a, struct slice line, int64_t now_ms)
{
    static const char name[] = "Retry-After:";
    a->head_len += line.len;
    if (a->head_len > ANSWER_HEAD_MAX)
        return false;
    if (a->has_head || read_status_line(a, line)) /* trailers say nothing to us */
        return true;
    if (line.len == 0 || line.data[0] == '\r' || line.data[0] == '\n')
        a->has_head = a->status >= 200; /* 1xx: the answer is still to come */
    else if (line.len >= sizeof(name) && strncasecmp(line.data, name, sizeof(name) - 1) == 0)
        a->retry_after_ms = retry_after_ms(
            (struct slice){.data = line.data + sizeof(name) - 1, .len = line.len - sizeof(name) + 1}, now_ms);
    return true;
}

bool webhook_answer_body(struct webhook_answer *a, struct slice bytes)
{
    if (a->body_len < ANSWER_BODY_KEPT) {
        size_t room = ANSWER_BODY_KEPT - a->body_len;
        memcpy(a->body + a->body_len, bytes.data, bytes.len < room ? bytes.len : room);
    }
    a->body_len += bytes.len;
    return a->body_len <= ANSWER_BODY_MAX;
}

/* The beginning of the body as text, without a character that was cut in the middle. false: it is no text. */
static bool body_text(const struct webhook_answer *a, char out[ANSWER_BODY_KEPT + 1])
{
    size_t len = a->body_len < ANSWER_BODY_KEPT ? a->body_len : ANSWER_BODY_KEPT;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)a->body[i];
        if ((c < 0x20 && !isspace(c)) || c == 0x7f)
            return false;
    }
    if (len == ANSWER_BODY_KEPT) {
        while (len > 0 && ((unsigned char)a->body[len - 1] & 0xc0) == 0x80)
            len--;
        if (len > 0 && (unsigned char)a->body[len - 1] >= 0xc0)
            len--;
    }
    memcpy(out, a->body, len);
    out[len] = '\0';
    return len > 0;
}

static enum sink_verdict verdict_of(int status)
{
    if (status >= 200 && status < 300)
        return SINK_SENT;
    return status == 408 || status == 429 || (status >= 500 && status < 600) ? SINK_RETRY : SINK_PERMANENT;
}

void webhook_answer_judge(const struct webhook_answer *a, const char *no_answer, struct sink_outcome *out)
{
    char text[ANSWER_BODY_KEPT + 1], quoted[sizeof(out->why.text) - 32];
    out->retry_after_ms = 0;
    out->why.text[0] = '\0';
    if (!a->has_head) {
        out->verdict = SINK_RETRY;
        detail_set(&out->why, "no answer: %s", no_answer);
        return;
    }
    out->verdict = verdict_of(a->status);
    if (out->verdict == SINK_SENT)
        return;
    if (out->verdict == SINK_RETRY)
        out->retry_after_ms = a->retry_after_ms;
    if (body_text(a, text))
        detail_set(&out->why, "status %d: %s", a->status, log_quote(text, quoted, sizeof(quoted)));
    else
        detail_set(&out->why, "status %d", a->status);
}
