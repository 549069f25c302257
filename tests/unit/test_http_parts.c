/* SPDX-License-Identifier: MIT */
/* The pure parts of http: dates, conditions, ranges, types. */
#include "http/conditions.h"
#include "http/date.h"
#include "http/ranges.h"
#include "http/static.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW 1763900000 /* 2025-11-23 */

/* ---- dates ---- */

static void a_date_is_written_as_the_rfc_does(void **state)
{
    (void)state;
    char out[HTTP_DATE_LEN];
    assert_memory_equal(http_date_write(784111777, out).ptr, "Sun, 06 Nov 1994 08:49:37 GMT",
                        HTTP_DATE_LEN);
    assert_memory_equal(http_date_write(0, out).ptr, "Thu, 01 Jan 1970 00:00:00 GMT",
                        HTTP_DATE_LEN);
    assert_memory_equal(http_date_write(-1, out).ptr, "Wed, 31 Dec 1969 23:59:59 GMT",
                        HTTP_DATE_LEN);
    assert_memory_equal(http_date_write(INT64_MAX, out).ptr, "Fri, 31 Dec 9999 23:59:59 GMT",
                        HTTP_DATE_LEN);
    assert_memory_equal(http_date_write(INT64_MIN, out).ptr, "Sat, 01 Jan 0000 00:00:00 GMT",
                        HTTP_DATE_LEN);
}

static int64_t parsed(const char *text)
{
    int64_t t = -77;
    return http_date_parse(slice_of(text), NOW, &t) ? t : -77;
}

