/* SPDX-License-Identifier: MIT */
#include "proto/cgi_head.h"

#include "proto/http_chars.h"

#define CONNECTIONS_MAX 4 /* a program that prints more of them has not one to name others by */

#define NAMED(s, literal) slice_equal_nocase((s), SLICE_LITERAL(literal))

/* Fields of RFC 3875, 6.3, may come once. */
struct once {
    bool status, location, type, connection;
};

static enum parse_status bad(struct cgi_head *ret, const char *why)
{
    ret->why = why;
    return PARSE_BAD;
}

/* Headers about the connection, in which a program has no say: the connection is the server's. */
static bool is_servers(struct slice name)
{
    static const char *const names[] = {"connection", "transfer-encoding", "keep-alive",
                                        "upgrade",    "trailer",           "te"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (slice_equal_nocase(name, slice_of(names[i])))
            return true;
    return slice_equal_nocase(slice_first(name, 6), SLICE_LITERAL("proxy-"));
}

static void leave_out(struct cgi_head *ret, struct slice name)
{
    if (!ret->left_out.ptr)
        ret->left_out = name;
}

static bool is_named_by(struct slice name, const struct http_header *connections, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (NAMED(connections[i].name, "connection") && http_list_has(connections[i].value, name))
            return true;
    return false;
}

/* Takes out Connection and the headers that it names. What the answer is can't be named away. */
static void leave_out_named(struct cgi_head *ret)
{
    size_t kept = 0;
    struct http_header connections[CONNECTIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < ret->header_count && count < CONNECTIONS_MAX; i++)
        if (NAMED(ret->headers[i].name, "connection"))
            connections[count++] = ret->headers[i];
    for (size_t i = 0; i < ret->header_count; i++) {
        struct slice name = ret->headers[i].name;
        bool is_answers = NAMED(name, "content-type") || NAMED(name, "location");
        if (NAMED(name, "connection") || (!is_answers && is_named_by(name, connections, count)))
            leave_out(ret, name);
        else
            ret->headers[kept++] = ret->headers[i];
    }
    ret->header_count = kept;
}

/* CODE [SP REASON] */
static bool take_status(struct cgi_head *ret, struct slice value)
{
    uint64_t code;
    if (!slice_to_uint(slice_first(value, 3), 599, &code) || code < 100)
        return false;
    struct slice reason = slice_skip(value, 3);
    if (reason.len && reason.ptr[0] != ' ')
        return false;
    ret->status = (int)code;
    ret->reason = slice_trim(reason);
    return true;
}

static bool is_second(bool *once)
{
    bool second = *once;
    *once = true;
    return second;
}

static enum parse_status take_field(struct cgi_head *ret, struct once *once, struct slice name,
                                    struct slice value)
{
    if (is_servers(name) && !NAMED(name, "connection")) {
        leave_out(ret, name);
        return PARSE_OK;
    }
    once->connection |= NAMED(name, "connection"); /* left out at the end: it names others */
    if (NAMED(name, "status")) {
        if (is_second(&once->status))
            return bad(ret, "more than one Status");
        return take_status(ret, value) ? PARSE_OK : bad(ret, "Status is no status code");
    }
    if (NAMED(name, "content-length")) {
        if (is_second(&ret->has_length))
            return bad(ret, "more than one Content-Length");
        return slice_to_uint(value, INT64_MAX, &ret->content_length)
                   ? PARSE_OK
                   : bad(ret, "Content-Length is no number");
    }
    if (NAMED(name, "location") && is_second(&once->location))
        return bad(ret, "more than one Location");
    if (NAMED(name, "content-type") && is_second(&once->type))
        return bad(ret, "more than one Content-Type");
    if (ret->header_count == HTTP_HEADERS_MAX)
        return bad(ret, "too many headers");
    ret->headers[ret->header_count++] = (struct http_header){.name = name, .value = value};
    return PARSE_OK;
}

static enum parse_status take_value(struct cgi_head *ret, struct once *once, struct slice name,
                                    struct slice value)
{
    const char *end = value.ptr + value.len;
    if (http_skip_field(value.ptr, end) != end)
        return bad(ret, "a control character in a header value");
    return take_field(ret, once, name, slice_trim(value));
}

static enum parse_status take_line(struct cgi_head *ret, struct once *once, struct slice line)
{
    const char *end = line.ptr + line.len;
    const char *colon = http_skip_token(line.ptr, end);
    if (colon == line.ptr || colon == end || *colon != ':')
        return bad(ret, "a header line is not NAME: VALUE");
    return take_value(ret, once, slice_make(line.ptr, (size_t)(colon - line.ptr)),
                      slice_make(colon + 1, (size_t)(end - colon - 1)));
}

static void begin(struct cgi_head *ret)
{
    ret->status = 0;
    ret->reason = SLICE_NONE;
    ret->has_length = false;
    ret->content_length = 0;
    ret->header_count = 0;
    ret->left_out = SLICE_NONE;
}

static void finish(struct cgi_head *ret, const struct once *once)
{
    if (ret->status == 0)
        ret->status = once->location ? 302 : 200;
    if (once->connection)
        leave_out_named(ret);
}

enum parse_status cgi_head_make(int status, const struct http_header *headers, size_t count,
                                struct cgi_head *ret)
{
    struct once once = {.status = status != 0};
    begin(ret);
    if (status != 0 && (status < 100 || status > 599))
        return bad(ret, "Status is no status code");
    ret->status = status;
    ret->size = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice name = headers[i].name;
        ret->wrong = name;
        if (!name.len || http_skip_token(name.ptr, name.ptr + name.len) != name.ptr + name.len)
            return bad(ret, "a header's name is no token");
        if (take_value(ret, &once, name, headers[i].value) == PARSE_BAD)
            return PARSE_BAD;
    }
    finish(ret, &once);
    return PARSE_OK;
}

/* Takes a line off `rest`, without its LF or CRLF. */
static bool next_line(struct slice *rest, struct slice *line)
{
    size_t len = slice_find(*rest, '\n');
    if (len == rest->len)
        return false;
    *line = slice_first(*rest, len);
    if (len && line->ptr[len - 1] == '\r')
        line->len--;
    *rest = slice_skip(*rest, len + 1);
    return true;
}

enum parse_status cgi_head_parse(struct slice in, size_t seen, struct cgi_head *ret)
{
    struct slice rest = in, line, fresh = slice_skip(in, seen);
    struct once once = {0};
    if (slice_find(fresh, '\n') == fresh.len)
        return PARSE_MORE;
    begin(ret);
    while (next_line(&rest, &line)) {
        if (line.len == 0) {
            finish(ret, &once);
            ret->size = in.len - rest.len;
            return PARSE_OK;
        }
        ret->wrong = line;
        if (take_line(ret, &once, line) == PARSE_BAD)
            return PARSE_BAD;
    }
    return PARSE_MORE;
}
