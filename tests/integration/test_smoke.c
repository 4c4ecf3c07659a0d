/* The shortest proof that a build works as a whole: a stack, an item, 2000 orders, all decided, the audit. */
#include "tests/support/check.h"
#include "tests/support/ctl.h"
#include "tests/support/orders.h"

static void test_two_thousand_orders_are_decided(void **state)
{
    struct stack *s = *state;
    struct orders_tally tally;
    struct load *l;

    assert_int_equal(item_put(s, &(struct item_terms){.sku = "phone", .stock = 1500}), 0);
    l = load_run(&(struct load_spec){
        .port = s->http_port, .connections = 64, .max_orders = 2000, .seconds = 120, .sku = "phone"});
    assert_int_equal(load_count(l), 2000);
    assert_int_equal(load_count_status(l, 202) + load_count_code(l, "sold_out"), 2000);
    assert_load_is_accounted_for(s, l, "phone", 1500, &tally);
    assert_int_equal(tally.confirmed, 1500);
    load_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_thousand_orders_are_decided), STACK_END};

    stack_folder("st\xc3\xa4nd 1"); /* people have such folders */
    return run_with_stack("smoke", tests, sizeof tests / sizeof *tests, NULL);
}
