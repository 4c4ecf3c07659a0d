/* The machine that this runs on, by /proc. */
#include "loadtest/replay/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static void read_model(char *out, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(out, size, "unknown");
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out, size, "%s", colon);
        break;
    }
    if (f)
        fclose(f);
}

void machine_describe(struct machine *m)
{
    struct utsname u;
    memset(m, 0, sizeof *m);
    read_model(m->cpu, sizeof m->cpu);
    if (uname(&u) == 0)
        snprintf(m->system, sizeof m->system, "%.60s %.60s %.60s", u.sysname, u.release, u.machine);
    m->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->memory_mib = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static double seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

void machine_time(struct machine_time *t)
{
    enum { IDLE = 3, IOWAIT = 4, COLUMNS = 8 };
    unsigned long long v[COLUMNS] = {0};
    struct rusage usage;
    const double hertz = (double)sysconf(_SC_CLK_TCK);
    FILE *f = fopen("/proc/stat", "r");
    *t = (struct machine_time){0};
    if (f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4],
                    &v[5], &v[6], &v[7]) == COLUMNS)
        for (int i = 0; i < COLUMNS; i++) {
            t->all += (double)v[i] / hertz;
            t->busy += i == IDLE || i == IOWAIT ? 0 : (double)v[i] / hertz;
        }
    if (f)
        fclose(f);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        t->process = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
}

double machine_busy_cores(const struct machine_time *from, const struct machine_time *to, int cores)
{
    return to->all > from->all ? (to->busy - from->busy) / (to->all - from->all) * cores : 0;
}
