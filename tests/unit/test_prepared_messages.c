/* What is worked out of a body before its transaction: each line's own text, and nothing of a line that has
 * to be looked at as a whole. */
#include "tests/unit/store_support.h"

#include "common/pipeline/settings.h"
#include "services/notification/prepared_messages.h"
#include "services/notification/retry_line.h"
#include "tests/unit/notification_support.h"

static void compose(const struct sink_message *m, struct buffer *out)
{
    buffer_printf(out, "<%s %lld %.*s>", event_order_id(m->event), (long long)m->attempt, (int)m->text.len,
                  m->text.data);
}

struct fixture {
    struct templates *templates;
    struct sink_ops ops;
    struct sink sink;
    struct message_preparer preparer;
    struct buffer body;
};

static int set_up(void **state)
{
    static const char text[] =
        "order.confirmed: bought {order_id}\norder.rejected: no: {reason}\n"
        "redpacket.granted: packet\nreason.sold_out: sold out\nreason.limit_exceeded: l\n"
        "reason.sale_not_started: s\nreason.sale_ended: e\nreason.unknown_item: u\n"
        "reason.sale_paused: p\n";
    struct fixture *f = calloc(1, sizeof *f);
    struct detail why = {.text = ""};
    if (templates_parse(&f->templates, "test", slice_of(text), &why) != 0)
        fail_msg("%s", why.text);
    f->ops.compose = compose;
    f->sink.ops = &f->ops;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    templates_free(f->templates);
    message_preparer_free(&f->preparer);
    buffer_free(&f->body);
    free(f);
    return 0;
}

static struct prepared_messages *prepare(struct fixture *f)
{
    return prepare_messages(&f->preparer, (struct slice){.data = f->body.data, .len = f->body.len},
                            f->templates, &f->sink);
}

static void assert_prepared(const struct prepared_messages *m, int64_t number, enum event_kind kind,
                            int order, const char *text)
{
    struct slice composed;
    char id[ORDER_ID_SIZE];
    const struct prepared_message *p = prepared_message(m, number, &composed);
    number_order(id, order);
    assert_non_null(p);
    assert_string_equal(p->order_id, id);
    assert_int_equal(p->kind, kind);
    assert_int_equal(p->at_ms, 1795348800456);
    if (!slice_is(composed, text))
        fail_msg("line %d: %.*s, not %s", (int)number, (int)composed.len, composed.data, text);
}

static void test_each_line_has_its_own(void **state)
{
    struct fixture *f = *state;
    add_event_line(&f->body, EVENT_KIND_CONFIRMED, 1);
    add_event_line(&f->body, EVENT_KIND_REJECTED, 2);
    add_event_line(&f->body, EVENT_KIND_GRANTED, 3);
    struct prepared_messages *m = prepare(f);
    assert_prepared(m, 1, EVENT_KIND_CONFIRMED, 1,
                    "<01JDXWBXG00000000000000001 1 bought 01JDXWBXG00000000000000001>");
    assert_prepared(m, 2, EVENT_KIND_REJECTED, 2, "<01JDXWBXG00000000000000002 1 no: sold out>");
    assert_prepared(m, 3, EVENT_KIND_GRANTED, 3, "<01JDXWBXG00000000000000003 1 packet>");
    free(m);
}

static void test_lines_to_be_looked_at_are_left_alone_and_counted(void **state)
{
    struct fixture *f = *state;
    struct buffer event = {0};
    struct slice composed;
    buffer_add_text(&f->body, "garbage\n");
    add_event_line(&event, EVENT_KIND_CONFIRMED, 1);
    retry_line_encode(&f->body, (struct slice){.data = event.data, .len = event.len - 1}, 2);
    buffer_add_text(&f->body, "\n{\"v\":1,\"event\":\"order.exported\"}\n");
    add_event_line(&f->body, EVENT_KIND_GRANTED, 4);
    f->body.len--; /* the last line may end without its "\n" */
    struct prepared_messages *m = prepare(f);
    for (int64_t number = 1; number <= 3; number++) /* an empty line is none */
        assert_null(prepared_message(m, number, &composed));
    assert_prepared(m, 4, EVENT_KIND_GRANTED, 4, "<01JDXWBXG00000000000000004 1 packet>");
    assert_null(prepared_message(m, 5, &composed));
    assert_null(prepared_message(m, 0, &composed));
    free(m);
    buffer_free(&event);
}

static void test_an_empty_body_has_none(void **state)
{
    struct fixture *f = *state;
    struct slice composed;
    struct prepared_messages *m = prepare(f);
    assert_null(prepared_message(m, 1, &composed));
    assert_null(prepared_message(NULL, 1, &composed));
    free(m);
}

static void test_what_was_prepared_before_stays(void **state)
{
    struct fixture *f = *state;
    add_event_line(&f->body, EVENT_KIND_GRANTED, 1);
    struct prepared_messages *first = prepare(f);
    buffer_clear(&f->body);
    for (int i = 2; i < 500; i++)
        add_event_line(&f->body, EVENT_KIND_GRANTED, i);
    struct prepared_messages *second = prepare(f);
    assert_prepared(first, 1, EVENT_KIND_GRANTED, 1, "<01JDXWBXG00000000000000001 1 packet>");
    assert_prepared(second, 498, EVENT_KIND_GRANTED, 499, "<01JDXWBXG00000000000000499 1 packet>");
    free(first);
    free(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_line_has_its_own),
        TEST(test_lines_to_be_looked_at_are_left_alone_and_counted),
        TEST(test_an_empty_body_has_none),
        TEST(test_what_was_prepared_before_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
