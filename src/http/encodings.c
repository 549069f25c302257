/* SPDX-License-Identifier: MIT */
#include "http/encodings.h"

#include <string.h>

static struct slice trim(struct slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* `q=0`, `q=0.0` … `q=0.000`. */
static bool is_zero_weight(struct slice parameter)
{
    struct slice q = SLICE_LITERAL("q=0");
    if (parameter.len < q.len || !slice_equal_nocase(slice_first(parameter, q.len), q))
        return false;
    for (size_t i = q.len; i < parameter.len; i++)
        if (!strchr(".0", parameter.ptr[i]))
            return false;
    return true;
}

static bool list_accepts(struct slice list, struct slice coding)
{
    struct slice member;
    while (http_list_next(&list, &member)) {
        size_t end = slice_find(member, ';');
        if (!slice_equal_nocase(trim(slice_first(member, end)), coding))
            continue;
        return end == member.len || !is_zero_weight(trim(slice_skip(member, end + 1)));
    }
    return false;
}

bool accepts_encoding(const struct http_head *request, struct slice coding)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *h = &request->headers[i];
        if (slice_equal_nocase(h->name, SLICE_LITERAL("accept-encoding")) &&
            list_accepts(h->value, coding))
            return true;
    }
    return false;
}
