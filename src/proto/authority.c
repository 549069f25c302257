/* SPDX-License-Identifier: MIT */
#include "proto/authority.h"

#include <arpa/inet.h>
#include <stdio.h>

enum {
    LABEL_MAX = 63,
    NAME_MAX_BYTES = 253
};

bool port_parse(struct slice digits, uint16_t *ret)
{
    uint64_t port;
    if (digits.len == 0 || digits.ptr[0] == '0' || !slice_to_uint(digits, 65535, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_name_byte(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

bool is_number_label(struct slice label)
{
    bool hex = slice_equal_nocase(slice_first(label, 2), SLICE_LITERAL("0x"));
    for (size_t i = hex ? 2 : 0; i < label.len; i++)
        if (hex ? !is_hex_digit(label.ptr[i]) : !is_digit(label.ptr[i]))
            return false;
    return true;
}

static bool is_name(struct slice host)
{
    if (slice_ends_with(host, SLICE_LITERAL(".")))
        host.len--;
    if (host.len == 0 || host.len > NAME_MAX_BYTES)
        return false;

    struct slice label = host;
    for (;;) {
        size_t len = slice_find(host, '.');
        label = slice_first(host, len);
        if (len == 0 || len > LABEL_MAX)
            return false;
        for (size_t i = 0; i < len; i++)
            if (!is_name_byte(label.ptr[i]))
                return false;
        if (len == host.len)
            return !is_number_label(label);
        host = slice_skip(host, len + 1);
    }
}

/* The first longest run of two or more zero pieces; the length is 0 if there is none. */
static int longest_zero_run(const uint16_t *piece, int *ret_len)
{
    int best = 0, best_len = 0;
    for (int i = 0; i < 8; i++) {
        int len = 0;
        while (i + len < 8 && piece[i + len] == 0)
            len++;
        if (len > best_len) {
            best = i;
            best_len = len;
        }
        i += len;
    }
    *ret_len = best_len > 1 ? best_len : 0;
    return best;
}

static void write_ipv6(const struct in6_addr *address, struct authority *ret)
{
    uint16_t piece[8];
    for (int i = 0; i < 8; i++)
        piece[i] = (uint16_t)(address->s6_addr[2 * i] << 8 | address->s6_addr[2 * i + 1]);

    int run_len, run = longest_zero_run(piece, &run_len);
    int n = sprintf(ret->host, "[");
    for (int i = 0; i < 8; i++) {
        if (run_len && i == run) {
            n += sprintf(ret->host + n, "::");
            i += run_len - 1;
            continue;
        }
        bool after_colon = i == 0 || (run_len && i == run + run_len);
        n += sprintf(ret->host + n, "%s%x", after_colon ? "" : ":", piece[i]);
    }
    n += sprintf(ret->host + n, "]");
    ret->host_len = (uint8_t)n;
    ret->kind = HOST_IPV6;
}

static bool parse_ipv6(struct slice bracketed, struct authority *ret)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (bracketed.len < 2 || bracketed.len - 2 >= sizeof(text))
        return false;
    memcpy(text, bracketed.ptr + 1, bracketed.len - 2);
    text[bracketed.len - 2] = '\0';
    if (strlen(text) != bracketed.len - 2 || inet_pton(AF_INET6, text, &address) != 1)
        return false;
    write_ipv6(&address, ret);
    return true;
}

/* A number below 256 without zeros before it. Returns its length; 0: there is none. */
static size_t octet_length(struct slice s)
{
    unsigned number = 0;
    size_t len = 0;
    while (len < s.len && len < 4 && is_digit(s.ptr[len]))
        number = 10 * number + (unsigned)(s.ptr[len++] - '0');
    return number > 255 || (len > 1 && s.ptr[0] == '0') ? 0 : len;
}

static bool is_ipv4(struct slice host)
{
    for (int dots = 0;; dots++) {
        size_t len = octet_length(host);
        host = slice_skip(host, len);
        if (len == 0 || dots == 3)
            return len > 0 && host.len == 0;
        if (host.len == 0 || host.ptr[0] != '.')
            return false;
        host = slice_skip(host, 1);
    }
}

static bool parse_name_or_ipv4(struct slice host, struct authority *ret)
{
    if (host.len > AUTHORITY_HOST_MAX)
        return false;
    for (size_t i = 0; i < host.len; i++)
        ret->host[i] =
            (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] | 0x20 : host.ptr[i]);
    ret->host[host.len] = '\0';
    ret->host_len = (uint8_t)host.len;

    if (is_ipv4(host)) {
        ret->kind = HOST_IPV4;
        return true;
    }
    ret->kind = HOST_NAME;
    return is_name(authority_host(ret));
}

bool authority_parse(struct slice text, struct authority *ret)
{
    struct authority a;
    bool bracket = slice_starts_with(text, SLICE_LITERAL("["));
    size_t host_len = bracket ? slice_find(text, ']') + 1 : slice_find(text, ':');
    if (host_len > text.len)
        return false;

    struct slice host = slice_first(text, host_len);
    struct slice rest = slice_skip(text, host_len);
    if (bracket ? !parse_ipv6(host, &a) : !parse_name_or_ipv4(host, &a))
        return false;
    a.port = 0;
    if (rest.len && rest.ptr[0] != ':')
        return false;
    if (rest.len > 1 && !port_parse(slice_skip(rest, 1), &a.port))
        return false;
    memcpy(ret, &a,
           offsetof(struct authority, host) + a.host_len + 1u); /* without what is unused */
    return true;
}

bool authority_is_loopback(const struct authority *a)
{
    struct slice host = authority_host(a);
    switch (a->kind) {
    case HOST_IPV4:
        return slice_starts_with(host, SLICE_LITERAL("127."));
    case HOST_IPV6:
        return slice_equal(host, SLICE_LITERAL("[::1]"));
    case HOST_NAME:
        break;
    }
    if (slice_ends_with(host, SLICE_LITERAL(".")))
        host.len--;
    return slice_equal(host, SLICE_LITERAL("localhost")) ||
           slice_ends_with(host, SLICE_LITERAL(".localhost"));
}
