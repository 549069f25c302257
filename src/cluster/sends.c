/* SPDX-License-Identifier: MIT */
#include "cluster/sends.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

struct send {
    struct broker_call call;
    struct list node;
    struct broker *broker; /* borrowed: it answers us */
};

static void on_reply(struct broker_call *call, const struct redisReply *reply)
{
    struct send *s = container_of(call, struct send, call);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        log_error("broker.error", log_slice("broker", broker_name(s->broker)),
                  log_slice("error", slice_make(reply->str, reply->len)));
    list_remove(&s->node);
    free(s);
}

void sends_init(struct sends *s)
{
    list_init(&s->calls);
    s->left_out = 0;
}

void sends_done(struct sends *s)
{
    for (struct list *node; (node = list_pop(&s->calls));)
        free(container_of(node, struct send, node));
}

struct broker_call *sends_call(struct sends *s, struct broker *b)
{
    bool fits = broker_queued(b) < SENDS_QUEUE_MAX;
    struct send *send = fits ? log_needed(calloc(1, sizeof(*send))) : NULL;
    if (!send) {
        s->left_out++;
        return NULL;
    }
    send->broker = b;
    send->call.on_reply = on_reply;
    list_append(&s->calls, &send->node);
    return &send->call;
}

void sends_command(struct sends *s, struct broker *b, const struct slice *words, size_t count)
{
    struct broker_call *call = sends_call(s, b);
    if (call)
        broker_call(b, call, words, count);
}
