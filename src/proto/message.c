/* SPDX-License-Identifier: MIT */
#include "proto/message.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>

static enum parse_status bad(struct message *ret, const char *why)
{
    ret->why = why;
    return PARSE_BAD;
}

static const bool name_chars[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['-' ... ':'] = true, ['_'] = true};

bool message_is_name_char(char c)
{
    return name_chars[(unsigned char)c];
}

static size_t name_length(struct slice s)
{
    size_t len = 0;
    while (len < s.len && name_chars[(unsigned char)s.ptr[len]])
        len++;
    return len;
}

bool message_is_name(struct slice s)
{
    return s.len && s.len <= MESSAGE_NAME_MAX && s.ptr[0] != '.' && name_length(s) == s.len;
}

/* Decimal without leading zeros. */
static bool is_number(struct slice s, uint64_t max, uint64_t *ret)
{
    return slice_to_uint(s, max, ret) && (s.len == 1 || s.ptr[0] != '0');
}

static enum message_kind kind_of(char first)
{
    switch (first) {
    case '.':
        return MESSAGE_CONTROL;
    case '=':
        return MESSAGE_ANSWER;
    case '+':
        return MESSAGE_PART;
    case '!':
        return MESSAGE_FAILURE;
    default:
        return MESSAGE_EVENT;
    }
}

/* The words that are sequenced. */
static bool is_command(struct slice word)
{
    return slice_equal(word, SLICE_LITERAL("dom")) || slice_equal(word, SLICE_LITERAL("listen")) ||
           slice_equal(word, SLICE_LITERAL("unlisten")) ||
           slice_equal(word, SLICE_LITERAL("problem"));
}

/* NAME, NAME?CALL */
static enum parse_status parse_named(struct slice head, struct message *m)
{
    size_t mark = slice_find(head, '?');
    m->name = slice_first(head, mark);
    if (!message_is_name(m->name))
        return bad(m, "a name that is not 1 to 128 of A-Z a-z 0-9 _ - : / .");
    if (mark == head.len)
        return PARSE_OK;
    m->kind = MESSAGE_CALL;
    return is_number(slice_skip(head, mark + 1), MESSAGE_CALL_MAX, &m->call)
               ? PARSE_OK
               : bad(m, "a call that is no decimal number");
}

static enum parse_status parse_head(struct slice head, struct message *m)
{
    *m = (struct message){.head = head};
    if (head.len == 0)
        return bad(m, "a message without a name");
    m->kind = kind_of(head.ptr[0]);
    if (m->kind == MESSAGE_EVENT)
        return parse_named(head, m);
    struct slice rest = slice_skip(head, 1);
    if (m->kind == MESSAGE_CONTROL) {
        m->name = rest;
        if (is_command(rest))
            m->kind = MESSAGE_COMMAND;
        return message_is_name(rest) ? PARSE_OK : bad(m, "a control message without a word");
    }
    return is_number(rest, MESSAGE_CALL_MAX, &m->call)
               ? PARSE_OK
               : bad(m, "an answer whose call is no decimal number");
}

static bool is_ack(const struct message *m)
{
    return m->kind == MESSAGE_CONTROL && slice_equal(m->name, SLICE_LITERAL("ack"));
}

/* A control message may carry bytes only between program and server. */
static bool may_be_bytes(const struct message *m, bool on_line)
{
    return m->kind != MESSAGE_FAILURE && m->kind != MESSAGE_COMMAND &&
           (on_line || m->kind != MESSAGE_CONTROL);
}

static enum parse_status take_nothing(struct message *m)
{
    if (m->kind == MESSAGE_PART || m->kind == MESSAGE_FAILURE)
        return bad(m, "an answer that needs JSON and has none");
    if (m->kind == MESSAGE_COMMAND)
        return bad(m, "a command that needs JSON and has none");
    return is_ack(m) ? bad(m, "an acknowledgement without its number") : PARSE_OK;
}

