/* SPDX-License-Identifier: MIT */
#include "cluster/pump.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    LINGER_MS = 10000,
    FLUSH_MS = 5000,
    AWAY_LOOK_MS = 50
};

struct pump {
    struct list node; /* pumps.all */
    struct pumps *pumps;
    struct stream *stream; /* NULL: over */
    struct way_stream way;
    char *held; /* what the way had no room for; the stream is paused meanwhile */
    size_t held_len, held_from;
    size_t untaken; /* bytes for the stream that are not acknowledged */
    struct timer linger;
    struct memory_account account;
    size_t counted;
    struct reap reap;
    bool ended; /* the stream's other side has */
};

static struct pump *pump_of(struct way_stream *s)
{
    return container_of(s, struct pump, way);
}

/* ---- memory ---- */

static void count(struct pump *p)
{
    size_t held = p->held_len - p->held_from;
    memory_hold(&p->account, &p->counted, p->stream ? held + stream_held(p->stream) : 0);
}

static void recount(struct memory_account *a)
{
    count(container_of(a, struct pump, account));
}

static void drop_held(struct pump *p)
{
    free(p->held);
    p->held = NULL;
    p->held_len = p->held_from = 0;
}

/* ---- the end ---- */

static void free_pump(struct reap *reap)
{
    free(container_of(reap, struct pump, reap));
}

static void end(struct pump *p, bool flushes)
{
    struct stream *stream = p->stream;
    if (!stream)
        return;
    p->stream = NULL;
    way_stream_reset(&p->way);
    timer_stop(&p->linger);
    memory_close(&p->account);
    drop_held(p);
    list_remove(&p->node);
    p->pumps->count--;
    if (flushes)
        stream_finish(stream, FLUSH_MS);
    else
        stream_close(stream);
    loop_reap(p->pumps->loop, &p->reap, free_pump);
}

static void let_go(struct memory_account *a, enum memory_cause cause)
{
    (void)cause;
    end(container_of(a, struct pump, account), false);
}

static const struct memory_ops memory_ops = {"forwarded", let_go, recount};

static void lingered(struct timer *timer)
{
    end(container_of(timer, struct pump, linger), true);
}

/* ---- from the stream to the way ---- */

static size_t pass_on(struct pump *p, struct slice data)
{
    struct slice now = slice_first(data, way_stream_room(&p->way));
    if (now.len)
        way_stream_send(&p->way, now);
    p->pumps->bytes_out += now.len;
    return now.len;
}

/* False without memory. */
static bool hold(struct pump *p, struct slice data)
{
    p->held = log_needed(malloc(data.len));
    if (!p->held)
        return false;
    memcpy(p->held, data.ptr, data.len);
    p->held_len = data.len;
    p->held_from = 0;
    stream_pause(p->stream);
    return true;
}

static void feed(struct pump *p, struct slice data)
{
    size_t sent = pass_on(p, data);
    if (sent < data.len && !hold(p, slice_skip(data, sent)))
        end(p, false);
    else
        count(p);
}

static void say_end(struct pump *p)
{
    way_stream_end(&p->way);
    if (!p->way.way) /* both sides have ended */
        end(p, true);
}

static void on_room(struct way_stream *s)
{
    struct pump *p = pump_of(s);
    if (!p->held)
        return;
    p->held_from += pass_on(p, slice_make(p->held + p->held_from, p->held_len - p->held_from));
    if (p->held_from < p->held_len)
        return;
    drop_held(p);
    stream_resume(p->stream);
    count(p);
    if (p->ended)
        say_end(p);
}

static void on_recv(struct stream *stream, struct bytes data)
{
    feed(stream->owner, slice_from_bytes(data));
}

static void on_end(struct stream *stream, int error)
{
    struct pump *p = stream->owner;
    p->ended = true;
    if (error)
        end(p, false);
    else if (!p->held)
        say_end(p);
}

/* ---- from the way to the stream ---- */

static void take(struct pump *p)
{
    way_stream_took(&p->way, p->untaken);
    p->untaken = 0;
}

static void on_data(struct way_stream *s, struct slice data)
{
    struct pump *p = pump_of(s);
    p->pumps->bytes_in += data.len;
    p->untaken += data.len;
    stream_write_slice(p->stream, data);
    if (!io_is_crowded(stream_queued(p->stream), 0))
        take(p);
    count(p);
}

static void on_drain(struct stream *stream)
{
    struct pump *p = stream->owner;
    take(p);
    count(p);
}

static void on_way_end(struct way_stream *s)
{
    struct pump *p = pump_of(s);
    if (!s->way) {
        end(p, true);
        return;
    }
    stream_shutdown(p->stream);
    timer_start(p->pumps->loop, &p->linger, LINGER_MS);
}

static void on_reset(struct way_stream *s)
{
    end(pump_of(s), true);
}

static void on_grown(struct stream *stream)
{
    count(stream->owner);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_grown = on_grown,
};

static const struct way_stream_ops way_ops = {
    .on_data = on_data,
    .on_end = on_way_end,
    .on_room = on_room,
    .on_reset = on_reset,
};

/* ---- the beginning ---- */

static struct pump *new_pump(struct pumps *pumps, struct stream *stream,
                             const struct net_client_key *client)
{
    struct pump *p = log_needed(calloc(1, sizeof(*p)));
    if (!p) {
        stream_close(stream);
        return NULL;
    }
    p->pumps = pumps;
    p->stream = stream;
    timer_init(&p->linger, lingered);
    memory_open(&p->account, pumps->memory, &memory_ops, client);
    list_append(&pumps->all, &p->node);
    pumps->count++;
    pumps->opened++;
    stream_own(stream, &stream_ops, p);
    return p;
}

bool pump_forward(struct pumps *pumps, struct stream *stream, struct slice bytes, struct way *way,
                  const struct way_open *open, const struct net_client_key *client)
{
    struct pump *p = new_pump(pumps, stream, client);
    if (!p)
        return false;
    if (!way_open(way, &p->way, &way_ops, open)) {
        end(p, false);
        return false;
    }
    feed(p, bytes);
    return true;
}

bool pump_accept(struct pumps *pumps, struct stream *stream, struct way *way, uint32_t number,
                 const struct net_client_key *client)
{
    struct pump *p = new_pump(pumps, stream, client);
    if (p)
        way_take(way, number, &p->way, &way_ops);
    return p;
}

/* ---- all of them ---- */

void pumps_stop(struct pumps *pumps)
{
    timer_stop(&pumps->spread);
    while (!list_empty(&pumps->all))
        end(container_of(pumps->all.next, struct pump, node), true);
}

static void send_some_away(struct timer *timer)
{
    struct pumps *pumps = container_of(timer, struct pumps, spread);
    for (uint32_t i = 0; i < pumps->per_look && !list_empty(&pumps->all); i++)
        end(container_of(pumps->all.next, struct pump, node), true);
    timer_start(pumps->loop, timer, AWAY_LOOK_MS);
}

void pumps_send_away(struct pumps *pumps, uint32_t spread_ms)
{
    pumps->per_look = pumps->count * AWAY_LOOK_MS / spread_ms + 1;
    timer_start(pumps->loop, &pumps->spread, 0);
}

void pumps_init(struct pumps *pumps, struct loop *loop, struct memory_desk *memory)
{
    *pumps = (struct pumps){.loop = loop, .memory = memory};
    list_init(&pumps->all);
    timer_init(&pumps->spread, send_some_away);
}
