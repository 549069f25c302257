/* SPDX-License-Identifier: MIT */
/* authority.h - HOST or HOST:PORT, as in a Host header, an origin or a URL (RFC 3986, 3.2; RFC
 * 9110, 7.2).
 *
 * Parsing also normalises, so that equal hosts are equal bytes: letters become lower case, an IPv6
 * literal takes the form of RFC 5952 as browsers write it (hexadecimal throughout, in brackets).
 * Names are ASCII: letters, digits, hyphen, underscore, in labels of 1 to 63 bytes, 253 in all; one
 * trailing dot stays, because it makes another host (RFC 6454). A name whose last label is a number
 * is not a name (`0x7f.1`), so it is refused unless it is an IPv4 address in its one canonical
 * form. Userinfo, percent-encoding and zone ids are refused.
 *
 * Pure. No allocation: everything is in the struct.
 */
#ifndef PROTO_AUTHORITY_H
#define PROTO_AUTHORITY_H

#include "base/slice.h"

#define AUTHORITY_HOST_MAX 254 /* a name of 253 bytes and its trailing dot */

enum host_kind {
    HOST_NAME,
    HOST_IPV4,
    HOST_IPV6
};

struct authority {
    enum host_kind kind;
    uint16_t port; /* 0: none was given, or nothing after the colon */
    uint8_t host_len;
    char host[AUTHORITY_HOST_MAX + 1]; /* NUL-terminated; IPv6 with its brackets */
};

static inline struct slice authority_host(const struct authority *a)
{
    return (struct slice){a->host, a->host_len};
}

/* False, and *ret untouched, for anything that is not of the form above, port 0 and leading zeros
 * included. */
bool authority_parse(struct slice text, struct authority *ret);

static inline bool authority_host_equal(const struct authority *a, const struct authority *b)
{
    return slice_equal(authority_host(a), authority_host(b));
}

/* Whether the host is `localhost`, a name below it, or a literal loopback address (127.0.0.0/8,
 * [::1]). */
bool authority_is_loopback(const struct authority *a);

/* Whether a URL parser takes the label for a number if it is the last one: decimal or octal digits,
 * or 0x and hexadecimal digits, or 0x alone. A host with such a last label is an address or
 * invalid. */
bool is_number_label(struct slice label);

/* 1 to 65535 in decimal without leading zeros; false and *ret untouched for anything else. */
bool port_parse(struct slice digits, uint16_t *ret);

#endif
