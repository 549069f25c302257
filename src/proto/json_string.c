/* SPDX-License-Identifier: MIT */
/* JSON strings, written and read (RFC 8259, 7). */
#include "proto/http_chars.h"
#include "proto/json.h"
#include "proto/json_plain.h"

/* The letter that escapes a character in the short form, or 0. */
static char short_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static char *put_escape(char *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    char letter = short_escape(c);
    *out++ = '\\';
    if (letter) {
        *out++ = letter;
        return out;
    }
    memcpy(out, "u00", 3);
    out[3] = hex[c >> 4];
    out[4] = hex[c & 15];
    return out + 5;
}

size_t json_quote(struct slice text, char *out)
{
    const char *at = text.ptr, *last = text.ptr + text.len;
    char *end = out;
    *end++ = '"';
    while (at < last) {
        const char *stop = json_skip_plain(at, last);
        end = mempcpy(end, at, (size_t)(stop - at));
        at = stop;
        if (at < last)
            end = put_escape(end, *at++);
    }
    *end++ = '"';
    return (size_t)(end - out);
}

bool json_is_plain(struct slice text)
{
    const char *end = text.ptr + text.len;
    return json_skip_plain(text.ptr, end) == end;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xe0 | code >> 12);
        } else {
            *out++ = (char)(0xf0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 63));
        }
        *out++ = (char)(0x80 | (code >> 6 & 63));
    }
    *out++ = (char)(0x80 | (code & 63));
    return out;
}

/* The unit of `uXXXX` at `p`. */
static uint32_t unit_at(const char *p)
{
    return http_hex(p[1]) << 12 | http_hex(p[2]) << 8 | http_hex(p[3]) << 4 | http_hex(p[4]);
}

/* Decodes `uXXXX`, or a pair of them, at *at, and steps over it. A string was found valid before,
 * so a backslash has what it needs behind it. */
static uint32_t take_unicode(const char **at)
{
    uint32_t unit = unit_at(*at);
    *at += 5;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0xfffd;
    uint32_t low = unit_at(*at + 1);
    if (low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *at += 6;
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static char unescaped(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

bool json_unquote(struct slice json, char *out, size_t *ret_len)
{
    json = slice_trim(json);
    bool is_string = json.len > 0 && json.ptr[0] == '"';
    return is_string && json_valid(json, 0) && json_unquote_valid(json, out, ret_len);
}

bool json_unquote_valid(struct slice json, char *out, size_t *ret_len)
{
    json = slice_trim(json);
    if (json.len == 0 || json.ptr[0] != '"')
        return false;
    char *end = out;
    const char *at = json.ptr + 1, *last = json.ptr + json.len - 1; /* the closing quote */
    while (at < last) {
        const char *stop = json_skip_plain(at, last);
        end = mempcpy(end, at, (size_t)(stop - at));
        at = stop;
        if (at == last)
            break;
        if (*++at == 'u')
            end = put_utf8(end, take_unicode(&at));
        else
            *end++ = unescaped(*at++);
    }
    *ret_len = (size_t)(end - out);
    return true;
}

bool json_plain_text(struct slice json, struct slice *ret)
{
    json = slice_trim(json);
    if (json.len == 0 || json.ptr[0] != '"')
        return false;
    struct slice inside = slice_make(json.ptr + 1, json.len - 2);
    if (slice_find(inside, '\\') < inside.len)
        return false;
    *ret = inside;
    return true;
}