static enum parse_status check_json(struct message *m)
{
    return json_valid(m->body, MESSAGE_JSON_DEPTH_MAX)
               ? PARSE_OK
               : bad(m, "a body that is no JSON value on one line");
}

/* `m` has its head; `text` is what follows it, with the space, or empty. */
static enum parse_status take_json(struct slice text, struct message *m)
{
    m->body = text;
    if (text.len == 0)
        return take_nothing(m);
    m->body = slice_skip(text, 1);
    if (is_ack(m))
        return is_number(m->body, MESSAGE_CALL_MAX, &m->call)
                   ? PARSE_OK
                   : bad(m, "an acknowledgement that is no decimal number");
    if (m->body.len == 0 || m->body.ptr[0] == ' ' || m->body.ptr[0] == '\t')
        return bad(m, "not exactly one space and JSON after the head");
    return check_json(m);
}

/* The head that a text begins with, up to a space or the end. */
struct found_head {
    size_t len;
    bool is_event; /* it is a name, as nearly all heads are: nothing more is to be checked */
};

static struct found_head find_head(struct slice text)
{
    size_t len = name_length(slice_first(text, MESSAGE_NAME_MAX + 1));
    bool ends = len == text.len || text.ptr[len] == ' ';
    if (ends && len > 0 && len <= MESSAGE_NAME_MAX && text.ptr[0] != '.')
        return (struct found_head){len, true};
    return (struct found_head){slice_find(slice_first(text, MESSAGE_HEAD_MAX + 1), ' '), false};
}

static enum parse_status parse_text(struct slice text, struct found_head head, struct message *ret)
{
    struct slice name = slice_first(text, head.len);
    if (head.len > MESSAGE_HEAD_MAX)
        return bad(ret, "a head that is too long");
    if (head.is_event)
        *ret = (struct message){.kind = MESSAGE_EVENT, .head = name, .name = name};
    else if (parse_head(name, ret) == PARSE_BAD)
        return PARSE_BAD;
    return take_json(slice_skip(text, head.len), ret);
}

enum parse_status message_parse_text(struct slice text, struct message *ret)
{
    return parse_text(text, find_head(text), ret);
}

enum parse_status message_parse_binary(struct slice data, struct message *ret)
{
    struct slice front = slice_first(data, MESSAGE_HEAD_MAX + 1);
    size_t lf = slice_find(front, '\n');
    if (lf == front.len)
        return bad(ret, "a binary message without a head and LF");
    if (parse_head(slice_first(data, lf), ret) == PARSE_BAD)
        return PARSE_BAD;
    if (!may_be_bytes(ret, false))
        return bad(ret, "a message that can't carry bytes");
    ret->binary = true;
    ret->body = slice_skip(data, lf + 1);
    return PARSE_OK;
}

static bool may_be_text(const struct message *m)
{
    return m->kind != MESSAGE_FAILURE && m->kind != MESSAGE_COMMAND && m->kind != MESSAGE_CONTROL;
}

enum parse_status message_make(struct slice head, enum message_form form, struct slice body,
                               struct message *ret)
{
    if (head.len > MESSAGE_HEAD_MAX)
        return bad(ret, "a head that is too long");
    if (parse_head(head, ret) == PARSE_BAD)
        return PARSE_BAD;
    ret->body = body;
    switch (form) {
    case MESSAGE_JSON:
        return body.len ? check_json(ret) : take_nothing(ret);
    case MESSAGE_BYTES:
        ret->binary = true;
        return may_be_bytes(ret, true) ? PARSE_OK : bad(ret, "a message that can't carry bytes");
    case MESSAGE_TEXT:
        ret->text = true;
        if (!may_be_text(ret))
            return bad(ret, "a message that can't carry text");
        return utf8_valid(body) ? PARSE_OK : bad(ret, "text that is not valid UTF-8");
    }
    return bad(ret, "a form that there is not");
}

/* HEAD @…: such a line is never longer than the head of a message_line. */
static bool announces_bytes(struct slice line, size_t mark)
{
    return mark + 1 < line.len && line.ptr[mark] == ' ' && line.ptr[mark + 1] == '@';
}

