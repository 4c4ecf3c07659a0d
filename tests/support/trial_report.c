/* The outcome of a trial, for people and for the report that adds them up. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/support/trial_internal.h"

int64_t trial_violations(const struct trial_verdict *v)
{
    return v->lost + v->doubled + v->oversold + v->undersold + v->told_wrongly + v->audit_failed;
}

static void print_line(const struct trial_spec *spec, const struct trial_verdict *v, const char *remark)
{
    fprintf(stderr,
            "trial area=%s process=%s fault=\"%s\" how=\"%s\" seed=%" PRIu64 " offered=%" PRId64
            " accepted=%" PRId64 " refused=%" PRId64 " unknown=%" PRId64 " lost=%" PRId64 " doubled=%" PRId64
            " oversold=%" PRId64 " undersold=%" PRId64 " told_wrongly=%" PRId64 " audit=%s heal_ms=%" PRId64
            "%s%s\n",
            spec->area, spec->process, spec->fault, spec->how, spec->seed, v->offered, v->accepted,
            v->refused, v->unknown, v->lost, v->doubled, v->oversold, v->undersold, v->told_wrongly,
            v->audit_failed ? "FAILED" : "holds", v->heal_ms, remark[0] ? " " : "", remark);
}

/* One write(2) to a file opened for appending: several programs may share it. */
static void append_line(const char *path, char *line)
{
    struct text text = {0};
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    text_format(&text, "%s\n", line);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)
        perror(path);
    if (fd >= 0)
        close(fd);
    text_free(&text);
}

void trial_report(const struct trial_spec *spec, const struct trial_verdict *v, const char *remark)
{
    const char *path = getenv("SECKILL_TRIALS");
    json_t *line;
    char *text;

    print_line(spec, v, remark);
    if (!path || !*path)
        return;
    line = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:s}",
                     "area", spec->area, "process", spec->process, "fault", spec->fault, "how", spec->how,
                     "seed", (json_int_t)spec->seed, "offered", (json_int_t)v->offered, "accepted",
                     (json_int_t)v->accepted, "refused", (json_int_t)v->refused, "unknown",
                     (json_int_t)v->unknown, "lost", (json_int_t)v->lost, "doubled", (json_int_t)v->doubled,
                     "oversold", (json_int_t)v->oversold, "undersold", (json_int_t)v->undersold,
                     "told_wrongly", (json_int_t)v->told_wrongly, "audit_failed", v->audit_failed, "heal_ms",
                     (json_int_t)v->heal_ms, "remark", remark);
    text = json_dumps(line, JSON_COMPACT);
    append_line(path, text ? text : "{}");
    free(text);
    json_decref(line);
}
