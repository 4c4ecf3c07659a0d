/* Child processes, adopted ones too. */
#include "tests/support/process.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct ended {
    pid_t pid;
    int status;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct ended *ended; /* newest last: an id may come back */
static size_t ended_count, ended_capacity;
static unsigned started; /* how many were started, so that the reaper looks again */

static void remember(pid_t pid, int raw)
{
    if (ended_count == ended_capacity) {
        ended_capacity = ended_capacity ? ended_capacity * 2 : 64;
        ended = realloc(ended, ended_capacity * sizeof *ended);
        if (!ended)
            abort();
    }
    ended[ended_count++] =
        (struct ended){.pid = pid, .status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw)};
}

static void *reap(void *unused)
{
    siginfo_t info;
    unsigned seen;
    int raw;

    (void)unused;
    for (;;) {
        pthread_mutex_lock(&lock);
        seen = started;
        pthread_mutex_unlock(&lock);
        /* Looked at first and reaped under the lock: until then its id belongs to nobody else. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0) {
            pthread_mutex_lock(&lock);
            if (waitpid(info.si_pid, &raw, WNOHANG) > 0)
                remember(info.si_pid, raw);
            pthread_cond_broadcast(&changed);
            pthread_mutex_unlock(&lock);
        } else if (errno == ECHILD) {
            pthread_mutex_lock(&lock);
            while (seen == started)
                pthread_cond_wait(&changed, &lock);
            pthread_mutex_unlock(&lock);
        }
    }
    return NULL;
}

int process_adopt_orphans(void)
{
    pthread_condattr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int failed;

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -1;
    signal(SIGPIPE, SIG_IGN);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, NULL, reap, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return -1;
    pthread_detach(thread);
    return 0;
}

/* Our own environment with the extra entries in place of those of the same name. */
static char **environment_with(const char *const extra[])
{
    size_t own = 0, more = 0, count = 0;
    char **result;

    while (environ[own])
        own++;
    while (extra && extra[more])
        more++;
    result = take_memory((own + more + 1) * sizeof *result);
    for (size_t i = 0; i < own; i++) {
        bool replaced = false;

        for (size_t j = 0; j < more; j++)
            replaced |= strncmp(environ[i], extra[j], (size_t)(strchr(extra[j], '=') - extra[j]) + 1) == 0;
        if (!replaced)
            result[count++] = environ[i];
    }
    for (size_t j = 0; j < more; j++)
        result[count++] = (char *)(uintptr_t)extra[j];
    return result;
}

static pid_t start(const char *const argv[], const char *const extra[], int in, int out, int err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    char **environment = environment_with(extra);
    pid_t pid;
    int failed;

    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, 0);
    else
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (err >= 0)
        posix_spawn_file_actions_adddup2(&actions, err, 2);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    /* Under the lock, so that an older process of the same id is forgotten before this one can end. */
    pthread_mutex_lock(&lock);
    failed = posix_spawnp(&pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environment);
    if (!failed) {
        for (size_t i = 0; i < ended_count; i++) {
            if (ended[i].pid == pid)
                ended[i].pid = 0;
        }
        started++;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return failed ? -1 : pid;
}

pid_t process_start(const char *const argv[], const char *const extra_environment[], const char *output_path)
{
    int out = output_path ? open(output_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    pid_t pid = start(argv, extra_environment, -1, out, out);

    if (out >= 0)
        close(out);
    return pid;
}

static bool find_ended(pid_t pid, int *status)
{
    for (size_t i = ended_count; i-- > 0;) {
        if (ended[i].pid == pid) {
            *status = ended[i].status;
            return true;
        }
    }
    return false;
}

bool process_wait(pid_t pid, int seconds, int *status)
{
    struct timespec deadline;
    bool found;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += seconds;
    pthread_mutex_lock(&lock);
    while (!(found = find_ended(pid, status))) {
        if (pthread_cond_timedwait(&changed, &lock, &deadline) == ETIMEDOUT) {
            found = find_ended(pid, status);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void add_descriptor(struct text *t, int fd)
{
    char chunk[65536];
    ssize_t len;

    lseek(fd, 0, SEEK_SET);
    while ((len = read(fd, chunk, sizeof chunk)) > 0)
        text_add(t, chunk, (size_t)len);
    close(fd);
}

/* Files in memory, not pipes: a process that stays behind with our end open must not make us wait for it. */
void process_run(const char *const argv[], const char *const extra_environment[], const char *input,
                 int seconds, struct process_output *result)
{
    int in = memfd_create("input", MFD_CLOEXEC);
    int out = memfd_create("output", MFD_CLOEXEC);
    int err = memfd_create("errors", MFD_CLOEXEC);
    pid_t pid = -1;

    *result = (struct process_output){.status = -1};
    if (in >= 0 && out >= 0 && err >= 0 &&
        (!input || write(in, input, strlen(input)) == (ssize_t)strlen(input))) {
        lseek(in, 0, SEEK_SET);
        pid = start(argv, extra_environment, in, out, err);
    }
    if (pid > 0 && !process_wait(pid, seconds, &result->status)) {
        kill(pid, SIGKILL);
        result->status = -1;
        text_format(&result->err, "[killed: not done after %d s]\n", seconds);
    }
    close(in);
    add_descriptor(&result->out, out);
    add_descriptor(&result->err, err);
}

void process_output_free(struct process_output *result)
{
    text_free(&result->out);
    text_free(&result->err);
}
