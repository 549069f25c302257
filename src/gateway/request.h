/* SPDX-License-Identifier: MIT */
/* request.h - the request of a page: the JSON of an OPEN of kind `tcp` (docs/protocol.md, section
 * 10).
 *
 * Strict: a member that is unknown, double or of another type is refused, since a misspelt `secure`
 * passed over would send a password in clear. Script access decides whether the host is valid.
 *
 * Pure, except that jansson allocates memory during the call.
 */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include "base/slice.h"

enum {
    TCP_REQUEST_MAX = 4096, /* bytes of JSON */
    TCP_HOST_MAX = 1024,
    TCP_TARGET_MAX = TCP_HOST_MAX + 8
};

struct tcp_request {
    char target[TCP_TARGET_MAX + 1]; /* HOST:PORT; a bare IPv6 address in brackets */
    size_t host_len;                 /* of the target */
    uint16_t port;
    bool secure, no_delay;
    uint32_t keep_alive_s; /* 0: no keep-alive */
};

/* NULL, or what is wrong (a static text) and *ret is of no use. */
const char *tcp_request_parse(struct slice json, struct tcp_request *ret);

#endif
