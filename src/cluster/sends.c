/* SPDX-License-Identifier: MIT */
#include "cluster/sends.h"

#include "base/log.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

struct send {
    struct broker_call call;
    struct list node;
    struct sends *sends;   /* borrowed: it holds us */
    struct broker *broker; /* borrowed: it answers us */
};

void sends_complain(struct sends *s, const struct broker *b, struct slice error)
{
    uint64_t now_ms = loop_now_ms(s->loop);
    s->errors++;
    if (now_ms < s->quiet_until_ms)
        return;
    log_error("broker.error", log_slice("broker", broker_name(b)), log_slice("error", error),
              log_int("times", s->errors));
    s->errors = 0;
    s->quiet_until_ms = now_ms + SENDS_COMPLAIN_MS;
}

static void on_reply(struct broker_call *call, const struct redisReply *reply)
{
    struct send *s = container_of(call, struct send, call);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        sends_complain(s->sends, s->broker, slice_make(reply->str, reply->len));
    list_remove(&s->node);
    free(s);
}

void sends_init(struct sends *s, struct loop *loop)
{
    *s = (struct sends){.loop = loop};
    list_init(&s->calls);
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
    send->sends = s;
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
