/* SPDX-License-Identifier: MIT */
#include "access/recorded.h"

#include "access/ip.h"
#include "base/log.h"

#include <stdlib.h>

static void skip_space(struct slice *s)
{
    while (s->len && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
        *s = slice_skip(*s, 1);
}

static struct slice take_word(struct slice *s)
{
    size_t len = 0;
    skip_space(s);
    while (len < s->len && s->ptr[len] != ' ' && s->ptr[len] != '\t')
        len++;
    struct slice word = slice_first(*s, len);
    *s = slice_skip(*s, len);
    skip_space(s);
    return word;
}

/* The length of the first record: up to ` | ` outside quotes. */
size_t recorded_length(struct slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.ptr[i] == '\\')
            i++;
        else if (text.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && text.ptr[i] == '|')
            return i;
    }
    return text.len;
}

/* A lower-case copy without the last dot; NULL if it is too long or there is no memory. */
static char *name_copy(struct slice name)
{
    if (slice_ends_with(name, SLICE_LITERAL(".")))
        name.len--;
    if (name.len == 0 || name.len >= DNS_NAME_SIZE)
        return NULL;
    char *copy = slice_to_string(name);
    for (char *c = copy; c && *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
    return copy;
}

static bool parse_type(struct slice word, struct recorded_row *row)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_TXT, DNS_PTR, DNS_CNAME};
    size_t at = slice_find(word, '@');
    uint64_t turn = 1;
    if (at < word.len && !slice_to_uint(slice_skip(word, at + 1), 1000, &turn))
        return false;
    row->turn = (unsigned)turn;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        row->type = types[i];
        if (slice_equal(slice_first(word, at), slice_of(dns_type_name(types[i]))))
            return true;
    }
    return false;
}

/* One byte of a quoted string, its escape undone; false at the closing quote or the end. */
static bool take_quoted(struct slice *s, char *ret)
{
    if (!s->len || s->ptr[0] == '"')
        return false;
    uint64_t code;
    size_t taken = 1;
    *ret = s->ptr[0];
    if (s->ptr[0] == '\\' && s->len >= 4 && slice_to_uint(slice_make(s->ptr + 1, 3), 255, &code)) {
        *ret = (char)code;
        taken = 4;
    } else if (s->ptr[0] == '\\' && s->len >= 2) {
        *ret = s->ptr[1];
        taken = 2;
    }
    *s = slice_skip(*s, taken);
    return true;
}

static bool parse_txt(struct slice *rest, struct recorded_row *row)
{
    char *joined = log_needed(malloc(rest->len + 1));
    if (!joined)
        return false;
    row->data = slice_make(joined, 0);
    while (rest->len && rest->ptr[0] == '"') {
        *rest = slice_skip(*rest, 1);
        while (take_quoted(rest, joined + row->data.len))
            row->data.len++;
        if (!rest->len)
            return false;
        *rest = slice_skip(*rest, 1);
        skip_space(rest);
    }
    return true;
}

static bool parse_data(struct slice *rest, struct recorded_row *row)
{
    struct ip ip;
    if (row->type == DNS_TXT)
        return parse_txt(rest, row);
    struct slice word = take_word(rest);
    if (row->type == DNS_A || row->type == DNS_AAAA) {
        if (!ip_parse(word, &ip) || ip.length != (row->type == DNS_A ? 4 : 16))
            return false;
        char *bytes = log_needed(malloc(ip.length));
        if (!bytes)
            return false;
        memcpy(bytes, ip.bytes, ip.length);
        row->data = slice_make(bytes, ip.length);
        return true;
    }
    char *name = name_copy(word);
    if (!name)
        return false;
    row->data = slice_of(name);
    row->target = row->type == DNS_CNAME ? name : NULL;
    return true;
}

static bool parse_flag(struct slice word, struct recorded_row *row)
{
    uint64_t n;
    if (slice_equal(word, SLICE_LITERAL("[secure]")))
        row->secure = true;
    else if (slice_equal(word, SLICE_LITERAL("[bogus]")))
        row->bogus = true;
    else if (slice_equal(word, SLICE_LITERAL("[servfail]")))
        row->servfail = true;
    else if (slice_equal(word, SLICE_LITERAL("[timeout]")))
        row->timeout = true;
    else if (slice_starts_with(word, SLICE_LITERAL("[size=")) && word.ptr[word.len - 1] == ']' &&
             slice_to_uint(slice_make(word.ptr + 6, word.len - 7), 1 << 20, &n))
        row->size = n;
    else if (slice_starts_with(word, SLICE_LITERAL("[ttl=")) && word.ptr[word.len - 1] == ']' &&
             slice_to_uint(slice_make(word.ptr + 5, word.len - 6), INT32_MAX, &n))
        row->ttl = (uint32_t)n;
    else
        return false;
    return true;
}

bool recorded_parse_row(struct slice text, struct recorded_row *row, const char **why)
{
    *why = "a record is NAME TYPE DATA [flags]; TYPE one of A, AAAA, TXT, PTR, CNAME";
    row->ttl = 300;
    row->name = name_copy(take_word(&text));
    if (!row->name || !parse_type(take_word(&text), row))
        return false;
    *why = "data that does not fit the type";
    if ((!text.len || text.ptr[0] != '[') && !parse_data(&text, row))
        return false;
    *why = "a flag is [secure], [bogus], [servfail], [timeout], [size=N] or [ttl=N]";
    while (text.len)
        if (!parse_flag(take_word(&text), row))
            return false;
    return row->data.ptr || row->servfail || row->timeout || row->bogus;
}
