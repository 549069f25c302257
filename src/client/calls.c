/* SPDX-License-Identifier: MIT */
/* calls.c - calls of the program that wait for their answers. Each is on the heap, in the order in
 * which they were made, which is mostly that of the answers. */
#include "client/parts.h"

#include <errno.h>
#include <stdlib.h>

struct pending {
    struct list node;
    struct timer timer;
    struct httpsocket *client;
    uint64_t call;
    httpsocket_answer_fn *answer;
    void *arg;
};

/* The call leaves the list before the user is told, since the user may call again. */
static void forget(struct pending *p)
{
    timer_stop(&p->timer);
    list_remove(&p->node);
}

static void fail(struct pending *p, const char *json)
{
    struct httpsocket_message m = {
        .kind = HTTPSOCKET_FAILURE, .call = p->call, .data = json, .size = strlen(json)};
    forget(p);
    p->answer(p->client, &m, p->arg);
    free(p);
}

static void too_late(struct timer *timer)
{
    fail(container_of(timer, struct pending, timer),
         "{\"message\":\"no answer in time\",\"code\":\"timeout\"}");
}

static struct pending *find(struct httpsocket *c, uint64_t call)
{
    for (struct list *node = c->calls.next; node != &c->calls; node = node->next) {
        struct pending *p = container_of(node, struct pending, node);
        if (p->call == call)
            return p;
    }
    return NULL;
}

bool calls_answered(struct httpsocket *c, const struct httpsocket_message *m)
{
    if (m->call < CLIENT_CALLS_FROM)
        return false;
    struct pending *p = find(c, m->call);
    if (!p)
        return true; /* it came too late */
    if (m->kind == HTTPSOCKET_PART) {
        p->answer(c, m, p->arg);
        return true;
    }
    forget(p);
    p->answer(c, m, p->arg);
    free(p);
    return true;
}

void calls_fail(struct httpsocket *c)
{
    while (!list_empty(&c->calls))
        fail(container_of(c->calls.next, struct pending, node),
             "{\"message\":\"the session is over\",\"code\":\"closed\"}");
}

void calls_drop(struct httpsocket *c)
{
    while (!list_empty(&c->calls)) {
        struct pending *p = container_of(c->calls.next, struct pending, node);
        forget(p);
        free(p);
    }
}

int httpsocket_call(struct httpsocket *c, const char *name, const char *json, uint64_t timeout_ms,
                    httpsocket_answer_fn *answer, void *arg)
{
    struct pending *p = malloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    *p = (struct pending){.client = c, .call = c->next_call, .answer = answer, .arg = arg};
    struct httpsocket_message m = {.kind = HTTPSOCKET_CALL,
                                   .name = name,
                                   .call = p->call,
                                   .data = json,
                                   .size = json ? strlen(json) : 0};
    int error = send_checked(c, &m);
    if (error) {
        free(p);
        return error;
    }
    c->next_call++;
    timer_init(&p->timer, too_late);
    list_append(&c->calls, &p->node);
    if (timeout_ms)
        timer_start(c->loop, &p->timer, timeout_ms);
    return 0;
}
