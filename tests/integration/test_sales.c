/* What is sold, and to whom: one stack for the files in sales/. */
#include "tests/integration/groups.h"

int main(void)
{
    static const struct test_group *const groups[] = {&stock_tests, &keys_tests, NULL};
    static const char *const sets[] = {"admission.user_rate=0", "admission.max_rate=0", NULL};

    return run_groups_with_stack(groups, sets);
}
