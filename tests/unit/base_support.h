/* For the tests of common/base: a folder of one's own, and a child process with what it printed. */
#ifndef SECKILL_TESTS_BASE_SUPPORT_H
#define SECKILL_TESTS_BASE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE   512
#define OUTPUT_SIZE 65536

/* ---- A folder ---- */

struct temp_dir {
    char path[PATH_SIZE / 2];
};

static inline void temp_dir_make(struct temp_dir *d)
{
    const char *base = getenv("TMPDIR");
    snprintf(d->path, sizeof(d->path), "%s/seckill-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(d->path));
}

static inline const char *temp_path(const struct temp_dir *d, const char *name, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/%s", d->path, name);
    return out;
}

static inline void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir) {
        unlink(path);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char inner[PATH_SIZE];
        snprintf(inner, sizeof(inner), "%.200s/%.255s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(inner);
        else
            unlink(inner);
    }
    closedir(dir);
    rmdir(path);
}

static inline void temp_dir_remove(struct temp_dir *d)
{
    remove_tree(d->path);
}

static inline void write_bytes(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *path, const char *text)
{
    write_bytes(path, text, strlen(text));
}

/* ---- What is printed ---- */

/* Reads until the other side is closed. */
static inline void read_to_end(int fd, char out[OUTPUT_SIZE])
{
    size_t len = 0;
    ssize_t n;
    while (len < OUTPUT_SIZE - 1 && (n = read(fd, out + len, OUTPUT_SIZE - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
}

struct child_result {
    int exit_code; /* -1: ended by a signal */
    int signal;
    char out[OUTPUT_SIZE];
    char err[OUTPUT_SIZE];
};

/* Runs child(context) in a process of its own and waits for its end. Its stdout goes through a file, so that
 * the two pipes cannot fill up on each other. */
static inline void run_child(void (*child)(void *context), void *context, struct child_result *r)
{
    int err[2];
    FILE *out = tmpfile();
    assert_non_null(out);
    assert_int_equal(pipe(err), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        close(err[0]);
        close(err[1]);
        child(context);
        fflush(NULL);
        _exit(0);
    }
    close(err[1]);
    read_to_end(err[0], r->err);
    close(err[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    lseek(fileno(out), 0, SEEK_SET);
    read_to_end(fileno(out), r->out);
    fclose(out);
}

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr((text), (part)))                                                                         \
            fail_msg("\"%s\" is not in \"%s\"", (part), (text));                                             \
    } while (0)

#define assert_lacks(text, part)                                                                             \
    do {                                                                                                     \
        if (strstr((text), (part)))                                                                          \
            fail_msg("\"%s\" must not be in \"%s\"", (part), (text));                                        \
    } while (0)

#endif
