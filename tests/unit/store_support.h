/* A folder of its own for each test, and the few SQL questions that tests ask. */
#ifndef SECKILL_TESTS_STORE_SUPPORT_H
#define SECKILL_TESTS_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "common/store/migrate.h"
#include "common/store/statement.h"
#include "common/store/store.h"

struct place {
    char dir[64];
    char path[128]; /* of the database, which does not exist yet */
};

static inline void place_make(struct place *p)
{
    snprintf(p->dir, sizeof p->dir, "/tmp/seckill_test_XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/test.db", p->dir);
}

static inline void place_remove(const struct place *p)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s%s", p->path, endings[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(p->dir), 0);
}

static inline struct store *open_or_fail(const struct place *p, enum store_mode mode)
{
    struct store *s = NULL;
    struct detail why = {.text = ""};
    if (store_open(&s, p->path, mode, &why) != 0)
        fail_msg("%s", why.text);
    return s;
}

static inline int64_t ask_int(struct store *s, const char *sql)
{
    struct statement *st = NULL;
    struct detail why = {.text = ""};
    if (statement_prepare(&st, s, sql, &why) != 0)
        fail_msg("%s", why.text);
    assert_int_equal(statement_next(st), 1);
    int64_t value = statement_int(st, 0);
    statement_free(st);
    return value;
}

static inline void do_sql(struct store *s, const char *sql)
{
    if (store_execute(s, sql) != 0)
        fail_msg("%s: %s", sql, store_error(s));
}

/* From here on the disk is full: the file may not grow any more. */
static inline void make_full(struct store *s)
{
    ask_int(s, "PRAGMA max_page_count = 1");
}

static inline void make_room(struct store *s)
{
    ask_int(s, "PRAGMA max_page_count = 1000000");
}

#endif
