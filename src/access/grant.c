/* SPDX-License-Identifier: MIT */
#include "access/grant.h"

#include "base/log.h"

#include <stdlib.h>

struct grant_review {
    struct grant *grant;
    struct access *access; /* a reference */
    struct access_check check;
};

static void on_revoked(struct verdict_lease *lease, const struct lookup_outcome *outcome)
{
    struct grant *g = container_of(lease, struct grant, lease);
    g->revoked(g, outcome->reason);
}

static void end_review(struct grant *g)
{
    struct grant_review *r = g->review;
    if (!r)
        return;
    g->review = NULL;
    g->source->put(g->source, r->access);
    free(r);
}

static void cancel_review(struct grant *g)
{
    if (g->review)
        access_cancel(g->review->access, &g->review->check);
    end_review(g);
}

void grant_start(struct grant *g, struct access_source *source, struct access *access,
                 const struct access_check *check, const struct access_request *request)
{
    g->source = source;
    g->access = access;
    g->review = NULL;
    g->request = *request;
    g->unconfirmed = false;
    g->lease.revoked = on_revoked;
    access_lease_start(access, check, &g->lease);
}

void grant_resume(struct grant *g, struct access_source *source,
                  const struct access_request *request)
{
    g->source = source;
    g->access = source->get(source);
    g->review = NULL;
    g->request = *request;
    g->lease = (struct verdict_lease){.revoked = on_revoked};
    list_init(&g->lease.node);
    g->unconfirmed = true;
}

/* A reason that only says `not now` is not definite. */
static bool is_definite(enum access_reason reason)
{
    const struct access_reason_row *row = access_reason_row(reason);
    return row->verdict == ACCESS_DENY && reason != ACCESS_BANNED && reason != ACCESS_RATE_LIMITED;
}

/* The lease goes on under the new settings. */
static void renew(struct grant *g, struct grant_review *r)
{
    access_lease_end(g->access, &g->lease);
    struct access *old = g->access;
    g->access = r->access;
    r->access = old;
    access_lease_start(g->access, &r->check, &g->lease);
}

static void on_reviewed(struct access_check *check, const struct access_result *result)
{
    struct grant_review *r = container_of(check, struct grant_review, check);
    struct grant *g = r->grant;
    bool allowed = access_reason_row(result->reason)->verdict != ACCESS_DENY;
    bool confirmed = !g->unconfirmed || allowed;
    if (allowed)
        renew(g, r);
    g->unconfirmed &= !allowed;
    end_review(g);
    if (!confirmed || is_definite(result->reason))
        g->revoked(g, result->reason);
}

void grant_review(struct grant *g)
{
    cancel_review(g);
    struct grant_review *r = log_needed(calloc(1, sizeof(*r)));
    if (!r)
        return;
    g->review = r;
    r->grant = g;
    r->access = g->source->get(g->source);
    r->check.request = g->request;
    r->check.request.resumes = true;
    r->check.on_verdict = on_reviewed;
    access_check(r->access, &r->check, loop_now_ms(g->source->loop));
}

void grant_end(struct grant *g)
{
    if (!g->source)
        return;
    cancel_review(g);
    access_lease_end(g->access, &g->lease);
    g->source->put(g->source, g->access);
    g->source = NULL;
}
