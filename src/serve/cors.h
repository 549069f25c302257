/* SPDX-License-Identifier: MIT */
/* cors.h - the headers that tell a browser that a page of another origin may read an answer (the
 * Fetch standard's CORS protocol).
 *
 * Pure. Credentials are never allowed: script access speaks for scripts, not for the user.
 */
#ifndef SERVE_CORS_H
#define SERVE_CORS_H

#include "proto/http_head.h"

#define CORS_HEADERS_MAX 6

/* Whether the browser asks first: OPTIONS with Access-Control-Request-Method. `method`: of the
 * request that is decided about, which may have come by a proxy. */
bool cors_is_preflight(const struct http_head *request, struct slice method);

/* The headers that allow `origin` to read the answer. Returns how many. */
size_t cors_allow(struct slice origin, struct http_header headers[CORS_HEADERS_MAX]);
/* The headers of the answer to a preflight, which allow what the preflight asks for. Returns how
 * many. */
size_t cors_allow_preflight(const struct http_head *request,
                            struct http_header headers[CORS_HEADERS_MAX]);

#endif
