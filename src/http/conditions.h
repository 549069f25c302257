/* SPDX-License-Identifier: MIT */
/* conditions.h - conditional requests: does the client still have the current answer? (RFC 9110,
 * 13)
 *
 * Pure. The order of evaluation is that of section 13.2.2; a date that can't be parsed is ignored.
 */
#ifndef HTTP_CONDITIONS_H
#define HTTP_CONDITIONS_H

#include "proto/http_head.h"

enum condition {
    CONDITION_PASS,
    CONDITION_NOT_MODIFIED, /* 304 */
    CONDITION_FAILED,       /* 412 */
};

/* What the client's conditions are compared with. */
struct representation {
    struct slice etag; /* strong, with its quotes */
    int64_t modified;  /* seconds since 1970; -1: not known */
    int64_t now;
};

/* If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since of a GET or HEAD. */
enum condition condition_check(const struct http_head *request, const struct representation *is);

/* Whether Range is to be honoured: no If-Range, or one that names this very representation. */
bool condition_range(const struct http_head *request, const struct representation *is);

#endif
