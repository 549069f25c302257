/* SPDX-License-Identifier: MIT */
/* Tokens, lists and lookups over parsed headers (RFC 9110, 5.6). */
#include "proto/http_chars.h"
#include "proto/http_head.h"

struct slice http_head_find(const struct http_head *head, struct slice name)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_equal_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    return SLICE_NONE;
}

size_t http_head_count(const struct http_head *head, struct slice name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->header_count; i++)
        count += slice_equal_nocase(head->headers[i].name, name);
    return count;
}

/* The length of the first member, up to a comma that is not in a quoted string. */
static size_t member_length(struct slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (quoted && s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.ptr[i] == ',')
            return i;
    }
    return s.len;
}

bool http_list_next(struct slice *rest, struct slice *ret)
{
    while (rest->len) {
        size_t len = member_length(*rest);
        struct slice member = slice_trim(slice_first(*rest, len));
        *rest = slice_skip(*rest, len < rest->len ? len + 1 : len);
        if (member.len) {
            *ret = member;
            return true;
        }
    }
    return false;
}

bool http_list_has(struct slice value, struct slice token)
{
    struct slice member;
    if (slice_equal_nocase(value, token)) /* nearly always */
        return true;
    while (http_list_next(&value, &member))
        if (slice_equal_nocase(member, token))
            return true;
    return false;
}

bool http_is_token(struct slice s)
{
    return s.len && http_skip_token(s.ptr, s.ptr + s.len) == s.ptr + s.len;
}
