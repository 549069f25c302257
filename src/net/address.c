/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

static int refuse(const char **why, const char *reason)
{
    *why = reason;
    return -EINVAL;
}

/* For the calls that want a NUL. */
static bool copy_text(struct slice s, char *out, size_t size)
{
    if (s.len == 0 || s.len >= size || memchr(s.ptr, 0, s.len))
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = 0;
    return true;
}

static int parse_unix(struct slice path, struct net_address *ret, const char **why)
{
    struct net_address a = {.un = {.sun_family = AF_UNIX}};
    if (path.len == 0)
        return refuse(why, "expected a path after unix:");
    if (path.len >= sizeof(a.un.sun_path))
        return refuse(why, "the path of a Unix socket has at most 107 bytes");
    if (!copy_text(path, a.un.sun_path, sizeof(a.un.sun_path)))
        return refuse(why, "the path has a NUL in it");
    a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    *ret = a;
    return 0;
}

static struct net_address make_v4(struct in_addr ip, uint16_t port)
{
    return (struct net_address){
        .len = sizeof(struct sockaddr_in),
        .v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip},
    };
}

static struct net_address make_v6(struct in6_addr ip, uint32_t scope, uint16_t port)
{
    return (struct net_address){
        .len = sizeof(struct sockaddr_in6),
        .v6 = {.sin6_family = AF_INET6,
               .sin6_port = htons(port),
               .sin6_addr = ip,
               .sin6_scope_id = scope},
    };
}

static int parse_v6(struct slice host, uint16_t port, struct net_address *ret, const char **why)
{
    char text[INET6_ADDRSTRLEN], zone[IF_NAMESIZE];
    struct in6_addr ip;
    uint32_t scope = 0;
    size_t percent = slice_find(host, '%');
    if (!copy_text(slice_first(host, percent), text, sizeof(text)) ||
        inet_pton(AF_INET6, text, &ip) != 1)
        return refuse(why, "not an IPv6 address between the brackets");
    if (percent < host.len) {
        if (!copy_text(slice_skip(host, percent + 1), zone, sizeof(zone)) ||
            (scope = if_nametoindex(zone)) == 0)
            return refuse(why, "no such network interface after the %");
    }
    *ret = make_v6(ip, scope, port);
    return 0;
}

static int parse_host(struct slice host, uint16_t port, struct net_address *ret, const char **why)
{
    if (host.len == 0)
        return refuse(why, "expected an address before the port (for all of them: *)");
    if (host.ptr[0] == '[') {
        if (host.len < 2 || host.ptr[host.len - 1] != ']')
            return refuse(why, "expected ] after the IPv6 address");
        return parse_v6(slice_make(host.ptr + 1, host.len - 2), port, ret, why);
    }
    if (slice_find(host, ':') < host.len)
        return refuse(why, "an IPv6 address goes in brackets: [::1]:8080");
    if (slice_equal(host, SLICE_LITERAL("*"))) {
        *ret = make_v6(in6addr_any, 0, port);
        ret->dual_stack = true;
        return 0;
    }

    struct in_addr ip = {htonl(INADDR_LOOPBACK)};
    char text[INET_ADDRSTRLEN];
    if (!slice_equal_nocase(host, SLICE_LITERAL("localhost")) &&
        (!copy_text(host, text, sizeof(text)) || inet_pton(AF_INET, text, &ip) != 1))
        return refuse(why, "expected an IP address; names are not looked up");
    *ret = make_v4(ip, port);
    return 0;
}

int net_address_parse(struct slice text, struct net_address *ret, const char **why)
{
    struct slice prefix = SLICE_LITERAL("unix:");
    if (slice_starts_with(text, prefix))
        return parse_unix(slice_skip(text, prefix.len), ret, why);

    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
        colon--;
    if (colon == 0 || text.ptr[colon - 1] == ']')
        return refuse(why, "expected ADDRESS:PORT or unix:PATH");
    uint64_t port;
    if (!slice_to_uint(slice_skip(text, colon), UINT16_MAX, &port))
        return refuse(why, "a port is a number from 0 to 65535");
    return parse_host(slice_first(text, colon - 1), (uint16_t)port, ret, why);
}

