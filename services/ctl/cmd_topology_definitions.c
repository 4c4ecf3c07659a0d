/* topology definitions: exchanges, queues, bindings and policies as the definitions file that RabbitMQ
 * imports. */
#include <stdio.h>

#include "common/broker/address.h"
#include "common/pipeline/topology_table.h"
#include "services/ctl/commands.h"

const struct ctl_option cmd_topology_definitions_options[] = {
    {"vhost", "NAME", "the virtual host; that of broker.url where left out"},
    {"json", NULL, "as without it: definitions are JSON"},
    {NULL, NULL, NULL},
};

int cmd_topology_definitions(const struct ctl *ctl)
{
    struct detail why;
    struct broker_addresses addresses;
    if (broker_addresses_parse(ctl->settings->broker.url, &addresses, &why))
        return ctl_fail(EXIT_CONFIG, "broker.url: %s", why.text);
    const char *vhost = ctl_option(ctl, "vhost");
    const struct topology *topology = topology_table_new((int)ctl->settings->topology.shards);
    int rc = topology_print(topology, vhost ? vhost : addresses.items[0].vhost, stdout);
    topology_table_free(topology);
    broker_addresses_free(&addresses);
    return rc ? ctl_fail(EXIT_DISK, "the definitions could not be written") : EXIT_OK;
}
