/* SPDX-License-Identifier: MIT */
/* relay_bytes.c - bytes both ways, as fast as the slower side takes them.
 *
 *   target -> page  received straight into a buffer that the channel then holds by reference; when
 *                   the channel is full the target is read no more
 *   page -> target  written as it comes; the page may send on once the socket has taken it
 */
#include "gateway/parts.h"

#include <jansson.h>

enum {
    LENT_BYTES = 65536,
    /* Below this size a copy costs less than the memory that a reference would hold. */
    SHARED_MIN = LENT_BYTES / 2
};

static void moved(struct relay *r, uint64_t *ours, uint64_t *all, size_t len)
{
    r->moved_ms = loop_now_ms(r->gateway->loop);
    *ours += len;
    *all += len;
}

/* ---- target to page ---- */

static struct bytes lend(struct stream *s)
{
    struct relay *r = s->owner;
    struct gateway *g = r->gateway;
    size_t room = channel_writable(r->channel);
    if (!g->spare)
        g->spare = shared_new(LENT_BYTES);
    if (!g->spare)
        return (struct bytes){NULL, 0};
    return (struct bytes){g->spare->bytes, room < LENT_BYTES ? room : LENT_BYTES};
}

/* False without memory: the channel is gone. */
static bool pass_on(struct relay *r, struct slice data)
{
    struct gateway *g = r->gateway;
    if (data.len < SHARED_MIN || !g->spare || data.ptr != g->spare->bytes)
        return channel_write(r->channel, data);
    bool written = channel_write_shared(r->channel, g->spare, 0, data.len);
    shared_unref(g->spare);
    g->spare = NULL;
    return written;
}

static void on_recv(struct stream *s, struct bytes data)
{
    struct relay *r = s->owner;
    moved(r, &r->to_page, &r->gateway->counts.bytes_to_page, data.len);
    if (data.len > channel_writable(r->channel)) { /* nothing could be lent */
        relay_end_as(r, TCP_END_OVERLOAD, "out of memory");
    } else if (!pass_on(r, slice_from_bytes(data))) {
        r->channel = NULL;
        relay_end_as(r, TCP_END_OVERLOAD, "out of memory");
    } else if (channel_writable(r->channel) == 0) {
        stream_pause(s);
    }
}

static void on_writable(struct channel *c)
{
    struct relay *r = channel_owner(c);
    stream_resume(r->stream);
}

static void on_target_end(struct stream *s, int error)
{
    struct relay *r = s->owner;
    const char *why = stream_tls_error(s);
    if (error == 0)
        channel_end(r->channel);
    else
        relay_end_as(r, TCP_END_CONNECTION_RESET, why ? why : strerrordesc_np(-error));
}

/* ---- page to target ---- */

/* Bytes count as taken once the socket holds all but what one send takes. */
static void take(struct relay *r)
{
    if (r->untaken == 0 || stream_queued(r->stream) > IO_CORKED_MAX)
        return;
    size_t taken = r->untaken;
    r->untaken = 0;
    channel_consumed(r->channel, taken);
}

static void on_data(struct channel *c, struct bytes data)
{
    struct relay *r = channel_owner(c);
    moved(r, &r->to_target, &r->gateway->counts.bytes_to_target, data.len);
    r->untaken += data.len;
    stream_write_slice(r->stream, slice_from_bytes(data));
    take(r);
    relay_count(r);
}

static void on_drain(struct stream *s)
{
    relay_count(s->owner);
    take(s->owner);
}

static void on_page_end(struct channel *c)
{
    struct relay *r = channel_owner(c);
    stream_shutdown(r->stream);
}

/* ---- the end ---- */

static void on_over(struct channel *c, struct slice json)
{
    struct relay *r = channel_owner(c);
    r->channel = NULL;
    if (!json.len) {
        relay_end_as(r, TCP_END_CLOSED, NULL);
        return;
    }
    json_t *said = json_loadb(json.ptr, json.len, 0, NULL);
    relay_end_as(r, TCP_END_ABORTED, json_string_value(json_object_get(said, "reason")));
    json_decref(said);
}

static void on_timer(struct timer *timer)
{
    struct relay *r = container_of(timer, struct relay, timer);
    struct gateway *g = r->gateway;
    uint64_t due_ms = r->moved_ms + g->config->idle_timeout_ms, now_ms = loop_now_ms(g->loop);
    if (now_ms < due_ms)
        timer_start(g->loop, &r->timer, due_ms - now_ms);
    else
        relay_end_as(r, TCP_END_IDLE_TIMEOUT, NULL);
}

const struct channel_ops relay_channel_ops = {
    .on_data = on_data, .on_end = on_page_end, .on_writable = on_writable, .on_over = on_over};

static void on_grown(struct stream *s)
{
    relay_count(s->owner);
}

const struct stream_ops relay_stream_ops = {.on_recv = on_recv,
                                            .on_end = on_target_end,
                                            .on_drain = on_drain,
                                            .lend = lend,
                                            .on_grown = on_grown};

void relay_go_on(struct relay *r, uint64_t moved_ms)
{
    r->moved_ms = moved_ms;
    timer_init(&r->timer, on_timer);
    timer_start_at(r->gateway->loop, &r->timer, moved_ms + r->gateway->config->idle_timeout_ms);
    stream_own(r->stream, &relay_stream_ops, r);
    take(r);
    if (channel_writable(r->channel) > 0)
        stream_resume(r->stream);
}

void relay_flow(struct relay *r)
{
    struct gateway *g = r->gateway;
    timer_stop(&r->timer);
    timer_init(&r->timer, on_timer);
    timer_start(g->loop, &r->timer, g->config->idle_timeout_ms);
    r->moved_ms = loop_now_ms(g->loop);
    stream_own(r->stream, &relay_stream_ops, r);
    stream_resume(r->stream);
}
