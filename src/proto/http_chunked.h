/* SPDX-License-Identifier: MIT */
/* http_chunked.h - the chunked coding of a request body (RFC 9112, 7.1), incrementally and
 * strictly.
 *
 * Any split of the input gives the same data. Chunk extensions are skipped (bounded), trailers are
 * read and dropped (bounded). Refused: bare CR or LF, a size that is empty, not hex, or above 2^53,
 * whitespace around the size.
 */
#ifndef PROTO_HTTP_CHUNKED_H
#define PROTO_HTTP_CHUNKED_H

#include "base/slice.h"
#include "proto/status.h"

#define HTTP_CHUNK_LINE_MAX 256  /* bytes of a size line with its extensions */
#define HTTP_TRAILERS_MAX   8192 /* bytes of all trailers */

struct http_chunked {
    uint64_t left;
    uint32_t overhead; /* bytes of the current size line, or of the trailers */
    uint8_t state;
};

void http_chunked_init(struct http_chunked *c);

/* Takes the next piece: *used bytes were consumed, and `data` (a part of them, may be empty)
 * belongs to the body. PARSE_OK: the body is complete, what follows *used is the next request.
 * PARSE_MORE: call again with the rest (or with more); at most one piece of data is given at once,
 * so bytes may be left. After PARSE_BAD every further call is PARSE_BAD. */
enum parse_status http_chunked_next(struct http_chunked *c, struct slice in, size_t *used,
                                    struct slice *data);

#endif
