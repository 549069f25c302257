/* SPDX-License-Identifier: MIT */
#include "proto/http_chars.h"
#include "proto/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_slice.h"
#include "random.h"

#define HOST "Host: a.example\r\n"

/* Whole requests, or what is to stand in for one, with the answer that they get. */
struct refusal {
    const char *name, *text;
    int status;
};

#define GET(fields)  "GET / HTTP/1.1\r\n" HOST fields "\r\n"
#define POST(fields) "POST / HTTP/1.1\r\n" HOST fields "\r\n"
#define LINE(line)   line "\r\n" HOST "\r\n"

static const struct refusal refusals[] = {
    /* RFC 9112, 2.2: lines */
    {"bare LF after the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400},
    {"bare LF after a header", "GET / HTTP/1.1\r\nHost: a.example\n\r\n", 400},
    {"bare LF as the blank line", "GET / HTTP/1.1\r\n" HOST "\n", 400},
    {"bare CR after the request line", "GET / HTTP/1.1\rHost: a.example\r\n\r\n", 400},
    {"bare CR in a value", GET("X: a\rb\r\n"), 400},
    {"bare CR that hides a header", GET("X: a\rContent-Length: 5\r\n"), 400},
    {"CR CR LF after a value", GET("X: a\r\r\n"), 400},
    {"CR before the blank line's CRLF", "GET / HTTP/1.1\r\n" HOST "\r\r\n", 400},
    {"LF CR as a line end", "GET / HTTP/1.1\r\nHost: a.example\n\rX: y\r\n\r\n", 400},
    {"whitespace before the first header", "GET / HTTP/1.1\r\n " HOST "\r\n", 400},
    {"tab before the first header", "GET / HTTP/1.1\r\n\t" HOST "\r\n", 400},
    {"three empty lines before the request", "\r\n\r\n\r\n" GET(""), 400},
    {"bare LF before the request", "\n" GET(""), 400},
    {"CR LF LF before the request", "\r\n\n" GET(""), 400},
    /* 3: the request line */
    {"leading space", LINE(" GET / HTTP/1.1"), 400},
    {"two spaces after the method", LINE("GET  / HTTP/1.1"), 400},
    {"two spaces before the version", LINE("GET /  HTTP/1.1"), 400},
    {"tab after the method", LINE("GET\t/ HTTP/1.1"), 400},
    {"tab before the version", LINE("GET /\tHTTP/1.1"), 400},
    {"space after the version", LINE("GET / HTTP/1.1 "), 400},
    {"space in the target", LINE("GET /a b HTTP/1.1"), 400},
    {"no version (HTTP/0.9)", LINE("GET /"), 400},
    {"no target", LINE("GET HTTP/1.1"), 400},
    {"method alone", LINE("GET"), 400},
    {"method that is no token", LINE("G(T / HTTP/1.1"), 400},
    {"method with a colon", LINE("GET: / HTTP/1.1"), 400},
    {"lower-case version", LINE("GET / http/1.1"), 400},
    {"version without a minor", LINE("GET / HTTP/1"), 400},
    {"version with two digits", LINE("GET / HTTP/1.10"), 400},
    {"version HTTP/01.1", LINE("GET / HTTP/01.1"), 400},
    {"version HTTP/a.1", LINE("GET / HTTP/a.1"), 400},
    {"version with letters", LINE("GET / HTTP/1.x"), 400},
    {"another protocol", LINE("GET / ICAP/1.0"), 400},
    {"HTTP/2.0", LINE("GET / HTTP/2.0"), 505},
    {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/0.9 spelled out", LINE("GET / HTTP/0.9"), 505},
    {"HTTP/9.9", LINE("GET / HTTP/9.9"), 505},
    /* 3.2: the target's forms */
    {"relative target", LINE("GET a HTTP/1.1"), 400},
    {"asterisk for GET", LINE("GET * HTTP/1.1"), 400},
    {"asterisk and more", LINE("OPTIONS *a HTTP/1.1"), 400},
    {"authority for GET", LINE("GET a.example:80 HTTP/1.1"), 400},
    {"CONNECT to a path", LINE("CONNECT /a HTTP/1.1"), 400},
    {"CONNECT without a port", LINE("CONNECT a.example HTTP/1.1"), 400},
    {"another scheme", LINE("GET ftp://a.example/ HTTP/1.1"), 400},
    {"absolute form without a host", LINE("GET http:///a HTTP/1.1"), 400},
    {"absolute form with nothing", LINE("GET http:// HTTP/1.1"), 400},
    {"userinfo in the target", LINE("GET http://a.example@b.example/ HTTP/1.1"), 400},
    {"fragment in the target", LINE("GET /a#b HTTP/1.1"), 400},
    {"byte above ASCII in the target", LINE("GET /\xc3\xb8 HTTP/1.1"), 400},
    {"DEL in the target", LINE("GET /\x7f HTTP/1.1"), 400},
    {"control character in the target", LINE("GET /\x01 HTTP/1.1"), 400},
    /* 3.2 and RFC 9110, 7.2: Host */
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"no Host beside an absolute target", "GET http://a.example/ HTTP/1.1\r\n\r\n", 400},
    {"two Hosts", GET("Host: b.example\r\n"), 400},
    {"two equal Hosts", GET(HOST), 400},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"Host of spaces", "GET / HTTP/1.1\r\nHost:   \r\n\r\n", 400},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n", 400},
    {"Host with a space", "GET / HTTP/1.1\r\nHost: a.example b\r\n\r\n", 400},
    {"Host with a comma", "GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", 400},
    {"Host with userinfo", "GET / HTTP/1.1\r\nHost: b@a.example\r\n\r\n", 400},
    {"Host with a port that is none", "GET / HTTP/1.1\r\nHost: a.example:x\r\n\r\n", 400},
    {"Host with a port too large", "GET / HTTP/1.1\r\nHost: a.example:65536\r\n\r\n", 400},
    {"Host that is half an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
    {"bad Host in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400},
    /* 5.1 and 5.2: field lines */
    {"space before the colon", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", 400},
    {"tab before the colon", GET("X\t: a\r\n"), 400},
    {"space before Content-Length's colon", POST("Content-Length : 5\r\n"), 400},
    {"space before Transfer-Encoding's colon", POST("Transfer-Encoding : chunked\r\n"), 400},
    {"space in a name", GET("X Y: a\r\n"), 400},
    {"no name", GET(": a\r\n"), 400},
    {"no colon", GET("Xa\r\n"), 400},
    {"name that is no token", GET("X(Y): a\r\n"), 400},
    {"byte above ASCII in a name", GET("X\xc3\xb8: a\r\n"), 400},
    {"NUL-like control in a name", GET("X\x01: a\r\n"), 400},
    {"obs-fold by space", GET("X: a\r\n b\r\n"), 400},
    {"obs-fold by tab", GET("X: a\r\n\tb\r\n"), 400},
    {"obs-fold that hides a length", POST("X: a\r\n Content-Length: 5\r\n"), 400},
    {"obs-fold of Transfer-Encoding", POST("Transfer-Encoding:\r\n chunked\r\n"), 400},
    {"line of whitespace", GET("X: a\r\n \r\n"), 400},
    /* RFC 9110, 5.5: values */
    {"control character in a value", GET("X: a\x01\r\n"), 400},
    {"DEL in a value", GET("X: a\x7f\r\n"), 400},
    {"vertical tab in a value", GET("X: a\x0b\r\n"), 400},
    {"vertical tab before chunked",
     POST("Transfer-Encoding: \x0b"
          "chunked\r\n"),
     400},
    {"form feed before a length",
     POST("Content-Length: \x0c"
          "5\r\n"),
     400},
    /* 6.1: Transfer-Encoding */
    {"both lengths", POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400},
    {"both lengths, other order", POST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400},
    {"both lengths, the length 0", POST("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
     400},
    {"coding in HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"two codings' headers", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     400},
    {"coding and identity", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
     400},
    {"chunked twice", POST("Transfer-Encoding: chunked, chunked\r\n"), 400},
    {"chunked not last", POST("Transfer-Encoding: chunked, gzip\r\n"), 400},
    {"chunked not there", POST("Transfer-Encoding: gzip\r\n"), 400},
    {"identity", POST("Transfer-Encoding: identity\r\n"), 400},
    {"xchunked", POST("Transfer-Encoding: xchunked\r\n"), 400},
    {"chunkedx", POST("Transfer-Encoding: chunkedx\r\n"), 400},
    {"chunked with a parameter", POST("Transfer-Encoding: chunked;a=b\r\n"), 400},
    {"chunked in quotes", POST("Transfer-Encoding: \"chunked\"\r\n"), 400},
    {"no coding", POST("Transfer-Encoding:\r\n"), 400},
    {"empty member before chunked", POST("Transfer-Encoding: ,chunked, chunked\r\n"), 400},
    {"gzip, then chunked", POST("Transfer-Encoding: gzip, chunked\r\n"), 501},
    {"identity, then chunked", POST("Transfer-Encoding: identity, chunked\r\n"), 501},
    /* 6.2 and 6.3: Content-Length */
    {"two lengths", POST("Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
    {"two equal lengths", POST("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
    {"list of equal lengths", POST("Content-Length: 5, 5\r\n"), 400},
    {"list of lengths", POST("Content-Length: 5, 6\r\n"), 400},
    {"length with a sign", POST("Content-Length: +5\r\n"), 400},
    {"negative length", POST("Content-Length: -5\r\n"), 400},
    {"length in hex", POST("Content-Length: 0x5\r\n"), 400},
    {"length with a letter", POST("Content-Length: 5a\r\n"), 400},
    {"length with a space inside", POST("Content-Length: 5 5\r\n"), 400},
    {"length with a point", POST("Content-Length: 5.0\r\n"), 400},
    {"length with an exponent", POST("Content-Length: 1e1\r\n"), 400},
    {"empty length", POST("Content-Length:\r\n"), 400},
    {"length beyond 63 bits", POST("Content-Length: 9223372036854775808\r\n"), 400},
    {"length that wraps to 5", POST("Content-Length: 18446744073709551621\r\n"), 400},
    {"length in other digits", POST("Content-Length: \xd9\xa5\r\n"), 400},
    {"length in quotes", POST("Content-Length: \"5\"\r\n"), 400},
};

static enum parse_status parse(const char *text, struct http_head *head)
{
    return http_head_parse(slice_of(text), 0, head);
}

static void rfc9112_what_could_be_smuggled_is_refused(void **state)
{
    (void)state;
    struct http_head head;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const struct refusal *r = &refusals[i];
        head.status = 0;
        head.why = NULL;
        enum parse_status status = parse(r->text, &head);
        if (status != PARSE_BAD || head.status != r->status || !head.why)
            fail_msg("%s: parsed %d, status %d", r->name, status, head.status);
    }
}

/* Cut anywhere, and fed byte by byte, the answer is the same. */
static void check_splits(struct slice in)
{
    struct http_head whole, part;
    enum parse_status status = http_head_parse(in, 0, &whole);
    size_t decided = 0;
    for (size_t len = 1; len <= in.len && !decided; len++)
        if (http_head_parse(slice_first(in, len), len - 1, &part) != PARSE_MORE)
            decided = len;
    assert_int_equal(decided == 0, status == PARSE_MORE);
    for (size_t len = 0; len <= in.len; len++) {
        enum parse_status first = http_head_parse(slice_first(in, len), 0, &part);
        assert_int_equal(first, decided && len >= decided ? status : PARSE_MORE);
        if (first == PARSE_MORE)
            assert_int_equal(http_head_parse(in, len, &part), status);
        if (status == PARSE_BAD && first == PARSE_BAD) {
            assert_int_equal(part.status, whole.status);
            assert_ptr_equal(part.why, whole.why);
        }
        if (status == PARSE_OK && first == PARSE_OK)
            assert_int_equal(part.size, whole.size);
    }
}

static void any_split_gives_the_same_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        check_splits(slice_of(refusals[i].text));
    check_splits(slice_of("\r\n\r\n" GET("Accept: */*\r\nX:\r\n") "GET /next"));
    check_splits(slice_of(POST("Content-Length: 5\r\nConnection: close\r\n") "hello"));
    check_splits(slice_of("OPTIONS * HTTP/1.0\r\n\r\n"));
}

static void rfc9112_3_a_request_is_taken_apart(void **state)
{
    (void)state;
    struct http_head h;
    const char *text = "GET /a/b?c=d HTTP/1.1\r\nhOST:\ta.example:8080 \t\r\nX-Empty:\r\n"
                       "X-Text: \xc3\xb8 \"quoted\"  \r\n\r\nbody";
    assert_int_equal(parse(text, &h), PARSE_OK);
    assert_slice(h.method, "GET");
    assert_slice(h.target, "/a/b?c=d");
    assert_int_equal(h.minor, 1);
    assert_slice(h.host, "a.example:8080");
    assert_int_equal(h.header_count, 3);
    assert_slice(h.headers[1].name, "X-Empty");
    assert_slice(h.headers[1].value, "");
    assert_slice(h.headers[2].value, "\xc3\xb8 \"quoted\"");
    assert_int_equal(h.size, strlen(text) - 4);
    assert_int_equal(h.body, HTTP_BODY_NONE);
    assert_slice(http_head_find(&h, slice_of("x-text")), "\xc3\xb8 \"quoted\"");
    assert_slice(http_head_find(&h, slice_of("Host")), "a.example:8080");
    assert_null(http_head_find(&h, slice_of("x-other")).ptr);
    assert_int_equal(http_head_count(&h, slice_of("host")), 1);
}

static void a_head_holds_nothing_of_the_one_before(void **state)
{
    (void)state;
    struct http_head h;
    assert_int_equal(parse(POST("X: y\r\nContent-Length: 5\r\nConnection: close\r\n"), &h),
                     PARSE_OK);
    assert_int_equal(parse("GET / HTTP/1.1\r\n" HOST "\r\n", &h), PARSE_OK);
    assert_null(http_head_find(&h, slice_of("x")).ptr);
    assert_int_equal(http_head_count(&h, slice_of("x")), 0);
    assert_true(h.keep_alive && h.body == HTTP_BODY_NONE && h.content_length == 0);
}

static void rfc9112_3_2_every_form_of_the_target(void **state)
{
    (void)state;
    static const struct {
        const char *line, *host;
    } rows[] = {
        {"GET /", "a.example"},
        {"GET //x", "a.example"},
        {"GET /?", "a.example"},
        {"GET /a|b^{}\"<>`\\", "a.example"},
        {"OPTIONS *", "a.example"},
        {"OPTIONS /", "a.example"},
        {"GET http://b", "b"},
        {"GET http://b.example/", "b.example"},
        {"GET HTTP://b.example:81?x", "b.example:81"},
        {"GET https://[2001:db8::1]", "[2001:db8::1]"},
        {"CONNECT b.example:443", "b.example:443"},
        {"CONNECT [::1]:443", "[::1]:443"},
        {"M-SEARCH /", "a.example"},
        {"X /", "a.example"},
        {"!#$%&'*+-.^_`|~09 /", "a.example"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        struct http_head h;
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\n" HOST "\r\n", rows[i].line);
        if (parse(text, &h) != PARSE_OK)
            fail_msg("%s: %s", rows[i].line, h.why);
        assert_slice(h.host, rows[i].host);
        assert_slice(http_head_find(&h, slice_of("host")), rows[i].host);
    }
}

static void rfc9112_2_2_two_empty_lines_may_come_first(void **state)
{
    (void)state;
    struct http_head h;
    assert_int_equal(parse("\r\n" GET(""), &h), PARSE_OK);
    assert_int_equal(parse("\r\n\r\n" GET(""), &h), PARSE_OK);
    assert_int_equal(h.size, strlen("\r\n\r\n" GET("")));
}

static void rfc9112_9_3_who_keeps_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *version, *fields;
        bool keep_alive, upgrade;
    } rows[] = {
        {"1.1", "", true, false},
        {"1.2", "", true, false},
        {"1.0", "", false, false},
        {"1.0", "Connection: keep-alive\r\n", true, false},
        {"1.0", "Connection: Keep-Alive, x\r\n", true, false},
        {"1.1", "Connection: close\r\n", false, false},
        {"1.1", "connection: x , CLOSE\r\n", false, false},
        {"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false, false},
        {"1.0", "Connection: keep-alive, close\r\n", false, false},
        {"1.1", "Connection: \"close\"\r\n", true, false},
        {"1.1", "Connection: closed\r\n", true, false},
        {"1.1", "Connection: keep-alive, Upgrade\r\n", true, true},
        {"1.1", "Connection: ,,upgrade,\r\n", true, true},
        {"1.1", "Connection:\r\n", true, false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        struct http_head h;
        snprintf(text, sizeof(text), "GET / HTTP/%s\r\n" HOST "%s\r\n", rows[i].version,
                 rows[i].fields);
        assert_int_equal(parse(text, &h), PARSE_OK);
        if (h.keep_alive != rows[i].keep_alive || h.upgrade != rows[i].upgrade)
            fail_msg("%s %s", rows[i].version, rows[i].fields);
    }
}

static void rfc9112_6_3_how_long_the_body_is(void **state)
{
    (void)state;
    struct http_head h;
    assert_int_equal(parse(POST("Content-Length: 0\r\n"), &h), PARSE_OK);
    assert_int_equal(h.body, HTTP_BODY_LENGTH);
    assert_int_equal(h.content_length, 0);
    assert_int_equal(parse(POST("content-length:\t0009223372036854775807 \r\n"), &h), PARSE_OK);
    assert_true(h.content_length == INT64_MAX);
    assert_int_equal(parse(POST("TRANSFER-ENCODING: Chunked\r\n"), &h), PARSE_OK);
    assert_int_equal(h.body, HTTP_BODY_CHUNKED);
    assert_int_equal(parse("POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", &h), PARSE_OK);
    assert_int_equal(h.content_length, 5);
    assert_null(h.host.ptr);
}

static void rfc9110_10_1_1_expect_is_for_http_1_1(void **state)
{
    (void)state;
    struct http_head h;
    assert_int_equal(parse(POST("Expect: 100-Continue\r\n"), &h), PARSE_OK);
    assert_true(h.expect_continue);
    assert_int_equal(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", &h), PARSE_OK);
    assert_false(h.expect_continue);
    assert_int_equal(parse(POST("Expect: something\r\n"), &h), PARSE_OK);
    assert_false(h.expect_continue);
}

static void rfc6585_5_more_headers_than_fit_are_431(void **state)
{
    (void)state;
    char text[4096];
    struct http_head h;
    size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 1; i < HTTP_HEADERS_MAX; i++)
        n += (size_t)sprintf(text + n, "X: %d\r\n", i);
    strcpy(text + n, "\r\n");
    assert_int_equal(parse(text, &h), PARSE_OK);
    assert_int_equal(h.header_count, HTTP_HEADERS_MAX);
    strcpy(text + n, "X: y\r\n\r\n");
    assert_int_equal(parse(text, &h), PARSE_BAD);
    assert_int_equal(h.status, 431);
    check_splits(slice_of(text));
}

static void what_is_no_http_is_refused_by_its_first_byte(void **state)
{
    (void)state;
    struct http_head h;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        bool begins = c == '\r' || (c != 0 && http_is_token(slice_make(&byte, 1)));
        enum parse_status wanted = begins ? PARSE_MORE : PARSE_BAD;
        assert_int_equal(http_head_parse(slice_make(&byte, 1), 0, &h), wanted);
    }
}

/* Against the grammar, byte by byte and at every distance from the end of a vector. */
static void rfc9110_5_5_each_byte_of_a_value_is_judged(void **state)
{
    (void)state;
    struct http_head h;
    char text[200];
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 40; at++) {
            size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST "X: ");
            memset(text + n, 'v', 40);
            text[n + at] = (char)c;
            memcpy(text + n + 40, "\r\n\r\n", 4);
            bool good = c == '\t' || (c >= ' ' && c != 0x7f);
            assert_int_equal(http_head_parse(slice_make(text, n + 44), 0, &h),
                             good ? PARSE_OK : PARSE_BAD);
        }
    }
}

static void rfc9112_3_2_each_byte_of_a_target_is_judged(void **state)
{
    (void)state;
    struct http_head h;
    char text[200];
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 40; at++) {
            size_t n = (size_t)sprintf(text, "GET /");
            memset(text + n, 'v', 40);
            text[n + at] = (char)c;
            size_t len = n + 40 + (size_t)sprintf(text + n + 40, " HTTP/1.1\r\n" HOST "\r\n");
            bool good = c > ' ' && c < 0x7f && c != '#';
            assert_int_equal(http_head_parse(slice_make(text, len), 0, &h),
                             good ? PARSE_OK : PARSE_BAD);
        }
    }
}

static void rfc9110_5_6_2_tokens(void **state)
{
    (void)state;
    const char *all =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 1; c < 256; c++) {
        char byte = (char)c;
        assert_int_equal(http_is_token(slice_make(&byte, 1)), strchr(all, c) != NULL);
    }
    assert_true(http_is_token(slice_of(all)));
    assert_false(http_is_token(slice_of("")));
    assert_false(http_is_token(slice_make("\0", 1)));
}

static void rfc9110_5_6_1_lists(void **state)
{
    (void)state;
    struct slice rest = slice_of(",, a ,\t\"b, \\\" c\" ; d ,,e,"), member;
    const char *wanted[] = {"a", "\"b, \\\" c\" ; d", "e"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(http_list_next(&rest, &member));
        assert_slice(member, wanted[i]);
    }
    assert_false(http_list_next(&rest, &member));
    assert_true(http_list_has(slice_of("gzip, Br"), slice_of("br")));
    assert_false(http_list_has(slice_of("gzip, brx"), slice_of("br")));
    assert_false(http_list_has(SLICE_NONE, slice_of("br")));
    rest = slice_of("a, \"unclosed, b\\");
    assert_true(http_list_next(&rest, &member));
    assert_true(http_list_next(&rest, &member));
    assert_slice(member, "\"unclosed, b\\");
    assert_false(http_list_next(&rest, &member));
}

static void rfc9112_3_2_a_target_is_split_at_its_query(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        {"/", "/", NULL},
        {"/a?", "/a", ""},
        {"/a?b?c", "/a", "b?c"},
        {"http://a.example", "/", NULL},
        {"http://a.example?x", "/", "x"},
        {"HTTPS://a.example:1/b/c?d", "/b/c", "d"},
    };
    struct slice path, query;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_true(http_target_split(slice_of(rows[i].target), &path, &query));
        assert_slice(path, rows[i].path);
        assert_int_equal(query.ptr == NULL, rows[i].query == NULL);
        if (rows[i].query)
            assert_slice(query, rows[i].query);
    }
    const char *bad[] = {"*", "a.example:443", "", "ftp://a/", "http:/a", "http://", "http:///a"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(http_target_split(slice_of(bad[i]), &path, &query));
}

