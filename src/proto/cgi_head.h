/* SPDX-License-Identifier: MIT */
/* cgi_head.h - the header block of a page program's answer (RFC 3875, section 6; lines end in LF or
 * CRLF).
 *
 * Pure. `Status: 404 Not Found` sets status and reason; `Location` alone means 302 (or, beginning
 * with '/', a local redirect that the caller answers as 302 too); everything else is a header of
 * the answer. Headers that belong to the connection (Connection and what it names, Keep-Alive,
 * Transfer-Encoding, Upgrade, Trailer, TE, Proxy-*; RFC 9110, 7.6.1) are left out: the connection
 * is the server's. A second Content-Length, a value with control characters and a name that is no
 * token are refused.
 */
#ifndef PROTO_CGI_HEAD_H
#define PROTO_CGI_HEAD_H

#include "proto/http_head.h"

struct cgi_head {
    int status; /* 100..599 read, 200 if absent */
    struct slice reason;
    bool has_length;
    uint64_t content_length;
    struct slice left_out; /* the name of the first header that was; SLICE_NONE: none */
    size_t header_count;   /* without Status and Content-Length */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t size;        /* bytes with the blank line */
    const char *why;    /* of PARSE_BAD, */
    struct slice wrong; /* and the line */
};

/* An empty block (a first line that is empty) is PARSE_OK with header_count 0. `seen` as in
 * http_head_parse. */
enum parse_status cgi_head_parse(struct slice in, size_t seen, struct cgi_head *ret);

/* The same of headers that are not printed: refuses what a printed one may not have. `status` 0: as
 * if there were none. Never PARSE_MORE; of PARSE_BAD `wrong` is the name. */
enum parse_status cgi_head_make(int status, const struct http_header *headers, size_t count,
                                struct cgi_head *ret);

/* Where in the beginning of an HTML document a first element of the head can be put so that no HTML
 * parser changes its mind about the document: after BOM, whitespace, comments, doctype, <html …>
 * and <head …> (HTML, 13.2.6.4). PARSE_MORE: not decided by these bytes; if the document ends here,
 * insert at *ret all the same. */
enum parse_status html_head_offset(struct slice in, size_t *ret);

#endif
