/* SPDX-License-Identifier: MIT */
/* visit.h - a request that waits for script access.
 *
 *     struct visit *v = visit_new(guard, x, room);       NULL: answered 503
 *     visit_describe(v, &own, path);                     or v->check.request by hand
 *     v->owner = …; v->on_verdict = …;
 *     visit_begin(v);                                    takes the exchange
 *
 * Lifetime  From visit_new() until on_verdict has returned, or the client has gone: then there is
 *           no callback. on_verdict has the exchange again, and answers it or passes it on.
 * Threads   The guard's.
 * Memory    1.4 KiB a visit.
 */
#ifndef DAEMON_VISIT_H
#define DAEMON_VISIT_H

#include "access/refusal.h"
#include "daemon/guard.h"
#include "http/exchange.h"

struct visit {
    struct guard *guard; /* a reference */
    struct exchange *x;  /* borrowed */
    void *owner;         /* the caller's */
    void (*on_verdict)(struct visit *visit, const struct access_result *result);
    struct access_check check;
    char text[]; /* `room` bytes of the caller's, for slices of the request */
};

struct visit *visit_new(struct guard *guard, struct exchange *x, size_t room);
/* The request of script access that the exchange is, having reached `own`. */
void visit_describe(struct visit *visit, const struct origin *own, enum access_path path);
struct access_request visit_request(struct exchange *x, const struct origin *own,
                                    enum access_path path);
void visit_begin(struct visit *visit);
/* Instead of beginning. */
void visit_drop(struct visit *visit);

/* In on_verdict: answers by HTTP with what script access has to say; the body is the token and what
 * it means. `status`: instead of the reason's own; 0: that. */
void visit_refuse_as(struct visit *visit, enum access_reason reason, uint32_t retry_s,
                     const struct refusal_challenge *challenge, int status);
static inline void visit_refuse(struct visit *visit, enum access_reason reason, uint32_t retry_s,
                                const struct refusal_challenge *challenge)
{
    visit_refuse_as(visit, reason, retry_s, challenge, 0);
}

#endif