static void rfc3986_5_2_4_paths_are_decoded_and_settled(void **state)
{
    (void)state;
    static const struct {
        const char *path, *wanted; /* NULL: refused */
    } rows[] = {
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"/a/", "/a/"},
        {"//a///b//", "/a/b/"},
        {"/.", "/"},
        {"/./a/.", "/a/"},
        {"/a/..", "/"},
        {"/a/../b", "/b"},
        {"/a/b/../../c/", "/c/"},
        {"/a//../b", "/b"},
        {"/%61%C3%b8", "/a\xc3\xb8"},
        {"/a%20b", "/a b"},
        {"/a/%2e%2E/b", "/b"},
        {"/%2e/a", "/a"},
        {"/...", "/..."},
        {"/..a/.b", "/..a/.b"},
        {"/a.", "/a."},
        {"/a%25%32%65", "/a%2e"},
        {"/..", NULL},
        {"/../a", NULL},
        {"/a/../..", NULL},
        {"/a/../../b", NULL},
        {"/%2e%2e/a", NULL},
        {"/.%2e", NULL},
        {"/a/%2e%2e/%2e%2e/etc/passwd", NULL},
        {"//..", NULL},
        {"", NULL},
        {"a", NULL},
        {"%2fa", NULL},
        {"/a%2fb", NULL},
        {"/a%2F..", NULL},
        {"/a%00b", NULL},
        {"/a\\b", NULL},
        {"/a%5cb", NULL},
        {"/..\\a", NULL},
        {"/%", NULL},
        {"/%4", NULL},
        {"/%4g", NULL},
        {"/%g4", NULL},
        {"/%u0041", NULL},
        {"/% 41", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct slice path = slice_of(rows[i].path);
        char *out = malloc(path.len ? path.len : 1); /* the least that is promised to do */
        size_t len = 0;
        bool good = http_path_decode(path, out, &len);
        if (good != (rows[i].wanted != NULL))
            fail_msg("%s", rows[i].path);
        if (good)
            assert_slice(slice_make(out, len), rows[i].wanted);
        free(out);
    }
}

