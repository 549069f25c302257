/* SPDX-License-Identifier: MIT */
#include "http/date.h"

#include <stdio.h>
#include <time.h>

#define YEAR_0_SECONDS    (-62167219200)
#define YEAR_9999_SECONDS 253402300799

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                 "Thursday", "Friday", "Saturday"};

static void put_digits(char *out, int width, int value)
{
    for (int i = width - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

struct slice http_date_write(int64_t seconds, char out[HTTP_DATE_LEN])
{
    if (seconds < YEAR_0_SECONDS)
        seconds = YEAR_0_SECONDS;
    if (seconds > YEAR_9999_SECONDS)
        seconds = YEAR_9999_SECONDS;
    time_t clock = (time_t)seconds;
    struct tm t;
    gmtime_r(&clock, &t);
    memcpy(out, "Ddd, dd Mmm yyyy hh:mm:ss GMT", HTTP_DATE_LEN);
    memcpy(out, days[t.tm_wday], 3);
    put_digits(out + 5, 2, t.tm_mday);
    memcpy(out + 8, months[t.tm_mon], 3);
    put_digits(out + 12, 4, t.tm_year + 1900);
    put_digits(out + 17, 2, t.tm_hour);
    put_digits(out + 20, 2, t.tm_min);
    put_digits(out + 23, 2, t.tm_sec);
    return slice_make(out, HTTP_DATE_LEN);
}

/* ---- reading: each step takes a part off the text's beginning, or fails ---- */

static bool take(struct slice *in, const char *text)
{
    struct slice expected = slice_of(text);
    if (!slice_starts_with(*in, expected))
        return false;
    *in = slice_skip(*in, expected.len);
    return true;
}

static bool take_digits(struct slice *in, size_t width, int *ret)
{
    uint64_t n;
    if (in->len < width || !slice_to_uint(slice_first(*in, width), 9999, &n))
        return false;
    *ret = (int)n;
    *in = slice_skip(*in, width);
    return true;
}

static bool take_month(struct slice *in, int *ret)
{
    for (int i = 0; i < 12; i++) {
        if (take(in, months[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* The whole name, or its first three letters. */
static bool take_day_name(struct slice *in, bool whole)
{
    for (int i = 0; i < 7; i++) {
        char name[10];
        snprintf(name, sizeof(name), whole ? "%s" : "%.3s", days[i]);
        if (take(in, name))
            return true;
    }
    return false;
}

static bool take_clock(struct slice *in, struct tm *t)
{
    return take_digits(in, 2, &t->tm_hour) && take(in, ":") && take_digits(in, 2, &t->tm_min) &&
           take(in, ":") && take_digits(in, 2, &t->tm_sec);
}

static bool take_year(struct slice *in, struct tm *t)
{
    int year;
    if (!take_digits(in, 4, &year))
        return false;
    t->tm_year = year - 1900;
    return true;
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool take_imf(struct slice in, struct tm *t)
{
    return take_day_name(&in, false) && take(&in, ", ") && take_digits(&in, 2, &t->tm_mday) &&
           take(&in, " ") && take_month(&in, &t->tm_mon) && take(&in, " ") && take_year(&in, t) &&
           take(&in, " ") && take_clock(&in, t) && take(&in, " GMT") && in.len == 0;
}

/* Sun Nov  6 08:49:37 1994 */
static bool take_asctime(struct slice in, struct tm *t)
{
    if (!take_day_name(&in, false) || !take(&in, " ") || !take_month(&in, &t->tm_mon) ||
        !take(&in, " "))
        return false;
    bool day = take(&in, " ") ? take_digits(&in, 1, &t->tm_mday) : take_digits(&in, 2, &t->tm_mday);
    return day && take(&in, " ") && take_clock(&in, t) && take(&in, " ") && take_year(&in, t) &&
           in.len == 0;
}

static int whole_year(int two_digits, int64_t now)
{
    time_t clock = (time_t)now;
    struct tm t;
    gmtime_r(&clock, &t);
    int this_year = t.tm_year + 1900;
    int year = this_year / 100 * 100 + two_digits;
    return year > this_year + 50 ? year - 100 : year;
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool take_rfc850(struct slice in, int64_t now, struct tm *t)
{
    int year;
    if (!take_day_name(&in, true) || !take(&in, ", ") || !take_digits(&in, 2, &t->tm_mday) ||
        !take(&in, "-") || !take_month(&in, &t->tm_mon) || !take(&in, "-") ||
        !take_digits(&in, 2, &year) || !take(&in, " ") || !take_clock(&in, t) || !take(&in, " GMT"))
        return false;
    t->tm_year = whole_year(year, now) - 1900;
    return in.len == 0;
}

/* Second 60 is allowed (leap seconds); 31 November is not. */
static bool is_real(const struct tm *t)
{
    struct tm check = *t;
    timegm(&check);
    return t->tm_hour < 24 && t->tm_min < 60 && t->tm_sec <= 60 && t->tm_mday >= 1 &&
           (t->tm_sec == 60 || (check.tm_mday == t->tm_mday && check.tm_mon == t->tm_mon));
}

bool http_date_parse(struct slice text, int64_t now, int64_t *ret)
{
    struct tm t = {0};
    if (!take_imf(text, &t) && !take_rfc850(text, now, &t) && !take_asctime(text, &t))
        return false;
    if (!is_real(&t))
        return false;
    *ret = timegm(&t);
    return true;
}