/* HEAD @LEN */
static enum parse_status parse_announcement(struct slice line, size_t max_bytes, struct message *m,
                                            size_t *ret_len)
{
    size_t mark = slice_find(line, ' ');
    uint64_t len;
    if (parse_head(slice_first(line, mark), m) == PARSE_BAD)
        return PARSE_BAD;
    if (!may_be_bytes(m, true))
        return bad(m, "a message that can't carry bytes");
    if (!is_number(slice_skip(line, mark + 2), SIZE_MAX / 2, &len))
        return bad(m, "a length after @ that is no decimal number");
    if (len > max_bytes || m->head.len + 1 > max_bytes - len)
        return bad(m, "a message that is too long");
    *ret_len = len;
    return PARSE_OK;
}

/* The index of the first LF, or in.len. The first `seen` bytes hold an LF only where bytes were
 * announced. */
static size_t find_line_end(struct slice in, size_t seen)
{
    struct slice front = slice_first(in, MESSAGE_LINE_MAX + 1);
    size_t lf = slice_find(front, '\n');
    if (lf < front.len)
        return lf;
    size_t from = seen > front.len ? seen : front.len;
    return from + slice_find(slice_skip(in, from), '\n');
}

/* An unfinished line is too long if it exceeds the limit even when its last byte is the CR of a
 * line end. */
static enum parse_status await_line_end(size_t len, size_t max_bytes, size_t *want,
                                        struct message *m)
{
    if (len > MESSAGE_LINE_MAX && len - 1 > max_bytes)
        return bad(m, "a message that is too long");
    *want = len + 1;
    return PARSE_MORE;
}

/* `max_text` bounds a line of JSON, `max_bytes` the message that a line announces. */
static enum parse_status parse_line(struct slice in, size_t seen, size_t max_text, size_t max_bytes,
                                    size_t *used, size_t *want, struct message *ret)
{
    size_t lf = find_line_end(in, seen), len = 0;
    struct slice line = slice_first(in, lf);
    *used = 0;
    if (lf == in.len)
        return await_line_end(lf, max_text, want, ret);
    if (slice_ends_with(line, SLICE_LITERAL("\r")))
        line.len--;
    struct found_head head = find_head(line);
    if (!announces_bytes(line, head.len)) {
        if (line.len > max_text)
            return bad(ret, "a message that is too long");
        *used = lf + 1;
        return parse_text(line, head, ret);
    }
    if (parse_announcement(line, max_bytes, ret, &len) == PARSE_BAD)
        return PARSE_BAD;
    size_t end = lf + 1 + len;
    *want = end + 1;
    if (in.len <= end)
        return PARSE_MORE;
    if (in.ptr[end] != '\n')
        return bad(ret, "bytes that do not end in LF where their length says");
    ret->binary = true;
    ret->body = slice_make(in.ptr + lf + 1, len);
    *used = end + 1;
    return PARSE_OK;
}

enum parse_status message_parse_line(struct slice in, size_t seen, size_t max_bytes, size_t *used,
                                     size_t *want, struct message *ret)
{
    return parse_line(in, seen, max_bytes, max_bytes, used, want, ret);
}

enum parse_status message_parse_line_escaped(struct slice in, size_t seen, size_t max_bytes,
                                             size_t *used, size_t *want, struct message *ret)
{
    size_t head = MESSAGE_HEAD_MAX + 1, max_text = head + JSON_QUOTED_MAX(max_bytes);
    return parse_line(in, seen, max_text, head + max_bytes, used, want, ret);
}

void message_line_head(const struct message *m, struct message_line *ret)
{
    assert(m->head.len <= MESSAGE_HEAD_MAX);
    char *end = ret->before;
    memcpy(end, m->head.ptr, m->head.len);
    end += m->head.len;
    if (m->binary)
        end += sprintf(end, " @%zu\n", m->body.len);
    else if (m->body.len)
        *end++ = ' ';
    ret->before_len = (size_t)(end - ret->before);
}
