/* The buyers' gateway of the crash matrix's stacks. */
#include <stdio.h>

#include "tests/e2e/crash.h"
#include "tests/support/check.h"
#include "tests/support/gateway.h"

static struct gateway *gateway;
static int port;

const char *const *crash_settings(void)
{
    static char url[80];
    static const char *const settings[] = {"broker.heartbeat_s=1",
                                           "publisher.confirm_timeout_ms=1000",
                                           "admission.user_rate=0",
                                           "admission.max_rate=0",
                                           "inventory.max_batch=" CRASH_MAX_BATCH,
                                           "redpacket.max_batch=" CRASH_MAX_BATCH,
                                           "notification.max_batch=" CRASH_MAX_BATCH,
                                           "notification.sink=webhook",
                                           url,
                                           "notification.in_flight=64",
                                           "notification.total_timeout_ms=3000",
                                           NULL};

    port = stack_free_port();
    snprintf(url, sizeof url, "notification.webhook_url=http://127.0.0.1:%d/v1/messages", port);
    return settings;
}

int crash_gateway_open(void)
{
    gateway = gateway_start(port);
    return gateway ? 0 : -1;
}

void crash_gateway_refuse_first(const char *user_prefix)
{
    struct gateway_rule rule = {.status = 503, .first_tries = 1};

    snprintf(rule.user_prefix, sizeof rule.user_prefix, "%s", user_prefix);
    gateway_set(gateway, &rule);
}

void crash_gateway_close(void)
{
    gateway_free(gateway);
    gateway = NULL;
}
