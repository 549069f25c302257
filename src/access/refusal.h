/* SPDX-License-Identifier: MIT */
/* refusal.h - how a refusal of script access is told: HTTP headers before a switch of protocols, a
 * close code and reason after one.
 *
 * A refusal holds nothing private, so it carries Access-Control-Allow-Origin for the asker and
 * exposes the reason and the time to wait: another origin's page sees nothing of a failed
 * handshake, but may ask once more, by fetch, for these.
 *
 * Pure: everything is in the struct, and valid as long as it and the origin's text are.
 */
#ifndef ACCESS_REFUSAL_H
#define ACCESS_REFUSAL_H

#include "access/reason.h"
#include "proto/http_head.h"

#define REFUSAL_HEADERS_MAX 8
#define REFUSAL_CLOSE_MAX   64
#define REFUSAL_POLICY_MAX  512
#define REFUSAL_REALM_MAX   128

struct refusal {
    int status;          /* of HTTP */
    uint16_t close_code; /* of WebSocket */
    struct slice
        close_reason;  /* `TOKEN retry=N`, or the token alone where there is no time to wait */
    struct slice text; /* the body: what it means, in words */
    size_t count;
    struct http_header headers[REFUSAL_HEADERS_MAX]; /* Cache-Control: no-store is the sender's */
    char close_buffer[REFUSAL_CLOSE_MAX];
    char retry_buffer[16], age_buffer[16];
    char policy_buffer[REFUSAL_POLICY_MAX], realm_buffer[REFUSAL_REALM_MAX + 16];
};

/* The further content of a 401 of the program. */
struct refusal_challenge {
    struct slice realm;       /* bytes that can't stand in a quoted string are left out */
    struct slice policy_path; /* empty: none. Left out if it is no path or too long */
};

/* `reason` must be a refusal. `origin` is the request's Origin header (ptr NULL: none). `challenge`
 * is looked at with ACCESS_SCRIPT_DENIED only, and may be NULL. */
void refusal_make(struct refusal *r, enum access_reason reason, uint32_t retry_s,
                  struct slice origin, const struct refusal_challenge *challenge);

#endif
