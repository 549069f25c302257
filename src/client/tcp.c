/* SPDX-License-Identifier: MIT */
/* tcp.c - TCP connections that the server makes for this client: one channel each.
 *
 *   WAITING ──a channel is free──> ASKED ──OPENED──> OPEN
 *   any ── over, refused, reset ──> OVER
 *
 * WAITING: not connected yet, or as many streams as the server allows are there.
 */
#include "client/parts.h"

#include "client/bans.h"
#include "client/tcp_json.h"
#include "proto/json_text.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HOST_MAX = 255,
    REASON_MAX = 64
};

enum tcp_state {
    TCP_WAITING,
    TCP_ASKED,
    TCP_OPEN,
    TCP_OVER
};

struct httpsocket_tcp {
    struct list node; /* c->tcp_waiting, then c->tcp */
    struct reap reap;
    struct httpsocket *client;
    struct httpsocket_tcp_options options; /* the host is `host` */
    struct channel *channel;               /* from ASKED on */
    uint8_t state;                         /* enum tcp_state */
    bool finished, wants_room;
    char host[];
};

static void free_memory(struct reap *reap)
{
    free(container_of(reap, struct httpsocket_tcp, reap));
}

/* The user may be inside a callback of it: freed at the end of the turn. */
static void leave(struct httpsocket_tcp *t)
{
    t->state = TCP_OVER;
    t->channel = NULL;
    list_remove(&t->node);
    loop_reap(t->client->loop, &t->reap, free_memory);
}

static void close_with(struct httpsocket_tcp *t, const struct tcp_reason *why)
{
    struct httpsocket_tcp_end end = {
        .reason = why->reason, .message = why->message, .retry_s = why->retry_s};
    leave(t);
    if (t->options.on_close)
        t->options.on_close(t, &end);
}

/* ---- from the channel ---- */

static void on_opened(struct channel *channel, struct slice json)
{
    struct httpsocket_tcp *t = channel_owner(channel);
    struct tcp_addresses a;
    tcp_json_addresses(json, &a);
    t->state = TCP_OPEN;
    if (t->options.on_open)
        t->options.on_open(t, &(struct httpsocket_tcp_peer){.remote_address = a.remote,
                                                            .remote_port = a.remote_port,
                                                            .local_address = a.local,
                                                            .local_port = a.local_port});
}

static void on_data(struct channel *channel, struct bytes data)
{
    struct httpsocket_tcp *t = channel_owner(channel);
    if (t->options.on_data)
        t->options.on_data(t, data.ptr, data.len);
    if (t->state != TCP_OVER && !t->options.own_pace)
        channel_consumed(channel, data.len);
}

static void on_end(struct channel *channel)
{
    struct httpsocket_tcp *t = channel_owner(channel);
    if (t->options.on_end)
        t->options.on_end(t);
    else
        httpsocket_tcp_finish(t);
}

static void tell_room(struct httpsocket_tcp *t)
{
    if (!t->wants_room)
        return;
    t->wants_room = false;
    if (t->options.on_room)
        t->options.on_room(t);
}

static void on_writable(struct channel *channel)
{
    tell_room(channel_owner(channel));
}

static void on_over(struct channel *channel, struct slice json)
{
    struct httpsocket_tcp *t = channel_owner(channel);
    struct httpsocket *c = t->client;
    struct tcp_reason why = {.retry_s = -1};
    if (json.len)
        tcp_json_reason(json, &why);
    if (t->state == TCP_ASKED)
        client_tcp_ban_add(&c->target, t->host, t->options.port, why.retry_s);
    close_with(t, &why);
    client_wake(c); /* another one may have its turn */
}

static const struct channel_ops channel_ops = {on_opened, on_data, on_end, on_writable, on_over};

/* ---- turns ---- */

static void refuse(struct httpsocket_tcp *t, const char *reason, const char *message,
                   int64_t retry_s)
{
    struct tcp_reason why = {.retry_s = retry_s};
    snprintf(why.reason, sizeof(why.reason), "%s", reason);
    snprintf(why.message, sizeof(why.message), "%s", message);
    close_with(t, &why);
}

static void ask(struct httpsocket_tcp *t)
{
    struct httpsocket *c = t->client;
    uint32_t banned_s = client_tcp_ban_s(&c->target, t->host, t->options.port);
    if (banned_s) {
        refuse(t, "banned", "refused a short while ago", banned_s);
        return;
    }
    char *json = tcp_json_request(&t->options);
    if (json && streams_begin(c))
        t->channel = channel_open(c->channels, slice_of(json), &channel_ops, t);
    free(json);
    if (!t->channel) {
        refuse(t, "overload", "no memory", -1);
        return;
    }
    t->state = TCP_ASKED;
    list_remove(&t->node);
    list_append(&c->tcp, &t->node);
    if (t->finished)
        channel_end(t->channel);
    tell_room(t);
}

static bool has_no_turns(const struct httpsocket *c)
{
    return c->state == CLIENT_OPEN && !list_empty(&c->tcp_waiting) && c->welcome.streams == 0;
}

static bool has_turn(const struct httpsocket *c)
{
    uint32_t now = c->channels ? channels_count(c->channels) : 0;
    return c->state == CLIENT_OPEN && !list_empty(&c->tcp_waiting) && now < c->welcome.streams;
}

