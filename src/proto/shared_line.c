/* SPDX-License-Identifier: MIT */
#include "proto/shared_line.h"

#include "base/base64url.h"

bool shared_session_valid(struct slice session)
{
    return session.len > 0 && session.len <= SHARED_SESSION_MAX &&
           base64url_span(session) == session.len;
}

static enum parse_status bad(struct shared_line *ret, const char *why)
{
    ret->m.why = why;
    return PARSE_BAD;
}

/* `@SESSION `; *ret_len is its length. */
static enum parse_status parse_prefix(struct slice in, struct shared_line *ret, size_t *ret_len,
                                      size_t *want)
{
    size_t len = base64url_span(slice_skip(slice_first(in, SHARED_SESSION_MAX + 2), 1));
    bool whole = in.len > len + 1;
    if (in.ptr[0] != '@')
        return bad(ret, "a line without @SESSION");
    if (len > SHARED_SESSION_MAX || (whole && (len == 0 || in.ptr[len + 1] != ' ')))
        return bad(ret, "a session that is not 1 to 64 of A-Z a-z 0-9 - _, and a space");
    *want = in.len + 1;
    if (!whole)
        return PARSE_MORE;
    ret->session = slice_make(in.ptr + 1, len);
    *ret_len = len + 2;
    return PARSE_OK;
}

typedef enum parse_status line_parser(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                      size_t *want, struct message *ret);

static enum parse_status parse(struct slice in, size_t seen, size_t max_bytes, line_parser *rest,
                               size_t *used, size_t *want, struct shared_line *ret)
{
    size_t prefix = 0;
    *ret = (struct shared_line){.session = SLICE_LITERAL("")};
    *used = 0;
    *want = 1;
    if (in.len == 0)
        return PARSE_MORE;
    enum parse_status status = in.ptr[0] == '.' ? PARSE_OK : parse_prefix(in, ret, &prefix, want);
    if (status != PARSE_OK)
        return status;
    status = rest(slice_skip(in, prefix), seen > prefix ? seen - prefix : 0, max_bytes, used, want,
                  &ret->m);
    if (*used > 0)
        *used += prefix;
    *want += prefix;
    return status;
}

enum parse_status shared_line_parse(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                    size_t *want, struct shared_line *ret)
{
    return parse(in, seen, max_bytes, message_parse_line, used, want, ret);
}

enum parse_status shared_line_parse_escaped(struct slice in, size_t seen, size_t max_bytes,
                                            size_t *used, size_t *want, struct shared_line *ret)
{
    return parse(in, seen, max_bytes, message_parse_line_escaped, used, want, ret);
}
