/* The tests of the folders here, by file. Each folder is one program with one stack: test_requests.c and so
 * on. */
#ifndef SECKILL_TESTS_INTEGRATION_GROUPS_H
#define SECKILL_TESTS_INTEGRATION_GROUPS_H

#include "tests/support/check.h"

/* requests: what is sent, and answered at once. */
extern const struct test_group answers_tests, bad_input_tests, odd_clients_tests, messages_tests, pages_tests;

/* sales: what is sold, and to whom. */
extern const struct test_group stock_tests, keys_tests;

/* status: what is told of an order afterwards. */
extern const struct test_group order_status_tests, packet_status_tests;

#endif
