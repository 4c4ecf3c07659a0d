/* Finding processes by what /proc says of them. */
#include "tests/support/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/clock.h"

static bool has_environment(const char *pid, const char *entry)
{
    struct text environment = {0};
    char path[64];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%.16s/environ", pid);
    if (text_add_file(&environment, path) == 0) {
        for (size_t at = 0; at < environment.len && !found; at += strlen(environment.data + at) + 1)
            found = strcmp(environment.data + at, entry) == 0;
    }
    text_free(&environment);
    return found;
}

/* The letter for what it does: 'R', 'S', 'T', 'Z', …; 'X' if there is no such process or thread any more. */
static char state_of(const char *stat_path)
{
    char line[512] = "";
    const char *after_name;
    FILE *file = fopen(stat_path, "re");

    if (!file)
        return 'X';
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    after_name = strrchr(line, ')');
    return after_name && strlen(after_name) > 2 ? after_name[2] : 'X';
}

static bool is_zombie(const char *pid)
{
    char path[64], state;

    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    state = state_of(path);
    return state == 'Z' || state == 'X';
}

static bool runs_program(const char *pid, const char *program)
{
    char path[64], target[4096];
    const char *name;
    ssize_t len;

    snprintf(path, sizeof path, "/proc/%.16s/exe", pid);
    len = readlink(path, target, sizeof target - 1);
    if (len <= 0)
        return false;
    target[len] = '\0';
    name = strrchr(target, '/');
    return strcmp(name ? name + 1 : target, program) == 0;
}

/* The parent runs the program too: this is its fork, or the leak sanitizer's look at it while it exits. */
static bool is_fork_of(const char *pid, const char *program)
{
    char path[64], line[512] = "", parent[16];
    const char *after_name;
    int ppid = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    after_name = strrchr(line, ')');
    if (!after_name || sscanf(after_name, ") %*c %d", &ppid) != 1)
        return false;
    snprintf(parent, sizeof parent, "%d", ppid);
    return runs_program(parent, program);
}

int process_find(const char *environment_entry, const char *program, pid_t *pids, int max)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int found = 0;

    if (!proc)
        return 0;
    while ((entry = readdir(proc))) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || pid == getpid() || !has_environment(entry->d_name, environment_entry) ||
            (program && (!runs_program(entry->d_name, program) || is_fork_of(entry->d_name, program))) ||
            is_zombie(entry->d_name))
            continue;
        if (found < max)
            pids[found] = (pid_t)pid;
        found++;
    }
    closedir(proc);
    return found;
}

/* The inode of the socket that listens (state 0A) on this port; 0 if there is none. */
static uint64_t listening_inode(const char *table, int port)
{
    char line[512];
    uint64_t inode, result = 0;
    unsigned local_port, state;
    FILE *file = fopen(table, "re");

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
                   &local_port, &state, &inode) == 3 &&
            state == 0x0A && local_port == (unsigned)port)
            result = inode;
    }
    fclose(file);
    return result;
}

static bool holds_socket(pid_t pid, uint64_t inode)
{
    char path[600], target[64], wanted[64];
    const struct dirent *entry;
    bool found = false;
    DIR *fds;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    fds = opendir(path);
    if (!fds)
        return false;
    while (!found && (entry = readdir(fds))) {
        ssize_t len;

        snprintf(path, sizeof path, "/proc/%d/fd/%.255s", (int)pid, entry->d_name);
        len = readlink(path, target, sizeof target - 1);
        if (len > 0) {
            target[len] = '\0';
            found = strcmp(target, wanted) == 0;
        }
    }
    closedir(fds);
    return found;
}

static bool stands_still(void *context)
{
    char path[600];
    const struct dirent *entry;
    bool still = true;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)*(const pid_t *)context);
    tasks = opendir(path);
    if (!tasks)
        return false;
    while (still && (entry = readdir(tasks))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.255s/stat", (int)*(const pid_t *)context, entry->d_name);
        still = state_of(path) == 'T';
    }
    closedir(tasks);
    return still;
}

int process_freeze(pid_t pid)
{
    return kill(pid, SIGSTOP) == 0 && wait_until(stands_still, &pid, 10) ? 0 : -1;
}

pid_t process_listening_on(const char *environment_entry, int port)
{
    pid_t pids[64];
    int count = process_find(environment_entry, NULL, pids, 64);
    uint64_t inode = listening_inode("/proc/net/tcp", port);

    if (!inode)
        inode = listening_inode("/proc/net/tcp6", port);
    for (int i = 0; inode && i < count && i < 64; i++) {
        if (holds_socket(pids[i], inode))
            return pids[i];
    }
    return -1;
}
