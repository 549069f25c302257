/* SPDX-License-Identifier: MIT */
#include "daemon/visit.h"

#include <stdio.h>
#include <stdlib.h>

void visit_drop(struct visit *v)
{
    guard_unref(v->guard);
    free(v);
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct visit *v = container_of(check, struct visit, check);
    if (v->x->request->body != HTTP_BODY_NONE)
        exchange_resume(v->x);
    v->x->ops = NULL;
    v->on_verdict(v, result);
    visit_drop(v);
}

static void on_abort(struct exchange *x)
{
    struct visit *v = x->owner;
    access_cancel(guard_access(v->guard), &v->check);
    visit_drop(v);
}

static void on_body(struct exchange *x, struct slice data)
{
    (void)x, (void)data; /* none comes while it is paused */
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct exchange_ops waiting_ops = {
    .on_body = on_body,
    .on_body_end = ignore, /* of an empty body, of which nobody needs to hear */
    .on_writable = ignore,
    .on_abort = on_abort,
};

struct visit *visit_new(struct guard *guard, struct exchange *x, size_t room)
{
    struct visit *v = malloc(sizeof(*v) + room);
    if (!v) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return NULL;
    }
    *v = (struct visit){.guard = guard_ref(guard), .x = x, .check = {.on_verdict = on_verdict}};
    return v;
}

struct access_request visit_request(struct exchange *x, const struct origin *own,
                                    enum access_path path)
{
    struct net_address peer = {0};
    struct access_request request = {
        .path = path,
        .origin = http_head_find(x->request, SLICE_LITERAL("origin")),
        .here_known = true,
        .here = *own,
        .url_path = x->path,
    };
    if (exchange_peer(x, &peer) == 0) /* else it is gone already: on_abort follows */
        request.client = net_client_key_of(&peer);
    return request;
}

void visit_describe(struct visit *visit, const struct origin *own, enum access_path path)
{
    visit->check.request = visit_request(visit->x, own, path);
}

void visit_begin(struct visit *visit)
{
    struct exchange *x = visit->x;
    x->ops = &waiting_ops;
    x->owner = visit;
    if (x->request->body != HTTP_BODY_NONE)
        exchange_pause(x);
    access_check(guard_access(visit->guard), &visit->check, loop_now_ms(exchange_loop(x)));
}

void visit_refuse_as(struct visit *visit, enum access_reason reason, uint32_t retry_s,
                     const struct refusal_challenge *challenge, int status)
{
    struct refusal refusal;
    char body[256];
    refusal_make(&refusal, reason, retry_s, visit->check.request.origin, challenge);
    int len = snprintf(body, sizeof(body), "%s: %.*s", access_reason_row(reason)->token,
                       SLICE_ARG(refusal.text));
    exchange_answer(visit->x, status ? status : refusal.status, slice_make(body, (size_t)len),
                    refusal.headers, refusal.count);
}
