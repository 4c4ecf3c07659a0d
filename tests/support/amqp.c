/* Another AMQP client. */
#include "tests/support/amqp.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/json.h"
#include "tests/support/process.h"

#define CLIENT SECKILL_SOURCE_DIR "/tests/support/amqp_client.py"

enum { CLIENT_SECONDS = 150 }; /* on a machine that has much else to do */

/* Debian's interpreter: another one in PATH may not have Debian's pika. */
static int run(struct stack *s, const char *const words[], const char *input, struct text *out)
{
    const char *argv[12] = {"/usr/bin/python3", CLIENT, s->amqp_url};
    struct process_output o;
    int count = 3, status;

    for (int i = 0; words[i] && count < 11; i++)
        argv[count++] = words[i];
    process_run(argv, stack_environment(s), input, CLIENT_SECONDS, &o);
    status = o.status;
    if (status != 0)
        fprintf(stderr, "amqp_client.py %s: exit status %d\n%s", words[0], status, text_c(&o.err));
    else if (out)
        text_add(out, text_c(&o.out), o.out.len);
    process_output_free(&o);
    return status == 0 ? 0 : -1;
}

int amqp_publish(struct stack *s, const char *exchange, const char *key, const char *body)
{
    return run(s, (const char *[]){"publish", exchange, key, NULL}, body, NULL);
}

/* Runs the client and reads what it prints: a JSON value on each line. */
static json_t *read_lines(struct stack *s, const char *const words[], const char *input)
{
    struct text out = {0};
    json_t *values = json_array();
    char *line, *rest;

    if (run(s, words, input, &out) < 0) {
        json_decref(values);
        text_free(&out);
        return NULL;
    }
    rest = out.data;
    while ((line = strtok_r(rest, "\n", &rest)))
        json_array_append_new(values, json_read(line));
    text_free(&out);
    return values;
}

static bool is_held(void *context)
{
    struct text text = {0};
    bool held = text_add_file(&text, context) == 0 && strstr(text_c(&text), "holding") != NULL;

    text_free(&text);
    return held;
}

pid_t amqp_hold(struct stack *s, const char *queue)
{
    char out[STACK_PATH];
    const char *const argv[] = {"/usr/bin/python3", CLIENT, s->amqp_url, "hold", queue, NULL};
    pid_t pid;
    int status;

    snprintf(out, sizeof out, "%.400s/held-%s", s->base, queue);
    pid = process_start(argv, stack_environment(s), out);
    if (pid > 0 && wait_until(is_held, out, CLIENT_SECONDS))
        return pid;
    fprintf(stderr, "amqp_client.py hold %s: see %s\n", queue, out);
    if (pid > 0) {
        kill(pid, SIGKILL);
        process_wait(pid, CLIENT_SECONDS, &status);
    }
    return -1;
}

static json_t *take(struct stack *s, const char *verb, const char *queue, int count, int seconds)
{
    char how_many[16], how_long[16];

    snprintf(how_many, sizeof how_many, "%d", count);
    snprintf(how_long, sizeof how_long, "%d", seconds);
    return read_lines(s, (const char *[]){verb, queue, how_many, how_long, NULL}, NULL);
}

json_t *amqp_take(struct stack *s, const char *queue, int count, int seconds)
{
    return take(s, "take", queue, count, seconds);
}

json_t *amqp_take_lines(struct stack *s, const char *queue, int lines, int seconds)
{
    return take(s, "take-lines", queue, lines, seconds);
}

int amqp_touch(struct stack *s, const char *queue, int count, int seconds)
{
    char how_many[16], how_long[16];

    snprintf(how_many, sizeof how_many, "%d", count);
    snprintf(how_long, sizeof how_long, "%d", seconds);
    return run(s, (const char *[]){"touch", queue, how_many, how_long, NULL}, NULL, NULL);
}

int amqp_make_queue(struct stack *s, const char *queue, const char *exchange, const char *key)
{
    return run(s, (const char *[]){"make-queue", queue, exchange, key, NULL}, NULL, NULL);
}

json_t *amqp_ask(struct stack *s, const char *key, const char *method, const json_t *questions)
{
    char *input = json_dumps(questions, JSON_COMPACT);
    json_t *answers = read_lines(s, (const char *[]){"ask", key, method, NULL}, input);

    free(input);
    return answers;
}

int amqp_ctl(struct stack *s, const char *const words[], struct text *printed)
{
    char program[STACK_PATH];
    const char *argv[16] = {program};
    struct process_output o;
    int count = 1, status;

    snprintf(program, sizeof program, "%s/rabbitmqctl", s->dir);
    for (int i = 0; words[i] && count < 15; i++)
        argv[count++] = words[i];
    process_run(argv, stack_environment(s), NULL, CLIENT_SECONDS, &o);
    status = o.status;
    if (status != 0)
        fprintf(stderr, "rabbitmqctl %s: exit status %d\n%s%s", words[0], status, text_c(&o.out),
                text_c(&o.err));
    else if (printed)
        text_add(printed, text_c(&o.out), o.out.len);
    process_output_free(&o);
    return status == 0 ? 0 : -1;
}

int amqp_delete_queue(struct stack *s, const char *queue)
{
    return run(s, (const char *[]){"delete-queue", queue, NULL}, NULL, NULL);
}

int amqp_bind(struct stack *s, const char *queue, const char *exchange, const char *key)
{
    return run(s, (const char *[]){"bind", queue, exchange, key, NULL}, NULL, NULL);
}

int amqp_delete_exchange(struct stack *s, const char *exchange)
{
    return run(s, (const char *[]){"delete-exchange", exchange, NULL}, NULL, NULL);
}

int amqp_unbind(struct stack *s, const char *queue, const char *exchange, const char *key)
{
    return run(s, (const char *[]){"unbind", queue, exchange, key, NULL}, NULL, NULL);
}

int amqp_import_definitions(struct stack *s)
{
    char path[STACK_PATH];

    snprintf(path, sizeof path, "%s/broker/definitions.json", s->dir);
    return amqp_ctl(s, (const char *[]){"import_definitions", path, NULL}, NULL);
}
