/*
 * Log lines: built on the stack and written with one write(2), so that lines of several threads do not mix
 * and nothing is allocated or locked. What cannot be written is lost: there is nowhere to complain.
 */
#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"

#define LINE_SIZE 4096 /* with "\n"; PIPE_BUF, so a line goes into a pipe whole */
#define CUT_MARK  "..."

static const char *program_name = "seckill";
static bool to_journal;
static _Atomic int threshold = LOG_LEVEL_INFO;

static const struct {
    const char *name;
    int priority; /* of syslog(3) */
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"debug", 7},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_ERROR] = {"error", 3},
};

/* $JOURNAL_STREAM names the device and inode that a service's stderr had; a child whose stderr was sent
 * elsewhere inherits the variable all the same (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (!stream || fstat(STDERR_FILENO, &st) != 0)
        return false;
    char wanted[48];
    snprintf(wanted, sizeof(wanted), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(stream, wanted) == 0;
}

void log_start(const char *program)
{
    program_name = program;
    to_journal = stderr_is_journal();
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* U+0080–U+009F, which terminals obey too. */
static bool is_c1_control(const char *p)
{
    return (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 && (unsigned char)p[1] <= 0x9f;
}

/* By length: a NUL that came in by "%c" must not hide what follows it. There is one behind the text, too. */
static void replace_controls(char *text, size_t len)
{
    for (char *p = text; p < text + len; p++) {
        if (is_c1_control(p)) {
            *p++ = '?';
            *p = '?';
        } else if (is_control((unsigned char)*p)) {
            *p = '?';
        }
    }
}

/* Puts the mark at the end of a text that fills its space, without leaving half a character before it. */
static size_t mark_cut(char *text, size_t size)
{
    size_t end = size - 1 - strlen(CUT_MARK);
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, CUT_MARK, sizeof(CUT_MARK));
    return end + strlen(CUT_MARK);
}

static size_t put_head(char *line, size_t size, enum log_level level, const char *event)
{
    char head[RFC3339_SIZE + 8];
    if (to_journal) {
        snprintf(head, sizeof(head), "<%d>", levels[level].priority);
    } else {
        char now[RFC3339_SIZE];
        snprintf(head, sizeof(head), "%s ", rfc3339_format(clock_wall_ms(), now));
    }
    int len = snprintf(line, size, "%s%s %s %s", head, levels[level].name, program_name, event);
    return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

static void write_line(enum log_level level, const char *event, const char *format, va_list args)
{
    int saved = errno; /* logging is often done between a failed call and the look at errno */
    char line[LINE_SIZE];
    const size_t size = sizeof(line); /* "\n" will take the place of the NUL */
    size_t len = put_head(line, size, level, event);
    if (*format && len + 1 < size) {
        line[len++] = ' ';
        int more = vsnprintf(line + len, size - len, format, args);
        if (more < 0)
            line[len] = '\0';
        else if ((size_t)more >= size - len)
            len = mark_cut(line, size);
        else
            len += (size_t)more;
    }
    replace_controls(line, len);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* lost, if it failed */
    errno = saved;
}

bool log_wants(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_debug(const char *event, const char *format, ...)
{
    if (!log_wants(LOG_LEVEL_DEBUG))
        return;
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_DEBUG, event, format, args);
    va_end(args);
}

void log_info(const char *event, const char *format, ...)
{
    if (!log_wants(LOG_LEVEL_INFO))
        return;
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_INFO, event, format, args);
    va_end(args);
}

void log_warn(const char *event, const char *format, ...)
{
    if (!log_wants(LOG_LEVEL_WARN))
        return;
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_WARN, event, format, args);
    va_end(args);
}

void log_error(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_ERROR, event, format, args);
    va_end(args);
}

_Noreturn void log_fatal(int exit_code, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_ERROR, event, format, args);
    va_end(args);
    exit(exit_code);
}

_Noreturn void log_panic(const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(LOG_LEVEL_ERROR, event, format, args);
    va_end(args);
    abort();
}

/* Bytes of the well-formed UTF-8 character at p (RFC 3629, 4), 0 if there is none. A NUL stops it. */
static size_t utf8_length(const unsigned char *p)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
    bool too_large = p[0] == 0xf4 && p[1] >= 0x90;
    return len > 1 && (overlong || surrogate || too_large) ? 0 : len;
}

/* The letter behind the backslash for those that have one, else 0. */
static char escape_letter(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return '\0';
    }
}

/* Writes the character at *text as it stands between quotes, at most 4 bytes, and moves *text behind it. */
static size_t escape_char(const char **text, char out[4])
{
    const char *p = *text;
    const size_t len = utf8_length((const unsigned char *)p);
    const char letter = escape_letter(*p);
    if (letter) {
        out[0] = '\\';
        out[1] = letter;
        *text = p + 1;
        return 2;
    }
    if (len == 0 || is_control((unsigned char)*p) || is_c1_control(p)) {
        static const char hex[] = "0123456789abcdef";
        out[0] = '\\';
        out[1] = 'x';
        out[2] = hex[(unsigned char)*p >> 4];
        out[3] = hex[*p & 15];
        *text = p + 1; /* the second byte of a C1 control is no character of its own, so it is escaped next */
        return 4;
    }
    memcpy(out, p, len);
    *text = p + len;
    return len;
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0')
        return true;
    for (const char *p = text; *p != '\0';) {
        char escaped[4];
        const char *before = p;
        size_t len = escape_char(&p, escaped);
        if (*before == ' ' || *before == '=' || len != (size_t)(p - before))
            return true;
    }
    return false;
}

const char *log_quote(const char *text, char *out, unsigned long out_size)
{
    size_t len = strlen(text);
    if (len < out_size && !needs_quotes(text))
        return memcpy(out, text, len + 1);
    if (out_size < sizeof("\"" CUT_MARK "\"")) { /* no room for anything honest */
        if (out_size > 0)
            out[0] = '\0';
        return out;
    }

    char *p = out;
    const char *const end = out + out_size - sizeof(CUT_MARK "\"");
    *p++ = '"';
    while (*text != '\0') {
        char escaped[4];
        size_t n = escape_char(&text, escaped);
        if (n > (size_t)(end - p)) {
            p = (char *)memcpy(p, CUT_MARK, strlen(CUT_MARK)) + strlen(CUT_MARK);
            break;
        }
        p = (char *)memcpy(p, escaped, n) + n;
    }
    *p++ = '"';
    *p = '\0';
    return out;
}
