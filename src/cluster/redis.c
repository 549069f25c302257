/* SPDX-License-Identifier: MIT */
#include "cluster/redis.h"

#include "base/digits.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <time.h>

enum {
    QUIET_MS = 2000, /* before a ping, or half of the time-out */
    PIECES = 96,     /* words that are written at a time, three pieces each */
    HEAD_MAX = 1 + DIGITS_MAX + 2
};

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void redis_lose(struct redis *r, const char *why)
{
    r->ops->on_lost(r, why);
}

void redis_stop(struct redis *r, struct list *ret_calls)
{
    if (r->state == REDIS_STOPPED)
        return;
    r->state = REDIS_STOPPED;
    timer_stop(&r->timer);
    resolve_stop(&r->lookup);
    race_stop(&r->race);
    if (r->stream)
        stream_close(r->stream);
    r->stream = NULL;
    reply_reader_done(&r->reader);
    list_remove(&r->ping.node);
    r->timed = NULL;
    if (ret_calls)
        list_splice(ret_calls, &r->calls);
    while (list_pop(&r->calls))
        ;
}

/* ---- commands ---- */

struct heads {
    char text[PIECES][HEAD_MAX]; /* `$123` and a line end */
    struct iovec pieces[3 * PIECES];
    int count;
};

static void flush_words(struct redis *r, struct heads *h)
{
    stream_write(r->stream, h->pieces, h->count);
    h->count = 0;
}

static void put_piece(struct redis *r, struct heads *h, const void *bytes, size_t len)
{
    h->pieces[h->count++] = (struct iovec){(void *)bytes, len};
    r->counts->bytes_out += len;
}

static void put_head(struct redis *r, struct heads *h, char mark, size_t number)
{
    char *room = h->text[h->count / 3];
    struct slice digits = digits_of(number, room + 1);
    char *head = room + HEAD_MAX - 2 - digits.len - 1;
    *head = mark;
    memcpy(room + HEAD_MAX - 2, "\r\n", 2);
    put_piece(r, h, head, 1 + digits.len + 2);
}

static void put_word(struct redis *r, struct heads *h, struct slice word)
{
    if (h->count + 3 > 3 * PIECES)
        flush_words(r, h);
    put_head(r, h, '$', word.len);
    put_piece(r, h, word.ptr, word.len);
    put_piece(r, h, "\r\n", 2);
}

static void write_words(struct redis *r, const struct redis_words *parts, size_t part_count)
{
    struct heads h;
    size_t count = 0;
    for (size_t i = 0; i < part_count; i++)
        count += parts[i].count;
    /* Its place is that of a word, two of whose pieces are empty. */
    h.count = 0;
    put_head(r, &h, '*', count);
    put_piece(r, &h, "", 0);
    put_piece(r, &h, "", 0);
    for (size_t i = 0; i < part_count; i++)
        for (size_t n = 0; n < parts[i].count; n++)
            put_word(r, &h, parts[i].words[n]);
    flush_words(r, &h);
}

void redis_send(struct redis *r, struct broker_call *call, const struct redis_words *parts,
                size_t part_count)
{
    assert(r->state == REDIS_READY);
    if (call && list_empty(&r->calls))
        r->heard_ms = loop_now_ms(r->loop); /* the time-out begins */
    if (call)
        list_append(&r->calls, &call->node);
    if (call && !r->timed) {
        r->timed = call;
        r->timed_us = now_us();
    }
    write_words(r, parts, part_count);
}

/* ---- silence ---- */

static uint64_t quiet_ms(const struct redis *r)
{
    return r->timeout_ms / 2 < QUIET_MS ? r->timeout_ms / 2 : QUIET_MS;
}

static bool waits(const struct redis *r)
{
    return r->state != REDIS_READY || !list_empty(&r->calls);
}

static void pong(struct broker_call *call, const redisReply *reply)
{
    (void)call;
    (void)reply;
}

static void send_ping(struct redis *r)
{
    struct redis_words words = {&SLICE_LITERAL("PING"), 1};
    redis_send(r, &r->ping, &words, 1);
}

static void watch_silence(struct timer *timer)
{
    struct redis *r = container_of(timer, struct redis, timer);
    uint64_t now = loop_now_ms(r->loop);
    if (now - timer->due_ms > LOOP_PAUSE_MS)
        r->heard_ms = now; /* we have not listened */
    uint64_t silent = now - r->heard_ms;
    if (waits(r) && silent >= r->timeout_ms) {
        redis_lose(r, r->state == REDIS_SECURING ? "no answer to the TLS handshake" : "no answer");
        return;
    }
    if (!waits(r) && silent >= quiet_ms(r)) {
        send_ping(r);
        silent = 0;
    }
    uint64_t left = r->timeout_ms - silent, quiet = quiet_ms(r);
    timer_start(r->loop, timer, !waits(r) ? quiet - silent : left < quiet ? left : quiet);
}

/* ---- replies ---- */

