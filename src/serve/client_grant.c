/* SPDX-License-Identifier: MIT */
#include "serve/client_grant.h"

#include "base/log.h"
#include "serve/worker.h"

#include <stdlib.h>

struct client_grant {
    struct list node;       /* worker.grants */
    struct page_grant held; /* by the connection */
    struct grant grant;
    struct loop *loop; /* borrowed: the worker's */
    struct reap reap;
    char text[]; /* of the request */
};

/* ---- its end ---- */

static void on_revoked(struct grant *grant, enum access_reason because)
{
    struct client_grant *g = container_of(grant, struct client_grant, grant);
    log_info("access.revoked", log_slice("origin", grant->request.origin),
             log_slice("path", grant->request.url_path),
             log_text("reason", access_reason_row(because)->token));
    page_grant_revoke(&g->held, slice_of(access_reason_row(ACCESS_REVOKED)->token),
                      access_reason_row(ACCESS_REVOKED)->retry_s);
}

static void free_client_grant(struct reap *reap)
{
    free(container_of(reap, struct client_grant, reap));
}

static void on_over(struct page_grant *held)
{
    struct client_grant *g = container_of(held, struct client_grant, held);
    grant_end(&g->grant);
    list_remove(&g->node);
    loop_reap(g->loop, &g->reap, free_client_grant);
}

/* ---- its beginning ---- */

struct page_grant *client_grant_new(struct worker *w, const struct pending_request *p)
{
    struct access_request request = p->check.request;
    struct client_grant *g =
        log_needed(malloc(sizeof(*g) + request.origin.len + request.url_path.len));
    if (!g)
        return NULL;
    *g = (struct client_grant){
        .held = {.on_over = on_over},
        .grant = {.revoked = on_revoked},
        .loop = w->loop,
    };
    char *at = g->text;
    request.origin = slice_copy(&at, request.origin);
    request.url_path = slice_copy(&at, request.url_path);
    list_append(&w->grants, &g->node);
    grant_start(&g->grant, &w->access, script_access_get(script_access_ref(p->script_access)),
                &p->check, &request);
    return &g->held;
}

void client_grants_review(struct worker *w)
{
    for (struct list *node = w->grants.next; node != &w->grants; node = node->next)
        grant_review(&container_of(node, struct client_grant, node)->grant);
}
