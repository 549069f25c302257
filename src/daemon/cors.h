/* SPDX-License-Identifier: MIT */
/* cors.h - what tells a browser that a page of another origin may read an answer (the Fetch
 * standard's CORS protocol).
 *
 * Pure. Credentials are never allowed: script access speaks for scripts, not for the user.
 */
#ifndef DAEMON_CORS_H
#define DAEMON_CORS_H

#include "proto/http_head.h"

#define CORS_HEADERS_MAX 6

/* Whether the browser asks first: OPTIONS with Access-Control-Request-Method. `method`: of the
 * request that is decided about, which may have come by a proxy. */
bool cors_is_preflight(const struct http_head *request, struct slice method);

/* To whom it is allowed. */
size_t cors_allow(struct slice origin, struct http_header headers[CORS_HEADERS_MAX]);
/* The same as the answer to a preflight: what it asks for is allowed. */
size_t cors_allow_preflight(const struct http_head *request,
                            struct http_header headers[CORS_HEADERS_MAX]);

#endif
