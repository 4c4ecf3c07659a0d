/* cmocka with what its header needs before it, and the assertions that tests with real processes share. */
#ifndef SECKILL_TESTS_CHECK_H
#define SECKILL_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/http_wire.h"
#include "tests/support/stack.h"

/* Runs the tests against one stack, brought up with these settings ("section.key=value"; ends with NULL) and
 * passed as their state; its folder is kept if one fails. Returns what main returns. */
int run_with_stack(const char *name, const struct CMUnitTest *tests, size_t count, const char *const sets[]);

/* The tests of one file, for a program that runs several files' on one stack. */
struct test_group {
    const char *name;
    const struct CMUnitTest *tests;
    size_t count;
};

/* Runs them (ends with NULL) one group after the other, and STACK_END at last; before each group
 * everything_runs. A group that fails does not keep the others from their turn. As run_with_stack. */
int run_groups_with_stack(const struct test_group *const groups[], const char *const sets[]);

/* The last two tests of every run_with_stack. */
void test_audit_passes(void **state);
void test_stack_ends_cleanly(void **state);
#define STACK_END cmocka_unit_test(test_audit_passes), cmocka_unit_test(test_stack_ends_cleanly)

/* For a test's setup, where one before it stops services: starts what does not run and waits until it is
 * ready. */
int everything_runs(void **state);

/* Sends the order and fails the test if there is no answer. */
void post_order(struct stack *s, const char *headers, const char *body, struct http_response *response);

/* Is it an error of this status and code, as problem+json with type, title, status, code and detail? Fails
 * otherwise. Returns the parsed body, to be freed. */
json_t *assert_problem(const struct http_response *response, int status, const char *code);

/* A 202 with order_id, status "accepted" and a Location that names it. Copies the id. */
void assert_accepted(const struct http_response *response, char order_id[27]);

/* Retry-After: whole seconds, 1 to 60. */
void assert_retry_after(const struct http_response *response);

/* Waits until the order has this status for the front end; fails otherwise. Returns the body of GET, to be
 * freed. */
json_t *assert_becomes(struct stack *s, const char *order_id, const char *status);

#endif
