/* HTTPS by the front end itself, with renewals and slow clients; and the listener for operators. The clients
 * are in https_checks.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/front_ends.h"
#include "tests/support/process.h"

enum { CHECK_SECONDS = 120 };

static char dir[] = "/tmp/test_https.XXXXXX";
static char port_text[16], admin_text[16];
static int port;

/* Ends with NULL. Fails the test with what the program said. */
static void run(const char *const argv[])
{
    struct process_output output;

    process_run(argv, NULL, NULL, CHECK_SECONDS, &output);
    if (output.status != 0)
        fail_msg("%s: exit status %d\n%s%s", argv[0], output.status, text_c(&output.out),
                 text_c(&output.err));
    process_output_free(&output);
}

static void check(const char *name, const char *argument, const char *more)
{
    run((const char *const[]){"/usr/bin/python3", SECKILL_SOURCE_DIR "/tests/integration/https_checks.py",
                              name, port_text, dir, argument, more, NULL});
}

static const char *in_dir(const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", dir, name);
    return out;
}

/* A front end with the certificate live.pem. stack.sh waits for its /readyz, over TLS. Returns its port. */
static int start(struct stack *s, const char *unit, const char *set, const char *more_set)
{
    char cert[160], key[160], number[16];
    int at = stack_free_port();
    const char *const more[] = {
        "--http-port", number, "--set", cert, "--set", key, "--set", set, more_set ? "--set" : NULL,
        more_set,      NULL};

    snprintf(number, sizeof number, "%d", at);
    snprintf(cert, sizeof cert, "http.tls_cert_file=%s/live.pem", dir);
    snprintf(key, sizeof key, "http.tls_key_file=%s/live.key", dir);
    assert_int_equal(stack_do(s, "start", unit, more), 0);
    return at;
}

static void test_a_front_end_with_certificate(void **state)
{
    struct stack *s = *state;
    char admin[64], from[128], to[128];

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "phone", .stock = 100000}), 0);
    run((const char *const[]){SECKILL_SOURCE_DIR "/tests/support/make_certificates.sh", dir, NULL});
    run((const char *const[]){"cp", in_dir("server.pem", from), in_dir("live.pem", to), NULL});
    run((const char *const[]){"cp", in_dir("server.key", from), in_dir("live.key", to), NULL});
    snprintf(admin_text, sizeof admin_text, "%d", stack_free_port());
    snprintf(admin, sizeof admin, "http.admin_listen=127.0.0.1:%s", admin_text);
    port = start(s, "order@tls", "http.request_timeout_s=60", admin);
    snprintf(port_text, sizeof port_text, "%d", port);
}

static void test_requests_in_any_records(void **state)
{
    (void)state;
    check("records", NULL, NULL);
}

static void test_connections_that_send_in_step(void **state)
{
    (void)state;
    check("in_step", NULL, NULL);
}

static void test_long_polls(void **state)
{
    (void)state;
    check("long_polls", NULL, NULL);
}

static void test_a_renewal_under_open_connections(void **state)
{
    struct stack *s = *state;
    char pid[16], log[STACK_PATH];

    snprintf(pid, sizeof pid, "%d", (int)front_end_pid(s, port));
    snprintf(log, sizeof log, "%.200s/log/order@tls.log", s->dir);
    check("renewal", pid, log);
}

static void test_slow_handshakes_are_cut_off(void **state)
{
    char pid[16], usual[16];
    int slow = start(*state, "order@slow", "http.request_timeout_s=2", NULL);

    snprintf(pid, sizeof pid, "%d", (int)front_end_pid(*state, slow));
    snprintf(usual, sizeof usual, "%s", port_text);
    snprintf(port_text, sizeof port_text, "%d", slow);
    check("slow_handshakes", pid, NULL);
    snprintf(port_text, sizeof port_text, "%s", usual);
    assert_int_equal(stack_do(*state, "stop", "order@slow", NULL), 0);
}

