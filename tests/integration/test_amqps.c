/* The broker by TLS: a real RabbitMQ that wants client certificates, and brokers whose certificate must not
 * be taken. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"

enum { SECONDS = 60 };

static char dir[] = "/tmp/test_amqps.XXXXXX";
static int tls_port;

static const char *setting(const char *key, const char *name, char out[160])
{
    snprintf(out, 160, "%s=%s/%s", key, dir, name);
    return out;
}

/* The broker's address with the password that the stack made. */
static const char *amqps(struct stack *s, int port, char out[STACK_PATH])
{
    const char *at = strrchr(s->amqp_url, '@');

    snprintf(out, STACK_PATH, "broker.url=amqps%.*s@localhost:%d/seckill", (int)(at - s->amqp_url - 4),
             s->amqp_url + 4, port);
    return out;
}

/* What seckillctl says of a broker at this port, asked with these certificates ("": none). */
static void ask(struct stack *s, int port, const char *ca, const char *own, struct process_output *output)
{
    char program[STACK_PATH], url[STACK_PATH], ca_set[160],
        cert[160] = "broker.cert_file=", key[160] = "broker.key_file=", name[64];

    setting("broker.ca_file", ca, ca_set);
    if (*own) {
        snprintf(name, sizeof name, "%s.pem", own);
        setting("broker.cert_file", name, cert);
        snprintf(name, sizeof name, "%s.key", own);
        setting("broker.key_file", name, key);
    }
    const char *const argv[] = {stack_program(s, "seckillctl", program),
                                "--config",
                                s->config,
                                "--set",
                                amqps(s, port, url),
                                "--set",
                                ca_set,
                                "--set",
                                cert,
                                "--set",
                                key,
                                "--set",
                                "broker.timeout_ms=20000",
                                "item",
                                "list",
                                NULL};
    process_run(argv, stack_environment(s), NULL, SECONDS, output);
}

static void expect_refusal(struct stack *s, int port, const char *ca, const char *own, const char *words)
{
    struct process_output output;

    ask(s, port, ca, own, &output);
    if (output.status != 69 || !strstr(text_c(&output.err), words))
        fail_msg("not \"%s\": %d %s%s", words, output.status, text_c(&output.out), text_c(&output.err));
    process_output_free(&output);
}

static void test_a_good_certificate_on_both_sides(void **state)
{
    struct stack *s = *state;
    struct process_output output;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "phone", .stock = 10}), 0);
    ask(s, tls_port, "ca.pem", "client", &output);
    if (output.status != 0 || !strstr(text_c(&output.out), "phone"))
        fail_msg("%d %s%s", output.status, text_c(&output.out), text_c(&output.err));
    process_output_free(&output);
}

static void test_the_broker_refuses_who_shows_none_or_a_strange_one(void **state)
{
    expect_refusal(*state, tls_port, "ca.pem", "", "we show no certificate: broker.cert_file");
    expect_refusal(*state, tls_port, "ca.pem", "stranger", "TLS: ");
}

static void test_another_authority_is_not_accepted(void **state)
{
    expect_refusal(*state, tls_port, "other_ca.pem", "client", "is not accepted: ");
}

static void test_files_that_cannot_be_used_are_named(void **state)
{
    expect_refusal(*state, tls_port, "missing.pem", "client", "broker.ca_file: ");
    expect_refusal(*state, tls_port, "ca.pem", "missing", "broker.cert_file: ");
    expect_refusal(*state, tls_port, "client.key", "client", "broker.ca_file: ");
}

static bool listens(void *context)
{
    struct http_connection c;
    bool does = http_open(&c, *(int *)context) == 0;

    http_close(&c);
    return does;
}

/* What a broker with this certificate is told. Nothing of AMQP is said to it, so it need not be one. */
static void expect_refusal_of(struct stack *s, const char *name, const char *words)
{
    char cert[64], key[64], accept[16], log[128];
    int port = stack_free_port(), status;
    pid_t server;
    const char *const argv[] = {"openssl", "s_server", "-accept", accept,   "-cert",
                                cert,      "-key",     key,       "-quiet", NULL};

    snprintf(cert, sizeof cert, "%s/%s.pem", dir, name);
    snprintf(key, sizeof key, "%s/%s.key", dir, name);
    snprintf(accept, sizeof accept, "127.0.0.1:%d", port);
    snprintf(log, sizeof log, "%s/s_server.log", dir);
    server = process_start(argv, stack_environment(s), log);
    assert_true(server > 0);
    assert_true(wait_until(listens, &port, SECONDS));
    expect_refusal(s, port, "ca.pem", "client", words);
    kill(server, SIGKILL);
    assert_true(process_wait(server, SECONDS, &status));
}

