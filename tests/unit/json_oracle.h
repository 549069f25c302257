/* SPDX-License-Identifier: MIT */
/* json_oracle.h - JSON on one line, checked in the plainest way: one function for each rule of RFC
 * 8259, recursive, byte by byte. For tests of json.c. UTF-8 is not looked at. */
#ifndef TESTS_JSON_ORACLE_H
#define TESTS_JSON_ORACLE_H

#include "base/slice.h"

struct json_oracle {
    const char *at, *end;
    unsigned depth;
};

static inline bool oracle_value(struct json_oracle *o);

static inline char oracle_peek(const struct json_oracle *o)
{
    return o->at < o->end ? *o->at : '\0';
}

static inline bool oracle_take(struct json_oracle *o, char c)
{
    if (o->at == o->end || *o->at != c)
        return false;
    o->at++;
    return true;
}

static inline void oracle_space(struct json_oracle *o)
{
    while (oracle_peek(o) == ' ' || oracle_peek(o) == '\t')
        o->at++;
}

static inline bool oracle_digits(struct json_oracle *o)
{
    const char *begin = o->at;
    while (oracle_peek(o) >= '0' && oracle_peek(o) <= '9')
        o->at++;
    return o->at > begin;
}

static inline bool oracle_number(struct json_oracle *o)
{
    oracle_take(o, '-');
    if (oracle_peek(o) == '0')
        o->at++;
    else if (!oracle_digits(o))
        return false;
    if (oracle_take(o, '.') && !oracle_digits(o))
        return false;
    if (oracle_peek(o) != 'e' && oracle_peek(o) != 'E')
        return true;
    o->at++;
    if (oracle_peek(o) == '+' || oracle_peek(o) == '-')
        o->at++;
    return oracle_digits(o);
}

static inline bool oracle_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static inline bool oracle_string(struct json_oracle *o)
{
    if (!oracle_take(o, '"'))
        return false;
    while (o->at < o->end) {
        char c = *o->at++;
        if (c == '"')
            return true;
        if ((unsigned char)c < 0x20)
            return false;
        if (c != '\\')
            continue;
        if (o->at == o->end)
            return false;
        c = *o->at++;
        if (c == 'u') {
            for (int i = 0; i < 4; i++, o->at++)
                if (!oracle_hex(oracle_peek(o)))
                    return false;
        } else if (c == '\0' || !strchr("\"\\/bfnrt", c)) {
            return false;
        }
    }
    return false;
}

static inline bool oracle_word(struct json_oracle *o, const char *word)
{
    for (; *word; word++)
        if (!oracle_take(o, *word))
            return false;
    return true;
}

static inline bool oracle_member(struct json_oracle *o, bool named)
{
    oracle_space(o);
    if (named) {
        if (!oracle_string(o))
            return false;
        oracle_space(o);
        if (!oracle_take(o, ':'))
            return false;
    }
    return oracle_value(o);
}

static inline bool oracle_members(struct json_oracle *o, char last)
{
    o->at++;
    if (o->depth-- == 0)
        return false;
    oracle_space(o);
    bool more = oracle_peek(o) != last;
    while (more) {
        if (!oracle_member(o, last == '}'))
            return false;
        more = oracle_take(o, ',');
    }
    o->depth++;
    return oracle_take(o, last);
}

static inline bool oracle_value(struct json_oracle *o)
{
    bool good;
    oracle_space(o);
    switch (oracle_peek(o)) {
    case '{':
        good = oracle_members(o, '}');
        break;
    case '[':
        good = oracle_members(o, ']');
        break;
    case '"':
        good = oracle_string(o);
        break;
    case 't':
        good = oracle_word(o, "true");
        break;
    case 'f':
        good = oracle_word(o, "false");
        break;
    case 'n':
        good = oracle_word(o, "null");
        break;
    default:
        good = oracle_number(o);
        break;
    }
    oracle_space(o);
    return good;
}

static inline bool json_oracle(struct slice text, unsigned depth_max)
{
    struct json_oracle o = {.at = text.ptr, .end = text.ptr + text.len, .depth = depth_max};
    return oracle_value(&o) && o.at == o.end;
}

#endif
