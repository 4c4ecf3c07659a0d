/* Clocks, and moments as RFC 3339 text. Own calendar arithmetic: gmtime_r takes libc's time zone lock at each
 * call, and timegm accepts the 30th of February. */
#include "common/base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_S      ((int64_t)1000)
#define MS_PER_MINUTE (60 * MS_PER_S)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)
#define YEAR_0_MS     (-62167219200000LL) /* 0000-01-01T00:00:00.000Z */
#define YEAR_9999_MS  253402300799999LL   /* 9999-12-31T23:59:59.999Z */

static int64_t read_clock(clockid_t which, int64_t per_s, int64_t ns_per_unit)
{
    struct timespec now;
    clock_gettime(which, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * per_s + now.tv_nsec / ns_per_unit;
}

int64_t clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC, NS_PER_S, 1);
}

int64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, MS_PER_S, NS_PER_MS);
}

static bool is_leap_year(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap_year(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01, and back, for years from 0 on: the calendar is cut into eras of 400 years that begin
 * on a first of March, so that the leap day comes last (Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). */
#define DAYS_PER_ERA  146097
#define DAYS_TO_EPOCH 719468 /* 0000-03-01 to 1970-01-01 */

static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += DAYS_TO_EPOCH;
    int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static char *put_digits(char *out, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

static void format(int64_t wall_ms, char out[RFC3339_SIZE])
{
    if (wall_ms < YEAR_0_MS)
        wall_ms = YEAR_0_MS;
    if (wall_ms > YEAR_9999_MS)
        wall_ms = YEAR_9999_MS;
    int64_t days = wall_ms / MS_PER_DAY;
    int64_t ms = wall_ms % MS_PER_DAY;
    if (ms < 0) { /* before 1970: round down, not towards zero */
        ms += MS_PER_DAY;
        days--;
    }
    int64_t year, month, day;
    date_from_days(days, &year, &month, &day);

    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, ms / MS_PER_HOUR, 2);
    *p++ = ':';
    p = put_digits(p, ms / MS_PER_MINUTE % 60, 2);
    *p++ = ':';
    p = put_digits(p, ms / MS_PER_S % 60, 2);
    *p++ = '.';
    p = put_digits(p, ms % MS_PER_S, 3);
    *p++ = 'Z';
    *p = '\0';
}

/* What was decided together has the same moment, so the last one is often asked for again. */
const char *rfc3339_format(int64_t wall_ms, char out[RFC3339_SIZE])
{
    static _Thread_local struct {
        int64_t wall_ms;
        char text[RFC3339_SIZE];
    } last = {.text = "1970-01-01T00:00:00.000Z"};
    if (wall_ms != last.wall_ms) {
        format(wall_ms, last.text);
        last.wall_ms = wall_ms;
    }
    memcpy(out, last.text, sizeof last.text);
    return out;
}

/* Each take_… reads its piece at *p and moves on, or says false and leaves *p somewhere before the text's
 * end. */
static bool take_char(const char **p, char wanted)
{
    if (**p != wanted)
        return false;
    (*p)++;
    return true;
}

static bool take_digits(const char **p, int count, int64_t *value)
{
    *value = 0;
    for (; count > 0; count--, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *value = *value * 10 + (**p - '0');
    }
    return true;
}

static bool take_fraction(const char **p, int64_t *ms)
{
    *ms = 0;
    if (**p != '.')
        return true; /* there need not be one */
    (*p)++;
    int digits = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
        if (digits < 3)
            *ms = *ms * 10 + (**p - '0');
    for (int i = digits; i < 3; i++)
        *ms *= 10;
    return digits > 0;
}

static bool take_offset(const char **p, int64_t *minutes)
{
    *minutes = 0;
    char sign = **p;
    if (sign == '\0')
        return false;
    (*p)++;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (sign != '+' && sign != '-')
        return false;
    int64_t hours, rest;
    if (!take_digits(p, 2, &hours) || !take_char(p, ':') || !take_digits(p, 2, &rest) || hours > 23 ||
        rest > 59)
        return false;
    *minutes = (sign == '-' ? -1 : 1) * (hours * 60 + rest);
    return true;
}

static bool take_date(const char **p, int64_t *days)
{
    int64_t year, month, day;
    if (!take_digits(p, 4, &year) || !take_char(p, '-') || !take_digits(p, 2, &month) || !take_char(p, '-') ||
        !take_digits(p, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_from_date(year, month, day);
    return true;
}

int rfc3339_parse(const char *text, int64_t *wall_ms)
{
    const char *p = text;
    int64_t days;
    int64_t hour, minute, second, ms, offset;
    if (!take_date(&p, &days))
        return E_INVALID;
    if (*p != 'T' && *p != 't') /* RFC 3339, 5.6: the letters may be lower case */
        return E_INVALID;
    p++;
    if (!take_digits(&p, 2, &hour) || !take_char(&p, ':') || !take_digits(&p, 2, &minute) ||
        !take_char(&p, ':') || !take_digits(&p, 2, &second) || !take_fraction(&p, &ms) ||
        !take_offset(&p, &offset) || *p != '\0')
        return E_INVALID;
    if (hour > 23 || minute > 59 || second > 60)
        return E_INVALID;

    int64_t to_minute = days * MS_PER_DAY + (hour * 60 + minute - offset) * MS_PER_MINUTE;
    int64_t moment = to_minute + second * MS_PER_S + ms;
    if (second == 60) { /* only ever before midnight UTC */
        moment = to_minute + MS_PER_MINUTE;
        if (moment % MS_PER_DAY != 0)
            return E_INVALID;
    }
    if (moment < 0 || moment > YEAR_9999_MS)
        return E_INVALID;
    *wall_ms = moment;
    return 0;
}
