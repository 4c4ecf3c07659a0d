/*
 * The crash matrix: chooses the trials and makes them, on one stack after another. What was chosen depends on
 * the seed alone.
 *
 *   crash_matrix [--short | --whole | --seconds S] [--seed N] [--trials N] [--orders N]
 *                [--process P] [--point X] [--how H] [--list]
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "tests/e2e/crash.h"
#include "tests/support/check.h"
#include "tests/support/clock.h"
#include "tests/support/process.h"

enum {
    TRIALS_A_STACK = 25,
    SHORT_TRIALS = 24,
    SHORT_ORDERS = 500,
    SHORT_SECONDS = 90, /* what has not begun by then is left out */
    WHOLE_ORDERS = 4000,
    RANDOM_MOMENTS = 5, /* of each process, how by how, in the whole */
    CHOSEN_MAX = 4096,
    STACK_BOUND_SECONDS = 3600
};

struct options {
    bool is_short, is_whole, list;
    uint64_t seed;
    int trials, seconds, orders;
    const char *process, *point, *how;
};

/* --- what there is to choose from: each point of each process, and random moments; each by each how */

static struct crash universe[CHOSEN_MAX];
static int universe_count;
static const struct options *options;
static const struct crash_process *listed;

static void add(const struct crash_process *process, const char *point)
{
    for (int how = 0; how < CRASH_HOWS && universe_count < CHOSEN_MAX; how++) {
        struct crash *c = &universe[universe_count];

        if ((options->process && strcmp(options->process, process->service) != 0) ||
            (options->point && strcmp(options->point, point) != 0) ||
            (options->how && strcmp(options->how, crash_how_names[how]) != 0))
            continue;
        *c = (struct crash){.process = process, .how = (enum crash_how)how};
        snprintf(c->point, sizeof c->point, "%s", point);
        universe_count++;
    }
}

static void add_point(void *context, const char *point)
{
    (void)context;
    add(listed, point);
}

static int list_universe(const struct stack *s)
{
    universe_count = 0;
    for (int i = 0; i < crash_process_count; i++) {
        listed = &crash_processes[i];
        if (listed->program && !stack_has(s, listed->service))
            continue;
        if (listed->program && faults_list(s, listed->program, add_point, NULL) < 0) {
            fprintf(stderr, "%s does not list its fault points: is it built with SECKILL_FAULTS?\n",
                    listed->program);
            return -1;
        }
        add(listed, "");
    }
    return universe_count > 0 ? 0 : -1;
}

/* --- the choice */

static struct crash chosen[CHOSEN_MAX];
static int chosen_count;
static uint64_t random_state;

static void choose(const struct crash *c)
{
    if (chosen_count == CHOSEN_MAX)
        return;
    chosen[chosen_count] = *c;
    chosen[chosen_count].orders = options->orders;
    chosen[chosen_count++].seed = crash_random(&random_state) >> 12; /* JSON's numbers end at 2^53 */
}

static void shuffle(struct crash *list, int count)
{
    for (int i = count - 1; i > 0; i--) {
        int k = crash_draw(&random_state, 0, i);
        struct crash kept = list[i];

        list[i] = list[k];
        list[k] = kept;
    }
}

static bool is_random_moment(const struct crash *c)
{
    return c->point[0] == '\0';
}

/* The kind of a point, for the short form: each process' random moments, and each way to a point. */
static int kind_of(const struct crash *c)
{
    int most;

    if (is_random_moment(c))
        return REACH_KINDS + 1 + (int)(c->process - crash_processes);
    return (int)crash_reach_of(c->point, &most);
}

/* One of each kind first, then whatever comes. Of what needs a tracer none: it gets on badly with the leak
 * sanitizer, and test_disk tries it anyway. */
static void choose_short(int trials)
{
    bool has[REACH_KINDS + 16] = {false};

    shuffle(universe, universe_count);
    has[REACH_BAD_DISK] = has[REACH_NO_LEDGER] = true;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < universe_count && chosen_count < trials; i++) {
            int kind = kind_of(&universe[i]);

            if (round == 0 ? has[kind] : kind == REACH_BAD_DISK || kind == REACH_NO_LEDGER)
                continue;
            if (round == 1 && crash_draw(&random_state, 0, 3) != 0)
                continue;
            has[kind] = true;
            choose(&universe[i]);
        }
    }
}

static void choose_whole(int trials)
{
    for (int i = 0; i < universe_count; i++)
        choose(&universe[i]);
    for (int i = 0; i < universe_count; i++) {
        for (int k = 1; is_random_moment(&universe[i]) && k < RANDOM_MOMENTS; k++)
            choose(&universe[i]);
    }
    while (chosen_count < trials)
        choose(&universe[crash_draw(&random_state, 0, universe_count - 1)]);
    shuffle(chosen, chosen_count);
}

static void choose_some(int trials)
{
    for (int i = 0; i < trials && universe_count > 0; i++)
        choose(&universe[crash_draw(&random_state, 0, universe_count - 1)]);
    /* One trial that is named in full is to be made again with its own seed. */
    if (universe_count == 1 && trials == 1)
        chosen[0].seed = options->seed;
}

/* --- making them */

static struct stack *stack;
static int made_on_stack, failed_stacks;
static bool tainted;

