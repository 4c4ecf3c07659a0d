/* What the tests of the workers' schemas share: an old file, and how SQLite runs a statement. */
#ifndef SECKILL_TESTS_SCHEMA_SUPPORT_H
#define SECKILL_TESTS_SCHEMA_SUPPORT_H

#include "tests/unit/store_support.h"

/* The file as a program of that version left it. */
static inline struct store *open_at_version(struct place *p, const struct migration *all, int version)
{
    struct migration some[16] = {{.version = 0}};
    place_make(p);
    struct store *s = open_or_fail(p, STORE_CREATE);
    assert_in_range(version, 1, 15);
    memcpy(some, all, (size_t)version * sizeof *all);
    assert_int_equal(migrate_apply(s, some, NULL, NULL), 0);
    return s;
}

/* A statement of the hot path builds no table of its own, as a list of more than two values in a CHECK does.
 */
static inline void assert_builds_no_table(struct store *s, const char *sql)
{
    struct statement *plan;
    char explain[1024];
    int steps = 0;
    snprintf(explain, sizeof explain, "EXPLAIN %s", sql);
    assert_int_equal(statement_prepare(&plan, s, explain, NULL), 0);
    for (; statement_next(plan) == 1; steps++) {
        char opcode[40];
        statement_copy_text(plan, 1, opcode, sizeof opcode);
        if (strstr(opcode, "Ephemeral") || strstr(opcode, "Autoindex"))
            fail_msg("%s in: %s", opcode, sql);
    }
    assert_true(steps > 5);
    statement_free(plan);
}

#endif
