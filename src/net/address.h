/* SPDX-License-Identifier: MIT */
/* address.h - the address of a socket: IPv4, IPv6 or a Unix path; parsed and printed.
 *
 * Pure, except that an IPv6 zone (`fe80::1%eth0`) is looked up among the interfaces of this
 * machine.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct net_address {
    socklen_t len;
    bool dual_stack; /* of [::], when listening: IPv4 too */
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    };
};

#define NET_ADDRESS_TEXT_MAX 128
#define NET_HOST_TEXT_MAX    64 /* an IPv6 address and its zone */

/* `127.0.0.1:8080`, `[::1]:80`, `[fe80::1%eth0]:80`, `unix:PATH`, `*:80` (both families),
 * `localhost:80` (127.0.0.1). No name is looked up. 0, or -EINVAL with *why set and *ret
 * untouched. */
int net_address_parse(struct slice text, struct net_address *ret, const char **why);

/* 127.0.0.1 or ::1. */
struct net_address net_address_loopback(int family, uint16_t port);

/* As net_address_parse reads it; IPv4-mapped IPv6 prints as IPv4, `*` as `[::]`, a socket without
 * a name as `unix:`. Terminated by NUL; returns the length. */
size_t net_address_print(const struct net_address *a, char out[NET_ADDRESS_TEXT_MAX]);
/* Without the port and brackets: REMOTE_ADDR of CGI; "unix" for Unix sockets. */
size_t net_address_print_host(const struct net_address *a, char out[NET_HOST_TEXT_MAX]);
/* 0 for Unix sockets. */
uint16_t net_address_port(const struct net_address *a);

/* The key by which limits count a client: the IPv4 address (also when mapped), the IPv6 /64, or one
 * constant for Unix. */
struct net_client_key {
    uint8_t bytes[16];
};
struct net_client_key net_client_key_of(const struct net_address *a);
/* The key of the larger net that the client may own: of an IPv6 /64 its /48; otherwise the same. */
struct net_client_key net_client_key_wide(const struct net_client_key *key);
static inline struct slice net_client_slice(const struct net_client_key *key)
{
    return slice_make(key->bytes, sizeof(key->bytes));
}

#endif
