/* Arming fault points and waiting for them: by what the service's log says, and by what /proc says of it. */
#include "tests/support/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

static void log_path(const struct armed *a, char path[STACK_PATH])
{
    snprintf(path, STACK_PATH, "%s/log/%s.log", a->stack->dir, a->service);
}

/* What was logged since the start. */
static void read_log(const struct armed *a, struct text *log)
{
    char path[STACK_PATH];

    log_path(a, path);
    if (text_add_file(log, path) == 0)
        text_drop_front(log, a->log_from < log->len ? a->log_from : log->len);
}

/* As stack.sh noted it. */
/* By stack.sh's own note: a process that has met its end already has an id, too. */
static pid_t process_of(const struct armed *a)
{
    struct text note = {0};
    char path[STACK_PATH];
    pid_t pid = -1;

    snprintf(path, sizeof path, "%s/run/%s.pid", a->stack->dir, a->service);
    if (text_add_file(&note, path) == 0)
        pid = (pid_t)strtol(text_c(&note), NULL, 10);
    text_free(&note);
    return pid > 0 ? pid : -1;
}

int faults_start(struct armed *a, struct stack *s, const char *service, const char *faults,
                 const char *const more[])
{
    struct text log = {0};
    char entry[512];
    int status;

    *a = (struct armed){.stack = s, .pid = -1};
    snprintf(a->service, sizeof a->service, "%s", service);
    read_log(a, &log);
    a->log_from = log.len;
    text_free(&log);
    snprintf(entry, sizeof entry, "SECKILL_FAULT=%s", faults);
    status = stack_start_with(s, service, entry, more);
    a->pid = process_of(a);
    return status;
}

static int count(const struct armed *a, const char *text)
{
    struct text log = {0};
    int found = 0;

    read_log(a, &log);
    for (const char *at = text_c(&log); (at = strstr(at, text)) != NULL; at += strlen(text))
        found++;
    text_free(&log);
    return found;
}

bool faults_logged(const struct armed *a, const char *text)
{
    return count(a, text) > 0;
}

struct wanted {
    const struct armed *armed;
    const char *text;
    int times;
};

static bool has_acted(void *context)
{
    const struct wanted *w = context;

    return count(w->armed, w->text) >= w->times;
}

bool faults_wait(const struct armed *a, const char *point, int times, int seconds)
{
    char text[128];

    snprintf(text, sizeof text, " fault_point point=%s ", point);
    return wait_until(has_acted, &(struct wanted){.armed = a, .text = text, .times = times}, seconds);
}

static char state_of(pid_t pid)
{
    struct text stat = {0};
    char path[64], state = 'X';
    const char *name_end;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (pid > 0 && text_add_file(&stat, path) == 0 && (name_end = strrchr(text_c(&stat), ')')) && name_end[1])
        state = name_end[2];
    text_free(&stat);
    return state;
}

static bool is_gone(void *context)
{
    char state = state_of(*(const pid_t *)context);

    return state == 'X' || state == 'Z';
}

static bool is_stopped(void *context)
{
    return state_of(*(const pid_t *)context) == 'T';
}

bool faults_wait_killed(const struct armed *a, int seconds)
{
    pid_t pid = a->pid;

    return wait_until(is_gone, &pid, seconds);
}

bool faults_wait_stopped(const struct armed *a, int seconds)
{
    pid_t pid = a->pid;

    return wait_until(is_stopped, &pid, seconds);
}

int faults_list(const struct stack *s, const char *program, void (*each)(void *context, const char *point),
                void *context)
{
    char path[STACK_PATH];
    struct process_output o;
    int status;

    process_run((const char *[]){stack_program(s, program, path), NULL},
                (const char *[]){"SECKILL_FAULT=list", NULL}, NULL, 20, &o);
    status = o.status;
    for (char *rest = NULL, *name = strtok_r(o.out.data, "\n", &rest); status == 0 && name;
         name = strtok_r(NULL, "\n", &rest))
        each(context, name);
    process_output_free(&o);
    return status == 0 ? 0 : -1;
}
