/* SPDX-License-Identifier: MIT */
/* streams.c - a session's byte streams: channels.h on the session's wire.
 *
 * Made when the client opens its first one, and kept to the session's end, since numbers rise.
 */
#include "session/parts.h"

#include "base/bucket.h"
#include "base/log.h"
#include "base/pack.h"
#include "base/utf8.h"
#include "proto/close_code.h"
#include "proto/json_text.h"
#include "session/flight.h"
#include "session/pack.h"

#include <assert.h>
#include <stdlib.h>

#define TELL_DELAY_MS   200
#define UNSUPPORTED     SLICE_LITERAL("{\"reason\":\"stream-unsupported\"}")
#define REFUSALS_BURST  200
#define REFUSAL_US      100000 /* ten a second */
#define WIRE_QUEUED_MAX 65536  /* of streams in a wire: an event waits behind no more */

struct session_streams {
    struct channels *channels;
    struct timer timer; /* for channels_tell() */
    struct flight flight;
    uint64_t refusals_full_us; /* a bucket: */
    bool refused_all;          /* it is empty */
};

static void send_frame(struct channels *cs, struct slice head, struct shared_bytes *body, size_t at,
                       size_t len)
{
    struct session *s = channels_owner(cs);
    session_flush(s); /* what was said before the bytes comes before them */
    if (len == 0) {
        session_put(s, true, &head, 1);
        return;
    }
    s->said_ms = loop_now_ms(s->loop);
    s->wire->ops->send_shared(s->wire, head, body, at, len);
    if (flight_sent(&s->streams->flight, len))
        session_say_ping(s);
}

static size_t wire_room(struct channels *cs)
{
    struct session *s = channels_owner(cs);
    size_t queued = s->wire->ops->queued(s->wire), flight = flight_room(&s->streams->flight);
    size_t room = queued < WIRE_QUEUED_MAX ? WIRE_QUEUED_MAX - queued : 0;
    return room < flight ? room : flight;
}

static void on_open(struct channels *cs, struct channel *c, struct slice json)
{
    struct session *s = channels_owner(cs);
    if (s->ops->on_open)
        s->ops->on_open(s, c, json);
    else
        channel_reset(c, UNSUPPORTED);
}

static void tell_soon(struct channels *cs)
{
    struct session *s = channels_owner(cs);
    timer_start(s->loop, &s->streams->timer, TELL_DELAY_MS);
}

/* A client that goes on to ask for streams that it can't have loses its session, by the timer: this
 * is called from inside of whatever has refused. */
static void on_refused(struct channels *cs)
{
    struct session *s = channels_owner(cs);
    struct session_streams *streams = s->streams;
    uint64_t now_us = loop_now_ms(s->loop) * 1000;
    if (!bucket_take(&streams->refusals_full_us, REFUSAL_US, REFUSALS_BURST, now_us))
        return;
    streams->refused_all = true;
    timer_start(s->loop, &streams->timer, 0);
}

static void on_timer(struct timer *timer)
{
    struct session_streams *streams = container_of(timer, struct session_streams, timer);
    struct session *s = channels_owner(streams->channels);
    if (!streams->refused_all) {
        channels_tell(streams->channels);
        return;
    }
    streams->refused_all = false;
    session_drop_wire(s, CLOSE_RATE_LIMITED, "rate-limited retry=10");
    if (s->state == SESSION_ENDING)
        session_finish(s);
    else
        session_leave(s, "rate-limited");
}

static void grown(struct channels *cs)
{
    struct session *s = channels_owner(cs);
    if (s->ops->on_grown)
        s->ops->on_grown(s);
}

static const struct channels_ops channels_ops = {
    .send = send_frame,
    .room = wire_room,
    .on_open = on_open,
    .grown = grown,
    .tell_soon = tell_soon,
    .on_refused = on_refused,
};

