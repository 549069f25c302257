/* SPDX-License-Identifier: MIT */
#include "cluster/reply_reader.h"

#define TOO_LARGE "a reply that is too large"

/* What malloc adds to an object. */
enum {
    OBJECT_COST = sizeof(redisReply) + 16
};

static bool spend(struct reply_reader *r, size_t bytes)
{
    if (bytes > r->max - r->spent) {
        r->why = TOO_LARGE;
        return false;
    }
    r->spent += bytes;
    return true;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct reply_reader *r = task->privdata;
    return len < r->max && spend(r, OBJECT_COST + len) ? r->inner->createString(task, text, len)
                                                       : NULL;
}

static void *create_array(const redisReadTask *task, int elements)
{
    struct reply_reader *r = task->privdata;
    size_t cost = OBJECT_COST + (size_t)(elements > 0 ? elements : 0) * sizeof(void *);
    return spend(r, cost) ? r->inner->createArray(task, elements) : NULL;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct reply_reader *r = task->privdata;
    return spend(r, OBJECT_COST) ? r->inner->createInteger(task, value) : NULL;
}

static void *create_nil(const redisReadTask *task)
{
    struct reply_reader *r = task->privdata;
    return spend(r, OBJECT_COST) ? r->inner->createNil(task) : NULL;
}

bool reply_reader_init(struct reply_reader *r, size_t max)
{
    *r = (struct reply_reader){.hiredis = redisReaderCreate(), .max = max};
    if (!r->hiredis)
        return false;
    r->inner = r->hiredis->fn;
    r->functions = (redisReplyObjectFunctions){
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
        .freeObject = r->inner->freeObject,
    };
    r->hiredis->fn = &r->functions;
    r->hiredis->privdata = r;
    return true;
}

void reply_reader_done(struct reply_reader *r)
{
    if (r->hiredis)
        redisReaderFree(r->hiredis);
    r->hiredis = NULL;
}

bool reply_reader_feed(struct reply_reader *r, struct slice bytes)
{
    if (redisReaderFeed(r->hiredis, bytes.ptr, bytes.len) != REDIS_OK)
        r->why = redisReaderGetError(r->hiredis);
    return !r->why;
}

/* What is not whole begins with a line: that of a text's length, or one that is all there is. */
static void judge_rest(struct reply_reader *r)
{
    const redisReader *h = r->hiredis;
    size_t rest = h->len - h->pos;
    if (rest > r->max)
        r->why = TOO_LARGE;
    else if (rest > REPLY_LINE_MAX && !memchr(h->buf + h->pos, '\n', REPLY_LINE_MAX))
        r->why = "an endless line";
}

redisReply *reply_reader_next(struct reply_reader *r)
{
    void *reply = NULL;
    if (r->why)
        return NULL;
    if (redisReaderGetReply(r->hiredis, &reply) != REDIS_OK) {
        if (!r->why)
            r->why = redisReaderGetError(r->hiredis);
        return NULL;
    }
    if (reply)
        r->spent = 0;
    else
        judge_rest(r);
    return reply;
}
