/* The words for buyers: what is rendered is what the event says, and a file that is not fit is refused by
 * name. */
#include "tests/unit/store_support.h"

#include <time.h>

#include "services/notification/templates.h"
#include "tests/unit/notification_support.h"

#define REASON_LINES                                                                                         \
    "reason.sold_out: gone\nreason.limit_exceeded: too many\nreason.unknown_item: unknown\n"                 \
    "reason.sale_not_started: early\nreason.sale_ended: late\nreason.sale_paused: paused\n"
#define KIND_LINES                                                                                           \
    "order.confirmed: ok {order_id}\norder.rejected: no {reason}\nredpacket.granted: take {amount}\n"
#define WHOLE KIND_LINES REASON_LINES

static struct templates *parse(const char *text)
{
    struct templates *t = NULL;
    struct detail why = {.text = ""};
    if (templates_parse(&t, "test.conf", slice_of(text), &why) != 0)
        fail_msg("%s", why.text);
    return t;
}

static void refused(const char *text, size_t len, const char *const names[])
{
    struct templates *t = NULL;
    struct detail why = {.text = ""};
    int error = templates_parse(&t, "test.conf", (struct slice){.data = text, .len = len}, &why);
    if (error != E_INVALID)
        fail_msg("%d for: %.*s", error, (int)len, text);
    assert_null(t);
    for (size_t i = 0; names[i]; i++)
        if (!strstr(why.text, names[i]))
            fail_msg("\"%s\" does not name \"%s\"", why.text, names[i]);
}
#define REFUSED(text, ...) refused(text, strlen(text), (const char *const[]){"test.conf", __VA_ARGS__, NULL})

static void renders(const char *text, const struct event *e, const char *expected)
{
    struct templates *t = parse(text);
    struct buffer out = {0};
    templates_render(t, e, &out);
    assert_string_equal(buffer_text(&out), expected);
    buffer_free(&out);
    templates_free(t);
}

static void test_every_field_is_what_the_event_says(void **state)
{
    (void)state;
    struct event confirmed = event_of(EVENT_KIND_CONFIRMED, 1), rejected = event_of(EVENT_KIND_REJECTED, 2),
                 granted = event_of(EVENT_KIND_GRANTED, 3);
    const char *text =
        "order.confirmed: {order_id} {user_id} {sku} {quantity} {unit_price} {total} {receipt_no} {time}\n"
        "order.rejected: {order_id}{user_id}{sku}{quantity}{reason}\n"
        "redpacket.granted: {amount}/{quantity}/{sku}/{user_id}/{order_id}/{time}\n" REASON_LINES;
    setenv("TZ", "CST-8", 1);
    tzset();
    renders(text, &confirmed,
            "01JDXWBXG00000000000000001 u1 phone-1 2 999.00 1998.00 17 2026-11-22 20:00:00 +08:00");
    renders(text, &rejected, "01JDXWBXG00000000000000002u1phone-12gone");
    renders(text, &granted, "1.88/2/phone-1/u1/01JDXWBXG00000000000000003/2026-11-22 20:00:00 +08:00");
    setenv("TZ", "XXX3:30", 1);
    tzset();
    renders("order.confirmed: {time}\norder.rejected: no\nredpacket.granted: yes\n" REASON_LINES, &confirmed,
            "2026-11-22 08:30:00 -03:30");
}

static void test_every_reason_has_its_words(void **state)
{
    (void)state;
    const char *const words[] = {NULL, "gone", "too many", "unknown", "early", "late", "paused"};
    struct event e = event_of(EVENT_KIND_REJECTED, 1);
    for (int i = REASON_SOLD_OUT; i <= REASON_SALE_PAUSED; i++) {
        char expected[32];
        e.decision.reason = (enum reject_reason)i;
        snprintf(expected, sizeof expected, "no %s", words[i]);
        renders(WHOLE, &e, expected);
    }
}

