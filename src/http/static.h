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
/* By the name's ending; application/octet-stream if unknown. */
struct slice static_type(struct slice name);

#endif