static bool is_mapped(const struct net_address *a)
{
    return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

static size_t print_v6(const struct net_address *a, char out[NET_HOST_TEXT_MAX])
{
    char zone[IF_NAMESIZE];
    inet_ntop(AF_INET6, &a->v6.sin6_addr, out, NET_HOST_TEXT_MAX);
    size_t len = strlen(out);
    if (a->v6.sin6_scope_id == 0)
        return len;
    if (if_indextoname(a->v6.sin6_scope_id, zone))
        return len + (size_t)snprintf(out + len, NET_HOST_TEXT_MAX - len, "%%%s", zone);
    return len + (size_t)snprintf(out + len, NET_HOST_TEXT_MAX - len, "%%%u", a->v6.sin6_scope_id);
}

/* By hand: inet_ntop(3) prints by sprintf, and this is done for each page. */
static size_t print_v4(const unsigned char bytes[4], char out[NET_HOST_TEXT_MAX])
{
    char *at = out;
    for (int i = 0; i < 4; i++) {
        if (i > 0)
            *at++ = '.';
        if (bytes[i] >= 100)
            *at++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *at++ = (char)('0' + bytes[i] / 10 % 10);
        *at++ = (char)('0' + bytes[i] % 10);
    }
    *at = '\0';
    return (size_t)(at - out);
}

size_t net_address_print_host(const struct net_address *a, char out[NET_HOST_TEXT_MAX])
{
    if (a->any.sa_family == AF_UNIX)
        return (size_t)snprintf(out, NET_HOST_TEXT_MAX, "unix");
    if (a->any.sa_family == AF_INET6 && !is_mapped(a))
        return print_v6(a, out);
    return print_v4(
        is_mapped(a) ? &a->v6.sin6_addr.s6_addr[12] : (const unsigned char *)&a->v4.sin_addr, out);
}

size_t net_address_print(const struct net_address *a, char out[NET_ADDRESS_TEXT_MAX])
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    if (a->any.sa_family == AF_UNIX) {
        size_t room = a->len > head ? a->len - head : 0;
        return (size_t)snprintf(out, NET_ADDRESS_TEXT_MAX, "unix:%.*s",
                                (int)strnlen(a->un.sun_path, room), a->un.sun_path);
    }
    char host[NET_HOST_TEXT_MAX];
    size_t len = net_address_print_host(a, host);
    bool brackets = memchr(host, ':', len) != NULL;
    return (size_t)snprintf(out, NET_ADDRESS_TEXT_MAX, brackets ? "[%.*s]:%u" : "%.*s:%u",
                            INET6_ADDRSTRLEN + IF_NAMESIZE, host, net_address_port(a));
}

uint16_t net_address_port(const struct net_address *a)
{
    if (a->any.sa_family == AF_INET)
        return ntohs(a->v4.sin_port);
    if (a->any.sa_family == AF_INET6)
        return ntohs(a->v6.sin6_port);
    return 0;
}

struct net_address net_address_loopback(int family, uint16_t port)
{
    struct net_address a = {0};
    if (family == AF_INET) {
        a.len = sizeof(a.v4);
        a.v4 = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    } else {
        a.len = sizeof(a.v6);
        a.v6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    }
    return a;
}

struct net_client_key net_client_key_of(const struct net_address *a)
{
    struct net_client_key key = {{0}};
    if (a->any.sa_family == AF_INET || is_mapped(a)) {
        key.bytes[10] = key.bytes[11] = 0xff;
        memcpy(key.bytes + 12,
               is_mapped(a) ? (const void *)&a->v6.sin6_addr.s6_addr[12] : &a->v4.sin_addr, 4);
    } else if (a->any.sa_family == AF_INET6) {
        memcpy(key.bytes, &a->v6.sin6_addr, 8);
    } else {
        memcpy(key.bytes + 8, "unix", 4); /* below ::/64, which no client has */
    }
    return key;
}

struct net_client_key net_client_key_wide(const struct net_client_key *key)
{
    static const uint8_t none[8];
    struct net_client_key wide = *key;
    bool is_v6 = memcmp(key->bytes, none, sizeof(none)) != 0;
    if (is_v6)
        wide.bytes[6] = wide.bytes[7] = 0;
    return wide;
}
