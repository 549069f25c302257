/* SPDX-License-Identifier: MIT */
#include "cluster/abouts.h"

#include "proto/json.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    KEY_MAX = 96,
    DEPTH_MAX = 8
};

static void on_reply(struct broker_call *call, const struct redisReply *reply)
{
    struct abouts_call *a = container_of(call, struct abouts_call, call);
    bool good = reply && reply->type == REDIS_REPLY_ARRAY;
    a->done(a, good ? &(struct abouts){reply} : NULL);
}

void abouts_ask(struct abouts_call *a, struct broker *b, const char *cluster)
{
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s:about", cluster);
    const struct slice words[] = {SLICE_LITERAL("HGETALL"), slice_make(key, (size_t)len)};
    a->call.on_reply = on_reply;
    broker_call(b, &a->call, words, 2);
}

struct slice abouts_find(const struct abouts *all, uint32_t tag)
{
    const struct redisReply *list = all->reply;
    char field[9];
    snprintf(field, sizeof(field), "%08" PRIx32, tag);
    for (size_t i = 0; i + 1 < list->elements; i += 2) { /* a field, its value */
        const struct redisReply *key = list->element[i], *value = list->element[i + 1];
        if (key->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
            !slice_equal(slice_make(key->str, key->len), slice_of(field)))
            continue;
        struct slice json = slice_make(value->str, value->len);
        bool object = slice_starts_with(json, SLICE_LITERAL("{")) && json_valid(json, DEPTH_MAX);
        return object ? json : SLICE_NONE;
    }
    return SLICE_NONE;
}
