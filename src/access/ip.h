/* SPDX-License-Identifier: MIT */
/* ip.h - an IP address, ranges of them, and which of them are public.
 *
 * "Public" is narrow on purpose: nothing of the IANA special-purpose address registries (IPv4 and
 * IPv6, as of 2025), no multicast, no cloud metadata address, and of IPv6 only 2000::/3. An address
 * that can hide an IPv4 address (mapped, NAT64, 6to4, Teredo) is never public.
 *
 * Pure: no allocation, no I/O.
 */
#ifndef ACCESS_IP_H
#define ACCESS_IP_H

#include "base/slice.h"

#include <sys/socket.h>

struct ip {
    uint8_t length; /* 4 or 16 */
    uint8_t bytes[16];
};

#define IP_TEXT_SIZE    46 /* INET6_ADDRSTRLEN */
#define IP_REVERSE_SIZE 74 /* 32 nibbles with dots, `ip6.arpa` and NUL */

/* Canonical dotted IPv4 or any IPv6 form without zone; false and *ret untouched for anything else.
 */
bool ip_parse(struct slice text, struct ip *ret);
/* False for a family that is neither. */
bool ip_of_sockaddr(const struct sockaddr *address, struct ip *ret);
/* For connect(2); returns the length. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);
struct ip ip_make(const void *bytes, size_t length);
struct slice ip_print(const struct ip *ip, char text[IP_TEXT_SIZE]);
/* An IPv4-mapped IPv6 address equals its IPv4 address. */
bool ip_equal(const struct ip *a, const struct ip *b);

/* `10.113.0.203.in-addr.arpa`, or the nibbles in ip6.arpa (RFC 1035, 3.5; RFC 3596, 2.5). */
struct slice ip_reverse_name(const struct ip *ip, char text[IP_REVERSE_SIZE]);

struct ip_range {
    struct ip ip;
    uint8_t bits;
};

/* `10.0.0.0/8`, or an address alone. The bits after the prefix must be 0. */
bool ip_range_parse(struct slice text, struct ip_range *ret);
bool ip_range_has(const struct ip_range *range, const struct ip *ip);

/* NULL for a public address, otherwise its class, such as "loopback" or "documentation". */
const char *ip_special(const struct ip *ip);

#endif
