/* What the fake gateway does when it is asked by HTTP. */
#include <jansson.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/gateway_internal.h"

static const char *const manners[] = {"answers",     "chunks",      "hangs",       "resets",  "breaks_head",
                                      "breaks_body", "floods_head", "floods_body", "trickles"};

static void answer(struct text *out, int status, json_t *body)
{
    char *dumped = json_dumps(body, JSON_COMPACT);

    text_format(out,
                "HTTP/1.1 %d Whatever\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                status, strlen(dumped), dumped);
    free(dumped);
    json_decref(body);
}

static json_t *tally_object(struct gateway *g)
{
    struct gateway_tally t;

    gateway_tally(g, &t);
    return json_pack("{sI sI sI sI sI sI sI sI sI}", "received", (json_int_t)t.received, "keys",
                     (json_int_t)t.keys, "accepted", (json_int_t)t.accepted, "accepted_keys",
                     (json_int_t)t.accepted_keys, "unkeyed", (json_int_t)t.unkeyed, "differing",
                     (json_int_t)t.differing, "in_flight", (json_int_t)t.in_flight, "most_in_flight",
                     (json_int_t)t.most_in_flight, "connections", (json_int_t)t.connections);
}

static void add_key(const void *node, VISIT visit, void *object)
{
    const struct gateway_key *key = *(struct gateway_key *const *)node;

    if (visit == postorder || visit == leaf)
        json_object_set_new(object, key->key,
                            json_pack("{si si}", "tries", key->tries, "accepted", key->accepted));
}

static json_t *keys_object(struct gateway *g)
{
    json_t *object = json_object();

    pthread_mutex_lock(&g->lock);
    twalk_r(g->keys, add_key, object);
    pthread_mutex_unlock(&g->lock);
    return object;
}

static bool read_rule(const char *body, struct gateway_rule *rule)
{
    const char *manner = manners[0], *prefix = "", *headers = "", *text = "";
    json_t *object = json_loads(body, 0, NULL);
    bool is_one = json_unpack(object, "{s?i s?s s?i s?i s?s s?s s?s !}", "first_tries", &rule->first_tries,
                              "user_prefix", &prefix, "status", &rule->status, "delay_ms", &rule->delay_ms,
                              "manner", &manner, "headers", &headers, "body", &text) == 0;

    size_t i = 0;
    while (is_one && i < sizeof manners / sizeof *manners && strcmp(manners[i], manner) != 0)
        i++;
    is_one = is_one && i < sizeof manners / sizeof *manners;
    rule->manner = (enum gateway_manner)i;
    snprintf(rule->user_prefix, sizeof rule->user_prefix, "%s", prefix);
    snprintf(rule->headers, sizeof rule->headers, "%s", headers);
    snprintf(rule->body, sizeof rule->body, "%s", text);
    json_decref(object);
    return is_one;
}

void gateway_control(struct gateway *g, const char *method, const char *path, const char *body,
                     struct text *out)
{
    struct gateway_rule rule = {0};

    if (strcmp(path, "/control/tally") == 0)
        answer(out, 200, tally_object(g));
    else if (strcmp(path, "/control/keys") == 0)
        answer(out, 200, keys_object(g));
    else if (strcmp(path, "/control/rule") == 0 && strcmp(method, "PUT") == 0 && read_rule(body, &rule)) {
        gateway_set(g, &rule);
        answer(out, 200, json_object());
    } else
        answer(out, 400, json_object());
}
