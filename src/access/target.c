/* SPDX-License-Identifier: MIT */
#include "access/target.h"

#include "access/ip.h"
#include "proto/authority.h"

#include <idn2.h>
#include <stdio.h>

enum {
    INPUT_MAX = 1024
};

static bool refuse(enum access_reason *why, enum access_reason reason)
{
    *why = reason;
    return false;
}

bool name_is_special(struct slice host)
{
    static const char *const tops[] = {"alt",   "arpa",      "internal", "invalid",
                                       "local", "localhost", "onion"};
    size_t dot = host.len;
    while (dot > 0 && host.ptr[dot - 1] != '.')
        dot--;
    if (dot == 0)
        return true;
    for (size_t i = 0; i < sizeof(tops) / sizeof(*tops); i++)
        if (slice_equal(slice_skip(host, dot), slice_of(tops[i])))
            return true;
    return false;
}

/* `[` an IPv6 address, perhaps with a zone, `]`. */
static bool is_bracketed_ip(struct slice host)
{
    if (host.len < 2 || host.ptr[0] != '[' || host.ptr[host.len - 1] != ']')
        return false;
    struct slice inner = slice_make(host.ptr + 1, host.len - 2);
    struct ip ip;
    return ip_parse(slice_first(inner, slice_find(inner, '%')), &ip) && ip.length == 16;
}

static struct slice last_label(struct slice host)
{
    size_t at = host.len;
    while (at > 0 && host.ptr[at - 1] != '.')
        at--;
    return slice_skip(host, at);
}

/* Letters, digits and inner hyphens in labels of 1 to 63 bytes; 253 in all. */
static bool is_host_name(struct slice host)
{
    size_t label = 0;
    if (host.len == 0 || host.len >= TARGET_HOST_SIZE)
        return false;
    for (size_t i = 0; i <= host.len; i++) {
        char c = i < host.len ? host.ptr[i] : '.';
        bool edge = label == 0 || i + 1 >= host.len || host.ptr[i + 1] == '.';
        if (c == '.') {
            if (label == 0 || label > 63)
                return false;
            label = 0;
            continue;
        }
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !edge)))
            return false;
        label++;
    }
    return true;
}

/* UTS 46 ToASCII of `host`, without one trailing dot. */
static bool to_ascii(struct slice host, char ret[TARGET_HOST_SIZE])
{
    char copy[INPUT_MAX + 1];
    uint8_t *ascii;
    if (host.len == 0 || host.len > INPUT_MAX || slice_find(host, '\0') < host.len)
        return false;
    *(char *)mempcpy(copy, host.ptr, host.len) = '\0';
    if (idn2_lookup_u8((uint8_t *)copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    struct slice name = slice_of((char *)ascii);
    if (slice_ends_with(name, SLICE_LITERAL(".")))
        name.len--;
    bool fits = name.len > 0 && name.len < TARGET_HOST_SIZE;
    if (fits) {
        for (size_t i = 0; i < name.len; i++)
            ret[i] =
                (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i]);
        ret[name.len] = '\0';
    }
    idn2_free(ascii);
    return fits;
}

bool target_parse(struct slice text, struct target *ret, enum access_reason *why)
{
    struct target t;
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0 || !port_parse(slice_skip(text, colon), &t.port))
        return refuse(why, ACCESS_TARGET_SYNTAX);

    struct slice host = slice_first(text, colon - 1);
    if (is_bracketed_ip(host))
        return refuse(why, ACCESS_TARGET_IP_LITERAL);
    if (!to_ascii(host, t.host) || !is_host_name(slice_of(t.host)))
        return refuse(why, ACCESS_TARGET_SYNTAX);
    if (is_number_label(last_label(slice_of(t.host))))
        return refuse(why, ACCESS_TARGET_IP_LITERAL);
    *ret = t;
    if (name_is_special(slice_of(t.host)))
        return refuse(why, ACCESS_TARGET_SPECIAL_NAME);
    return true;
}

struct slice target_write(const struct target *t, char text[TARGET_TEXT_SIZE])
{
    int n = snprintf(text, TARGET_TEXT_SIZE, "%s:%u", t->host, t->port);
    return slice_make(text, (size_t)n);
}
