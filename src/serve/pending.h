/* SPDX-License-Identifier: MIT */
/* pending.h - a request that waits for script access.
 *
 *     struct pending_request *p = pending_new(s, x, room);   NULL: answered 503
 *     pending_describe(p, &here, path);                    or p->check.request by hand
 *     p->owner = …; p->on_verdict = …;
 *     pending_begin(p);                                    takes the exchange
 *
 * Lifetime  From pending_new() until on_verdict has returned, or the client has gone: then there is
 *           no callback. on_verdict owns the exchange again, and answers it or passes it on.
 * Threads   The thread of its script access.
 * Memory    1.4 KiB each.
 */
#ifndef SERVE_PENDING_H
#define SERVE_PENDING_H

#include "access/refusal.h"
#include "http/exchange.h"
#include "serve/script_access.h"

struct pending_request {
    struct script_access *script_access; /* a reference */
    struct exchange *x;                  /* borrowed */
    void *owner;                         /* the caller's */
    void (*on_verdict)(struct pending_request *p, const struct access_result *result);
    struct access_check check;
    char text[]; /* `room` bytes of the caller's, for slices of the request */
};

struct pending_request *pending_new(struct script_access *script_access, struct exchange *x,
                                    size_t room);
/* Fills check.request for the exchange, which has reached the origin `here`. */
void pending_describe(struct pending_request *p, const struct origin *here, enum access_path path);
struct access_request pending_access_request(struct exchange *x, const struct origin *here,
                                             enum access_path path);
void pending_begin(struct pending_request *p);
/* Frees a request that was not begun. */
void pending_drop(struct pending_request *p);

/* In on_verdict: answers by HTTP with the refusal; the body is the token and what it means.
 * `status` replaces the reason's own status; 0: it does not. */
void pending_refuse_as(struct pending_request *p, enum access_reason reason, uint32_t retry_s,
                       const struct refusal_challenge *challenge, int status);
static inline void pending_refuse(struct pending_request *p, enum access_reason reason,
                                  uint32_t retry_s, const struct refusal_challenge *challenge)
{
    pending_refuse_as(p, reason, retry_s, challenge, 0);
}

#endif
