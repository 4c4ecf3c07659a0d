/* topology check: is everything there that the services need? */
#include <stdio.h>

#include <jansson.h>

#include "common/pipeline/topology_table.h"
#include "services/ctl/commands.h"
#include "services/ctl/inventory.h"

const struct ctl_option cmd_topology_check_options[] = {
    {"json", NULL, "print JSON: {\"complete\": false, \"missing\": [{\"kind\": KIND, \"name\": NAME}]}"},
    {NULL, NULL, NULL},
};

static void note_missing(void *context, const char *kind, const char *name)
{
    json_array_append_new(context, json_pack("{s:s, s:s}", "kind", kind, "name", name));
}

static void print_missing(const json_t *missing, bool as_json)
{
    size_t i;
    const json_t *entry;
    if (as_json) {
        json_t *all = json_pack("{s:b, s:O}", "complete", json_array_size(missing) == 0, "missing", missing);
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(all);
        return;
    }
    if (json_array_size(missing) == 0)
        puts("complete: every exchange and queue is there");
    json_array_foreach(missing, i, entry)
        printf("missing: %s %s\n", json_string_value(json_object_get(entry, "kind")),
               json_string_value(json_object_get(entry, "name")));
}

int cmd_topology_check(const struct ctl *ctl)
{
    struct broker_connection *connection;
    int status = ctl_connect(ctl, &connection);
    if (status)
        return status;
    struct detail why;
    json_t *missing = json_array();
    const struct topology *topology = topology_table_new((int)ctl->settings->topology.shards);
    int rc = topology_check(topology, connection, note_missing, missing, &why);
    if (rc == 0 || rc == E_NOT_FOUND) {
        print_missing(missing, ctl_json(ctl));
        status = rc == 0 ? EXIT_OK : EXIT_FAILED;
    } else {
        status = ctl_fail(EXIT_UNAVAILABLE, "%s", why.text);
    }
    topology_table_free(topology);
    json_decref(missing);
    broker_connection_close(connection);
    return status;
}
