/* SPDX-License-Identifier: MIT */
#include "proto/json_walk.h"

#include "proto/json.h"
#include "proto/json_plain.h"

static struct slice skip_blank(struct slice s)
{
    while (s.len && (*s.ptr == ' ' || *s.ptr == '\t'))
        s = slice_skip(s, 1);
    return s;
}

/* The length of the string that begins here, with both quotes. */
static size_t string_length(struct slice s)
{
    const char *end = s.ptr + s.len, *at = json_skip_plain(s.ptr + 1, end);
    while (at < end && *at != '"') {
        const char *after = end - at < 2 ? end : at + 2; /* a backslash and what it escapes */
        at = json_skip_plain(after, end);
    }
    return (size_t)(at - s.ptr) + (at < end);
}

static size_t scalar_length(struct slice s)
{
    size_t len = 0;
    while (len < s.len && !memchr(",]} \t", s.ptr[len], 5))
        len++;
    return len;
}

/* To the bracket that closes the first one. */
static size_t nest_length(struct slice s)
{
    size_t depth = 0, at = 0;
    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '"') {
            at += string_length(slice_skip(s, at));
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return at;
    }
    return at;
}

static size_t value_length(struct slice s)
{
    if (s.len && *s.ptr == '"')
        return string_length(s);
    return s.len && (*s.ptr == '{' || *s.ptr == '[') ? nest_length(s) : scalar_length(s);
}

static bool walk(struct slice json, char open, struct slice *rest)
{
    json = skip_blank(json);
    if (!json.len || *json.ptr != open)
        return false;
    *rest = slice_skip(json, 1);
    return true;
}

bool json_walk_object(struct slice json, struct slice *rest)
{
    return walk(json, '{', rest);
}

bool json_walk_array(struct slice json, struct slice *rest)
{
    return walk(json, '[', rest);
}

static struct slice take_value(struct slice *rest)
{
    struct slice value = slice_first(*rest, value_length(*rest));
    *rest = skip_blank(slice_skip(*rest, value.len));
    return value;
}

static void pass(struct slice *rest, char c)
{
    if (rest->len && *rest->ptr == c)
        *rest = skip_blank(slice_skip(*rest, 1));
}

bool json_next_item(struct slice *rest, struct slice *ret)
{
    *rest = skip_blank(*rest);
    if (!rest->len || *rest->ptr == ']')
        return false;
    *ret = take_value(rest);
    pass(rest, ',');
    return ret->len;
}

bool json_next_member(struct slice *rest, struct json_member *ret)
{
    *rest = skip_blank(*rest);
    if (!rest->len || *rest->ptr != '"')
        return false;
    ret->key = take_value(rest);
    pass(rest, ':');
    ret->value = take_value(rest);
    pass(rest, ',');
    return ret->value.len;
}

bool json_key_is(struct slice key, struct slice word)
{
    char plain[64];
    size_t len;
    if (key.len == word.len + 2 && !memcmp(key.ptr + 1, word.ptr, word.len))
        return true;
    return key.len <= sizeof(plain) && json_unquote(key, plain, &len) &&
           slice_equal(slice_make(plain, len), word);
}
