/* SPDX-License-Identifier: MIT */
#include "serve/forward.h"

#include "base/log.h"
#include "proto/close_code.h"
#include "serve/cluster_wiring.h"
#include "serve/handshake.h"

#include <stdlib.h>

enum {
    RETRY_S = 1
};

/* A request that waits for the way. */
struct forward {
    struct ways_wish wish;
    struct worker *worker; /* borrowed: outlives its requests */
    struct exchange *x;
    uint16_t there; /* the worker of the other server */
    bool same_origin;
};

static void refuse(struct worker *w, struct exchange *x, const char *token, bool same_origin)
{
    page_refuse(w->pages, x, CLOSE_TRY_AGAIN_LATER, slice_of(token), RETRY_S, same_origin);
}

static void act(struct worker *w, struct exchange *x, enum ways_answer answer, struct way *way,
                uint16_t there, bool same_origin)
{
    if (answer == WAYS_GONE)
        handshake_go_on_here(w, x);
    else if (answer == WAYS_AWAY)
        refuse(w, x, "server-away", same_origin);
    else if (!ways_forward(&w->cluster->ways, way, x, there))
        refuse(w, x, "overload", same_origin);
}

static void on_answer(struct ways_wish *wish, enum ways_answer answer, struct way *way)
{
    struct forward f = *container_of(wish, struct forward, wish);
    free(container_of(wish, struct forward, wish));
    f.x->ops = NULL;
    act(f.worker, f.x, answer, way, f.there, f.same_origin);
}

static void on_abort(struct exchange *x)
{
    struct forward *f = x->owner;
    ways_cancel(&f->wish);
    free(f);
}

static void on_body(struct exchange *x, struct slice data)
{
    (void)x, (void)data; /* a handshake has none */
}

static void ignore(struct exchange *x)
{
    (void)x;
}

static const struct exchange_ops waiting_ops = {
    .on_body = on_body,
    .on_body_end = ignore,
    .on_writable = ignore,
    .on_abort = on_abort,
};

static void forward(struct worker *w, struct exchange *x, uint32_t tag, uint16_t there,
                    bool same_origin)
{
    struct way *way = NULL;
    struct forward *f = log_needed(malloc(sizeof(*f)));
    if (!f) {
        refuse(w, x, "overload", same_origin);
        return;
    }
    *f = (struct forward){{.on_answer = on_answer}, w, x, there, same_origin};
    enum ways_answer answer = ways_ask(&w->cluster->ways, tag, &f->wish, &way);
    if (answer == WAYS_WAIT) {
        x->ops = &waiting_ops;
        x->owner = f;
        return;
    }
    free(f);
    act(w, x, answer, way, there, same_origin);
}

bool forward_session(struct worker *w, struct exchange *x, struct slice session, bool same_origin)
{
    uint32_t tag = session_id_tag(session);
    if (!w->cluster || cluster_node_owns(w->cluster, tag) || exchange_was_passed(x))
        return false;
    forward(w, x, tag, session_id_worker(session), same_origin);
    return true;
}