static struct session_streams *make(struct session *s)
{
    struct session_streams *streams = log_needed(calloc(1, sizeof(*streams)));
    if (!streams)
        return NULL;
    streams->channels = channels_new(&s->streams_config, &s->counts->streams, &channels_ops, s);
    if (!streams->channels) {
        free(streams);
        return NULL;
    }
    timer_init(&streams->timer, on_timer);
    return streams;
}

void session_streams_attach(struct session *s)
{
    if (!s->streams)
        return;
    s->wire->ops->keep_shallow(s->wire);
    flight_begin(&s->streams->flight, loop_now_ms(s->loop));
    channels_attach(s->streams->channels);
}

void session_streams_detach(struct session *s)
{
    if (!s->streams)
        return;
    timer_stop(&s->streams->timer);
    channels_detach(s->streams->channels);
}

void session_streams_pinged(struct session *s)
{
    if (s->streams)
        flight_pinged(&s->streams->flight, loop_now_ms(s->loop));
}

void session_streams_ponged(struct session *s)
{
    if (!s->streams)
        return;
    if (flight_ponged(&s->streams->flight, loop_now_ms(s->loop)))
        session_say_ping(s);
    channels_pump(s->streams->channels);
}

void session_streams_receive(struct session *s, struct bytes frame)
{
    const char *why;
    if (s->state == SESSION_ENDING)
        return; /* all are over, and the client is about to hear it */
    if (!s->streams) {
        s->streams = make(s);
        if (!s->streams) {
            session_abort(s, CLOSE_TRY_AGAIN_LATER, SLICE_LITERAL("overload"));
            return;
        }
        session_streams_attach(s);
    }
    struct channels *channels = s->streams->channels;
    if (!channels_receive(channels, frame, &why) && s->state == SESSION_ATTACHED)
        session_breach(s, why);
}

void session_streams_end(struct session *s, struct slice reason)
{
    struct session_streams *streams = s->streams;
    char buffer[6 * SESSION_REASON_MAX + 16];
    struct text json = TEXT_IN(buffer);
    if (!streams)
        return;
    s->streams = NULL;
    timer_stop(&streams->timer);
    json_text_begin(&json);
    json_text_string(&json, "reason", utf8_first(reason, SESSION_REASON_MAX));
    json_text_end(&json);
    assert(!json.failed);
    channels_free(streams->channels, text_slice(&json));
    free(streams);
}

struct session *session_of_channel(const struct channel *c)
{
    return channels_owner(channel_set(c));
}

void session_drained(struct session_wire *wire)
{
    struct session *s = wire->session;
    if (s)
        session_answers_left(s);
    if (s)
        session_pump(s);
    if (s && s->streams)
        channels_pump(s->streams->channels);
}

uint32_t session_streams_count(const struct session *s)
{
    return s->streams ? channels_count(s->streams->channels) : 0;
}

size_t session_streams_held(const struct session *s)
{
    return s->streams ? channels_held(s->streams->channels) : 0;
}

size_t session_streams_kept(const struct session *s)
{
    return s->streams ? channels_kept(s->streams->channels) : 0;
}

/* ---- for the process that takes over ---- */

void session_streams_pack(const struct session *s, struct pack *p)
{
    channels_pack(s->streams->channels, p);
}

bool session_streams_unpack(struct session *s, struct slice in)
{
    s->streams = make(s);
    return s->streams && channels_unpack(s->streams->channels, in);
}

/* The flight begins anew: a `.pong` for a mark of the process before makes it a little generous. */
void session_streams_go_on(struct session *s)
{
    if (!s->streams)
        return;
    flight_begin(&s->streams->flight, loop_now_ms(s->loop));
    channels_go_on(s->streams->channels);
}

struct channel *session_reclaim(struct session *s, uint32_t number, const struct channel_ops *ops,
                                void *owner)
{
    return s->streams ? channels_reclaim(s->streams->channels, number, ops, owner) : NULL;
}

void session_streams_reset_unclaimed(struct session *s, struct slice json)
{
    if (s->streams)
        channels_reset_unclaimed(s->streams->channels, json);
}