static void all_three_forms_are_read(void **state)
{
    (void)state;
    assert_int_equal(parsed("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    assert_int_equal(parsed("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    assert_int_equal(parsed("Sun Nov  6 08:49:37 1994"), 784111777);
    assert_int_equal(parsed("Tue Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
    assert_int_equal(parsed("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
    /* the year of two digits is at most 50 years ahead */
    assert_int_equal(parsed("Sunday, 06-Nov-75 00:00:00 GMT"), 3340224000);
    assert_int_equal(parsed("Sunday, 06-Nov-76 00:00:00 GMT"), 216086400);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "0",
        "now",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sunday, 06 Nov 94 08:49:37 GMT",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (parsed(wrong[i]) != -77)
            fail_msg("%s", wrong[i]);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char out[HTTP_DATE_LEN];
    for (int64_t t = 0; t < 253402300799; t += 86400 * 37 + 12345) {
        int64_t back;
        assert_true(http_date_parse(http_date_write(t, out), NOW, &back));
        assert_int_equal(back, t);
    }
}

/* ---- conditions ---- */

static struct http_head *request_with(const char *fields)
{
    static struct http_head head;
    static char text[2048];
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_int_equal(http_head_parse(slice_make(text, (size_t)n), 0, &head), PARSE_OK);
    return &head;
}

static const struct representation file = {
    .etag = SLICE_LITERAL("\"abc\""),
    .modified = 784111777,
    .now = NOW,
};

#define SAME    "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER   "Sun, 06 Nov 1994 08:49:38 GMT"

struct condition_case {
    const char *fields;
    enum condition expected;
};

static void conditions_are_evaluated_in_the_order_of_rfc9110_13_2_2(void **state)
{
    (void)state;
    static const struct condition_case cases[] = {
        {"", CONDITION_PASS},
        {"If-None-Match: \"abc\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: W/\"abc\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: *\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \"x\", \"y,z\" , \"abc\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \"abcd\"\r\n", CONDITION_PASS},
        {"If-None-Match: abc\r\n", CONDITION_PASS},
        {"If-None-Match: \"ab\r\n", CONDITION_PASS},
        {"If-None-Match: \"x\\\", \"abc\"\r\n", CONDITION_NOT_MODIFIED},
        {"If-None-Match: \r\n", CONDITION_PASS},
        {"If-Modified-Since: " SAME "\r\n", CONDITION_NOT_MODIFIED},
        {"If-Modified-Since: " LATER "\r\n", CONDITION_NOT_MODIFIED},
        {"If-Modified-Since: " EARLIER "\r\n", CONDITION_PASS},
        {"If-Modified-Since: yesterday\r\n", CONDITION_PASS},
        {"If-Modified-Since: " SAME "\r\nIf-Modified-Since: " SAME "\r\n", CONDITION_PASS},
        {"If-None-Match: \"x\"\r\nIf-Modified-Since: " SAME "\r\n", CONDITION_PASS},
        {"If-Match: \"abc\"\r\n", CONDITION_PASS},
        {"If-Match: *\r\n", CONDITION_PASS},
        {"If-Match: \"x\", \"abc\"\r\n", CONDITION_PASS},
        {"If-Match: W/\"abc\"\r\n", CONDITION_FAILED},
        {"If-Match: \"x\"\r\n", CONDITION_FAILED},
        {"If-Unmodified-Since: " SAME "\r\n", CONDITION_PASS},
        {"If-Unmodified-Since: " EARLIER "\r\n", CONDITION_FAILED},
        {"If-Unmodified-Since: never\r\n", CONDITION_PASS},
        {"If-Match: \"abc\"\r\nIf-Unmodified-Since: " EARLIER "\r\n", CONDITION_PASS},
        {"If-Match: \"x\"\r\nIf-None-Match: \"abc\"\r\n", CONDITION_FAILED},
        {"If-Match: \"abc\"\r\nIf-None-Match: \"abc\"\r\n", CONDITION_NOT_MODIFIED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (condition_check(request_with(cases[i].fields), &file) != cases[i].expected)
            fail_msg("%s", cases[i].fields);
}

static void without_a_date_only_tags_count(void **state)
{
    (void)state;
    struct representation bytes = file;
    bytes.modified = -1;
    assert_int_equal(condition_check(request_with("If-Modified-Since: " LATER "\r\n"), &bytes),
                     CONDITION_PASS);
    assert_int_equal(condition_check(request_with("If-Unmodified-Since: " EARLIER "\r\n"), &bytes),
                     CONDITION_PASS);
    assert_int_equal(condition_check(request_with("If-None-Match: \"abc\"\r\n"), &bytes),
                     CONDITION_NOT_MODIFIED);
}

static void if_range_needs_the_very_same(void **state)
{
    (void)state;
    assert_true(condition_range(request_with(""), &file));
    assert_true(condition_range(request_with("If-Range: \"abc\"\r\n"), &file));
    assert_true(condition_range(request_with("If-Range: " SAME "\r\n"), &file));
    static const char *const no[] = {
        "If-Range: \"x\"\r\n",          "If-Range: W/\"abc\"\r\n",
        "If-Range: \"abc\", \"x\"\r\n", "If-Range: " LATER "\r\n",
        "If-Range: " EARLIER "\r\n",    "If-Range: *\r\n",
        "If-Range: nonsense\r\n",       "If-Range: \"abc\"\r\nIf-Range: \"abc\"\r\n",
    };
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++)
        if (condition_range(request_with(no[i]), &file))
            fail_msg("%s", no[i]);
    struct representation fresh = file;
    fresh.now = fresh.modified; /* it may change again within this second */
    assert_false(condition_range(request_with("If-Range: " SAME "\r\n"), &fresh));
}

/* ---- ranges ---- */

static void show(enum ranges_status status, const struct byte_range *r, size_t n, char *out)
{
    if (status != RANGES_OK) {
        strcpy(out, status == RANGES_IGNORED ? "ignored" : "unsatisfiable");
        return;
    }
    *out = '\0';
    for (size_t i = 0; i < n; i++)
        out += sprintf(out, "%s%llu-%llu", i ? "," : "", (unsigned long long)r[i].first,
                       (unsigned long long)r[i].last);
}

struct range_case {
    const char *value;
    uint64_t size;
    const char *expected;
};

static void ranges_are_read_within_bounds(void **state)
{
    (void)state;
    static const struct range_case cases[] = {
        {"bytes=0-0", 10, "0-0"},
        {"bytes=0-9", 10, "0-9"},
        {"bytes=0-", 10, "0-9"},
        {"bytes=3-100", 10, "3-9"},
        {"bytes=9-", 10, "9-9"},
        {"bytes=10-", 10, "unsatisfiable"},
        {"bytes=10-20,30-40", 10, "unsatisfiable"},
        {"bytes=-3", 10, "7-9"},
        {"bytes=-30", 10, "0-9"},
        {"bytes=-0", 10, "unsatisfiable"},
        {"bytes=-5", 0, "unsatisfiable"},
        {"bytes=0-", 0, "unsatisfiable"},
        {"bytes=0-1,4-5", 10, "0-1,4-5"},
        {"bytes= 0-1 ,\t4-5 ,", 10, "0-1,4-5"},
        {"bytes=4-5,0-1", 10, "4-5,0-1"},
        {"bytes=0-1,20-", 10, "0-1"},
        {"Bytes=0-1", 10, "0-1"},
        {"bytes=99999999999999999999999-", 10, "unsatisfiable"},
        {"bytes=0-99999999999999999999999", 10, "0-9"},
        {"bytes=-99999999999999999999999", 10, "0-9"},
        {"bytes=0-9,0-9", 10, "ignored"},
        {"bytes=0-4,3-9", 10, "ignored"},
        {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15", 99,
         "0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15"},
        {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16",
         99, "ignored"},
        {"bytes=", 10, "ignored"},
        {"bytes=,", 10, "ignored"},
        {"bytes", 10, "ignored"},
        {"bytes=5-4", 10, "ignored"},
        {"bytes=a-4", 10, "ignored"},
        {"bytes=1-b", 10, "ignored"},
        {"bytes=1", 10, "ignored"},
        {"bytes=-", 10, "ignored"},
        {"bytes=--1", 10, "ignored"},
        {"bytes=1-2-3", 10, "ignored"},
        {"bytes=+1-2", 10, "ignored"},
        {"bytes =1-2", 10, "ignored"},
        {"lines=1-2", 10, "ignored"},
        {"", 10, "ignored"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct byte_range r[RANGES_MAX];
        size_t n = 0;
        char got[RANGES_MAX * 42];
        enum ranges_status status = ranges_parse(slice_of(cases[i].value), cases[i].size, r, &n);
        show(status, r, n, got);
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s of %llu: %s", cases[i].value, (unsigned long long)cases[i].size, got);
    }
}

/* Whatever is asked for: what is given lies in the file and is no more than it. */
static void ranges_of_random_text_stay_inside(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789-,= 1-2";
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    for (int round = 0; round < 100000; round++) {
        char text[32] = "bytes=";
        size_t len = 6 + (size_t)rand_r(&seed) % 25;
        for (size_t i = 6; i < len; i++)
            text[i] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
        struct byte_range r[RANGES_MAX];
        size_t n = 0;
        uint64_t size = (uint64_t)rand_r(&seed) % 100, total = 0;
        if (ranges_parse(slice_make(text, len), size, r, &n) != RANGES_OK)
            continue;
        assert_in_range(n, 1, RANGES_MAX);
        for (size_t i = 0; i < n; i++) {
            assert_true(r[i].first <= r[i].last && r[i].last < size);
            total += r[i].last - r[i].first + 1;
        }
        assert_true(total <= size);
    }
}

/* ---- types ---- */

static void types_go_by_the_ending(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a.html", "text/html; charset=utf-8"},
        {"/x/y.JS", "text/javascript; charset=utf-8"},
        {"m.mjs", "text/javascript; charset=utf-8"},
        {"w.wasm", "application/wasm"},
        {"d.json", "application/json"},
        {"p.7z", "application/x-7z-compressed"},
        {"z.zst", "application/zstd"},
        {"i.svg", "image/svg+xml; charset=utf-8"},
        {"archive.tar.gz", "application/gzip"},
        {"Makefile", "application/octet-stream"},
        {"a.html/b", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"", "application/octet-stream"},
        {"a.averyveryverylongending", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice type = static_type(slice_of(cases[i][0]));
        if (!slice_equal(type, slice_of(cases[i][1])))
            fail_msg("%s: %.*s", cases[i][0], SLICE_ARG(type));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_written_as_the_rfc_does),
        cmocka_unit_test(all_three_forms_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(conditions_are_evaluated_in_the_order_of_rfc9110_13_2_2),
        cmocka_unit_test(without_a_date_only_tags_count),
        cmocka_unit_test(if_range_needs_the_very_same),
        cmocka_unit_test(ranges_are_read_within_bounds),
        cmocka_unit_test(ranges_of_random_text_stay_inside),
        cmocka_unit_test(types_go_by_the_ending),
    };
    return cmocka_run_group_tests_name("http_parts", tests, NULL, NULL);
}
