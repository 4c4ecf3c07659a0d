/* Services behind bad networks. */
#include "tests/support/proxied.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/check.h"

/* The stack's address of the broker, with the proxy's port in it. */
static void restart_behind(struct stack *s, const char *service, const struct tcp_proxy *proxy,
                           const char *const *sets)
{
    enum { SETS_MAX = 4 };
    const char *arguments[2 * (SETS_MAX + 1) + 1] = {"--set"};
    int count = 2;
    const char *host = strstr(s->amqp_url, "@127.0.0.1:");
    const char *vhost = host ? strchr(host, '/') : NULL;
    char setting[STACK_PATH + 32];

    assert_true(host && vhost);
    snprintf(setting, sizeof setting, "broker.url=%.*s@127.0.0.1:%d%s", (int)(host - s->amqp_url),
             s->amqp_url, tcp_proxy_port(proxy), vhost);
    arguments[1] = setting;
    for (int i = 0; sets[i]; i++) {
        assert_true(i < SETS_MAX);
        arguments[count++] = "--set";
        arguments[count++] = sets[i];
    }
    assert_int_equal(stack_do(s, "stop", service, NULL), 0);
    assert_int_equal(stack_do(s, "start", service, arguments), 0);
}

static const char *const no_sets[] = {NULL};

void proxied_start(struct proxied *p, struct stack *s)
{
    p->order = tcp_proxy_start(s->amqp_port);
    p->inventory = tcp_proxy_start(s->amqp_port);
    restart_behind(s, "inventory", p->inventory, no_sets);
    restart_behind(s, "order", p->order, no_sets);
    assert_true(stack_wait_ready(s, 60));
}

void proxied_restart_inventory(struct proxied *p, struct stack *s, const char *const *sets)
{
    restart_behind(s, "inventory", p->inventory, sets);
}

void proxied_stop(struct proxied *p)
{
    tcp_proxy_stop(p->order);
    tcp_proxy_stop(p->inventory);
    p->order = p->inventory = NULL;
}
