/* SPDX-License-Identifier: MIT */
#include "proto/json.h"

#include <assert.h>

#include "base/utf8.h"
#include "proto/json_plain.h"

/* The tokens that may come next. */
enum expect {
    EXPECT_VALUE,
    EXPECT_KEY,
    EXPECT_NEXT,
    EXPECT_END,
    EXPECT_NOTHING
};

struct scan {
    const char *at;
    const char *end;
    unsigned depth, depth_max;
    uint64_t *objects; /* one bit a level: object or array */
};

/* Every function here is inlined into json_valid(), so that the scan stays in registers. */
#define INLINE static inline __attribute__((always_inline))

INLINE void skip_space(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
}

INLINE bool take(struct scan *s, char wanted)
{
    if (s->at == s->end || *s->at != wanted)
        return false;
    s->at++;
    return true;
}

INLINE bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static bool is_hex(char c)
{
    return is_digit(c) || (unsigned char)((c | 0x20) - 'a') <= 5;
}

/* Takes the bytes after a backslash. */
static bool take_escape(struct scan *s)
{
    if (s->at == s->end)
        return false;
    char c = *s->at++;
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c);
    if (s->end - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++)
        if (!is_hex(*s->at++))
            return false;
    return true;
}

/* The rest of a string, after its first quote. */
INLINE bool take_string(struct scan *s)
{
    for (;;) {
        s->at = json_skip_plain(s->at, s->end);
        if (s->at == s->end)
            return false;
        char c = *s->at++;
        if (c == '"')
            return true;
        if (c != '\\' || !take_escape(s))
            return false;
    }
}

INLINE bool take_digits(struct scan *s)
{
    const char *begin = s->at;
    while (s->at < s->end && is_digit(*s->at))
        s->at++;
    return s->at > begin;
}

INLINE bool take_number(struct scan *s)
{
    take(s, '-');
    if (!take(s, '0') && !take_digits(s))
        return false;
    if (take(s, '.') && !take_digits(s))
        return false;
    if (take(s, 'e') || take(s, 'E')) {
        if (!take(s, '+'))
            take(s, '-');
        return take_digits(s);
    }
    return true;
}

INLINE bool take_word(struct scan *s, struct slice word)
{
    if (!slice_starts_with(slice_make(s->at, (size_t)(s->end - s->at)), word))
        return false;
    s->at += word.len;
    return true;
}

INLINE bool in_object(const struct scan *s)
{
    return s->objects[s->depth / 64] >> s->depth % 64 & 1;
}

INLINE enum expect open_level(struct scan *s, bool object)
{
    s->at++;
    if (s->depth == s->depth_max)
        return EXPECT_NOTHING;
    s->depth++;
    uint64_t bit = UINT64_C(1) << s->depth % 64;
    if (object)
        s->objects[s->depth / 64] |= bit;
    else
        s->objects[s->depth / 64] &= ~bit;
    skip_space(s);
    if (take(s, object ? '}' : ']')) {
        s->depth--;
        return EXPECT_NEXT;
    }
    return object ? EXPECT_KEY : EXPECT_VALUE;
}

INLINE enum expect next_if(bool good)
{
    return good ? EXPECT_NEXT : EXPECT_NOTHING;
}

INLINE enum expect scan_value(struct scan *s)
{
    skip_space(s);
    if (s->at == s->end)
        return EXPECT_NOTHING;
    switch (*s->at) {
    case '"':
        s->at++;
        return next_if(take_string(s));
    case '{':
        return open_level(s, true);
    case '[':
        return open_level(s, false);
    case 't':
        return next_if(take_word(s, SLICE_LITERAL("true")));
    case 'f':
        return next_if(take_word(s, SLICE_LITERAL("false")));
    case 'n':
        return next_if(take_word(s, SLICE_LITERAL("null")));
    default:
        return next_if(take_number(s));
    }
}

INLINE enum expect scan_key(struct scan *s)
{
    skip_space(s);
    if (!take(s, '"') || !take_string(s))
        return EXPECT_NOTHING;
    skip_space(s);
    return take(s, ':') ? EXPECT_VALUE : EXPECT_NOTHING;
}

/* After a value: a comma, the end of its level, or the end of all. */
INLINE enum expect scan_next(struct scan *s)
{
    skip_space(s);
    if (s->depth == 0)
        return s->at == s->end ? EXPECT_END : EXPECT_NOTHING;
    bool object = in_object(s);
    if (take(s, ','))
        return object ? EXPECT_KEY : EXPECT_VALUE;
    if (!take(s, object ? '}' : ']'))
        return EXPECT_NOTHING;
    s->depth--;
    return EXPECT_NEXT;
}

/* Whether the text is one string without an escape, as the data of many events is: no scan of
 * tokens is begun for it. */
static bool is_plain_string(struct slice text)
{
    if (text.len < 2 || text.ptr[0] != '"')
        return false;
    const char *last = text.ptr + text.len - 1;
    return *last == '"' && json_skip_plain(text.ptr + 1, last) == last;
}

bool json_valid(struct slice text, unsigned depth_max)
{
    if (is_plain_string(text))
        return utf8_valid(text);
    uint64_t objects[JSON_DEPTH_MAX / 64 + 1] = {0};
    struct scan s = {
        .at = text.ptr, .end = text.ptr + text.len, .depth_max = depth_max, .objects = objects};
    assert(depth_max <= JSON_DEPTH_MAX);
    for (enum expect expect = EXPECT_VALUE;;) {
        switch (expect) {
        case EXPECT_VALUE:
            expect = scan_value(&s);
            break;
        case EXPECT_KEY:
            expect = scan_key(&s);
            break;
        case EXPECT_NEXT:
            expect = scan_next(&s);
            break;
        case EXPECT_END:
            return utf8_valid(text);
        case EXPECT_NOTHING:
            return false;
        }
    }
}
