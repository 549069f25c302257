/* SPDX-License-Identifier: MIT */
#include "cluster/sentinel.h"

#include "cluster/retry_delay.h"

#include <stdio.h>

static void send_words(struct redis *r, struct broker_call *call, const struct slice *words,
                       size_t count)
{
    struct redis_words part = {words, count};
    redis_send(r, call, &part, 1);
}

/* ---- one Sentinel after the other ---- */

static void begin_watch(struct sentinel *s);

static void retry(struct timer *timer)
{
    begin_watch(container_of(timer, struct sentinel, retry));
}

static void drop(struct sentinel *s)
{
    redis_stop(&s->watch, NULL);
    redis_stop(&s->ask, NULL);
    list_remove(&s->password.node);
    list_remove(&s->question.node);
}

/* The owner may stop us in on_silent. */
static void try_next(struct sentinel *s, const char *why)
{
    size_t count = s->config->url->host_count;
    drop(s);
    s->at = (s->at + 1) % count;
    s->failures++;
    s->wants_password = false;
    s->state = SENTINEL_WATCHING;
    bool all = s->failures % count == 0;
    unsigned rounds = s->failures / (unsigned)count;
    timer_start(s->loop, &s->retry, all ? retry_delay_drawn(rounds) : 0);
    if (all)
        s->ops->on_silent(s->owner, why);
}

static void on_lost(struct sentinel *s, const char *why)
{
    char text[512];
    const struct broker_host *h = &s->config->url->hosts[s->at];
    snprintf(text, sizeof(text), "Sentinel %s:%u: %s", h->name, h->port, why);
    try_next(s, text);
}

static void start(struct sentinel *s, struct redis *r, const struct redis_ops *ops)
{
    struct redis_target target = {
        .loop = s->loop,
        .ops = ops,
        .host = &s->config->url->hosts[s->at],
        .tls = s->config->tls,
        .counts = &s->counts,
        .timeout_ms = s->config->timeout_ms,
    };
    redis_start(r, &target);
}

/* ---- passwords ---- */

static void say_password(struct sentinel *s, struct redis *r)
{
    const struct broker_url *url = s->config->url;
    struct slice words[3] = {SLICE_LITERAL("AUTH")};
    size_t count = 1;
    if (url->user)
        words[count++] = slice_of(url->user);
    words[count++] = slice_of(url->password);
    send_words(r, &s->password, words, count);
}

/* Whether it is the error of a Sentinel that wants a password which we have. */
static bool wants_password(const struct sentinel *s, const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && s->config->url->password && !s->wants_password &&
           slice_starts_with(redis_text(reply), SLICE_LITERAL("NOAUTH"));
}

static void on_password(struct broker_call *call, const redisReply *reply)
{
    struct sentinel *s = container_of(call, struct sentinel, password);
    if (reply->type == REDIS_REPLY_ERROR)
        on_lost(s, reply->str);
}

/* ---- the question ---- */

static bool read_master(const redisReply *reply, struct broker_host *ret)
{
    uint64_t port;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        !redis_is_text(reply->element[0]) || !redis_is_text(reply->element[1]))
        return false;
    struct slice name = redis_text(reply->element[0]);
    if (name.len == 0 || name.len >= BROKER_HOST_SIZE || memchr(name.ptr, '\0', name.len) ||
        !slice_to_uint(redis_text(reply->element[1]), 65535, &port) || port == 0)
        return false;
    memcpy(ret->name, name.ptr, name.len);
    ret->name[name.len] = '\0';
    ret->port = (uint16_t)port;
    return true;
}

static void begin_question(struct sentinel *s);

static void found(struct sentinel *s, const struct broker_host *master)
{
    s->state = SENTINEL_KNOWN;
    s->failures = 0;
    bool again = s->ask_again;
    s->ask_again = false;
    if (again)
        begin_question(s);
    else
        s->ops->on_master(s->owner, master);
}

static void on_answer(struct broker_call *call, const redisReply *reply)
{
    struct sentinel *s = container_of(call, struct sentinel, question);
    struct broker_host master;
    if (wants_password(s, reply)) {
        s->wants_password = true;
        begin_question(s);
    } else if (reply->type == REDIS_REPLY_ERROR)
        on_lost(s, reply->str);
    else if (!read_master(reply, &master))
        on_lost(s, "it knows no such master");
    else {
        redis_stop(&s->ask, NULL);
        found(s, &master);
    }
}

