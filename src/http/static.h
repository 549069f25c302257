/* static.h - a file as an answer: type, ETag, Last-Modified, conditions (RFC 9110, 13) and ranges
 * (14), by sendfile. */
#ifndef HTTP_STATIC_H
#define HTTP_STATIC_H

#include "http/exchange.h"
#include "http/site.h"

/* Answers GET and HEAD (OPTIONS with Allow; others get 405). Takes found->fd. */
void static_answer(struct exchange *x, struct site_found *found);
/* The same for bytes that live as long as the program, such as client.js; `type` with charset.
 * Conditions, but no ranges. */
void static_answer_bytes(struct exchange *x, struct slice body, struct slice type,
                         struct slice etag);
/* 301 to the path with a slash and the query: for SITE_REDIRECT. It is written from the normalised
 * path, not as it was asked for: `//evil.example/..` would name another host. */
void static_redirect_to_folder(struct exchange *x);
/* By the name's ending; application/octet-stream if unknown. */
struct slice static_type(struct slice name);

#endif
