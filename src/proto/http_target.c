/* SPDX-License-Identifier: MIT */
/* The path and query of a request target (RFC 9112, 3.2; RFC 3986, 3.3 and 5.2.4). */
#include "proto/http_chars.h"
#include "proto/http_head.h"

/* Leaves the part after `scheme://authority` of an absolute-form target; false for other forms. */
static bool skip_authority(struct slice *target)
{
    struct slice t = *target;
    size_t colon = slice_find(t, ':');
    struct slice scheme = slice_first(t, colon);
    if (!slice_equal_nocase(scheme, SLICE_LITERAL("http")) &&
        !slice_equal_nocase(scheme, SLICE_LITERAL("https")))
        return false;
    if (!slice_starts_with(slice_skip(t, colon), SLICE_LITERAL("://")))
        return false;
    t = slice_skip(t, colon + 3);
    size_t len = 0;
    while (len < t.len && t.ptr[len] != '/' && t.ptr[len] != '?')
        len++;
    *target = slice_skip(t, len);
    return len > 0;
}

bool http_target_split(struct slice target, struct slice *path, struct slice *query)
{
    if (target.len == 0 || (target.ptr[0] != '/' && !skip_authority(&target)))
        return false;
    size_t mark = slice_find(target, '?');
    *path = mark ? slice_first(target, mark) : SLICE_LITERAL("/");
    *query = mark < target.len ? slice_skip(target, mark + 1) : SLICE_NONE;
    return true;
}

struct slice http_target_origin(struct slice target, struct slice *ret_slash)
{
    bool cut = target.len > 0 && target.ptr[0] != '/' && skip_authority(&target);
    bool has_path = slice_starts_with(target, SLICE_LITERAL("/"));
    *ret_slash = cut && !has_path ? SLICE_LITERAL("/") : SLICE_LITERAL("");
    return target;
}

/* One byte of a segment, decoded. False for what a segment can't hold: NUL, slashes of both kinds
 * however they are written. */
static bool decode_byte(struct slice *rest, char *ret)
{
    char c = rest->ptr[0];
    size_t used = 1;
    if (c == '%') {
        if (rest->len < 3 || !http_is(rest->ptr[1], HTTP_HEX) || !http_is(rest->ptr[2], HTTP_HEX))
            return false;
        c = (char)(http_hex(rest->ptr[1]) << 4 | http_hex(rest->ptr[2]));
        used = 3;
    }
    if (c == '\0' || c == '/' || c == '\\')
        return false;
    *rest = slice_skip(*rest, used);
    *ret = c;
    return true;
}

/* The length of `out` without its last segment: after the slash before it. */
static size_t parent(const char *out, size_t len)
{
    while (len > 0 && out[len - 1] != '/')
        len--;
    return len;
}

/* `out` ends in `/SEGMENT`: dot segments are taken away again, on the decoded bytes, so that %2e%2e
 * climbs no further than `..`. False above the root. */
static bool settle_segment(char *out, size_t *len)
{
    size_t begin = parent(out, *len);
    struct slice segment = slice_make(out + begin, *len - begin);
    if (slice_equal(segment, SLICE_LITERAL("."))) {
        *len = begin;
    } else if (slice_equal(segment, SLICE_LITERAL(".."))) {
        if (begin == 1)
            return false;
        *len = parent(out, begin - 1);
    }
    return true;
}

bool http_path_decode(struct slice path, char *out, size_t *ret_len)
{
    size_t len = 0;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    while (path.len) {
        path = slice_skip(path, 1); /* the slash; a second one in a row says nothing */
        if (len == 0 || out[len - 1] != '/')
            out[len++] = '/';
        while (path.len && path.ptr[0] != '/')
            if (!decode_byte(&path, &out[len++]))
                return false;
        if (!settle_segment(out, &len))
            return false;
    }
    *ret_len = len;
    return true;
}