static void test_money_has_two_decimals(void **state)
{
    (void)state;
    const struct {
        int64_t fen;
        const char *yuan;
    } cases[] = {{0, "0.00"},   {1, "0.01"},   {10, "0.10"},        {99, "0.99"},
                 {100, "1.00"}, {101, "1.01"}, {199800, "1998.00"}, {INT64_MAX, "92233720368547758.07"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct event e = event_of(EVENT_KIND_CONFIRMED, 1);
        e.decision.total = cases[i].fen;
        renders("order.confirmed: {total}\norder.rejected: no\nredpacket.granted: yes\n" REASON_LINES, &e,
                cases[i].yuan);
    }
}

/* What a buyer calls himself is no template. */
static void test_braces_in_values_and_doubled_braces_stay(void **state)
{
    (void)state;
    struct event e = event_of(EVENT_KIND_CONFIRMED, 1);
    strcpy(e.decision.user_id, "{total}张伟}}");
    renders("order.confirmed: {{{user_id}}} 100%s {{x}}\norder.rejected: no\nredpacket.granted: "
            "yes\n" REASON_LINES,
            &e, "{{total}张伟}}} 100%s {x}");
}

static void test_what_editors_do_to_a_file_does_no_harm(void **state)
{
    (void)state;
    struct event e = event_of(EVENT_KIND_CONFIRMED, 1);
    renders("\xef\xbb\xbf# a comment: {nonsense}\r\n\r\n  order.confirmed :\t 好: {quantity}  \r\n"
            "   # another\r\nredpacket.granted: yes\norder.rejected: no\n" REASON_LINES,
            &e, "好: 2");
    char text[sizeof WHOLE]; /* no newline at the end */
    memcpy(text, WHOLE, sizeof text);
    text[strlen(text) - 1] = '\0';
    renders(text, &e, "ok 01JDXWBXG00000000000000001");
}

static void test_unknown_field_is_refused_with_file_line_kind_and_field(void **state)
{
    (void)state;
    REFUSED("\norder.confirmed: {totl}\n", ":2", "order.confirmed", "{totl}", "receipt_no");
    REFUSED("order.confirmed: {}\n", ":1", "order.confirmed", "{}");
    REFUSED("order.confirmed: { total }\n", "order.confirmed", "{ total }");
    REFUSED("order.confirmed: {Total}\n", "order.confirmed", "{Total}");
    /* fields of another kind */
    REFUSED("order.confirmed: {reason}\n", "order.confirmed", "{reason}");
    REFUSED("order.confirmed: {amount}\n", "order.confirmed", "{amount}");
    REFUSED("order.rejected: {total}\n", "order.rejected", "{total}");
    REFUSED("order.rejected: {unit_price}\n", "order.rejected", "{unit_price}");
    REFUSED("order.rejected: {receipt_no}\n", "order.rejected", "{receipt_no}");
    REFUSED("redpacket.granted: {total}\n", "redpacket.granted", "{total}");
    REFUSED("redpacket.granted: {reason}\n", "redpacket.granted", "{reason}");
}

static void test_single_brace_is_refused(void **state)
{
    (void)state;
    REFUSED("order.confirmed: {total\n", ":1", "order.confirmed", "{{");
    REFUSED("order.confirmed: total}\n", ":1", "order.confirmed", "}}");
    REFUSED("order.confirmed: {{total}\n", ":1", "order.confirmed", "}}");
    REFUSED("order.confirmed: x{\n", ":1", "order.confirmed", "{{");
}

/* Each line is needed, and none may be there twice. */
static void test_missing_and_repeated_kinds_are_refused_by_name(void **state)
{
    (void)state;
    const char *at = WHOLE;
    while (*at) {
        char text[2 * sizeof WHOLE], key[64];
        size_t before = (size_t)(at - WHOLE), len = strcspn(at, "\n") + 1;
        snprintf(key, sizeof key, "%.*s", (int)strcspn(at, ":"), at);
        snprintf(text, sizeof text, "%.*s%s", (int)before, WHOLE, at + len);
        REFUSED(text, key, "missing");
        snprintf(text, sizeof text, "%s%.*s", WHOLE, (int)len, at);
        REFUSED(text, key, "twice");
        at += len;
    }
    REFUSED("", "order.confirmed", "missing");
}

static void test_lines_that_are_no_entries_are_refused(void **state)
{
    (void)state;
    REFUSED(WHOLE "order.cancelled: what\n", ":10", "order.cancelled");
    REFUSED(WHOLE "reason.bad_mood: what\n", ":10", "reason.bad_mood");
    REFUSED(WHOLE "reason.: what\n", ":10", "reason.");
    REFUSED(WHOLE "hello\n", ":10", "colon");
    REFUSED("order.confirmed： fullwidth\n", ":1", "(:)");
    REFUSED("order.confirmed:\n", ":1", "order.confirmed", "no text");
    REFUSED("reason.sold_out:   \n", ":1", "reason.sold_out", "no text");
}

static void test_bad_utf8_and_control_characters_are_refused_by_name(void **state)
{
    (void)state;
    REFUSED("order.confirmed: \xff\n", ":1", "order.confirmed", "UTF-8");
    REFUSED("order.confirmed: caf\xe9\n", ":1", "order.confirmed", "UTF-8");
    REFUSED("order.confirmed: \xb6\xa9\xb5\xa5\n", ":1", "order.confirmed", "UTF-8"); /* GBK */
    REFUSED("order.confirmed: \xed\xa0\x80\n", ":1", "order.confirmed", "UTF-8");     /* a surrogate */
    REFUSED("order.confirmed: a\tb\n", ":1", "order.confirmed", "control");
    REFUSED("order.confirmed: a\x1b[31mb\n", ":1", "order.confirmed", "control");
    static const char with_nul[] = "order.confirmed: a\0b\n";
    refused(with_nul, sizeof with_nul - 1, (const char *const[]){"test.conf:1", "order.confirmed", NULL});
}

static void test_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[TEMPLATE_TEXT_MAX + 100];
    int len = snprintf(text, sizeof text, "order.confirmed: ");
    memset(text + len, 'x', TEMPLATE_TEXT_MAX + 1);
    text[len + TEMPLATE_TEXT_MAX + 1] = '\0';
    REFUSED(text, ":1", "order.confirmed", "2000");
}

