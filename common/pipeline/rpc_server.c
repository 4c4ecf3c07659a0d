#include "common/pipeline/rpc_server.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/alloc.h"
#include "common/base/fault.h"
#include "common/broker/consume.h"
#include "common/broker/publish.h"
#include "common/pipeline/json_read.h"
#include "common/pipeline/names.h"

struct methods {
    const struct rpc_method *list; /* NULL: none */
    void *context;
};

struct rpc_server {
    struct methods methods[2];
    struct buffer result, body;
    struct rpc_server_counts counts;
};

struct rpc_server *rpc_server_new(const struct rpc_method *methods, void *context)
{
    struct rpc_server *s = xcalloc(1, sizeof *s);
    s->methods[0] = (struct methods){.list = methods, .context = context};
    return s;
}

void rpc_server_also(struct rpc_server *s, const struct rpc_method *methods, void *context)
{
    s->methods[1] = (struct methods){.list = methods, .context = context};
}

void rpc_server_free(struct rpc_server *s)
{
    if (!s)
        return;
    buffer_free(&s->result);
    buffer_free(&s->body);
    free(s);
}

struct rpc_server_counts rpc_server_counts(const struct rpc_server *s)
{
    return s->counts;
}

int rpc_refuse(struct rpc_refusal *refusal, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->detail.text, sizeof refusal->detail.text, format, arguments);
    va_end(arguments);
    refusal->code = code;
    return E_REFUSED;
}

static const struct rpc_method *find_method(const struct rpc_server *s, const struct broker_properties *p,
                                            void **context)
{
    const struct broker_header *name = broker_header_find(p, HEADER_RPC_METHOD);
    if (!name || !name->is_text)
        return NULL;
    for (size_t i = 0; i < sizeof s->methods / sizeof *s->methods; i++)
        for (const struct rpc_method *m = s->methods[i].list; m && m->name; m++)
            if (slice_is(name->text, m->name)) {
                *context = s->methods[i].context;
                return m;
            }
    return NULL;
}

static int work_on(struct rpc_server *s, const struct broker_delivery *q, struct rpc_refusal *refusal)
{
    void *context = NULL;
    const struct rpc_method *method = find_method(s, &q->properties, &context);
    if (!method)
        return rpc_refuse(refusal, "unknown_method", "there is no such question here");
    json_t *question = NULL;
    struct detail why;
    int error = json_read_object(q->body.len ? q->body : slice_of("{}"), &question, &why);
    if (error)
        return rpc_refuse(refusal, "malformed", "%s", why.text);
    error = method->answer(context, question, &s->result, refusal);
    json_decref(question);
    return error;
}

static void write_body(struct rpc_server *s, const struct rpc_refusal *refusal)
{
    buffer_clear(&s->body);
    if (!refusal->code) {
        buffer_add_text(&s->body, "{\"v\":1,\"ok\":true,\"result\":");
        buffer_add(&s->body, s->result.data, s->result.len);
        buffer_add_text(&s->body, "}");
        return;
    }
    buffer_add_text(&s->body, "{\"v\":1,\"ok\":false,\"error\":{\"code\":");
    buffer_add_json(&s->body, slice_of(refusal->code));
    buffer_add_text(&s->body, ",\"detail\":");
    buffer_add_json(&s->body, slice_of(refusal->detail.text));
    buffer_add_text(&s->body, "}}");
}

static bool is_expired(const struct broker_properties *p, int64_t now_ms)
{
    const struct broker_header *deadline = broker_header_find(p, HEADER_RPC_DEADLINE_MS);
    return deadline && !deadline->is_text && deadline->number < now_ms;
}

int rpc_server_delivery(struct rpc_server *s, const struct broker_delivery *q,
                        struct broker_connection *publish, int64_t now_ms)
{
    const struct broker_properties *p = &q->properties;
    char reply_to[BROKER_NAME_SIZE];
    if (is_expired(p, now_ms)) {
        s->counts.expired++;
        return 0;
    }
    if (p->reply_to.len == 0 || p->reply_to.len >= sizeof reply_to || !publish ||
        broker_connection_blocked(publish)) {
        s->counts.unanswerable++;
        return 0;
    }
    memcpy(reply_to, p->reply_to.data, p->reply_to.len);
    reply_to[p->reply_to.len] = '\0';

    struct rpc_refusal refusal = {.code = NULL};
    buffer_clear(&s->result);
    FAULT_POINT("rpc.before_handling");
    int error = work_on(s, q, &refusal);
    bool failed = error && error != E_REFUSED;
    if (failed) /* a commit that failed may stand all the same, once the file is read again */
        rpc_refuse(&refusal, RPC_CODE_FAILED,
                   "the disk of this service failed: what was asked for may or may not have been done");
    s->counts.answered += !error;
    s->counts.refused += error != 0;
    write_body(s, &refusal);
    struct broker_message answer = {
        .exchange = EXCHANGE_REPLY,
        .routing_key = reply_to,
        .properties = {.content_type = slice_of(TYPE_JSON), .correlation_id = p->correlation_id},
        .body = {.data = s->body.data, .len = s->body.len},
    };
    FAULT_POINT("rpc.handled");
    (void)!broker_publish(publish, &answer, NULL); /* if it breaks, the next pump says so */
    FAULT_POINT("rpc.answered");
    return failed ? error : 0;
}
