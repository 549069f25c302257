/* SPDX-License-Identifier: MIT */
#include "serve/pending.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

void pending_drop(struct pending_request *p)
{
    script_access_unref(p->script_access);
    free(p);
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct pending_request *p = container_of(check, struct pending_request, check);
    if (p->x->request->body != HTTP_BODY_NONE)
        exchange_resume(p->x);
    p->x->ops = NULL;
    p->on_verdict(p, result);
    pending_drop(p);
}

static void on_abort(struct exchange *x)
{
    struct pending_request *p = x->owner;
    access_cancel(script_access_get(p->script_access), &p->check);
    pending_drop(p);
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
    .on_body_end = ignore, /* of an empty body, which needs no answer */
    .on_writable = ignore,
    .on_abort = on_abort,
};

struct pending_request *pending_new(struct script_access *script_access, struct exchange *x,
                                    size_t room)
{
    struct pending_request *p = log_needed(malloc(sizeof(*p) + room));
    if (!p) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return NULL;
    }
    *p = (struct pending_request){.script_access = script_access_ref(script_access),
                                  .x = x,
                                  .check = {.on_verdict = on_verdict}};
    return p;
}

struct access_request pending_access_request(struct exchange *x, const struct origin *here,
                                             enum access_path path)
{
    struct net_address peer = {0};
    struct access_request request = {
        .path = path,
        .who = exchange_credentials(x),
        .origin = http_head_find(x->request, SLICE_LITERAL("origin")),
        .here_known = true,
        .here = *here,
        .url_path = x->path,
    };
    if (exchange_peer(x, &peer) == 0) /* else it is gone already: on_abort follows */
        request.client = net_client_key_of(&peer);
    return request;
}

void pending_describe(struct pending_request *p, const struct origin *here, enum access_path path)
{
    p->check.request = pending_access_request(p->x, here, path);
}

void pending_begin(struct pending_request *p)
{
    struct exchange *x = p->x;
    x->ops = &waiting_ops;
    x->owner = p;
    if (x->request->body != HTTP_BODY_NONE)
        exchange_pause(x);
    access_check(script_access_get(p->script_access), &p->check, loop_now_ms(exchange_loop(x)));
}

void pending_refuse_as(struct pending_request *p, enum access_reason reason, uint32_t retry_s,
                       const struct refusal_challenge *challenge, int status)
{
    struct refusal refusal;
    char body[256];
    refusal_make(&refusal, reason, retry_s, p->check.request.origin, challenge);
    int len = snprintf(body, sizeof(body), "%s: %.*s", access_reason_row(reason)->token,
                       SLICE_ARG(refusal.text));
    exchange_answer(p->x, status ? status : refusal.status, slice_make(body, (size_t)len),
                    refusal.headers, refusal.count);
}