static void test_shipped_templates_are_fit_for_use(void **state)
{
    (void)state;
    const struct {
        const char *language, *word;
    } shipped[] = {{"zh", "1998.00 元"}, {"en", "¥1998.00"}};
    struct event e = event_of(EVENT_KIND_CONFIRMED, 1);
    for (size_t i = 0; i < 2; i++) {
        struct settings settings = {.notification = {.templates = "", .language = shipped[i].language}};
        struct templates *t = NULL;
        struct detail why = {.text = ""};
        struct buffer out = {0};
        if (templates_open(&t, &settings, &why) != 0)
            fail_msg("%s", why.text);
        templates_render(t, &e, &out);
        assert_non_null(strstr(buffer_text(&out), shipped[i].word));
        buffer_free(&out);
        templates_free(t);

        char path[512]; /* as they are installed */
        snprintf(path, sizeof path, "%s/services/notification/templates/%s.conf", SECKILL_SOURCE_DIR,
                 shipped[i].language);
        settings.notification.templates = path;
        if (templates_open(&t, &settings, &why) != 0)
            fail_msg("%s", why.text);
        templates_free(t);
    }
}

static void test_what_cannot_be_opened_is_named_by_its_setting(void **state)
{
    (void)state;
    struct templates *t = NULL;
    struct detail why = {.text = ""};
    struct settings settings = {.notification = {.templates = "", .language = "fr"}};
    assert_int_equal(templates_open(&t, &settings, &why), E_INVALID);
    assert_non_null(strstr(why.text, "notification.language"));
    assert_non_null(strstr(why.text, "fr"));
    settings.notification.templates = "/nonexistent/words.conf";
    assert_int_equal(templates_open(&t, &settings, &why), E_NOT_FOUND);
    assert_non_null(strstr(why.text, "notification.templates"));
    assert_non_null(strstr(why.text, "/nonexistent/words.conf"));
    settings.notification.templates = "/dev/zero"; /* more than there may be */
    assert_int_equal(templates_open(&t, &settings, &why), E_INVALID);
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_is_what_the_event_says),
        cmocka_unit_test(test_every_reason_has_its_words),
        cmocka_unit_test(test_money_has_two_decimals),
        cmocka_unit_test(test_braces_in_values_and_doubled_braces_stay),
        cmocka_unit_test(test_what_editors_do_to_a_file_does_no_harm),
        cmocka_unit_test(test_unknown_field_is_refused_with_file_line_kind_and_field),
        cmocka_unit_test(test_single_brace_is_refused),
        cmocka_unit_test(test_missing_and_repeated_kinds_are_refused_by_name),
        cmocka_unit_test(test_lines_that_are_no_entries_are_refused),
        cmocka_unit_test(test_bad_utf8_and_control_characters_are_refused_by_name),
        cmocka_unit_test(test_text_that_is_too_long_is_refused),
        cmocka_unit_test(test_shipped_templates_are_fit_for_use),
        cmocka_unit_test(test_what_cannot_be_opened_is_named_by_its_setting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
