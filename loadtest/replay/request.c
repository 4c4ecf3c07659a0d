/* The bytes of requests. */
#include "loadtest/replay/request.h"

void request_maker_init(struct request_maker *m, const char *host)
{
    static const char agent[] = "\r\nUser-Agent: seckill-replay/" SECKILL_VERSION "\r\n";
    *m = (struct request_maker){0};
    buffer_printf(&m->head, "POST /v1/orders HTTP/1.1\r\nHost: %s%sContent-Type: application/json\r\n", host,
                  agent);
    buffer_printf(&m->tail, " HTTP/1.1\r\nHost: %s%s\r\n", host, agent);
}

void request_maker_free(struct request_maker *m)
{
    buffer_free(&m->head);
    buffer_free(&m->tail);
    buffer_free(&m->body);
}

/* Each breaks another rule of the contract. */
static void add_malformed(struct buffer *b, uint32_t kind)
{
    static const char *const bodies[] = {
        "{\"user_id\":\"u1\",\"sku\":",
        "{\"user_id\":\"u1\",\"sku\":\"phone-1\",\"quantitty\":1}",
        "{\"user_id\":\"u1\"}",
        "{\"user_id\":\"u1\",\"sku\":\"phone-1\",\"quantity\":\"one\"}",
        "{\"user_id\":\"u1\",\"user_id\":\"u2\",\"sku\":\"phone-1\"}",
        "[]",
        "\377\376",
    };
    buffer_add_text(b, bodies[kind % (sizeof bodies / sizeof *bodies)]);
}

static void add_body(struct buffer *b, const struct plan *plan, const struct intent *n)
{
    char text[PLAN_NAME_SIZE];
    buffer_add_text(b, "{\"user_id\":");
    buffer_add_json(b, plan_user(plan, n->user, text));
    buffer_add_text(b, ",\"sku\":");
    buffer_add_json(b, plan_sku(plan, n->sku, text));
    buffer_add_text(b, ",\"quantity\":");
    buffer_add_int(b, n->quantity);
    buffer_add_text(b, "}");
}

void request_post(struct request_maker *m, const struct plan *plan, const struct intent *n,
                  struct buffer *out)
{
    buffer_clear(&m->body);
    if (n->malformed)
        add_malformed(&m->body, n->user);
    else
        add_body(&m->body, plan, n);
    buffer_add(out, m->head.data, m->head.len);
    if (n->key != 0) {
        char text[PLAN_NAME_SIZE];
        const struct slice key = plan_key(plan, n->key, text);
        buffer_add_text(out, "Idempotency-Key: ");
        buffer_add(out, key.data, key.len);
        buffer_add_text(out, "\r\n");
    }
    buffer_add_text(out, "Content-Length: ");
    buffer_add_int(out, (int64_t)m->body.len);
    buffer_add_text(out, "\r\n\r\n");
    buffer_add(out, m->body.data, m->body.len);
}

void request_get(struct request_maker *m, struct slice path, struct buffer *out)
{
    buffer_add_text(out, "GET ");
    buffer_add(out, path.data, path.len);
    buffer_add(out, m->tail.data, m->tail.len);
}