static void test_a_broker_of_another_name_is_not_accepted(void **state)
{
    expect_refusal_of(*state, "elsewhere", "is not for the name localhost");
}

static void test_an_expired_certificate_is_not_accepted(void **state)
{
    expect_refusal_of(*state, "expired", "is not accepted: certificate has expired");
}

static void test_a_certificate_by_another_authority_is_not_accepted(void **state)
{
    expect_refusal_of(*state, "stranger", "is not accepted: unable to get local issuer certificate");
}

/* No silent fallback: TLS to a port that speaks plain AMQP is no connection. */
static void test_plain_amqp_is_not_spoken_instead(void **state)
{
    struct stack *s = *state;

    expect_refusal(s, s->amqp_port, "ca.pem", "client", "localhost:");
}

static void test_orders_by_tls_from_end_to_end(void **state)
{
    struct stack *s = *state;
    char url[STACK_PATH], ca[160], cert[160], key[160], id[27];
    const char *const sets[] = {"--set", amqps(s, tls_port, url),
                                "--set", setting("broker.ca_file", "ca.pem", ca),
                                "--set", setting("broker.cert_file", "client.pem", cert),
                                "--set", setting("broker.key_file", "client.key", key),
                                NULL};
    int port;

    assert_int_equal(stack_do(s, "stop", "inventory", NULL), 0);
    assert_int_equal(stack_do(s, "start", "inventory", sets), 0);
    port = front_end_start(s, "order@amqps", sets);
    for (int i = 0; i < 5; i++) {
        char user[16];

        snprintf(user, sizeof user, "u%d", i);
        assert_int_equal(front_end_order(port, user, "phone", NULL, id), 202);
        front_end_assert_becomes(port, id, "confirmed");
    }
    assert_int_equal(item_left(s, "phone"), 5);
    assert_int_equal(stack_do(s, "stop", "order@amqps", NULL), 0);
}

int main(void)
{
    const char *const sets[] = {"admission.user_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_certificate_on_both_sides),
        cmocka_unit_test(test_the_broker_refuses_who_shows_none_or_a_strange_one),
        cmocka_unit_test(test_another_authority_is_not_accepted),
        cmocka_unit_test(test_files_that_cannot_be_used_are_named),
        cmocka_unit_test(test_a_broker_of_another_name_is_not_accepted),
        cmocka_unit_test(test_an_expired_certificate_is_not_accepted),
        cmocka_unit_test(test_a_certificate_by_another_authority_is_not_accepted),
        cmocka_unit_test(test_plain_amqp_is_not_spoken_instead),
        cmocka_unit_test(test_orders_by_tls_from_end_to_end),
        STACK_END,
    };
    char text[512];
    FILE *conf;
    int failed;

    if (!mkdtemp(dir))
        return 1;
    snprintf(text, sizeof text, "%s/tests/support/make_certificates.sh %s", SECKILL_SOURCE_DIR, dir);
    if (system(text) != 0)
        return 1;
    tls_port = stack_free_port();
    snprintf(text, sizeof text, "%s/broker.conf", dir);
    conf = fopen(text, "w");
    if (!conf)
        return 1;
    fprintf(conf,
            "listeners.ssl.1 = 127.0.0.1:%d\nssl_options.cacertfile = %s/ca.pem\nssl_options.certfile = "
            "%s/server.pem\n"
            "ssl_options.keyfile = %s/server.key\nssl_options.verify = verify_peer\n"
            "ssl_options.fail_if_no_peer_cert = true\n",
            tls_port, dir, dir, dir);
    fclose(conf);
    setenv("SECKILL_BROKER_CONF", text, 1);
    failed = run_with_stack("amqps", tests, sizeof tests / sizeof *tests, sets);
    snprintf(text, sizeof text, "rm -rf %s", dir);
    return system(text) != 0 || failed;
}
