/* SPDX-License-Identifier: MIT */
/* tcp_json.h - what the frames of a TCP connection say (docs/protocol.md,
 * section 10). By jansson. */
#ifndef CLIENT_TCP_JSON_H
#define CLIENT_TCP_JSON_H

#include "httpsocket.h"

#include "base/slice.h"

/* Of OPEN; on the heap, the caller's to free. NULL: no memory, or a host that is no UTF-8. */
char *tcp_json_request(const struct httpsocket_tcp_options *o);

/* Of OPENED. A missing member is empty, or 0. */
struct tcp_addresses {
    char remote[64], local[64];
    uint16_t remote_port, local_port;
};
void tcp_json_addresses(struct slice json, struct tcp_addresses *ret);

/* Of RESET: a token, a text that may be empty, and seconds, or -1. */
struct tcp_reason {
    char reason[64], message[256];
    int64_t retry_s;
};
void tcp_json_reason(struct slice json, struct tcp_reason *ret);

#endif
