/* SPDX-License-Identifier: MIT */
/* http_head.h - the head of an HTTP/1.1 request (RFC 9112, sections 2 to 6), strictly.
 *
 * Pure: bytes in, slices into them out. Call it again with the longer buffer after PARSE_MORE;
 * bytes that were seen before are not looked at twice (`seen`). Everything that lets two servers
 * disagree about where a request ends is refused: bare CR or LF, obs-fold, whitespace before the
 * colon, empty or doubled Host, Content-Length that is repeated or no plain number, Content-Length
 * beside Transfer-Encoding, codings other than a single final `chunked`, Transfer-Encoding in
 * HTTP/1.0, control characters, more than one space in the request line.
 *
 * Errors  PARSE_BAD sets `status` (400, 431, 501, 505) and `why`, a static text for the answer's
 *         body and the log. The verdict looks at whole lines only, so that it does not depend on
 *         how the bytes arrive; the one exception is a first byte that begins no request.
 *
 * Cost    One pass, no allocation.
 */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include "base/slice.h"
#include "proto/status.h"

#define HTTP_HEADERS_MAX 100

struct http_header {
    struct slice name;  /* as sent; compare without case */
    struct slice value; /* without surrounding whitespace; may hold obs-text */
};

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKED
};

struct http_head {
    struct slice method;
    struct slice target; /* as sent: origin-form, absolute-form, authority-form or `*` */
    uint8_t minor;       /* HTTP/1.minor: 0 or 1 (a higher minor reads as 1) */
    bool keep_alive;     /* by version and Connection (RFC 9112, 9.3) */
    bool upgrade;        /* Connection names upgrade */
    bool expect_continue;
    enum http_body body;
    uint64_t content_length; /* with HTTP_BODY_LENGTH */
    /* Of Host, or of the absolute-form target, which wins and is in the place of Host's value too
     * (RFC 9112, 3.2.2). */
    struct slice host;
    size_t header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t size; /* bytes of the whole head, with the blank line */
    int status;
    const char *why;
};

/* `seen`: how many bytes an earlier call answered PARSE_MORE for (0 at first). The caller bounds
 * in.len: if PARSE_MORE comes at that bound, it answers 414 (no LF yet) or 431. Leading empty lines
 * (CRLF) are skipped, 2 at most (RFC 9112, 2.2). */
enum parse_status http_head_parse(struct slice in, size_t seen, struct http_head *ret);

/* The value of the first header `name` (lower case), or SLICE_NONE. */
struct slice http_head_find(const struct http_head *head, struct slice name);

/* How often the header occurs. */
size_t http_head_count(const struct http_head *head, struct slice name);

/* True if a comma-separated list value holds `token`, without case (RFC 9110, 5.6.1). */
bool http_list_has(struct slice value, struct slice token);

/* Splits the next member off a comma-separated list; empty members are skipped. False at the end.
 * Commas in quoted strings don't split. */
bool http_list_next(struct slice *rest, struct slice *ret);

bool http_is_token(struct slice s); /* RFC 9110, 5.6.2 */

/* The path and query of an origin-form or absolute-form target; false for other forms. `query` is
 * without `?`, and SLICE_NONE (ptr NULL) if there is none. */
bool http_target_split(struct slice target, struct slice *path, struct slice *query);

/* The target in origin form, as CGI knows it: without the scheme and authority of an absolute-form
 * target, in two parts: `/`, where the path is empty, and the rest. Other forms are the rest. */
struct slice http_target_origin(struct slice target, struct slice *ret_slash);

/* Percent-decodes and normalises a path into `out` (at least path.len bytes): must begin with '/',
 * dot segments are removed (RFC 3986, 5.2.4), double slashes are kept as one. False for a bad
 * escape, %00, %2F (it would make one segment two), a backslash, or a path that climbs above the
 * root. */
bool http_path_decode(struct slice path, char *out, size_t *ret_len);

#endif
