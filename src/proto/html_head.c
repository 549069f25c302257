/* SPDX-License-Identifier: MIT */
/* The place for a first element in the head of an HTML document: the tokenizer of HTML, 13.2.5, as
 * far as is needed to step over everything that may stand before that element. */
#include "proto/cgi_head.h"

#define END SIZE_MAX /* an unfinished construct */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does `s` begin with `prefix`, without case? *cut: it ends before that is known. */
static bool begins(struct slice s, struct slice prefix, bool *cut)
{
    bool same = slice_equal_nocase(slice_first(s, prefix.len), slice_first(prefix, s.len));
    *cut |= same && s.len < prefix.len;
    return same && s.len >= prefix.len;
}

static size_t after(struct slice s, size_t from, struct slice mark)
{
    for (size_t i = from; i + mark.len <= s.len; i++)
        if (memcmp(s.ptr + i, mark.ptr, mark.len) == 0)
            return i + mark.len;
    return END;
}

/* `s` begins with `<!--`; `<!-->` and `<!--->` are whole. */
static size_t comment_end(struct slice s)
{
    if (s.len > 4 && s.ptr[4] == '>')
        return 5;
    if (s.len > 5 && s.ptr[4] == '-' && s.ptr[5] == '>')
        return 6;
    for (size_t i = 4; i + 2 < s.len; i++) {
        if (s.ptr[i] != '-' || s.ptr[i + 1] != '-')
            continue;
        if (s.ptr[i + 2] == '>')
            return i + 3;
        if (s.ptr[i + 2] == '!' && i + 3 < s.len && s.ptr[i + 3] == '>')
            return i + 4;
    }
    return END;
}

/* The end of an attribute's value that begins at `at`. */
static size_t value_end(struct slice s, size_t at)
{
    while (at < s.len && is_space(s.ptr[at]))
        at++;
    if (at == s.len)
        return END;
    if (s.ptr[at] == '"' || s.ptr[at] == '\'')
        return after(s, at + 1, slice_make(s.ptr + at, 1));
    while (at < s.len && !is_space(s.ptr[at]) && s.ptr[at] != '>')
        at++;
    return at;
}

/* The end of a start tag whose name ends at `at`. A quote counts only after `=`, and `=` only after
 * a name. */
static size_t tag_end(struct slice s, size_t at)
{
    bool named = false;
    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '>')
            return at + 1;
        if (c == '=' && named) {
            at = value_end(s, at + 1);
            named = false;
            continue;
        }
        if (c == '/')
            named = false;
        else if (!is_space(c))
            named = true;
        at++;
    }
    return END;
}

/* How far a tag of this name reaches at the beginning of `s`: 0 if it is another. */
static size_t tag_length(struct slice s, struct slice open, bool *cut)
{
    if (!begins(s, open, cut))
        return 0;
    if (s.len == open.len)
        return END;
    char c = s.ptr[open.len];
    return is_space(c) || c == '/' || c == '>' ? tag_end(s, open.len) : 0;
}

/* Markup that is no element and no text: comments of all kinds, doctype. 0 if it is another. */
static size_t aside_length(struct slice s, bool *cut)
{
    if (begins(s, SLICE_LITERAL("<!--"), cut))
        return comment_end(s);
    if (*cut)
        return END;
    if (begins(s, SLICE_LITERAL("<!"), cut) || begins(s, SLICE_LITERAL("<?"), cut))
        return after(s, 2, SLICE_LITERAL(">"));
    if (s.len > 2 && s.ptr[0] == '<' && s.ptr[1] == '/' && !is_letter(s.ptr[2]))
        return after(s, 2, SLICE_LITERAL(">"));
    return 0;
}

/* A parser ignores an end tag without its element, except those that imply the next element. */
static size_t end_tag_length(struct slice s)
{
    static const char *const telling[] = {"head", "body", "html", "br"};
    size_t end = 2;
    while (end < s.len && !is_space(s.ptr[end]) && s.ptr[end] != '/' && s.ptr[end] != '>')
        end++;
    if (end == s.len)
        return END;
    struct slice name = slice_make(s.ptr + 2, end - 2);
    for (size_t i = 0; i < sizeof(telling) / sizeof(*telling); i++)
        if (slice_equal_nocase(name, slice_of(telling[i])))
            return 0;
    return tag_end(s, end);
}

/* How much of `s` can be stepped over at once: 0 for nothing, END if that is not known yet. */
static size_t step_length(struct slice s)
{
    bool cut = false;
    if (is_space(s.ptr[0]))
        return 1;
    if (s.ptr[0] != '<')
        return 0;
    size_t length = aside_length(s, &cut);
    if (length == 0)
        length = tag_length(s, SLICE_LITERAL("<html"), &cut);
    if (length == 0 && begins(s, SLICE_LITERAL("</"), &cut))
        return s.len == 2 ? END : end_tag_length(s);
    return length == 0 && cut ? END : length;
}

enum parse_status html_head_offset(struct slice in, size_t *ret)
{
    bool cut = false;
    size_t at = begins(in, SLICE_LITERAL("\xef\xbb\xbf"), &cut) ? 3 : 0;
    *ret = at;
    while (!cut && at < in.len) {
        struct slice rest = slice_skip(in, at);
        size_t head = tag_length(rest, SLICE_LITERAL("<head"), &cut);
        size_t length = head ? head : step_length(rest);
        if (length == END || (head == 0 && cut))
            return PARSE_MORE;
        at += length;
        *ret = at;
        if (head || length == 0)
            return PARSE_OK;
    }
    return PARSE_MORE;
}
