/* A topology as RabbitMQ's definitions file, and held against a broker. See topology.h. */
#include "common/broker/topology.h"

#include <jansson.h>

#include "common/broker/consume.h"

static json_t *exchanges_json(const struct topology *t, const char *vhost)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->exchange_count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:{}}", "name", t->exchanges[i].name,
                                        "vhost", vhost, "type", t->exchanges[i].type, "durable", 1,
                                        "auto_delete", 0, "internal", 0, "arguments"));
    return list;
}

static json_t *queues_json(const struct topology *t, const char *vhost)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->queue_count; i++) {
        const struct topology_queue *q = &t->queues[i];
        json_t *arguments = json_pack("{s:s}", "x-queue-type", q->quorum ? "quorum" : "classic");
        if (q->single_active_consumer)
            json_object_set_new(arguments, "x-single-active-consumer", json_true());
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:o}", "name", q->name, "vhost", vhost,
                                              "durable", 1, "auto_delete", 0, "arguments", arguments));
    }
    return list;
}

static json_t *bindings_json(const struct topology *t, const char *vhost)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->binding_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}}", "source",
                                              t->bindings[i].exchange, "vhost", vhost, "destination",
                                              t->bindings[i].queue, "destination_type", "queue",
                                              "routing_key", t->bindings[i].routing_key, "arguments"));
    return list;
}

static json_t *policies_json(const struct topology *t, const char *vhost)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->policy_count; i++) {
        const struct topology_policy *p = &t->policies[i];
        json_t *definition = json_object();
        if (p->max_length_bytes > 0) {
            json_object_set_new(definition, "max-length-bytes", json_integer(p->max_length_bytes));
            json_object_set_new(definition, "overflow",
                                json_string(p->reject_publish ? "reject-publish" : "drop-head"));
        }
        if (p->message_ttl_ms > 0)
            json_object_set_new(definition, "message-ttl", json_integer(p->message_ttl_ms));
        if (p->dead_letter_exchange) {
            json_object_set_new(definition, "dead-letter-exchange", json_string(p->dead_letter_exchange));
            json_object_set_new(definition, "dead-letter-strategy", json_string("at-least-once"));
            if (p->dead_letter_routing_key)
                json_object_set_new(definition, "dead-letter-routing-key",
                                    json_string(p->dead_letter_routing_key));
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "name", p->name, "vhost",
                                              vhost, "pattern", p->pattern, "apply-to", "queues", "priority",
                                              0, "definition", definition));
    }
    return list;
}

int topology_print(const struct topology *t, const char *vhost, FILE *out)
{
    json_t *all = json_pack("{s:o, s:o, s:o, s:o}", "exchanges", exchanges_json(t, vhost), "queues",
                            queues_json(t, vhost), "bindings", bindings_json(t, vhost), "policies",
                            policies_json(t, vhost));
    int status = all ? json_dumpf(all, out, JSON_INDENT(2)) : -1;
    json_decref(all);
    if (status != 0 || fputc('\n', out) == EOF || fflush(out) != 0)
        return E_IO;
    return 0;
}

int topology_check(const struct topology *t, struct broker_connection *c,
                   void (*missing)(void *context, const char *kind, const char *name), void *context,
                   struct detail *why)
{
    int result = 0;
    for (size_t i = 0; i < t->exchange_count; i++) {
        int error = broker_exchange_check(c, t->exchanges[i].name, why);
        if (error == E_NOT_FOUND) {
            missing(context, "exchange", t->exchanges[i].name);
            result = E_NOT_FOUND;
        } else if (error) {
            return error;
        }
    }
    for (size_t i = 0; i < t->queue_count; i++) {
        int error = broker_queue_check(c, t->queues[i].name, NULL, NULL, why);
        if (error == E_NOT_FOUND) {
            missing(context, "queue", t->queues[i].name);
            result = E_NOT_FOUND;
        } else if (error) {
            return error;
        }
    }
    return result;
}
