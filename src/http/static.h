/* SPDX-License-Identifier: MIT */
/* static.h - a file as an answer: type, ETag, Last-Modified, conditions (RFC 9110, 13) and ranges
 * (14), by sendfile. */
#ifndef HTTP_STATIC_H
#define HTTP_STATIC_H

#include "http/encodings.h"
#include "http/exchange.h"
#include "http/site.h"

/* Answers GET and HEAD (OPTIONS with Allow; others get 405). Takes found->fd. In the place of a
 * file of a type that compresses, NAME.br or NAME.gz is sent to who accepts it
 * (site_find_beside()): the same document in another coding, with its own tag, size and ranges. */
void static_answer(struct exchange *x, struct site_found *found);
/* Bytes that live as long as the process, such as client.js, in each coding that there is. */
struct static_bytes {
    struct static_variant {
        struct slice body; /* ptr NULL: not in this coding; ENCODING_IDENTITY is always there */
        struct slice etag; /* with its quotes; its own in each coding */
    } variants[ENCODING_COUNT];
    struct slice type; /* with charset */
    bool immutable;    /* the address never has other bytes: kept for a year, unasked */
};
/* As static_answer(), for bytes: conditions, but no ranges. */
void static_answer_bytes(struct exchange *x, const struct static_bytes *bytes);
/* 301 to the path with a slash and the query: for SITE_REDIRECT. Location is relative, `./NAME/`:
 * right below any path at which a proxy shows this server, and never another host's, as
 * `//evil.example/..` would be. */
void static_redirect_to_folder(struct exchange *x);
/* By the name's ending; application/octet-stream if unknown. */
struct slice static_type(struct slice name);
bool static_type_known(struct slice name);
/* Whether files of this type are text, or otherwise much smaller when compressed. */
bool static_type_compresses(struct slice name);

#endif
