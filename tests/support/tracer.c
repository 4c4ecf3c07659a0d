/* strace as a fault injector. */
#include "tests/support/tracer.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/clock.h"
#include "tests/support/process.h"

enum { ATTACH_SECONDS = 20, DETACH_SECONDS = 5, OPTIONS_MAX = 48 };

struct tracer {
    pid_t pid;    /* of strace */
    pid_t traced; /* 0: what it started itself */
    char log[STACK_PATH];
};

static int number_of_log;

void tracer_prepare(void)
{
    const char *given = getenv("ASAN_OPTIONS");
    char options[512];

    snprintf(options, sizeof options, "%s%sdetect_leaks=0", given ? given : "", given ? ":" : "");
    setenv("ASAN_OPTIONS", options, 1);
}

/* The number behind "TracerPid:" in a status file; 0: nobody traces it, or it is gone. */
static int tracer_of(const char *status_path)
{
    struct text status = {0};
    const char *line;
    int pid = 0;

    if (text_add_file(&status, status_path) == 0 && (line = strstr(text_c(&status), "TracerPid:")))
        pid = atoi(line + strlen("TracerPid:"));
    text_free(&status);
    return pid;
}

static bool has_attached(void *context)
{
    const struct tracer *t = context;
    const struct dirent *entry;
    char path[600];
    bool all = true;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)t->traced);
    tasks = opendir(path);
    if (!tasks)
        return false;
    while (all && (entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.255s/status", (int)t->traced, entry->d_name);
        all = tracer_of(path) == (int)t->pid;
    }
    closedir(tasks);
    return all;
}

/* strace's own part of the command line. Returns how many words. */
static int command_line(struct tracer *t, struct stack *s, const char *argv[], const char *const options[])
{
    int count = 0;

    snprintf(t->log, sizeof t->log, "%s/trace.%d", s->base, ++number_of_log);
    argv[count++] = "strace";
    argv[count++] = "-f";
    argv[count++] = "-qq";
    argv[count++] = "-o";
    argv[count++] = t->log;
    for (int i = 0; options[i] && count < OPTIONS_MAX; i++)
        argv[count++] = options[i];
    return count;
}

struct tracer *tracer_attach(struct stack *s, pid_t pid, const char *const options[])
{
    struct tracer *t = take_memory(sizeof *t);
    const char *argv[OPTIONS_MAX + 4] = {NULL};
    int count = command_line(t, s, argv, options);
    char number[16];

    snprintf(number, sizeof number, "%d", (int)pid);
    argv[count++] = "-p";
    argv[count++] = number;
    t->traced = pid;
    t->pid = process_start(argv, stack_environment(s), NULL);
    if (t->pid > 0 && wait_until(has_attached, t, ATTACH_SECONDS))
        return t;
    fprintf(stderr, "strace does not attach to %d\n", (int)pid);
    tracer_detach(t);
    return NULL;
}

/* Of a process that is no child of the tracer's, as those of a stack are. */
bool tracer_works(struct stack *s)
{
    pid_t sleeper = process_start((const char *[]){"sleep", "60", NULL}, stack_environment(s), NULL);
    struct tracer *t = tracer_attach(s, sleeper, (const char *[]){"-e", "inject=sync:error=EIO", NULL});
    int status;

    tracer_detach(t);
    kill(sleeper, SIGKILL);
    process_wait(sleeper, 10, &status);
    return t != NULL;
}

struct tracer *tracer_start(struct stack *s, const char *const argv[], const char *const options[])
{
    struct tracer *t = take_memory(sizeof *t);
    const char *words[OPTIONS_MAX + 32] = {NULL};
    char output[STACK_PATH];
    int count = command_line(t, s, words, options);

    for (int i = 0; argv[i] && i < 30; i++)
        words[count++] = argv[i];
    snprintf(output, sizeof output, "%s/log/traced.log", s->dir);
    t->pid = process_start(words, stack_environment(s), output);
    if (t->pid > 0)
        return t;
    fprintf(stderr, "strace does not start\n");
    free(t);
    return NULL;
}

pid_t tracer_pid(const struct tracer *t)
{
    return t->pid;
}

int tracer_injected(const struct tracer *t)
{
    struct text log = {0};
    int count = 0;

    if (text_add_file(&log, t->log) == 0) {
        for (const char *p = text_c(&log); (p = strstr(p, "(INJECTED")); p++)
            count++;
    }
    text_free(&log);
    return count;
}

struct awaited {
    const struct tracer *tracer;
    int count;
};

static bool has_injected(void *context)
{
    const struct awaited *a = context;

    return tracer_injected(a->tracer) >= a->count;
}

bool tracer_wait_injected(struct tracer *t, int count, int seconds)
{
    return wait_until(has_injected, &(struct awaited){t, count}, seconds);
}

bool tracer_went_on(const struct tracer *t, const char *const calls[])
{
    struct text log = {0};
    const char *after = NULL;
    bool found = false;

    if (text_add_file(&log, t->log) == 0 && (after = strstr(text_c(&log), "(INJECTED"))) {
        for (int i = 0; calls[i] && !found; i++) {
            char call[40];

            snprintf(call, sizeof call, " %s(", calls[i]);
            found = strstr(after, call) != NULL;
        }
    }
    if (found)
        fprintf(stderr, "what followed the error:%.1000s\n", after);
    text_free(&log);
    return found;
}

void tracer_detach(struct tracer *t)
{
    int status;

    if (!t)
        return;
    if (t->pid > 0 && !process_wait(t->pid, 0, &status)) {
        kill(t->pid, SIGTERM); /* it lets its processes go on */
        if (!process_wait(t->pid, DETACH_SECONDS, &status)) {
            kill(t->pid, SIGKILL); /* seen where the traced process had been killed: strace waits for ever */
            process_wait(t->pid, DETACH_SECONDS, &status);
        }
    }
    free(t);
}
