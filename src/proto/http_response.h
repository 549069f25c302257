/* SPDX-License-Identifier: MIT */
/* http_response.h - the head of an HTTP/1.1 response (RFC 9112, 4 and 5), strictly; for clients.
 *
 * Pure: bytes in, slices into them out. The body is not judged here: this project's client wants a
 * 101, and reads no more of anything else than its head.
 */
#ifndef PROTO_HTTP_RESPONSE_H
#define PROTO_HTTP_RESPONSE_H

#include "proto/http_head.h"

struct http_response {
    int status;          /* 100 to 999 */
    uint8_t minor;       /* HTTP/1.minor: 0 or 1 */
    struct slice reason; /* the phrase; may be empty and may hold obs-text */
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t size;     /* bytes of the whole head, with the blank line */
    const char *why; /* with PARSE_BAD */
};

/* Call it again with the longer buffer after PARSE_MORE; the caller bounds in.len. `ret` is of use
 * with PARSE_OK, its `why` with PARSE_BAD. */
enum parse_status http_response_parse(struct slice in, struct http_response *ret);

/* The value of the header `name` if it occurs exactly once; SLICE_NONE otherwise. */
struct slice http_response_once(const struct http_response *r, struct slice name);
/* How often the header `name` occurs. */
size_t http_response_count(const struct http_response *r, struct slice name);

#endif