static void ask_ready(struct redis *r)
{
    struct sentinel *s = container_of(r, struct sentinel, ask);
    struct slice words[] = {SLICE_LITERAL("SENTINEL"), SLICE_LITERAL("get-master-addr-by-name"),
                            slice_of(s->config->url->master)};
    if (s->wants_password)
        say_password(s, r);
    send_words(r, &s->question, words, 3);
}

static void ask_lost(struct redis *r, const char *why)
{
    on_lost(container_of(r, struct sentinel, ask), why);
}

static const struct redis_ops ask_ops = {.on_ready = ask_ready, .on_lost = ask_lost};

static void begin_question(struct sentinel *s)
{
    redis_stop(&s->ask, NULL);
    list_remove(&s->password.node);
    list_remove(&s->question.node);
    s->state = SENTINEL_ASKING;
    start(s, &s->ask, &ask_ops);
}

/* ---- what is heard ---- */

/* `NAME OLD-ADDRESS OLD-PORT NEW-ADDRESS NEW-PORT`. */
static bool is_about(const struct sentinel *s, struct slice payload)
{
    return slice_equal(slice_first(payload, slice_find(payload, ' ')),
                       slice_of(s->config->url->master));
}

/* What it is now is asked: the message may be late. */
static void on_switch(struct sentinel *s)
{
    if (s->state == SENTINEL_KNOWN)
        begin_question(s);
    else
        s->ask_again = true;
}

static bool watch_takes(struct redis *r, const redisReply *reply)
{
    struct sentinel *s = container_of(r, struct sentinel, watch);
    if (wants_password(s, reply)) {
        s->wants_password = true;
        redis_stop(r, NULL);
        begin_watch(s);
        return true;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        !redis_is_text(reply->element[0]))
        return false;
    struct slice kind = redis_text(reply->element[0]);
    if (slice_equal(kind, SLICE_LITERAL("subscribe")))
        begin_question(s);
    else if (slice_equal(kind, SLICE_LITERAL("message")) && redis_is_text(reply->element[2]) &&
             is_about(s, redis_text(reply->element[2])))
        on_switch(s);
    return true;
}

static void watch_ready(struct redis *r)
{
    struct sentinel *s = container_of(r, struct sentinel, watch);
    struct slice words[] = {SLICE_LITERAL("SUBSCRIBE"), SLICE_LITERAL("+switch-master")};
    if (s->wants_password)
        say_password(s, r);
    send_words(r, NULL, words, 2);
}

static void watch_lost(struct redis *r, const char *why)
{
    on_lost(container_of(r, struct sentinel, watch), why);
}

static const struct redis_ops watch_ops = {
    .on_ready = watch_ready,
    .takes = watch_takes,
    .on_lost = watch_lost,
};

static void begin_watch(struct sentinel *s)
{
    s->state = SENTINEL_WATCHING;
    list_remove(&s->password.node);
    start(s, &s->watch, &watch_ops);
}

/* ---- from outside ---- */

void sentinel_ask(struct sentinel *s)
{
    if (s->state == SENTINEL_IDLE) {
        s->state = SENTINEL_WATCHING;
        timer_start(s->loop, &s->retry, 0);
    } else if (s->state == SENTINEL_KNOWN)
        begin_question(s);
}

void sentinel_doubt(struct sentinel *s)
{
    if (s->state != SENTINEL_KNOWN || s->config->url->host_count == 1)
        return;
    drop(s);
    s->at = (s->at + 1) % s->config->url->host_count;
    s->wants_password = false;
    s->state = SENTINEL_IDLE;
}

void sentinel_stop(struct sentinel *s)
{
    if (!s->loop)
        return;
    drop(s);
    timer_stop(&s->retry);
    s->state = SENTINEL_IDLE;
}

void sentinel_init(struct sentinel *s, struct loop *loop, const struct broker_config *config,
                   const struct sentinel_ops *ops, void *owner)
{
    *s = (struct sentinel){
        .loop = loop,
        .config = config,
        .ops = ops,
        .owner = owner,
        .password.on_reply = on_password,
        .question.on_reply = on_answer,
    };
    list_init(&s->password.node);
    list_init(&s->question.node);
    timer_init(&s->retry, retry);
}
