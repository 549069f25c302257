/* SPDX-License-Identifier: MIT */
#include "cluster/broker.h"

#include "base/digits.h"
#include "base/log.h"
#include "cluster/greeting.h"
#include "cluster/redis.h"
#include "cluster/retry_delay.h"
#include "cluster/sentinel.h"
#include "cluster/subscriptions.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORKED_MS = 5000, /* a link that was up for so long has worked */
    WHY_SIZE = 512
};

enum broker_state {
    BROKER_DOWN,
    BROKER_LOOKING,
    BROKER_JOINING,
    BROKER_UP,
    BROKER_ENDED
};

/* One of the two connections. */
struct line {
    struct broker *broker; /* borrowed: it embeds us */
    struct redis redis;
    struct greeting greeting;
};

struct broker {
    struct reap reap;
    enum broker_state state;
    struct loop *loop; /* borrowed, as the next two */
    const struct broker_ops *ops;
    void *owner;
    struct broker_config config;
    struct sentinel sentinel;
    struct broker_host target;
    struct line calls, news;
    struct subscriptions subscriptions;
    struct list broken; /* calls that are about to get NULL */
    struct timer retry;
    unsigned failures;   /* since it has worked */
    uint64_t up_ms;      /* since when it is up */
    char told[WHY_SIZE]; /* why it is down, as the log says it */
    struct broker_counts counts;
};

static bool starts_with(const redisReply *error, const char *const *words)
{
    for (; *words; words++)
        if (slice_starts_with(redis_text(error), slice_of(*words)))
            return true;
    return false;
}

bool broker_error_passes(const redisReply *reply)
{
    static const char *const words[] = {"OOM ",  "MISCONF ",  "NOREPLICAS ",
                                        "BUSY ", "TRYAGAIN ", NULL};
    return reply->type == REDIS_REPLY_ERROR && starts_with(reply, words);
}

/* ---- down ---- */

static void tell_down(struct broker *b, const char *why, bool refused, bool was_up)
{
    if (!was_up && strcmp(b->told, why) == 0)
        return;
    snprintf(b->told, sizeof(b->told), "%s", why);
    if (refused)
        log_error("broker.refused", log_text("broker", b->config.url->text), log_text("why", why));
    else
        log_warn("broker.down", log_text("broker", b->config.url->text), log_text("why", why));
}

static void give_up_calls(struct broker *b)
{
    struct list *node;
    while ((node = list_pop(&b->broken))) {
        struct broker_call *call = container_of(node, struct broker_call, node);
        b->counts.broken++;
        call->on_reply(call, NULL);
    }
}

static void stop_lines(struct broker *b)
{
    subscriptions_stop(&b->subscriptions);
    greeting_stop(&b->calls.greeting);
    greeting_stop(&b->news.greeting);
    redis_stop(&b->calls.redis, &b->broken);
    redis_stop(&b->news.redis, NULL);
}

/* A reason lies in what is about to be freed. */
static void fall(struct broker *b, const char *reason, bool refused)
{
    char why[WHY_SIZE];
    bool was_up = b->state == BROKER_UP;
    snprintf(why, sizeof(why), "%s", reason);
    stop_lines(b);
    subscriptions_end(&b->subscriptions);
    b->state = BROKER_DOWN;
    if (was_up && loop_now_ms(b->loop) - b->up_ms >= WORKED_MS)
        b->failures = 0;
    timer_start(b->loop, &b->retry, retry_delay_drawn(b->failures));
    b->failures++;
    tell_down(b, why, refused, was_up);
    give_up_calls(b);
    if (was_up && b->state != BROKER_ENDED)
        b->ops->on_down(b->owner);
}

/* ---- up ---- */

static void rise(struct broker *b)
{
    const struct greeting *g = &b->calls.greeting;
    b->state = BROKER_UP;
    b->up_ms = loop_now_ms(b->loop);
    b->counts.ups++;
    b->told[0] = '\0';
    log_info("broker.up", log_text("broker", b->config.url->text), log_text("host", b->target.name),
             log_int("port", b->target.port), log_text("version", g->version),
             log_text("run", g->run_id));
    subscriptions_begin(&b->subscriptions, &b->news.redis);
    b->ops->on_up(b->owner);
}

static void greeted(struct greeting *g)
{
    struct broker *b = container_of(g, struct line, greeting)->broker;
    if (!b->calls.greeting.done || !b->news.greeting.done)
        return;
    if (strcmp(b->calls.greeting.run_id, b->news.greeting.run_id) == 0)
        rise(b);
    else
        fall(b, "its name leads to two servers", false);
}

static void not_greeted(struct greeting *g, const char *why, bool refused)
{
    struct broker *b = container_of(g, struct line, greeting)->broker;
    if (b->config.url->master && !refused)
        sentinel_doubt(&b->sentinel);
    fall(b, why, refused);
}

static const struct greeting_ops greeting_ops = {.on_done = greeted, .on_failed = not_greeted};

static void on_ready(struct redis *r)
{
    struct line *line = container_of(r, struct line, redis);
    struct broker *b = line->broker;
    greeting_start(&line->greeting, r, &b->config, line == &b->calls, &greeting_ops);
}

static void on_lost(struct redis *r, const char *why)
{
    struct broker *b = container_of(r, struct line, redis)->broker;
    fall(b, why, strncmp(why, "NOPERM", 6) == 0);
}

/* Errors that are about the link, and not about the call. What a script met is named by a Redis
 * before 7 in the middle of its text. */
