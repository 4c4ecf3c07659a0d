/* Whole small files, exclusive lock files, directories. Every message names the path and the reason. */
#include "common/base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/alloc.h"
#include "common/base/log.h"

#define SECRET_MAX 4096
#define READ_SIZE  4096

static int fail(struct detail *why, const char *path, const char *what)
{
    int code = errno == ENOENT || errno == ENOTDIR ? E_NOT_FOUND : E_IO;
    detail_set(why, "%s: %s: %s", path, what, strerror(errno));
    return code;
}

/* Appends all that fd has, if it is at most max bytes; else leaves *out as it was. */
static int read_all(int fd, const char *path, size_t max, struct buffer *out, struct detail *why)
{
    const size_t before = out->len;
    for (;;) {
        size_t have = out->len - before;
        size_t want =
            max - have < READ_SIZE ? max - have + 1 : READ_SIZE; /* one too many shows that it is too large */
        buffer_reserve(out, want);
        ssize_t n = read(fd, out->data + out->len, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            out->len = before;
            return fail(why, path, "cannot read");
        }
        if (n == 0)
            return 0;
        if ((size_t)n > max - have) {
            out->len = before;
            detail_set(why, "%s: larger than %zu bytes", path, max);
            return E_INVALID;
        }
        out->len += (size_t)n;
    }
}

int file_read(const char *path, size_t max, struct buffer *out, struct detail *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(why, path, "cannot open");
    int rc = read_all(fd, path, max, out, why);
    close(fd);
    return rc;
}

static void warn_if_open_to_others(int fd, const char *path)
{
    struct stat st;
    char quoted[256];
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
        log_warn("secret_readable_by_all", "path=%s mode=%04o", log_quote(path, quoted, sizeof(quoted)),
                 (unsigned)st.st_mode & 07777u);
}

int file_read_secret(const char *path, size_t min, struct buffer *out, struct detail *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(why, path, "cannot open");
    warn_if_open_to_others(fd, path);

    struct buffer secret = {0};
    buffer_reserve(&secret,
                   SECRET_MAX + 1); /* all at once: growing would leave copies behind in freed memory */
    int rc = read_all(fd, path, SECRET_MAX, &secret, why);
    close(fd);
    while (rc == 0 && secret.len > 0 && isspace((unsigned char)secret.data[secret.len - 1]))
        secret.len--;
    if (rc == 0 && secret.len < min) {
        detail_set(why, "%s: a secret of %zu bytes; at least %zu are needed", path, secret.len, min);
        rc = E_INVALID;
    }
    if (rc == 0)
        buffer_add(out, secret.data, secret.len);
    file_wipe(&secret);
    return rc;
}

void file_wipe(struct buffer *secret)
{
    if (secret && secret->data)
        explicit_bzero(secret->data, secret->cap);
    buffer_free(secret);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int make_one(const char *path, struct detail *why)
{
    struct stat st;
    if (mkdir(path, 0750) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    detail_set(why, "%s: cannot make the directory: %s", path, strerror(errno));
    return E_IO;
}

int dir_make(const char *path, struct detail *why)
{
    char *partial = xstrdup(path);
    int rc = 0;
    for (char *p = partial + strspn(partial, "/"); rc == 0 && *p != '\0';) {
        char *end = p + strcspn(p, "/");
        char after = *end;
        *end = '\0';
        rc = make_one(partial, why);
        *end = after;
        p = end + strspn(end, "/");
    }
    free(partial);
    return rc;
}

int file_lock(const char *path, struct detail *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        detail_set(why, "%s: cannot open: %s", path, strerror(errno));
        return E_IO;
    }
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return fd;
    int code = errno == EAGAIN || errno == EACCES ? E_BUSY : E_IO;
    detail_set(why, "%s: %s", path, code == E_BUSY ? "locked by another process" : strerror(errno));
    close(fd);
    return code;
}

int dir_sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash == NULL ? xstrdup(".") : slash == path ? xstrdup("/") : xstrdup(path);
    if (slash && slash != path)
        parent[slash - path] = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (fd < 0)
        return E_IO;
    int rc = fsync(fd) == 0 ? 0 : E_IO;
    close(fd);
    return rc;
}
