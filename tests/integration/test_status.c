/* What is told of an order afterwards: one stack for the files in status/. */
#include "tests/integration/groups.h"

int main(void)
{
    static const struct test_group *const groups[] = {&order_status_tests, &packet_status_tests, NULL};
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};

    return run_groups_with_stack(groups, sets);
}
