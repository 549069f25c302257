/* SPDX-License-Identifier: MIT */
#include "access/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct special {
    struct ip_range range;
    const char *what;
} specials[] = {
/* IPv4: iana.org/assignments/iana-ipv4-special-registry, multicast (RFC 5771) and one cloud's. */
#define V4(a, b, c, d, bits, what)                                                                 \
    {                                                                                              \
        {{4, {a, b, c, d}}, bits}, what                                                            \
    }
    V4(0, 0, 0, 0, 8, "this network"),
    V4(10, 0, 0, 0, 8, "private"),
    V4(100, 64, 0, 0, 10, "shared (carrier-grade NAT)"),
    V4(127, 0, 0, 0, 8, "loopback"),
    V4(168, 63, 129, 16, 32, "cloud metadata"),
    V4(169, 254, 169, 254, 32, "cloud metadata"),
    V4(169, 254, 0, 0, 16, "link-local"),
    V4(172, 16, 0, 0, 12, "private"),
    V4(192, 0, 0, 0, 24, "IETF protocol assignments"),
    V4(192, 0, 2, 0, 24, "documentation"),
    V4(192, 31, 196, 0, 24, "AS112"),
    V4(192, 52, 193, 0, 24, "AMT"),
    V4(192, 88, 99, 0, 24, "6to4 relay"),
    V4(192, 168, 0, 0, 16, "private"),
    V4(192, 175, 48, 0, 24, "AS112"),
    V4(198, 18, 0, 0, 15, "benchmarking"),
    V4(198, 51, 100, 0, 24, "documentation"),
    V4(203, 0, 113, 0, 24, "documentation"),
    V4(224, 0, 0, 0, 4, "multicast"),
    V4(255, 255, 255, 255, 32, "broadcast"),
    V4(240, 0, 0, 0, 4, "reserved"),
#undef V4
/* IPv6: iana.org/assignments/iana-ipv6-special-registry. Outside 2000::/3 the rows only give a name
 * to addresses that are refused anyway. */
#define V6(bits, what, ...)                                                                        \
    {                                                                                              \
        {{16, {__VA_ARGS__}}, bits}, what                                                          \
    }
    V6(128, "unspecified", 0),
    V6(128, "loopback", [15] = 1),
    V6(96, "IPv4-mapped", [10] = 0xff, [11] = 0xff),
    V6(96, "NAT64", 0, 0x64, 0xff, 0x9b),
    V6(48, "NAT64", 0, 0x64, 0xff, 0x9b, 0, 1),
    V6(7, "unique local", 0xfc),
    V6(10, "link-local", 0xfe, 0x80),
    V6(10, "site-local", 0xfe, 0xc0),
    V6(8, "multicast", 0xff),
    V6(32, "Teredo", 0x20, 0x01, 0, 0),
    V6(23, "IETF protocol assignments", 0x20, 0x01),
    V6(32, "documentation", 0x20, 0x01, 0x0d, 0xb8),
    V6(16, "6to4", 0x20, 0x02),
    V6(48, "AS112", 0x26, 0x20, 0, 0x4f, 0x80),
    V6(20, "documentation", 0x3f, 0xff),
#undef V6
};

struct ip ip_make(const void *bytes, size_t length)
{
    struct ip ip = {.length = (uint8_t)length};
    memcpy(ip.bytes, bytes, length);
    return ip;
}

bool ip_parse(struct slice text, struct ip *ret)
{
    char copy[IP_TEXT_SIZE];
    uint8_t bytes[16];
    if (text.len >= sizeof(copy) || slice_find(text, '\0') < text.len)
        return false;
    *(char *)mempcpy(copy, text.ptr, text.len) = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        *ret = ip_make(bytes, 4);
    else if (inet_pton(AF_INET6, copy, bytes) == 1)
        *ret = ip_make(bytes, 16);
    else
        return false;
    return true;
}

bool ip_of_sockaddr(const struct sockaddr *address, struct ip *ret)
{
    if (address->sa_family == AF_INET)
        *ret = ip_make(&((const struct sockaddr_in *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        *ret = ip_make(&((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else
        return false;
    return true;
}

socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){0};
    if (ip->length == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, ip->bytes, 4);
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->bytes, 16);
    return sizeof(*v6);
}

struct slice ip_print(const struct ip *ip, char text[IP_TEXT_SIZE])
{
    return slice_of(inet_ntop(ip->length == 4 ? AF_INET : AF_INET6, ip->bytes, text, IP_TEXT_SIZE));
}

static struct ip unmapped(const struct ip *ip)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (ip->length == 16 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0)
        return ip_make(ip->bytes + 12, 4);
    return *ip;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    struct ip x = unmapped(a), y = unmapped(b);
    return x.length == y.length && memcmp(x.bytes, y.bytes, x.length) == 0;
}

struct slice ip_reverse_name(const struct ip *ip, char text[IP_REVERSE_SIZE])
{
    int n = 0;
    for (int i = ip->length - 1; i >= 0; i--) {
        if (ip->length == 4)
            n += sprintf(text + n, "%u.", ip->bytes[i]);
        else
            n += sprintf(text + n, "%x.%x.", ip->bytes[i] & 15, ip->bytes[i] >> 4);
    }
    n += sprintf(text + n, "%s", ip->length == 4 ? "in-addr.arpa" : "ip6.arpa");
    return slice_make(text, (size_t)n);
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & (0xff00 >> bits % 8) & 0xff) == 0;
}

bool ip_range_parse(struct slice text, struct ip_range *ret)
{
    size_t slash = slice_find(text, '/');
    struct ip_range range;
    if (!ip_parse(slice_first(text, slash), &range.ip))
        return false;
    uint64_t bits = range.ip.length * 8u;
    if (slash < text.len && !slice_to_uint(slice_skip(text, slash + 1), bits, &bits))
        return false;
    range.bits = (uint8_t)bits;
    for (unsigned i = range.bits; i < range.ip.length * 8u; i++)
        if (range.ip.bytes[i / 8] & 0x80 >> i % 8)
            return false;
    *ret = range;
    return true;
}

bool ip_range_has(const struct ip_range *range, const struct ip *ip)
{
    return range->ip.length == ip->length && same_bits(range->ip.bytes, ip->bytes, range->bits);
}

const char *ip_special(const struct ip *ip)
{
    for (size_t i = 0; i < sizeof(specials) / sizeof(*specials); i++)
        if (ip_range_has(&specials[i].range, ip))
            return specials[i].what;
    if (ip->length == 16 && ip->bytes[0] >> 5 != 1)
        return "outside 2000::/3";
    return NULL;
}
