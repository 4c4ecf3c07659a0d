/*
 * Fault points, see fault.h: reads SECKILL_FAULT once at the start, counts how often an armed point is
 * reached and acts. Compiled only into builds with SECKILL_FAULTS.
 */
#include "common/base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/number.h"
#include "common/base/slice.h"

#define VARIABLE "SECKILL_FAULT"

enum { MAX_FAULTS = 16, MAX_DELAY_MS = 600000 };

enum action { ACTION_KILL, ACTION_STOP, ACTION_TERM, ACTION_DELAY };

struct fault {
    const char *point; /* the point's own name */
    char text[24];     /* the action as it was written */
    enum action action;
    int64_t delay_ms;
    int64_t nth; /* acts when the point is reached for the nth time; 0: every time */
    _Atomic int64_t reached;
};

/* Written before there is a second thread. */
static struct fault faults[MAX_FAULTS];
static atomic_int fault_count;

/* The bounds of the section, made by the linker; not there in a program without any point. */
extern const struct fault_point __start_seckill_faults[] __attribute__((weak));
extern const struct fault_point __stop_seckill_faults[] __attribute__((weak));

static size_t point_count(void)
{
    if (!__start_seckill_faults)
        return 0;
    return ((uintptr_t)__stop_seckill_faults - (uintptr_t)__start_seckill_faults) /
           sizeof(struct fault_point);
}

static const char *point_named(struct slice name)
{
    for (size_t i = 0; i < point_count(); i++)
        if (slice_is(name, __start_seckill_faults[i].name))
            return __start_seckill_faults[i].name;
    return NULL;
}

/* ---- SECKILL_FAULT=list ---- */

static int by_name(const void *a, const void *b)
{
    const struct fault_point *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static _Noreturn void list_points(void)
{
    const size_t n = point_count();
    struct fault_point *sorted = calloc(n + 1, sizeof(*sorted));
    if (!sorted)
        abort();
    for (size_t i = 0; i < n; i++)
        sorted[i] = __start_seckill_faults[i];
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(sorted[i].name, sorted[i - 1].name) != 0)
            puts(sorted[i].name);
    free(sorted);
    exit(fflush(stdout) == 0 ? EXIT_OK : EXIT_DISK);
}

/* ---- Reading what is asked for ---- */

static _Noreturn void bad_fault(struct slice word, const char *why)
{
    fprintf(stderr, VARIABLE ": \"%.*s\": %s\n", (int)word.len, word.data, why);
    exit(EXIT_USAGE);
}

/* Takes the text up to the separator off the front of *rest; all of it where there is none. */
static struct slice cut(struct slice *rest, char separator, bool *found)
{
    const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    const size_t len = end ? (size_t)(end - rest->data) : rest->len;
    const struct slice head = {.data = rest->data, .len = len};
    *found = end != NULL;
    rest->data += len + (end ? 1 : 0);
    rest->len -= len + (end ? 1 : 0);
    return head;
}

static int parse_action(struct slice word, struct fault *f)
{
    static const char *const names[] = {"kill", "stop", "term"}; /* in the order of enum action */
    static const char delay[] = "delay=";
    const size_t prefix = sizeof(delay) - 1;
    if (word.len >= sizeof(f->text))
        return E_INVALID;
    memcpy(f->text, word.data, word.len); /* the rest is 0 already */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(word, names[i])) {
            f->action = (enum action)i;
            return 0;
        }
    if (word.len <= prefix || memcmp(word.data, delay, prefix) != 0)
        return E_INVALID;
    f->action = ACTION_DELAY;
    return number_parse_bytes(word.data + prefix, word.len - prefix, 0, MAX_DELAY_MS, &f->delay_ms);
}

static int parse_nth(struct slice word, struct fault *f)
{
    if (slice_is(word, "*")) {
        f->nth = 0;
        return 0;
    }
    return number_parse_bytes(word.data, word.len, 1, INT64_MAX, &f->nth);
}

static void parse_fault(struct slice word, struct fault *f)
{
    struct slice rest = word;
    bool has_action, has_nth;
    const struct slice name = cut(&rest, ':', &has_action);
    const struct slice action = cut(&rest, '@', &has_nth);
    if (!has_action)
        bad_fault(word, "expected POINT:ACTION[@N]");
    f->point = point_named(name);
    if (!f->point)
        bad_fault(word, "this program has no such point (" VARIABLE "=list shows them)");
    if (parse_action(action, f) != 0)
        bad_fault(word, "the action is kill, stop, term or delay=MS (at most 600000)");
    f->nth = 1;
    if (has_nth && parse_nth(rest, f) != 0)
        bad_fault(word, "after @ comes which time, 1 or more, or * for every time");
}

void fault_start(void)
{
    const char *value = getenv(VARIABLE);
    if (!value || !*value)
        return;
    if (strcmp(value, "list") == 0)
        list_points();
    struct slice rest = slice_of(value);
    int n = 0;
    for (bool more = true; more; n++) {
        const struct slice word = cut(&rest, ',', &more);
        if (n == MAX_FAULTS)
            bad_fault(word, "too many faults");
        parse_fault(word, &faults[n]);
    }
    atomic_store(&fault_count, n);
}

/* ---- Acting ---- */

static void sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
    while (nanosleep(&left, &left) != 0)
        ; /* a signal is not what ends it */
}

static void act(const struct fault *f)
{
    log_warn("fault_point", "point=%s action=%s", f->point, f->text);
    switch (f->action) {
    case ACTION_KILL:
        /* To this thread, not to the process: then it is certain that it does not run one instruction more.
         */
        raise(SIGKILL);
        break;
    case ACTION_STOP:
        raise(SIGSTOP);
        break;
    case ACTION_TERM:
        kill(getpid(), SIGTERM); /* to the process: signals.h reads it from a descriptor in any thread */
        break;
    case ACTION_DELAY:
        sleep_ms(f->delay_ms);
        break;
    }
}

/* Out of line: what an unarmed point costs is the branch before it. */
static __attribute__((noinline)) void act_on(const struct fault_point *point, int n)
{
    for (int i = 0; i < n; i++) {
        struct fault *f = &faults[i];
        if (strcmp(f->point, point->name) != 0)
            continue;
        const int64_t reached = atomic_fetch_add(&f->reached, 1) + 1;
        if (f->nth == 0 || f->nth == reached)
            act(f);
    }
}

void fault_reached(const struct fault_point *point)
{
    const int n = atomic_load_explicit(&fault_count, memory_order_relaxed);
    if (n != 0)
        act_on(point, n);
}
