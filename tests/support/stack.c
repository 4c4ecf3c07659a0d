/* A stack of real processes by deploy/stack.sh. */
#include "tests/support/stack.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/clock.h"
#include "tests/support/guardian.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"

enum { STACK_SECONDS = 150 };

static int bound_seconds = 280;
static char node_count[12] = "1";
static const char *folder = "stack";

/* Kept as long as the process lives: the guardian and children use them. */
static char report_options[4][STACK_PATH];
static const char *environment[6];
static const char *down_argv[5];
static char guardian_log[STACK_PATH];

static const char *script(void)
{
    const char *other = getenv("SECKILL_TEST_STACK_SH");

    return other ? other : SECKILL_SOURCE_DIR "/deploy/stack.sh";
}

const char *const *stack_environment(struct stack *s)
{
    static const char *const names[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"};

    if (environment[0])
        return environment;
    for (int i = 0; i < 4; i++) {
        const char *given = getenv(names[i]);

        snprintf(report_options[i], sizeof report_options[i],
                 "%s=%.300s%slog_path=%s/reports/report:print_stacktrace=1", names[i], given ? given : "",
                 given ? ":" : "", s->base);
        environment[i + 1] = report_options[i];
    }
    environment[0] = s->mark;
    return environment;
}

const char *stack_program(const struct stack *s, const char *program, char out[STACK_PATH])
{
    if (snprintf(out, STACK_PATH, "%s/%s", s->bin, program) >= STACK_PATH)
        abort();
    return out;
}

bool stack_has(const struct stack *s, const char *service)
{
    const char *only = getenv("SECKILL_SERVICES");
    char program[40], path[STACK_PATH];

    if (only && only[0] && !strstr(only, service))
        return false;
    snprintf(program, sizeof program, "seckill-%s", service);
    return access(stack_program(s, program, path), X_OK) == 0;
}

/* What a shell that sources D/env sees in these variables. */
static int read_env_file(struct stack *s)
{
    static const char show[] =
        ". \"$1\" && printf '%s\\n' \"$SECKILL_URL\" \"$SECKILL_AMQP_URL\" \"$SECKILL_BIN\"";
    char path[STACK_PATH], url[STACK_PATH], colon;
    struct process_output o;
    int result = -1;

    snprintf(path, sizeof path, "%s/env", s->dir);
    process_run((const char *[]){"sh", "-c", show, "sh", path, NULL}, NULL, NULL, 10, &o);
    if (o.status == 0 && sscanf(text_c(&o.out), "%511s %511s %511s", url, s->amqp_url, s->bin) == 3 &&
        sscanf(url, "http://127.0.0.1%c%d", &colon, &s->http_port) == 2 &&
        sscanf(s->amqp_url, "amqp://%*[^@]@127.0.0.1:%d", &s->amqp_port) == 1)
        result = 0;
    else
        fprintf(stderr, "%s does not say what it should:\n%s%s", path, text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    return result;
}

void stack_bound(int seconds)
{
    bound_seconds = seconds;
}

void stack_folder(const char *name)
{
    folder = name;
}

void stack_nodes(int count)
{
    snprintf(node_count, sizeof node_count, "%d", count);
}

static int prepare(struct stack *s)
{
    static bool adopts;
    const char *parent = getenv("TMPDIR");
    char reports[STACK_PATH];

    /* The path of a Unix socket in it has to fit into 108 bytes. */
    if (!parent || parent[0] != '/' || strlen(parent) > 60)
        parent = "/tmp";
    snprintf(s->base, sizeof s->base, "%s/seckill-test-XXXXXX", parent);
    if (!mkdtemp(s->base))
        return -1;
    snprintf(s->dir, sizeof s->dir, "%s/%.15s", s->base, folder);
    snprintf(s->mark, sizeof s->mark, "SECKILL_TEST=%s", s->base);
    snprintf(s->config, sizeof s->config, "%s/seckill.conf", s->dir);
    snprintf(reports, sizeof reports, "%s/reports", s->base);
    snprintf(guardian_log, sizeof guardian_log, "%s/guardian.log", s->base);
    if (mkdir(reports, 0700) < 0)
        return -1;
    down_argv[0] = script();
    down_argv[1] = "down";
    down_argv[2] = "--dir";
    down_argv[3] = s->dir;
    if (guardian_start(down_argv, s->mark, guardian_log, bound_seconds) < 0)
        return -1;
    environment[0] = NULL; /* an earlier stack's */
    if (!adopts && process_adopt_orphans() < 0)
        return -1;
    adopts = true;
    return 0;
}

struct stack *stack_up(const char *const sets[])
{
    const char *argv[64] = {script(), "up", "--dir", NULL, "--build-dir", SECKILL_BUILD_DIR};
    struct stack *s = take_memory(sizeof *s);
    struct process_output o;
    int count = 6;

    if (prepare(s) < 0) {
        perror("a folder for the stack");
        free(s);
        return NULL;
    }
    argv[3] = s->dir;
    if (strcmp(node_count, "1") != 0) {
        argv[count++] = "--nodes";
        argv[count++] = node_count;
    }
    for (int i = 0; sets && sets[i] && count < 61; i++) {
        argv[count++] = "--set";
        argv[count++] = sets[i];
    }
    process_run(argv, stack_environment(s), NULL, STACK_SECONDS, &o);
    s->is_up = true;
    if (o.status != 0 || read_env_file(s) < 0) {
        fprintf(stderr, "stack.sh up: exit status %d\n%s%s", o.status, text_c(&o.out), text_c(&o.err));
        stack_free(s, true);
        s = NULL;
    }
    process_output_free(&o);
    return s;
}

static int run_script(struct stack *s, const char *verb, const char *service, const char *const more[],
                      const char *const extra_environment[])
{
    const char *argv[32] = {script(), verb, "--dir", s->dir};
    struct process_output o;
    int count = 4, status;

    if (service)
        argv[count++] = service;
    for (int i = 0; more && more[i] && count < 31; i++)
        argv[count++] = more[i];
    process_run(argv, extra_environment, NULL, STACK_SECONDS, &o);
    status = o.status;
    if (status != 0)
        fprintf(stderr, "stack.sh %s %s: exit status %d\n%s%s", verb, service ? service : "", status,
                text_c(&o.out), text_c(&o.err));
    process_output_free(&o);
    return status;
}

int stack_do(struct stack *s, const char *verb, const char *service, const char *const more[])
{
    return run_script(s, verb, service, more, stack_environment(s));
}

int stack_start_with(struct stack *s, const char *service, const char *entry, const char *const more[])
{
    const char *const *own = stack_environment(s);
    const char *entries[16];
    int count = 0;

    for (; own[count] && count < 14; count++)
        entries[count] = own[count];
    entries[count++] = entry;
    entries[count] = NULL;
    return run_script(s, "start", service, more, entries);
}

static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool result;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    result = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    return result;
}

int stack_free_port(void)
{
    uint16_t random = 0;
    int port;

    do {
        if (getrandom(&random, sizeof random, 0) < 0)
            abort();
        port = 20000 + random % 12000;
    } while (!is_free(port));
    return port;
}

bool stack_is_ready(struct stack *s)
{
    struct http_response response;
    bool ready =
        http_request(s->http_port, "GET", "/readyz", NULL, NULL, &response) == 0 && response.status == 200;

    http_response_free(&response);
    return ready;
}

static bool is_ready(void *context)
{
    return stack_is_ready(context);
}

bool stack_wait_ready(struct stack *s, int seconds)
{
    return wait_until(is_ready, s, seconds);
}

pid_t stack_pid(struct stack *s, const char *program)
{
    pid_t pids[8];

    return process_find(s->mark, program, pids, 8) == 1 ? pids[0] : -1;
}

pid_t stack_unit_pid(struct stack *s, const char *unit)
{
    char path[STACK_PATH];
    int pid = -1;
    FILE *file;

    snprintf(path, sizeof path, "%s/run/%s.pid", s->dir, unit);
    file = fopen(path, "re");
    if (!file || fscanf(file, "%d", &pid) != 1)
        pid = -1;
    if (file)
        fclose(file);
    return pid;
}
