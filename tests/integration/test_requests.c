/* What is sent to a front end, or to its queue, and answered at once: one stack for the files in requests/.
 */
#include "tests/integration/groups.h"

int main(void)
{
    static const struct test_group *const groups[] = {&answers_tests,  &bad_input_tests, &odd_clients_tests,
                                                      &messages_tests, &pages_tests,     NULL};
    /* A few users send most of the orders. */
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", "log.orders=on",
                                       NULL};

    return run_groups_with_stack(groups, sets);
}
