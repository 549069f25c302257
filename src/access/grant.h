/* SPDX-License-Identifier: MIT */
/* grant.h - a connection that script access has allowed, watched for as long as it lasts.
 *
 * The record is looked up again whenever its verdict expires. After a change of settings everything
 * is decided again, except that the program is not asked twice. A definite refusal revokes the
 * grant; a temporary failure, a ban or a rate limit leaves it as it is.
 *
 * Lifetime  The caller embeds struct grant; it is ours from grant_start() until `revoked` has been
 *           called (then grant_end() is still to follow) or grant_end() returns. The request's
 *           slices must live as long.
 * Threads   The evaluation's.
 */
#ifndef ACCESS_GRANT_H
#define ACCESS_GRANT_H

#include "access/access.h"
#include "core/loop.h"

/* The source of evaluations (struct access). Each is kept while there is a reference to it. */
struct access_source {
    struct loop *loop; /* borrowed */
    /* The evaluation of the settings in force, with a reference. */
    struct access *(*get)(struct access_source *source);
    void (*put)(struct access_source *source, struct access *access);
};

struct grant_review;

struct grant {
    struct access_source *source; /* borrowed; NULL: not started, or ended */
    struct access *access;        /* a reference; of the lease */
    struct verdict_lease lease;
    struct grant_review *review; /* NULL: none is under way */
    struct access_request request;
    void (*revoked)(struct grant *grant, enum access_reason because);
    bool unconfirmed; /* grant_resume(): nobody has looked again */
};

/* In the callback of the verdict that allowed `check`. Takes the caller's reference of the
 * evaluation. `grant->revoked` is set. */
void grant_start(struct grant *grant, struct access_source *source, struct access *access,
                 const struct access_check *check, const struct access_request *request);
/* It was allowed in the process that this one has taken over from. grant_review() follows, and if
 * that can't confirm it, for whatever reason, it is revoked. */
void grant_resume(struct grant *grant, struct access_source *source,
                  const struct access_request *request);
/* The settings have changed: decides again. Without memory the grant stays under the old settings.
 */
void grant_review(struct grant *grant);
/* No callback after this. Allowed for a zeroed grant. */
void grant_end(struct grant *grant);

#endif
