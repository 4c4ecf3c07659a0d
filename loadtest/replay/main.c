/* seckill-replay: sends a recorded or made-up sale to a running deployment, and says what became of it. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/program.h"
#include "common/base/signals.h"
#include "loadtest/replay/report.h"

#define NAME "seckill-replay"

static int exit_code(int rc)
{
    switch (rc) {
    case E_INVALID:
    case E_FULL:
    case E_EXISTS:
        return EXIT_USAGE;
    case E_REFUSED:
        return EXIT_UNAVAILABLE;
    default:
        return EXIT_DISK;
    }
}

static int complain(int code, const struct detail *why)
{
    fprintf(stderr, NAME ": %s\n", why->text);
    return code;
}

static int make_plan(struct plan *plan, const struct replay_settings *s, struct detail *why)
{
    struct plan_sku skus[REPLAY_SKUS_MAX];
    struct plan_generator generator;
    double speed;
    if ((*s->trace != '\0') == (s->generate != SHAPE_NONE)) {
        detail_set(why, *s->trace ? "--trace and --generate: one of them, not both"
                                  : "nothing to send: give --trace FILE or --generate SHAPE (see --help)");
        return E_INVALID;
    }
    if (*s->trace) {
        int rc = replay_decimal("replay.speed", s->speed, 0.001, 1000, &speed, why);
        return rc ? rc : plan_read(plan, s->trace, speed, (uint64_t)s->count, why);
    }
    replay_generator(s, skus, &generator);
    return plan_generate(plan, &generator, why);
}

/* Where it may send to. */
static int take_target(struct run *run, bool owns_host, struct detail *why)
{
    int rc = target_parse(run->settings->url, &run->target, why);
    if (rc)
        return EXIT_USAGE;
    if (run->target.is_loopback || owns_host)
        return 0;
    detail_set(
        why,
        "%s is not this machine: a load test of somebody else's host is an attack on it. If it is yours, "
        "say --i-own-this-host",
        run->target.host);
    return EXIT_USAGE;
}

static int write_reports(const struct run *run, struct detail *why)
{
    int rc = 0;
    report_text(run, stdout);
    if (fflush(stdout) != 0) {
        detail_set(why, "cannot write the report");
        rc = E_IO;
    }
    if (*run->settings->json && rc == 0)
        rc = report_write_json(run, run->settings->json, why);
    if (*run->settings->html && rc == 0)
        rc = report_write_html(run, run->settings->html, why);
    return rc;
}

static int replay(struct run *run, struct detail *why)
{
    const int signal_fd = signals_start();
    if (signal_fd < 0) {
        detail_set(why, "no signalfd");
        return complain(EXIT_DISK, why);
    }
    int rc = run_replay(run, signal_fd, why);
    if (rc)
        return complain(exit_code(rc), why);
    rc = write_reports(run, why);
    if (rc)
        return complain(EXIT_DISK, why);
    return run->settings->verify && !(run->is_verified && verification_holds(&run->verification))
               ? EXIT_FAILED
               : EXIT_OK;
}

int main(int argc, char **argv)
{
    bool owns_host = false;
    const struct program_flag flags[] = {
        {"i-own-this-host", &owns_host, "send to a host that is not this machine"},
        {NULL, NULL, NULL},
    };
    const struct program_spec spec = {
        .name = NAME,
        .summary =
            "Sends a recorded or made-up sale to a front end, each request at its time whether or not others "
            "were answered,\nand reports what became of every one.",
        .usage = "--trace FILE | --generate SHAPE",
        .flags = flags,
        .config = {.options = replay_table, .passes_over = true},
        .option_section = "replay",
        .exits = "0 fine, 1 a check of --verify fails, 64 bad usage, 69 the front end is not to be had,\n"
                 "             74 a file cannot be written, 78 bad configuration.",
        .check = replay_settings_check,
    };
    struct replay_settings settings;
    struct plan plan = {0};
    struct run run = {.settings = &settings, .plan = &plan};
    struct detail why = {0};
    struct config *config = program_start(&spec, argc, argv, &settings, NULL);
    if (settings.seed == 0) /* within what JSON's readers keep whole */
        settings.seed = clock_wall_ms();
    int code = take_target(&run, owns_host, &why);
    int rc = code ? 0 : make_plan(&plan, &settings, &why);
    if (code)
        complain(code, &why);
    else if (rc)
        code = complain(rc == E_IO || rc == E_CORRUPT || rc == E_NEWER ? EXIT_DISK : EXIT_USAGE, &why);
    else if (*settings.save_trace)
        code = (rc = plan_save(&plan, settings.save_trace, &why)) ? complain(exit_code(rc), &why) : EXIT_OK;
    else
        code = replay(&run, &why);
    run_free(&run);
    plan_free(&plan);
    config_free(config);
    return code;
}