static void test_no_plain_http_and_no_old_tls(void **state)
{
    (void)state;
    check("plain", port_text, NULL);
}

static void test_operators_have_a_listener_of_their_own(void **state)
{
    (void)state;
    check("two_listeners", admin_text, NULL);
}

/* What is wrong with the files is said by name, at the start. */
static void test_certificates_that_do_not_fit_are_refused(void **state)
{
    struct stack *s = *state;
    static const struct {
        const char *cert, *key, *words;
    } cases[] = {
        {"server.pem", "client.key", "is not the key of the certificate in"},
        {"server.key", "server.key", "server.key: not a certificate"},
        {"server.pem", "server.pem", "server.pem: not a private key"},
        {"missing.pem", "server.key", "missing.pem: cannot open"},
        {"server.pem", NULL, "one needs the other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct process_output output;
        char program[STACK_PATH], cert[160], key[160];
        const char *const argv[] = {stack_program(s, "seckill-order", program),
                                    "--config",
                                    s->config,
                                    "--set",
                                    "http.listen=127.0.0.1:0",
                                    "--set",
                                    cert,
                                    "--set",
                                    key,
                                    NULL};

        snprintf(cert, sizeof cert, "http.tls_cert_file=%s/%s", dir, cases[i].cert);
        snprintf(key, sizeof key, "http.tls_key_file=%s%s%s", cases[i].key ? dir : "",
                 cases[i].key ? "/" : "", cases[i].key ? cases[i].key : "");
        process_run(argv, stack_environment(s), NULL, CHECK_SECONDS, &output);
        if (output.status != 78 || !strstr(text_c(&output.err), cases[i].words))
            fail_msg("%s: %d %s", cases[i].words, output.status, text_c(&output.err));
        process_output_free(&output);
    }
}

/* The shipped examples, before a front end that trusts 127.0.0.1. The clients are in proxy_checks.py. */
static void test_behind_nginx_and_haproxy(void **state)
{
    struct stack *s = *state;
    static const char *const checks[] = {"nginx", "haproxy", "limit"};
    const char *const sets[] = {"--set", "http.trusted_proxies=127.0.0.1", "--set", "log.orders=on",
                                "--set", "http.connections_per_address=3", NULL};
    char number[16], log[STACK_PATH];

    snprintf(number, sizeof number, "%d", front_end_start(s, "order@proxied", sets));
    snprintf(log, sizeof log, "%.200s/log/order@proxied.log", s->dir);
    for (int i = 0; i < 3; i++)
        run((const char *const[]){"/usr/bin/python3", SECKILL_SOURCE_DIR "/tests/integration/proxy_checks.py",
                                  checks[i], number, dir, log, NULL});
    assert_int_equal(stack_do(s, "stop", "order@proxied", NULL), 0);
}

static void test_it_drains(void **state)
{
    assert_int_equal(stack_do(*state, "stop", "order@tls", NULL), 0);
}

int main(void)
{
    const char *const sets[] = {"admission.user_rate=0", NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_front_end_with_certificate),
        cmocka_unit_test(test_requests_in_any_records),
        cmocka_unit_test(test_connections_that_send_in_step),
        cmocka_unit_test(test_long_polls),
        cmocka_unit_test(test_a_renewal_under_open_connections),
        cmocka_unit_test(test_slow_handshakes_are_cut_off),
        cmocka_unit_test(test_no_plain_http_and_no_old_tls),
        cmocka_unit_test(test_operators_have_a_listener_of_their_own),
        cmocka_unit_test(test_certificates_that_do_not_fit_are_refused),
        cmocka_unit_test(test_behind_nginx_and_haproxy),
        cmocka_unit_test(test_it_drains),
        STACK_END,
    };
    char command[64];
    int failed;

    if (!mkdtemp(dir))
        return 1;
    failed = run_with_stack("https", tests, sizeof tests / sizeof *tests, sets);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) != 0 || failed;
}
