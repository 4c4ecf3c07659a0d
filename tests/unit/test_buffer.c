/* buffer.h: growth, numbers, JSON strings. */
#include "tests/unit/base_support.h"

#include <inttypes.h>

#include "common/base/buffer.h"

static void assert_json(struct slice text, const char *expected)
{
    struct buffer b = {0};
    buffer_add_json(&b, text);
    assert_string_equal(buffer_text(&b), expected);
    assert_int_equal(b.len, strlen(expected));
    buffer_free(&b);
}

static void test_a_zeroed_struct_is_an_empty_buffer(void **state)
{
    (void)state;
    struct buffer b = {0};
    assert_string_equal(buffer_text(&b), "");
    assert_int_equal(b.len, 0);
    buffer_free(&b);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    buffer_free(&b);
    buffer_free(NULL);
}

static void test_growth_keeps_every_byte(void **state)
{
    (void)state;
    struct buffer b = {0};
    for (int i = 0; i < 100000; i++) {
        char byte = (char)(i * 31);
        buffer_add(&b, &byte, 1);
    }
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_true(b.data[i] == (char)(i * 31));
    buffer_free(&b);
}

static void test_clear_keeps_the_memory_and_reserve_makes_room(void **state)
{
    (void)state;
    struct buffer b = {0};
    buffer_reserve(&b, 1000);
    assert_true(b.cap >= 1000);
    const char *before = b.data;
    for (int i = 0; i < 1000; i++)
        buffer_add(&b, "x", 1);
    assert_ptr_equal(b.data, before);
    buffer_clear(&b);
    assert_int_equal(b.len, 0);
    assert_ptr_equal(b.data, before);
    buffer_free(&b);
}

static void test_nothing_can_be_added(void **state)
{
    (void)state;
    struct buffer b = {0};
    buffer_add(&b, NULL, 0);
    buffer_add_text(&b, "");
    assert_int_equal(b.len, 0);
    assert_null(b.data);
}

static void test_integers_are_written_in_decimal(void **state)
{
    (void)state;
    const int64_t values[] = {0,         1,         -1,           9, 10, 99, 100, -100, 1795348800123,
                              INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buffer b = {0};
        char expected[32];
        snprintf(expected, sizeof(expected), "%" PRId64, values[i]);
        buffer_add_int(&b, values[i]);
        assert_string_equal(buffer_text(&b), expected);
        buffer_free(&b);
    }
}

static void test_printf_appends_whatever_the_length(void **state)
{
    (void)state;
    for (int width = 0; width < 300; width++) {
        struct buffer b = {0};
        buffer_add_text(&b, "before ");
        buffer_printf(&b, "%*d", width, 7);
        assert_int_equal(b.len, 7 + (width > 1 ? width : 1));
        assert_int_equal(b.data[b.len - 1], '7');
        assert_memory_equal(b.data, "before ", 7);
        buffer_free(&b);
    }
}

static void test_plain_text_goes_out_as_it_is(void **state)
{
    (void)state;
    assert_json(slice_of(""), "\"\"");
    assert_json((struct slice){NULL, 0}, "\"\"");
    assert_json(slice_of("phone-1/'{}&<>"), "\"phone-1/'{}&<>\"");
    assert_json(slice_of("\x7f"), "\"\x7f\"");
}

static void test_utf8_goes_out_as_it_is(void **state)
{
    (void)state;
    assert_json(slice_of("红包 é 😀"), "\"红包 é 😀\"");
}

static void test_quotes_and_backslashes_are_escaped(void **state)
{
    (void)state;
    assert_json(slice_of("a\"b\\c"), "\"a\\\"b\\\\c\"");
}

static void test_every_control_character_is_escaped(void **state)
{
    (void)state;
    static const char with_letter[] = "\b\f\n\r\t", letters[] = "bfnrt";
    for (char c = 0; c < 0x20; c++) {
        const char *known = memchr(with_letter, c, strlen(with_letter));
        char expected[16];
        if (known)
            snprintf(expected, sizeof(expected), "\"\\%c\"", letters[known - with_letter]);
        else
            snprintf(expected, sizeof(expected), "\"\\u%04x\"", (unsigned)c);
        assert_json((struct slice){&c, 1}, expected);
    }
}

/* Every byte that has an escape, and some that look like one to whoever reads eight at once, at every place
 * among others. */
static void test_json_escapes_are_found_wherever_they_are(void **state)
{
    static const unsigned char others[] = {' ', '!', '#', '[', ']', 'a', 0x7f, 0x80, 0xa2, 0xdc, 0xff};
    (void)state;
    for (int c = 0; c < 256; c++)
        for (size_t place = 0; place < 17; place++)
            for (size_t o = 0; o < sizeof others; o++) {
                char text[17];
                struct buffer whole = {0}, parts = {0};
                memset(text, others[o], sizeof text);
                text[place] = (char)c;
                buffer_add_json(&whole, (struct slice){text, sizeof text});
                buffer_add(&parts, "\"", 1);
                for (size_t i = 0; i < sizeof text; i++) { /* one byte alone is looked up in the table */
                    struct buffer one = {0};
                    buffer_add_json(&one, (struct slice){text + i, 1});
                    buffer_add(&parts, one.data + 1, one.len - 2);
                    buffer_free(&one);
                }
                buffer_add(&parts, "\"", 1);
                assert_int_equal(whole.len, parts.len);
                assert_memory_equal(whole.data, parts.data, whole.len);
                buffer_free(&whole);
                buffer_free(&parts);
            }
}

static void test_long_json_strings_are_whole(void **state)
{
    (void)state;
    /* Around the piece in which the encoder works, with the worst that can happen at each place. */
    for (size_t len = 250; len < 520; len++) {
        char *text = malloc(len);
        memset(text, '\x01', len);
        struct buffer b = {0};
        buffer_add_json(&b, (struct slice){text, len});
        assert_int_equal(b.len, 2 + 6 * len);
        assert_int_equal(b.data[0], '"');
        for (size_t i = 0; i < len; i++)
            assert_memory_equal(b.data + 1 + 6 * i, "\\u0001", 6);
        assert_int_equal(b.data[b.len - 1], '"');
        buffer_free(&b);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zeroed_struct_is_an_empty_buffer),
        cmocka_unit_test(test_growth_keeps_every_byte),
        cmocka_unit_test(test_clear_keeps_the_memory_and_reserve_makes_room),
        cmocka_unit_test(test_nothing_can_be_added),
        cmocka_unit_test(test_integers_are_written_in_decimal),
        cmocka_unit_test(test_printf_appends_whatever_the_length),
        cmocka_unit_test(test_plain_text_goes_out_as_it_is),
        cmocka_unit_test(test_utf8_goes_out_as_it_is),
        cmocka_unit_test(test_quotes_and_backslashes_are_escaped),
        cmocka_unit_test(test_every_control_character_is_escaped),
        cmocka_unit_test(test_json_escapes_are_found_wherever_they_are),
        cmocka_unit_test(test_long_json_strings_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