static void count_reply(struct redis *r, const struct broker_call *call, const redisReply *reply)
{
    r->counts->calls++;
    r->counts->failed += reply->type == REDIS_REPLY_ERROR;
    if (call != r->timed)
        return;
    r->timed = NULL;
    r->counts->timed++;
    r->counts->latency_us += now_us() - r->timed_us;
}

static void take_reply(struct redis *r, const redisReply *reply)
{
    if (r->ops->takes && r->ops->takes(r, reply))
        return;
    if (list_empty(&r->calls)) {
        redis_lose(r, reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "a reply that nobody has asked for");
        return;
    }
    struct broker_call *call = container_of(r->calls.next, struct broker_call, node);
    list_remove(&call->node);
    count_reply(r, call, reply);
    call->on_reply(call, reply);
}

static void on_recv(struct stream *s, struct bytes data)
{
    struct redis *r = s->owner;
    r->heard_ms = loop_now_ms(r->loop);
    r->counts->bytes_in += data.len;
    reply_reader_feed(&r->reader, slice_from_bytes(data));
    redisReply *reply;
    while (r->stream == s && (reply = reply_reader_next(&r->reader))) {
        take_reply(r, reply);
        freeReplyObject(reply);
    }
    if (r->stream == s && r->reader.why)
        redis_lose(r, r->reader.why);
}

static void on_end(struct stream *s, int error)
{
    struct redis *r = s->owner;
    const char *tls = stream_tls_error(s);
    char why[256];
    if (tls) {
        snprintf(why, sizeof(why), "TLS: %s", tls);
        redis_lose(r, why);
    } else
        redis_lose(r, error ? strerrordesc_np(-error) : "it ended the connection");
}

/* ---- the connection ---- */

static void make_ready(struct redis *r)
{
    r->state = REDIS_READY;
    r->heard_ms = loop_now_ms(r->loop);
    timer_start(r->loop, &r->timer, quiet_ms(r));
    r->ops->on_ready(r);
}

static void on_secure(struct stream *s)
{
    make_ready(s->owner);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_end,
    .on_secure = on_secure,
};

static void on_decided(struct race *race, int fd_or_error)
{
    struct redis *r = container_of(race, struct redis, race);
    if (fd_or_error < 0) {
        redis_lose(r, strerrordesc_np(-fd_or_error));
        return;
    }
    r->stream = r->tls ? stream_new_client(r->loop, fd_or_error, r->tls, r->host->name)
                       : stream_new_known(r->loop, fd_or_error, NULL);
    if (!r->stream || !reply_reader_init(&r->reader, BROKER_REPLY_MAX)) {
        redis_lose(r, "no memory for a connection");
        return;
    }
    stream_own(r->stream, &stream_ops, r);
    if (!r->tls) {
        make_ready(r);
        return;
    }
    r->state = REDIS_SECURING;
    r->heard_ms = loop_now_ms(r->loop);
    timer_start(r->loop, &r->timer, r->timeout_ms);
}

static void connect_to(struct redis *r, const struct net_address *addresses, size_t count)
{
    r->state = REDIS_CONNECTING;
    race_start(r->loop, &r->race, addresses, count, r->timeout_ms, on_decided);
}

static void on_answer(struct resolve *l, const struct resolve_answer *answer)
{
    struct redis *r = container_of(l, struct redis, lookup);
    if (answer->count)
        connect_to(r, answer->addresses, (size_t)answer->count);
    else
        redis_lose(r, answer->error);
}

/* An address that needs no resolver. */
static bool is_known(const struct broker_host *host, struct net_address *ret)
{
    char text[BROKER_HOST_SIZE + 16];
    struct in_addr v4;
    const char *why;
    if (host->port == 0)
        snprintf(text, sizeof(text), "unix:%s", host->name);
    else if (strchr(host->name, ':'))
        snprintf(text, sizeof(text), "[%s]:%u", host->name, host->port);
    else if (inet_pton(AF_INET, host->name, &v4) == 1)
        snprintf(text, sizeof(text), "%s:%u", host->name, host->port);
    else
        return false;
    return net_address_parse(slice_of(text), ret, &why) == 0;
}

/* Not from inside of redis_start(). */
static void no_resolver(struct timer *timer)
{
    redis_lose(container_of(timer, struct redis, timer), "no memory to look the name up");
}

void redis_start(struct redis *r, const struct redis_target *t)
{
    assert(r->state == REDIS_STOPPED);
    *r = (struct redis){
        .state = REDIS_FINDING,
        .loop = t->loop,
        .ops = t->ops,
        .host = t->host,
        .tls = t->tls,
        .counts = t->counts,
        .timeout_ms = t->timeout_ms,
        .ping.on_reply = pong,
    };
    list_init(&r->calls);
    list_init(&r->ping.node);
    timer_init(&r->timer, watch_silence);
    struct net_address known;
    if (is_known(r->host, &known)) {
        connect_to(r, &known, 1);
        return;
    }
    int error = resolve_start(r->loop, &r->lookup, r->host->name, r->host->port, on_answer);
    if (error == 0)
        return;
    log_lack("look up the broker's name", error);
    timer_init(&r->timer, no_resolver);
    timer_start(r->loop, &r->timer, 0);
}