/* However long the token is, and whatever ends it. */
static void rfc9110_5_6_2_a_token_ends_at_the_first_byte_that_is_none(void **state)
{
    (void)state;
    static const char others[] = "!#$%&'*+-.^_`|~";
    char text[40];
    for (size_t len = 1; len <= sizeof(text); len++)
        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 256; c++) {
                bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
                bool is_tchar = is_letter || (c >= '0' && c <= '9') || (c && strchr(others, c));
                memset(text, 'Z', len);
                text[at] = (char)c;
                const char *end = http_skip_token(text, text + len);
                assert_ptr_equal(end, text + (is_tchar ? len : at));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc9112_what_could_be_smuggled_is_refused),
        cmocka_unit_test(any_split_gives_the_same_verdict),
        cmocka_unit_test(rfc9112_3_a_request_is_taken_apart),
        cmocka_unit_test(a_head_holds_nothing_of_the_one_before),
        cmocka_unit_test(rfc9112_3_2_every_form_of_the_target),
        cmocka_unit_test(rfc9112_2_2_two_empty_lines_may_come_first),
        cmocka_unit_test(rfc9112_9_3_who_keeps_the_connection),
        cmocka_unit_test(rfc9112_6_3_how_long_the_body_is),
        cmocka_unit_test(rfc9110_10_1_1_expect_is_for_http_1_1),
        cmocka_unit_test(rfc6585_5_more_headers_than_fit_are_431),
        cmocka_unit_test(what_is_no_http_is_refused_by_its_first_byte),
        cmocka_unit_test(rfc9110_5_5_each_byte_of_a_value_is_judged),
        cmocka_unit_test(rfc9112_3_2_each_byte_of_a_target_is_judged),
        cmocka_unit_test(rfc9110_5_6_2_tokens),
        cmocka_unit_test(rfc9110_5_6_1_lists),
        cmocka_unit_test(rfc9112_3_2_a_target_is_split_at_its_query),
        cmocka_unit_test(rfc3986_5_2_4_paths_are_decoded_and_settled),
        cmocka_unit_test(rfc9110_5_6_2_a_token_ends_at_the_first_byte_that_is_none),
    };
    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