static bool breaks(const redisReply *error)
{
    static const char *const words[] = {"READONLY ", "LOADING ", "MASTERDOWN ",
                                        "NOSCRIPT ", "NOAUTH ",  NULL};
    return starts_with(error, words) ||
           (slice_starts_with(redis_text(error), SLICE_LITERAL("ERR Error running script")) &&
            strstr(error->str, "-READONLY "));
}

static bool calls_take(struct redis *r, const redisReply *reply)
{
    struct broker *b = container_of(r, struct line, redis)->broker;
    bool it_breaks = b->state == BROKER_UP && reply->type == REDIS_REPLY_ERROR && breaks(reply);
    if (it_breaks)
        fall(b, reply->str, strncmp(reply->str, "NOAUTH", 6) == 0);
    return it_breaks;
}

static bool news_take(struct redis *r, const redisReply *reply)
{
    struct broker *b = container_of(r, struct line, redis)->broker;
    return subscriptions_hear(&b->subscriptions, reply);
}

static const struct redis_ops calls_ops = {
    .on_ready = on_ready,
    .takes = calls_take,
    .on_lost = on_lost,
};
static const struct redis_ops news_ops = {
    .on_ready = on_ready,
    .takes = news_take,
    .on_lost = on_lost,
};

/* ---- the way up ---- */

static void join(struct broker *b)
{
    struct redis_target target = {
        .loop = b->loop,
        .ops = &calls_ops,
        .host = &b->target,
        .tls = b->config.tls,
        .counts = &b->counts,
        .timeout_ms = b->config.timeout_ms,
    };
    b->state = BROKER_JOINING;
    b->calls.greeting = b->news.greeting = (struct greeting){0};
    redis_start(&b->calls.redis, &target);
    target.ops = &news_ops;
    redis_start(&b->news.redis, &target);
}

static void begin(struct timer *timer)
{
    struct broker *b = container_of(timer, struct broker, retry);
    if (!b->config.url->master) {
        join(b);
        return;
    }
    b->state = BROKER_LOOKING;
    sentinel_ask(&b->sentinel);
}

static bool same_host(const struct broker_host *a, const struct broker_host *b)
{
    return a->port == b->port && strcmp(a->name, b->name) == 0;
}

static void on_master(void *owner, const struct broker_host *master)
{
    struct broker *b = owner;
    bool moved = !same_host(&b->target, master);
    if (moved && (b->state == BROKER_UP || b->state == BROKER_JOINING))
        fall(b, "Sentinel names another master", false);
    else if (b->state == BROKER_LOOKING) {
        b->target = *master;
        join(b);
    }
}

/* It goes on looking. */
static void on_silent(void *owner, const char *why)
{
    struct broker *b = owner;
    if (b->state == BROKER_LOOKING)
        tell_down(b, why, false, false);
}

static const struct sentinel_ops sentinel_ops = {.on_master = on_master, .on_silent = on_silent};

/* ---- from outside ---- */

struct broker *broker_new(struct loop *loop, const struct broker_config *config,
                          const struct broker_ops *ops, void *owner)
{
    struct broker *b = log_needed(calloc(1, sizeof(*b)));
    if (!b)
        return NULL;
    b->loop = loop;
    b->config = *config;
    b->ops = ops;
    b->owner = owner;
    b->target = config->url->hosts[0];
    b->calls.broker = b->news.broker = b;
    list_init(&b->broken);
    subscriptions_init(&b->subscriptions, loop, ops, owner);
    sentinel_init(&b->sentinel, loop, &b->config, &sentinel_ops, b);
    timer_init(&b->retry, begin);
    timer_start(loop, &b->retry, 0);
    return b;
}

static void reaped(struct reap *reap)
{
    struct broker *b = container_of(reap, struct broker, reap);
    subscriptions_done(&b->subscriptions);
    free(b);
}

void broker_free(struct broker *b)
{
    if (!b || b->state == BROKER_ENDED)
        return;
    b->state = BROKER_ENDED;
    timer_stop(&b->retry);
    sentinel_stop(&b->sentinel);
    stop_lines(b);
    while (list_pop(&b->broken))
        ;
    loop_reap(b->loop, &b->reap, reaped);
}

bool broker_is_up(const struct broker *b)
{
    return b->state == BROKER_UP;
}

struct slice broker_run_id(const struct broker *b)
{
    return slice_of(b->calls.greeting.run_id);
}

struct slice broker_name(const struct broker *b)
{
    return slice_of(b->config.url->text);
}

const struct broker_counts *broker_counts(const struct broker *b)
{
    return &b->counts;
}

size_t broker_queued(const struct broker *b)
{
    const struct stream *s = b->calls.redis.stream;
    return s ? stream_queued(s) : 0;
}

void broker_call(struct broker *b, struct broker_call *call, const struct slice *words,
                 size_t count)
{
    struct redis_words part = {words, count};
    assert(broker_is_up(b));
    redis_send(&b->calls.redis, call, &part, 1);
}

void broker_run(struct broker *b, struct broker_call *call, const struct broker_script *script,
                const struct slice *keys, size_t key_count, const struct slice *args,
                size_t arg_count)
{
    char room[DIGITS_MAX];
    struct slice head[] = {SLICE_LITERAL("EVALSHA"), slice_of(script->sha1),
                           digits_of(key_count, room)};
    struct redis_words parts[] = {{head, 3}, {keys, key_count}, {args, arg_count}};
    assert(broker_is_up(b));
    redis_send(&b->calls.redis, call, parts, 3);
}

bool broker_subscribe(struct broker *b, struct slice channel)
{
    return subscriptions_add(&b->subscriptions, channel);
}

void broker_unsubscribe(struct broker *b, struct slice channel)
{
    subscriptions_remove(&b->subscriptions, channel);
}
