/* SPDX-License-Identifier: MIT */
#include "proto/cgi_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_slice.h"
#include "random.h"

static struct cgi_head head;

static enum parse_status parse(const char *text)
{
    return cgi_head_parse(slice_of(text), 0, &head);
}

static void rfc3875_6_2_1_a_document(void **state)
{
    (void)state;
    const char *text = "Content-Type: text/html; charset=utf-8\nX-Empty:\r\n"
                       "content-length: 12 \r\n\n<p>hi</p>";
    assert_int_equal(parse(text), PARSE_OK);
    assert_int_equal(head.status, 200);
    assert_int_equal(head.reason.len, 0);
    assert_true(head.has_length);
    assert_int_equal(head.content_length, 12);
    assert_int_equal(head.header_count, 2);
    assert_slice(head.headers[0].name, "Content-Type");
    assert_slice(head.headers[0].value, "text/html; charset=utf-8");
    assert_slice(head.headers[1].value, "");
    assert_string_equal(text + head.size, "<p>hi</p>");
}

static void rfc3875_6_3_3_status(void **state)
{
    (void)state;
    assert_int_equal(parse("Status: 404 Not Found\n\n"), PARSE_OK);
    assert_int_equal(head.status, 404);
    assert_slice(head.reason, "Not Found");
    assert_int_equal(head.header_count, 0);
    assert_int_equal(parse("status:401\r\n\r\n"), PARSE_OK);
    assert_int_equal(head.status, 401);
    assert_slice(head.reason, "");
    assert_int_equal(parse("Status: 100\n\n"), PARSE_OK);
    assert_int_equal(parse("Status: 599\n\n"), PARSE_OK);
    assert_int_equal(parse("Status: 500 \n\n"), PARSE_OK);
    assert_slice(head.reason, "");
}

static void rfc3875_6_2_3_location_alone_means_302(void **state)
{
    (void)state;
    assert_int_equal(parse("Location: https://b.example/\n\n"), PARSE_OK);
    assert_int_equal(head.status, 302);
    assert_slice(head.headers[0].name, "Location");
    assert_int_equal(parse("Location: /local\nContent-Type: text/plain\n\n"), PARSE_OK);
    assert_int_equal(head.status, 302);
    assert_int_equal(parse("Location: /new\nStatus: 201 Created\n\n"), PARSE_OK);
    assert_int_equal(head.status, 201);
}

static void an_empty_block_is_whole(void **state)
{
    (void)state;
    assert_int_equal(parse("\nbody"), PARSE_OK);
    assert_int_equal(head.size, 1);
    assert_int_equal(head.header_count, 0);
    assert_false(head.has_length);
    assert_int_equal(head.status, 200);
    assert_int_equal(parse("\r\n"), PARSE_OK);
    assert_int_equal(head.size, 2);
    assert_int_equal(parse(""), PARSE_MORE);
    assert_int_equal(parse("\r"), PARSE_MORE);
    assert_int_equal(parse("A: b\n"), PARSE_MORE);
}

static const char *const refused[] = {
    "<!doctype html>\n<html>\n\n",
    "Hello\n\n",
    "A b: c\n\n",
    "A : b\n\n",
    ": b\n\n",
    "A: b\n c\n\n",
    "A: b\n\tc\n\n",
    " A: b\n\n",
    "A: b\rc\n\n",
    "A: b\r\r\n\n",
    "A: b\x01\n\n",
    "A: b\x7f\n\n",
    "\xc3\xb8: b\n\n",
    "Content-Length: 1\nContent-Length: 1\n\n",
    "Content-Length: x\n\n",
    "Content-Length:\n\n",
    "Content-Length: -1\n\n",
    "Content-Length: 9223372036854775808\n\n",
    "Content-Type: a/b\nContent-Type: a/b\n\n",
    "Location: /a\nLocation: /b\n\n",
    "Status: 200\nStatus: 200\n\n",
    "Status: OK\n\n",
    "Status:\n\n",
    "Status: 99\n\n",
    "Status: 099 x\n\n",
    "Status: 600\n\n",
    "Status: 2000\n\n",
    "Status: 20\n\n",
    "Status: 200OK\n\n",
    "Status: HTTP/1.1 200\n\n",
};

