/* SPDX-License-Identifier: MIT */
#include "daemon/admission.h"

#include "base/log.h"
#include "daemon/worker.h"

#include <stdlib.h>

struct admission {
    struct list node; /* worker.admissions */
    struct page_permit permit;
    struct grant grant;
    struct loop *loop; /* borrowed: the worker's */
    struct reap reap;
    char text[]; /* of the request */
};

/* ---- its end ---- */

static void on_revoked(struct grant *grant, enum access_reason because)
{
    struct admission *a = container_of(grant, struct admission, grant);
    log_info("access.revoked", log_quoted("origin", grant->request.origin),
             log_quoted("path", grant->request.url_path),
             log_text("reason", access_reason_row(because)->token));
    page_permit_revoke(&a->permit, slice_of(access_reason_row(ACCESS_REVOKED)->token),
                       access_reason_row(ACCESS_REVOKED)->retry_s);
}

static void free_admission(struct reap *reap)
{
    free(container_of(reap, struct admission, reap));
}

static void on_over(struct page_permit *permit)
{
    struct admission *a = container_of(permit, struct admission, permit);
    grant_end(&a->grant);
    list_remove(&a->node);
    loop_reap(a->loop, &a->reap, free_admission);
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
    struct access_request request = visit->check.request;
    struct admission *a = malloc(sizeof(*a) + request.origin.len + request.url_path.len);
    if (!a)
        return NULL;
    *a = (struct admission){
        .permit = {.on_over = on_over},
        .grant = {.revoked = on_revoked},
        .loop = w->loop,
    };
    char *at = a->text;
    request.origin = keep(&at, request.origin);
    request.url_path = keep(&at, request.url_path);
    list_append(&w->admissions, &a->node);
    grant_start(&a->grant, &w->access, guard_access(guard_ref(visit->guard)), &visit->check,
                &request);
    return &a->permit;
}

void admissions_review(struct worker *w)
{
    for (struct list *node = w->admissions.next; node != &w->admissions; node = node->next)
        grant_review(&container_of(node, struct admission, node)->grant);
}