/* A stopped process would not end. */
static void let_all_go_on(void)
{
    pid_t pids[64];
    int count = process_find(stack->mark, NULL, pids, 64);

    for (int i = 0; i < count && i < 64; i++)
        kill(pids[i], SIGCONT);
}

static void drop_stack(void)
{
    int faults = 0;

    if (!stack)
        return;
    let_all_go_on();
    if (!tainted)
        faults = stack_end(stack);
    crash_gateway_close();
    failed_stacks += faults > 0;
    stack_free(stack, tainted);
    stack = NULL;
}

static int64_t began_ms;

static bool left_out;

/* What went wrong once is not held against the next. */
static int have_a_stack(void **state)
{
    (void)state;
    left_out = options->is_short && clock_ms() - began_ms > SHORT_SECONDS * 1000;
    if (left_out)
        return 0;
    if (stack && (tainted || made_on_stack >= TRIALS_A_STACK))
        drop_stack();
    if (!stack) {
        stack = stack_up(crash_settings());
        made_on_stack = 0;
        if (stack && crash_gateway_open() != 0)
            return -1;
    }
    tainted = true; /* until the trial has come to its end */
    return stack ? 0 : -1;
}

static void test_crash(void **state)
{
    if (left_out)
        skip();
    crash_trial(stack, *state);
    made_on_stack++;
    tainted = false;
}

static int make_chosen(void)
{
    struct CMUnitTest *tests = take_memory((size_t)chosen_count * sizeof *tests);
    char(*names)[160] = take_memory((size_t)chosen_count * sizeof *names);
    int failed;

    for (int i = 0; i < chosen_count; i++) {
        const struct crash *c = &chosen[i];

        snprintf(names[i], sizeof names[i], "%d/%d %s %s %s seed=%" PRIu64, i + 1, chosen_count,
                 c->process->service, c->point[0] ? c->point : "random moment", crash_how_names[c->how],
                 c->seed);
        tests[i] = (struct CMUnitTest){.name = names[i],
                                       .test_func = test_crash,
                                       .setup_func = have_a_stack,
                                       .initial_state = &chosen[i]};
    }
    failed = _cmocka_run_group_tests("crash_matrix", tests, (size_t)chosen_count, NULL, NULL);
    free(tests);
    free(names);
    chosen_count = 0;
    return failed;
}

/* Random ones until the time is over. */
static int soak(int seconds)
{
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
    int failed = 0;

    while (clock_ms() < deadline) {
        choose_some(5);
        failed += make_chosen();
    }
    return failed;
}

static int make_all(struct options *o)
{
    if (list_universe(stack) < 0)
        return 1;
    random_state = o->seed;
    if (o->seconds > 0)
        return soak(o->seconds);
    if (o->is_short)
        choose_short(o->trials ? o->trials : SHORT_TRIALS);
    else if (o->is_whole)
        choose_whole(o->trials);
    else
        choose_some(o->trials ? o->trials : 1);
    for (int i = 0; i < chosen_count && o->list; i++)
        printf("%s %s %s %" PRIu64 "\n", chosen[i].process->service, chosen[i].point,
               crash_how_names[chosen[i].how], chosen[i].seed);
    return o->list ? 0 : make_chosen();
}

/* --- the command line */

static int64_t number(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (*end || end == text || value < 0) {
        fprintf(stderr, "not a number: %s\n", text);
        exit(64);
    }
    return value;
}

static void parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {{"short", no_argument, NULL, 's'},
                                          {"whole", no_argument, NULL, 'w'},
                                          {"list", no_argument, NULL, 'l'},
                                          {"seconds", required_argument, NULL, 'S'},
                                          {"seed", required_argument, NULL, 'n'},
                                          {"trials", required_argument, NULL, 't'},
                                          {"orders", required_argument, NULL, 'o'},
                                          {"process", required_argument, NULL, 'p'},
                                          {"point", required_argument, NULL, 'x'},
                                          {"how", required_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int c;

    if (getrandom(&o->seed, sizeof o->seed, 0) < 0)
        abort();
    o->seed >>= 12;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 's':
            o->is_short = true;
            break;
        case 'w':
            o->is_whole = true;
            break;
        case 'l':
            o->list = true;
            break;
        case 'S':
            o->seconds = (int)number(optarg);
            break;
        case 'n':
            o->seed = (uint64_t)number(optarg);
            break;
        case 't':
            o->trials = (int)number(optarg);
            break;
        case 'o':
            o->orders = (int)number(optarg);
            break;
        case 'p':
            o->process = optarg;
            break;
        case 'x':
            o->point = optarg;
            break;
        case 'h':
            o->how = optarg;
            break;
        default:
            exit(64);
        }
    }
    if (o->orders == 0)
        o->orders = o->is_whole || o->seconds ? WHOLE_ORDERS : SHORT_ORDERS;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    int failed;

    parse(argc, argv, &o);
    options = &o;
    began_ms = clock_ms();
    setvbuf(stdout, NULL, _IOLBF, 0);
    fprintf(stderr, "crash_matrix --seed %" PRIu64 "\n", o.seed);
    stack_bound(o.is_short ? 280 : STACK_BOUND_SECONDS);
    if (have_a_stack(NULL) < 0)
        return 1;
    tainted = false;
    failed = make_all(&o);
    drop_stack();
    fflush(NULL);
    /* A trial that failed left its memory where it was: a report of leaks would only hide why. */
    _exit(failed > 0 || failed_stacks > 0);
}