static void rfc3875_6_3_what_a_program_must_not_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        head.why = NULL;
        if (parse(refused[i]) != PARSE_BAD || !head.why)
            fail_msg("%s", refused[i]);
    }
    assert_int_equal(cgi_head_parse(slice_make("A: b\0c\n\n", 8), 0, &head), PARSE_BAD);
}

static void rfc9110_7_6_1_what_is_about_the_connection_is_left_out(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "Connection: close\n",   "Transfer-Encoding: chunked\n",
        "keep-alive: x\n",       "Upgrade: h2c\n",
        "Trailer: x\n",          "TE: trailers\n",
        "Proxy-Connection: x\n", "proxy-authenticate: x\n",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[200];
        snprintf(text, sizeof(text), "A: 1\n%sB: 2\n\n", rows[i]);
        assert_int_equal(parse(text), PARSE_OK);
        assert_int_equal(head.header_count, 2);
        assert_slice(head.headers[1].name, "B");
        assert_int_equal(head.left_out.len, strcspn(rows[i], ":"));
    }
    assert_int_equal(parse("A: 1\n\n"), PARSE_OK);
    assert_null(head.left_out.ptr);
}

static void what_connection_names_is_left_out_too(void **state)
{
    (void)state;
    assert_int_equal(parse("X-Hop: 1\nConnection: close, x-hop, Content-Type\nX-Other: 2\n"
                           "Content-Type: text/html\nconnection: x-second\nX-Second: 3\n\n"),
                     PARSE_OK);
    assert_int_equal(head.header_count, 2);
    assert_slice(head.headers[0].name, "X-Other");
    assert_slice(head.headers[1].name, "Content-Type");
    assert_slice(head.left_out, "X-Hop");
}

static void too_many_headers_are_refused(void **state)
{
    (void)state;
    char text[2000];
    size_t n = 0;
    for (int i = 0; i < HTTP_HEADERS_MAX; i++)
        n += (size_t)sprintf(text + n, "X: %d\n", i);
    strcpy(text + n, "Status: 201\nContent-Length: 0\n\n");
    assert_int_equal(parse(text), PARSE_OK);
    strcpy(text + n, "X: y\n\n");
    assert_int_equal(parse(text), PARSE_BAD);
}

static void check_splits(struct slice in)
{
    static struct cgi_head part;
    enum parse_status status = cgi_head_parse(in, 0, &head);
    enum parse_status early = PARSE_MORE;
    for (size_t len = 1; len <= in.len && early == PARSE_MORE; len++)
        early = cgi_head_parse(slice_first(in, len), len - 1, &part);
    assert_int_equal(early, status);
    if (status == PARSE_BAD)
        assert_ptr_equal(part.why, head.why);
    if (status == PARSE_OK)
        assert_true(part.size == head.size && part.status == head.status);
    for (size_t len = 0; len <= in.len; len++)
        if (cgi_head_parse(slice_first(in, len), 0, &part) == PARSE_MORE)
            assert_int_equal(cgi_head_parse(in, len, &part), status);
}

static void any_split_gives_the_same_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        check_splits(slice_of(refused[i]));
    check_splits(slice_of("Status: 404 Not Found\r\nContent-Type: text/html\nX: y\n\r\nbody\n\n"));
    check_splits(slice_of("\n\n"));
}

