/* SPDX-License-Identifier: MIT */
/* origin.h - a web origin (RFC 6454): scheme, host and port, or the opaque `null`.
 *
 * Only http and https origins can be named here. Every other scheme is malformed, so that a caller
 * refuses it just as it refuses `null`. A list of origins (RFC 6454, 7.1) is malformed too: no
 * browser sends one.
 *
 * Pure. No allocation: everything is in the struct.
 */
#ifndef PROTO_ORIGIN_H
#define PROTO_ORIGIN_H

#include "proto/authority.h"

enum origin_scheme {
    ORIGIN_OPAQUE,
    ORIGIN_HTTP,
    ORIGIN_HTTPS
};

struct origin {
    enum origin_scheme scheme;
    struct authority authority; /* its port is never 0 unless opaque */
};

/* Longest serialisation with its NUL: `https://` HOST `:65535`. */
#define ORIGIN_TEXT_SIZE (8 + AUTHORITY_HOST_MAX + 6 + 1)

static inline uint16_t origin_default_port(enum origin_scheme scheme)
{
    return scheme == ORIGIN_HTTPS ? 443 : scheme == ORIGIN_HTTP ? 80 : 0;
}

/* `null`, or SCHEME `://` AUTHORITY and nothing after it. False and *ret untouched for anything
 * else. */
bool origin_parse(struct slice text, struct origin *ret);

/* Parses the scheme, `://` and authority at the beginning of an absolute http, https, ws or wss URL
 * (ws counts as http, wss as https). *ret_rest is the rest of the URL: empty, or from `/`, `?` or
 * `#` on. Returns false for any other text and leaves both untouched. */
bool origin_parse_url(struct slice url, struct origin *ret, struct slice *ret_rest);

/* The origin that a request reached, from the scheme of its listener and its Host. The scheme must
 * not be opaque. */
struct origin origin_of(enum origin_scheme scheme, const struct authority *host);

/* An opaque origin equals nothing, not even itself. */
bool origin_equal(const struct origin *a, const struct origin *b);

/* The serialisation (RFC 6454, 6.2), default ports left out; `null` for an opaque one. In `text`,
 * NUL-terminated. */
struct slice origin_write(const struct origin *o, char text[ORIGIN_TEXT_SIZE]);

#endif
