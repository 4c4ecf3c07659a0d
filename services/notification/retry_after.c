/* Retry-After. */
#include "services/notification/retry_after.h"

#include <ctype.h>
#include <time.h>

#include "common/base/number.h"

#define DATE_MAX 63 /* "Wednesday, 06-Nov-94 08:49:37 GMT" has 33 */

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && isspace((unsigned char)s.data[0]))
        s = (struct slice){.data = s.data + 1, .len = s.len - 1};
    while (s.len > 0 && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

/* strptime and timegm take a 31st of February for a day in March. */
static bool date_matches(const char *text, const char *format, int64_t *seconds)
{
    struct tm tm = {0};
    const char *end = strptime(text, format, &tm);
    if (!end || *end)
        return false;
    const int day = tm.tm_mday;
    *seconds = timegm(&tm);
    return tm.tm_mday == day;
}

static bool date_parse(struct slice value, int64_t *at_ms)
{
    static const char *const formats[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* the form of today */
        "%a, %d-%b-%y %H:%M:%S GMT", /* two obsolete ones, to be understood all the same */
        "%a %b %d %H:%M:%S %Y",
    };
    char text[DATE_MAX + 1];
    if (value.len > DATE_MAX || memchr(value.data, '\0', value.len))
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        int64_t seconds;
        if (date_matches(text, formats[i], &seconds)) {
            *at_ms = seconds * 1000;
            return true;
        }
    }
    return false;
}

static int64_t bounded(int64_t ms)
{
    if (ms <= 0)
        return 0;
    return ms < RETRY_AFTER_MAX_MS ? ms : RETRY_AFTER_MAX_MS;
}

static bool is_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!isdigit((unsigned char)s.data[i]))
            return false;
    }
    return s.len > 0;
}

int64_t retry_after_ms(struct slice value, int64_t now_ms)
{
    value = trimmed(value);
    if (is_digits(value)) {
        int64_t seconds;
        if (number_parse_bytes(value.data, value.len, 0, RETRY_AFTER_MAX_MS / 1000, &seconds) != 0)
            return RETRY_AFTER_MAX_MS; /* it has too many digits for a day, or for a number */
        return bounded(seconds * 1000);
    }
    int64_t at_ms;
    return date_parse(value, &at_ms) ? bounded(at_ms - now_ms) : 0;
}