/* `|` marks the place; without it more is needed, and `~` is where it goes if the document ends. */
static const char *const documents[] = {
    "<!doctype html><html><head>|<title>x</title>",
    "<!DOCTYPE html>\n<HTML lang=en>\n<Head>|\n<title>",
    "|<title>x</title>",
    "<!doctype html>\n|<title>x",
    "  |text",
    "|text<head>",
    "<!doctype html>\n|<body>",
    "<html>|<body><head>",
    "<head>|</head>",
    "<html><!-- <head> --><head>|",
    "<!-- a --><!doctype html><!-- b --><head>|",
    "<!--><head>|x",
    "<!---><head>|x",
    "<!----><head>|x",
    "<!-- --!><head>|x",
    "<!-- -- > -- --><head>|x",
    "<!-- ---><head>|x",
    "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" "
    "\"http://x\"><html><head>|",
    "<![CDATA[x]]>|y",
    "<!x><head>|",
    "</ x><head>|",
    "</><head>|",
    "</p><head>|",
    "</a><head>|",
    "</Z><head>|",
    "</ a='>|'><head>",
    "</1 a='>|'><head>",
    "<!><head>|",
    "<?><head>|",
    "</A b='>'><!doctype html></z/>|x",
    "|</head><p>",
    "<html>|</BODY >",
    "|</html>",
    "|</br>",
    "~</p",
    "~</br",
    "</p>~</p a='>",
    "<html a='<head>' b=\">\" c=><head>|",
    "<head a=\"'>\" b='\"' c=d>|",
    "<head a=b\"c>|\">",
    "<head \"a>|\">",
    "<head a = '>' >|",
    "<head/>|x",
    "<head / a='>'>|",
    "<head a/='>|'>",
    "<head =a='>'>|",
    "<head ==>|'>",
    "<head a=='>|'>",
    "<html><html x><head>|",
    "\xef\xbb\xbf<!doctype html><head>|",
    "\xef\xbb\xbf|\xef\xbb\xbf",
    "|<header>",
    "|<htmlx>",
    "|<html-x>",
    "|<h1>",
    "|<a",
    "~",
    "~<!doctype html",
    "<!doctype html>~",
    "<!doctype html>\n~<",
    "<!doctype html>\n~<h",
    "<!doctype html>\n~<he",
    "<!doctype html>\n~<head",
    "<!doctype html>\n~<head a='>",
    "<!doctype html>\n~<!",
    "<!doctype html>\n~<!-",
    "<!doctype html>\n~<!-- <head> --",
    "<html>~<html",
    "~<html a=",
    "~</",
    "<!--->~",
    "<!-->~",
    "<html\fa=\r'>'><head\fb>|",
    "\f\r\t|x",
    "~<?xml",
    "\xef\xbb\xbf~",
    "~\xef\xbb",
};

static void check_document(const char *marked)
{
    char text[400];
    size_t mark = strcspn(marked, "|~"), offset = SIZE_MAX, early = SIZE_MAX;
    bool decided = marked[mark] == '|';
    memcpy(text, marked, mark);
    strcpy(text + mark, marked + mark + 1);
    struct slice in = slice_of(text);
    enum parse_status status = html_head_offset(in, &offset);
    if (status != (decided ? PARSE_OK : PARSE_MORE) || offset != mark)
        fail_msg("%s: %d at %zu", marked, status, offset);
    for (size_t len = 0; len < in.len; len++) {
        status = html_head_offset(slice_first(in, len), &early);
        assert_true(early <= len && early <= mark);
        assert_true(status == PARSE_MORE || (decided && early == mark));
    }
}

static void html_13_2_6_4_where_the_head_begins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(documents); i++)
        check_document(documents[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3875_6_2_1_a_document),
        cmocka_unit_test(rfc3875_6_3_3_status),
        cmocka_unit_test(rfc3875_6_2_3_location_alone_means_302),
        cmocka_unit_test(an_empty_block_is_whole),
        cmocka_unit_test(rfc3875_6_3_what_a_program_must_not_say),
        cmocka_unit_test(rfc9110_7_6_1_what_is_about_the_connection_is_left_out),
        cmocka_unit_test(what_connection_names_is_left_out_too),
        cmocka_unit_test(too_many_headers_are_refused),
        cmocka_unit_test(any_split_gives_the_same_verdict),
        cmocka_unit_test(html_13_2_6_4_where_the_head_begins),
    };
    return cmocka_run_group_tests_name("cgi_head", tests, NULL, NULL);
}
