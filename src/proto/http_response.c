/* SPDX-License-Identifier: MIT */
#include "proto/http_response.h"

#include "proto/http_chars.h"

static enum parse_status bad(struct http_response *ret, const char *why)
{
    ret->why = why;
    return PARSE_BAD;
}

/* Takes a line that ends in CRLF off the front. */
static enum parse_status next_line(struct slice *rest, struct slice *ret, struct http_response *r)
{
    size_t lf = slice_find(*rest, '\n');
    if (lf == rest->len)
        return PARSE_MORE;
    if (lf == 0 || rest->ptr[lf - 1] != '\r')
        return bad(r, "a line of the response that does not end in CRLF");
    *ret = slice_first(*rest, lf - 1);
    *rest = slice_skip(*rest, lf + 1);
    return PARSE_OK;
}

static bool all_field(struct slice s)
{
    return s.len == 0 || http_skip_field(s.ptr, s.ptr + s.len) == s.ptr + s.len;
}

/* HTTP/1.1 SP 3DIGIT SP [ phrase ]; without the last space it is common, and taken. */
static enum parse_status take_status(struct slice line, struct http_response *r)
{
    uint64_t status;
    if (!slice_starts_with(line, SLICE_LITERAL("HTTP/1.")) || line.len < 12 ||
        (line.ptr[7] != '0' && line.ptr[7] != '1') || line.ptr[8] != ' ')
        return bad(r, "the answer is no HTTP/1.1 response");
    if (!slice_to_uint(slice_make(line.ptr + 9, 3), 999, &status) || status < 100 ||
        (line.len > 12 && line.ptr[12] != ' '))
        return bad(r, "the response has no status of three digits");
    r->minor = line.ptr[7] == '1';
    r->status = (int)status;
    r->reason = line.len > 13 ? slice_skip(line, 13) : SLICE_NONE;
    return all_field(r->reason) ? PARSE_OK : bad(r, "a control character in the status line");
}

static enum parse_status take_field(struct slice line, struct http_response *r)
{
    const char *colon = http_skip_token(line.ptr, line.ptr + line.len);
    struct slice name = slice_make(line.ptr, (size_t)(colon - line.ptr));
    if (name.len == 0 || name.len == line.len || *colon != ':')
        return bad(r, "a header line of the response without name and colon");
    struct slice value = slice_skip(line, name.len + 1);
    if (!all_field(value))
        return bad(r, "a control character in a header of the response");
    if (r->header_count == HTTP_HEADERS_MAX)
        return bad(r, "a response with too many headers");
    r->headers[r->header_count++] = (struct http_header){name, slice_trim(value)};
    return PARSE_OK;
}

enum parse_status http_response_parse(struct slice in, struct http_response *ret)
{
    struct slice rest = in, line;
    ret->header_count = 0;
    enum parse_status status = next_line(&rest, &line, ret);
    if (status == PARSE_OK)
        status = take_status(line, ret);
    while (status == PARSE_OK) {
        status = next_line(&rest, &line, ret);
        if (status == PARSE_OK && line.len == 0)
            break;
        if (status == PARSE_OK)
            status = take_field(line, ret);
    }
    ret->size = in.len - rest.len;
    return status;
}

size_t http_response_count(const struct http_response *r, struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < r->header_count; i++)
        count += slice_equal_nocase(r->headers[i].name, name);
    return count;
}

struct slice http_response_once(const struct http_response *r, struct slice name)
{
    struct slice value = SLICE_NONE;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!slice_equal_nocase(r->headers[i].name, name))
            continue;
        if (value.ptr)
            return SLICE_NONE;
        value = r->headers[i].value;
    }
    return value;
}
