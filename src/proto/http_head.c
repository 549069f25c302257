/* SPDX-License-Identifier: MIT */
#include "proto/http_head.h"

#include "proto/http_chars.h"
#include "proto/http_fields.h"

#define EMPTY_LINES_MAX 2

/* Where we are in the input. A fault counts only when its line is whole, so that the verdict does
 * not depend on how the bytes came: see bad(). */
struct cursor {
    const char *at;
    const char *end;
    struct http_head *head;
};

static enum parse_status bad(const struct cursor *c, int status, const char *why)
{
    if (!memchr(c->at, '\n', (size_t)(c->end - c->at)))
        return PARSE_MORE;
    c->head->status = status;
    c->head->why = why;
    return PARSE_BAD;
}

static inline bool next_is(const struct cursor *c, char wanted)
{
    return c->at < c->end && *c->at == wanted;
}

/* The end of a line, CRLF and nothing else (RFC 9112, 2.2). */
static enum parse_status take_line_end(struct cursor *c, const char *why)
{
    if (c->end - c->at >= 2 && c->at[0] == '\r' && c->at[1] == '\n') {
        c->at += 2;
        return PARSE_OK;
    }
    if (next_is(c, '\n') || (c->end - c->at >= 2 && *c->at == '\r'))
        return bad(c, 400, "a line that does not end in CRLF");
    return bad(c, 400, why);
}

static enum parse_status take_empty_lines(struct cursor *c)
{
    for (unsigned lines = 0; next_is(c, '\r') || next_is(c, '\n'); lines++) {
        if (lines == EMPTY_LINES_MAX)
            return bad(c, 400, "empty lines before the request");
        enum parse_status status = take_line_end(c, "");
        if (status != PARSE_OK)
            return status;
    }
    return PARSE_OK;
}

static enum parse_status take_version(struct cursor *c)
{
    struct slice v = slice_first(slice_make(c->at, (size_t)(c->end - c->at)), 8);
    bool form = v.len == 8 && memcmp(v.ptr, "HTTP/", 5) == 0 && v.ptr[5] >= '0' &&
                v.ptr[5] <= '9' && v.ptr[6] == '.' && v.ptr[7] >= '0' && v.ptr[7] <= '9';
    if (!form)
        return bad(c, 400, "the request line does not end in HTTP/1.1");
    if (v.ptr[5] != '1')
        return bad(c, 505, "a version other than HTTP/1.1 and HTTP/1.0");
    c->head->minor = v.ptr[7] > '0';
    c->at += 8;
    return take_line_end(c, "the request line does not end in HTTP/1.1");
}

static bool is_absolute(struct slice target)
{
    return (target.len > 7 && slice_equal_nocase(slice_first(target, 7), slice_of("http://"))) ||
           (target.len > 8 && slice_equal_nocase(slice_first(target, 8), slice_of("https://")));
}

/* The four forms of RFC 9112, 3.2; the authority itself is judged with the fields. */
static bool target_fits(struct slice method, struct slice target)
{
    if (slice_equal(method, SLICE_LITERAL("CONNECT")))
        return true;
    if (target.ptr[0] == '*')
        return target.len == 1 && slice_equal(method, SLICE_LITERAL("OPTIONS"));
    return target.ptr[0] == '/' || is_absolute(target);
}

static enum parse_status take_request_line(struct cursor *c)
{
    const char *begin = c->at;
    c->at = http_skip_token(c->at, c->end);
    struct slice method = slice_make(begin, (size_t)(c->at - begin));
    if (method.len == 0 || !next_is(c, ' '))
        return bad(c, 400, "the request line does not begin with a method and a space");
    begin = ++c->at;
    c->at = http_skip_target(c->at, c->end);
    struct slice target = slice_make(begin, (size_t)(c->at - begin));
    if (target.len == 0)
        return bad(c, 400, "the request line has more than one space, or no target");
    if (!next_is(c, ' '))
        return bad(c, 400, "a byte in the request target that must be percent-encoded");
    c->at++;
    enum parse_status status = take_version(c);
    if (status != PARSE_OK)
        return status; /* HTTP/2's preface has a refusal of its own */
    c->head->method = method;
    c->head->target = target;
    if (target_fits(method, target))
        return PARSE_OK;
    c->at--; /* at this line's LF, so that bad() sees the line whole */
    return bad(c, 400, "the request target has no form that fits its method");
}

static enum parse_status take_header(struct cursor *c)
{
    const char *begin = c->at;
    c->at = http_skip_token(c->at, c->end);
    struct slice name = slice_make(begin, (size_t)(c->at - begin));
    if (next_is(c, ' ') || next_is(c, '\t'))
        return bad(c, 400, name.len ? "whitespace after a header name" : "a folded header line");
    if (name.len == 0 || !next_is(c, ':'))
        return bad(c, 400, "a header line without name and colon");
    begin = ++c->at;
    c->at = http_skip_field(c->at, c->end);
    struct slice value = slice_make(begin, (size_t)(c->at - begin));
    enum parse_status status = take_line_end(c, "a control character in a header value");
    if (status != PARSE_OK)
        return status;
    if (c->head->header_count == HTTP_HEADERS_MAX) {
        c->at--; /* at this line's LF, so that bad() sees the line whole */
        return bad(c, 431, "too many headers");
    }
    c->head->headers[c->head->header_count++] =
        (struct http_header){.name = name, .value = slice_trim(value)};
    return PARSE_OK;
}

static enum parse_status take_head(struct cursor *c)
{
    enum parse_status status = take_empty_lines(c);
    if (status == PARSE_OK)
        status = take_request_line(c);
    while (status == PARSE_OK && !next_is(c, '\r'))
        status = take_header(c);
    return status == PARSE_OK ? take_line_end(c, "") : status;
}

enum parse_status http_head_parse(struct slice in, size_t seen, struct http_head *ret)
{
    struct cursor c = {.at = in.ptr, .end = in.ptr + in.len, .head = ret};
    if (in.len == 0)
        return PARSE_MORE;
    if (!http_is(in.ptr[0], HTTP_TCHAR) && in.ptr[0] != '\r') {
        ret->status = 400;
        ret->why = "this is no HTTP request";
        return PARSE_BAD;
    }
    struct slice fresh = slice_skip(in, seen);
    if (slice_find(fresh, '\n') == fresh.len)
        return PARSE_MORE;
    ret->header_count = 0;
    enum parse_status status = take_head(&c);
    if (status != PARSE_OK)
        return status;
    ret->size = (size_t)(c.at - in.ptr);
    return http_fields_judge(ret);
}