static struct httpsocket_tcp *first_waiting(const struct httpsocket *c)
{
    return container_of(c->tcp_waiting.next, struct httpsocket_tcp, node);
}

/* Looks only at those that wait now: a connection that is refused may be opened again in its
 * callback. */
void tcp_turns(struct httpsocket *c)
{
    size_t count = 0;
    for (struct list *n = c->tcp_waiting.next; n != &c->tcp_waiting; n = n->next)
        count++;
    for (; count > 0 && has_turn(c); count--)
        ask(first_waiting(c));
    for (; count > 0 && has_no_turns(c); count--)
        refuse(first_waiting(c), "stream-unsupported", "this server carries no byte streams", -1);
}

/* ---- the session's end ---- */

void tcp_fail(struct httpsocket *c)
{
    const struct end *end = &c->end;
    char buffer[6 * END_REASON_MAX + 128];
    struct text json = TEXT_IN(buffer);
    json_text_begin(&json);
    json_text_string(&json, "reason", SLICE_LITERAL("session-over"));
    json_text_string(&json, "message", slice_of(end->reason));
    json_text_number(&json, "retryAfter", end->retry_s);
    json_text_end(&json);
    assert(!json.failed);
    streams_end(c, text_slice(&json));
    while (!list_empty(&c->tcp_waiting))
        refuse(first_waiting(c), "session-over", end->reason, end->retry_s);
}

void tcp_drop(struct httpsocket *c)
{
    struct list all;
    list_init(&all);
    list_splice(&all, &c->tcp);
    list_splice(&all, &c->tcp_waiting);
    while (!list_empty(&all))
        httpsocket_tcp_reset(container_of(all.next, struct httpsocket_tcp, node), NULL);
    streams_end(c, SLICE_NONE);
}

/* ---- the public calls ---- */

static bool options_fit(const struct httpsocket_tcp_options *o)
{
    return o->size >= offsetof(struct httpsocket_tcp_options, secure) && o->host && *o->host &&
           strlen(o->host) <= HOST_MAX && o->port;
}

int httpsocket_tcp_open(struct httpsocket *c, const struct httpsocket_tcp_options *options,
                        struct httpsocket_tcp **ret)
{
    if (!options_fit(options))
        return -EINVAL;
    if (c->state == CLIENT_OVER || c->finishing)
        return -EPIPE;
    size_t host_size = strlen(options->host) + 1;
    struct httpsocket_tcp *t = calloc(1, sizeof(*t) + host_size);
    if (!t)
        return -ENOMEM;
    size_t known = options->size < sizeof(t->options) ? options->size : sizeof(t->options);
    memcpy(&t->options, options, known);
    memcpy(t->host, options->host, host_size);
    t->options.host = t->host;
    t->client = c;
    list_append(&c->tcp_waiting, &t->node);
    client_wake(c);
    *ret = t;
    return 0;
}

void *httpsocket_tcp_user(const struct httpsocket_tcp *t)
{
    return t->options.user;
}

struct httpsocket *httpsocket_tcp_client(const struct httpsocket_tcp *t)
{
    return t->client;
}

size_t httpsocket_tcp_room(const struct httpsocket_tcp *t)
{
    return t->channel && !t->finished ? channel_writable(t->channel) : 0;
}

int64_t httpsocket_tcp_write(struct httpsocket_tcp *t, const void *data, size_t size)
{
    if (t->state == TCP_OVER || t->finished)
        return -EPIPE;
    size_t room = httpsocket_tcp_room(t), taken = size < room ? size : room;
    t->wants_room = t->wants_room || taken < size;
    if (taken == 0)
        return 0;
    client_wake(t->client);
    if (channel_write(t->channel, slice_make(data, taken)))
        return (int64_t)taken;
    t->channel = NULL;
    leave(t);
    return -ENOMEM;
}

void httpsocket_tcp_finish(struct httpsocket_tcp *t)
{
    if (t->state == TCP_OVER || t->finished)
        return;
    t->finished = true;
    client_wake(t->client);
    if (t->channel)
        channel_end(t->channel);
}

void httpsocket_tcp_consumed(struct httpsocket_tcp *t, size_t size)
{
    if (t->state == TCP_OVER)
        return;
    client_wake(t->client);
    channel_consumed(t->channel, size);
}

size_t httpsocket_tcp_buffered(const struct httpsocket_tcp *t)
{
    return t->channel ? channel_kept(t->channel) : 0;
}

static bool is_token(const char *reason)
{
    size_t len = strlen(reason);
    return len > 0 && len < REASON_MAX &&
           strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

int httpsocket_tcp_reset(struct httpsocket_tcp *t, const char *reason)
{
    char buffer[REASON_MAX + 16];
    struct text json = TEXT_IN(buffer);
    if (reason && !is_token(reason))
        return -EINVAL;
    if (t->state == TCP_OVER)
        return 0;
    struct channel *channel = t->channel;
    client_wake(t->client);
    leave(t);
    if (!channel)
        return 0;
    json_text_begin(&json);
    json_text_string(&json, "reason", slice_of(reason ? reason : "aborted"));
    json_text_end(&json);
    channel_reset(channel, text_slice(&json));
    return 0;
}
