/* The end of a stack, and what a clean one does not leave behind. */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/clock.h"
#include "tests/support/guardian.h"
#include "tests/support/process.h"
#include "tests/support/stack.h"

static struct stack *searched; /* by the walk, which has no context of its own */

int stack_stop_gracefully(struct stack *s, const char *service, const char *program)
{
    pid_t pid = stack_pid(s, program);
    int status = -1;

    if (pid < 0) {
        fprintf(stderr, "there is not exactly one %s to stop\n", program);
        return -1;
    }
    if (stack_do(s, "stop", service, NULL) != 0 || !process_wait(pid, 30, &status))
        return -1;
    return status;
}

bool stack_note_report(struct stack *s, const char *what, const char *text)
{
    static const char *const signs[] = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                                        "WARNING: ThreadSanitizer",
                                        ": runtime error: ", "AddressSanitizer:DEADLYSIGNAL"};

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        if (strstr(text, signs[i])) {
            fprintf(stderr, "--- a sanitizer's report in %s\n%.6000s\n", what, text);
            s->faults++;
            return true;
        }
    }
    return false;
}

/* Any file under reports/, and any log of the stack that holds one. */
static int look_for_report(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    struct text text = {0};
    size_t len = strlen(path);

    (void)walk;
    if (type != FTW_F || info->st_size == 0 ||
        (!strstr(path, "/reports/") && (len < 4 || strcmp(path + len - 4, ".log") != 0)))
        return 0;
    if (text_add_file(&text, path) == 0)
        stack_note_report(searched, path, text_c(&text));
    text_free(&text);
    return 0;
}

static bool nothing_marked(void *context)
{
    return process_find(context, NULL, NULL, 0) == 0;
}

static void report_left_behind(struct stack *s)
{
    pid_t pids[64];
    int count = process_find(s->mark, NULL, pids, 64);

    for (int i = 0; i < count && i < 64; i++) {
        struct text command = {0};
        char path[64];

        snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pids[i]);
        if (text_add_file(&command, path) == 0) {
            for (size_t at = 0; at + 1 < command.len; at++) {
                if (command.data[at] == '\0')
                    command.data[at] = ' ';
            }
        }
        fprintf(stderr, "left behind by down: %d %.300s\n", (int)pids[i], text_c(&command));
        kill(pids[i], SIGKILL);
        text_free(&command);
    }
    s->faults += count;
}

static void take_down(struct stack *s)
{
    struct process_output o;

    if (!s->is_up)
        return;
    process_run((const char *[]){getenv("SECKILL_TEST_STACK_SH") ? getenv("SECKILL_TEST_STACK_SH")
                                                                 : SECKILL_SOURCE_DIR "/deploy/stack.sh",
                                 "down", "--dir", s->dir, NULL},
                stack_environment(s), NULL, 90, &o);
    if (o.status != 0) {
        fprintf(stderr, "stack.sh down: exit status %d\n%s%s", o.status, text_c(&o.out), text_c(&o.err));
        s->faults++;
    }
    process_output_free(&o);
    s->is_up = false;
    /* The Erlang node's helpers end a moment after it. */
    if (!wait_until(nothing_marked, s->mark, 5))
        report_left_behind(s);
}

int stack_end(struct stack *s)
{
    static const char *const services[][2] = {{"order", "seckill-order"},
                                              {"inventory", "seckill-inventory"},
                                              {"redpacket", "seckill-redpacket"},
                                              {"notification", "seckill-notification"}};
    int status;

    for (int i = 0; i < 4; i++) {
        if (!stack_has(s, services[i][0]))
            continue;
        status = stack_stop_gracefully(s, services[i][0], services[i][1]);
        if (status != 0) {
            fprintf(stderr, "%s: exit status %d on SIGTERM\n", services[i][1], status);
            s->faults++;
        }
    }
    take_down(s);
    searched = s;
    nftw(s->base, look_for_report, 16, FTW_PHYS);
    return s->faults;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void stack_free(struct stack *s, bool keep)
{
    if (!s)
        return;
    take_down(s);
    guardian_dismiss();
    if (keep || s->faults)
        fprintf(stderr, "the stack's folder is kept: %s\n", s->base);
    else
        nftw(s->base, remove_entry, 16, FTW_PHYS | FTW_DEPTH);
    free(s);
}
