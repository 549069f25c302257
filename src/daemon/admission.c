#include "daemon/admission.h"

#include "base/log.h"
#include "daemon/worker.h"

#include <stdlib.h>

struct admission {
    struct list node; /* worker.admissions */
    struct page_permit permit;
    struct verdict_lease lease;
    struct worker *worker; /* borrowed: outlives its connections */
    struct guard *guard;   /* a reference; of the lease */
    struct review *review; /* NULL: none is under way */
    struct access_request request;
    struct reap reap;
    char text[]; /* of the request */
};

struct review {
    struct admission *admission;
    struct guard *guard; /* a reference */
    struct access_check check;
};

/* ---- its end ---- */

static void revoke(struct admission *a, enum access_reason because)
{
    log_info("access.revoked", log_quoted("origin", a->request.origin),
             log_quoted("path", a->request.url_path),
             log_text("reason", access_reason_row(because)->token));
    page_permit_revoke(&a->permit, slice_of(access_reason_row(ACCESS_REVOKED)->token),
                       access_reason_row(ACCESS_REVOKED)->retry_s);
}

static void on_revoked(struct verdict_lease *lease, const struct lookup_outcome *outcome)
{
    revoke(container_of(lease, struct admission, lease), outcome->reason);
}

static void end_review(struct admission *a)
{
    struct review *r = a->review;
    if (!r)
        return;
    a->review = NULL;
    guard_unref(r->guard);
    free(r);
}

static void free_admission(struct reap *reap)
{
    free(container_of(reap, struct admission, reap));
}

static void on_over(struct page_permit *permit)
{
    struct admission *a = container_of(permit, struct admission, permit);
    if (a->review)
        access_cancel(guard_access(a->review->guard), &a->review->check);
    end_review(a);
    access_lease_end(guard_access(a->guard), &a->lease);
    guard_unref(a->guard);
    list_remove(&a->node);
    loop_reap(a->worker->loop, &a->reap, free_admission);
}

/* ---- its beginning ---- */

static struct slice keep(char **at, struct slice s)
{
    char *begin = *at;
    *at = (char *)mempcpy(begin, s.ptr, s.len);
    return slice_make(begin, s.len);
}

struct page_permit *admission_new(struct worker *w, const struct visit *visit)
{
    const struct access_request *request = &visit->check.request;
    struct admission *a = malloc(sizeof(*a) + request->origin.len + request->url_path.len);
    if (!a)
        return NULL;
    *a = (struct admission){
        .permit = {.on_over = on_over},
        .lease = {.revoked = on_revoked},
        .worker = w,
        .guard = guard_ref(visit->guard),
        .request = *request,
    };
    char *at = a->text;
    a->request.origin = keep(&at, request->origin);
    a->request.url_path = keep(&at, request->url_path);
    list_append(&w->admissions, &a->node);
    access_lease_start(guard_access(a->guard), &visit->check, &a->lease);
    return &a->permit;
}

/* ---- new settings ---- */

/* What only says `not now` leaves things as they were. */
static bool is_definite(enum access_reason reason)
{
    const struct access_reason_row *row = access_reason_row(reason);
    return row->verdict == ACCESS_DENY && reason != ACCESS_BANNED && reason != ACCESS_RATE_LIMITED;
}

static void on_reviewed(struct access_check *check, const struct access_result *result)
{
    struct review *r = container_of(check, struct review, check);
    struct admission *a = r->admission;
    if (is_definite(result->reason)) {
        end_review(a);
        revoke(a, result->reason);
        return;
    }
    if (access_reason_row(result->reason)->verdict != ACCESS_DENY) {
        access_lease_end(guard_access(a->guard), &a->lease);
        guard_unref(a->guard);
        a->guard = guard_ref(r->guard);
        access_lease_start(guard_access(a->guard), check, &a->lease);
    }
    end_review(a);
}

static void review(struct admission *a)
{
    if (a->review)
        access_cancel(guard_access(a->review->guard), &a->review->check);
    end_review(a);
    struct review *r = calloc(1, sizeof(*r));
    if (!r)
        return; /* it stays under the old settings */
    a->review = r;
    r->admission = a;
    r->guard = guard_ref(a->worker->guard);
    r->check.request = a->request;
    r->check.on_verdict = on_reviewed;
    access_check(guard_access(r->guard), &r->check, loop_now_ms(a->worker->loop));
}

void admissions_review(struct worker *w)
{
    for (struct list *node = w->admissions.next; node != &w->admissions; node = node->next)
        review(container_of(node, struct admission, node));
}
