/* A stack and its buyers' gateway. */
#include "tests/support/buyers.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/orders.h"
#include "tests/support/process.h"

static struct gateway *gateway;
static int patience = BUYERS_SECONDS;
static int port;

const char *const *buyers_settings(void)
{
    static char url[80];
    static const char *const settings[] = {"notification.sink=webhook",
                                           url,
                                           "notification.in_flight=64",
                                           "notification.connect_timeout_ms=1000",
                                           "notification.total_timeout_ms=1500",
                                           "admission.user_rate=0",
                                           "admission.max_rate=0",
                                           NULL};

    port = stack_free_port();
    snprintf(url, sizeof url, "notification.webhook_url=http://127.0.0.1:%d/v1/messages", port);
    return settings;
}

/* The gateway's thread begins here and not with its port: the stack's guardian wants to be alone. */
int buyers_ready(void **state)
{
    if (!gateway)
        gateway = gateway_start(port);
    if (!gateway || everything_runs(state) != 0)
        return -1;
    gateway_set(gateway, NULL);
    return item_put(*state, &(struct item_terms){.sku = "phone", .stock = BUYERS_STOCK});
}

int buyers_end(void **state)
{
    (void)state;
    gateway_free(gateway);
    gateway = NULL;
    return 0;
}

struct gateway *buyers_gateway(void)
{
    return gateway;
}

/* ---- records ---- */

int64_t records_ask(struct stack *s, const char *select)
{
    char path[STACK_PATH];
    struct process_output o;
    int64_t number = -1;

    snprintf(path, sizeof path, "%s/store/notification.db", s->dir);
    process_run((const char *[]){"sqlite3", "-readonly", "-cmd", ".timeout 5000", path, select, NULL}, NULL,
                NULL, 30, &o);
    if (o.status != 0 || sscanf(text_c(&o.out), "%ld", &number) != 1)
        fprintf(stderr, "sqlite3: exit status %d: %s%s\n", o.status, text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    return number;
}

struct wanted {
    struct stack *stack;
    const char *select;
    int64_t value;
};

static bool says(void *context)
{
    const struct wanted *w = context;

    return records_ask(w->stack, w->select) == w->value;
}

void buyers_wait_for(int seconds)
{
    patience = seconds;
}

void assert_records_come_to(struct stack *s, const char *select, int64_t value)
{
    if (!wait_until(says, &(struct wanted){s, select, value}, patience))
        fail_msg("%s: %ld, not %ld", select, (long)records_ask(s, select), (long)value);
}

/* ---- orders and their messages ---- */

const char *message_key(const char *order_id, char out[MESSAGE_KEY_SIZE])
{
    snprintf(out, MESSAGE_KEY_SIZE, "%.26s:order.confirmed", order_id);
    return out;
}

void buy(struct stack *s, const char *user, char order_id[27])
{
    struct http_response response;
    char body[128];

    snprintf(body, sizeof body, "{\"user_id\":\"%s\",\"sku\":\"phone\"}", user);
    post_order(s, NULL, body, &response);
    assert_accepted(&response, order_id);
    http_response_free(&response);
    json_decref(assert_becomes(s, order_id, "confirmed"));
}

struct load *buy_many(struct stack *s, int count)
{
    struct load *l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 32, .max_orders = count, .seconds = 120, .sku = "phone"});
    const char **ids = take_memory((size_t)count * sizeof *ids);
    struct orders_tally tally;

    if (load_count(l) != count || load_count_status(l, 202) != count) {
        load_print(l);
        fail_msg("orders were not accepted");
    }
    for (int i = 0; i < count; i++)
        ids[i] = load_answer(l, i)->order_id;
    assert_int_equal(orders_wait_decided(s, ids, count, patience, &tally), 0);
    assert_int_equal(tally.confirmed, count);
    free(ids);
    return l;
}

int count_taken(const struct load *l)
{
    char key[MESSAGE_KEY_SIZE];
    int taken = 0;

    for (int i = 0; i < load_count(l); i++)
        taken += gateway_accepted(gateway, message_key(load_answer(l, i)->order_id, key)) > 0;
    return taken;
}

static bool is_taken(void *context)
{
    return gateway_accepted(gateway, context) > 0;
}

void assert_is_taken(const char *order_id)
{
    char key[MESSAGE_KEY_SIZE];

    message_key(order_id, key);
    if (!wait_until(is_taken, key, patience))
        fail_msg("the gateway has not taken %s; it was tried %d times", key, gateway_tries(gateway, key));
}

static bool all_are_taken(void *context)
{
    return count_taken(context) >= load_count_status(context, 202);
}

void assert_all_are_taken(const struct load *l)
{
    if (!wait_until(all_are_taken, (void *)l, patience))
        fail_msg("the gateway has taken %d of %d messages", count_taken(l), load_count_status(l, 202));
}

void assert_records_and_gateway_agree(struct stack *s)
{
    struct gateway_tally t;

    assert_records_come_to(s, "SELECT count(*) FROM notification WHERE state <> 2", 0);
    assert_records_come_to(s, "SELECT count(*) FROM to_send", 0);
    gateway_tally(gateway, &t);
    fprintf(stderr, "gateway: %ld received, %ld keys, %ld taken, at most %ld at once\n", (long)t.received,
            (long)t.keys, (long)t.accepted, (long)t.most_in_flight);
    assert_int_equal(t.unkeyed, 0);
    assert_int_equal(t.differing, 0);
    assert_int_equal(t.accepted_keys, t.keys);
    assert_int_equal(t.keys, records_ask(s, "SELECT count(*) FROM notification"));
    assert_true(t.most_in_flight <= BUYERS_IN_FLIGHT);
}
