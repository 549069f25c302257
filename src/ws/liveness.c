/* SPDX-License-Identifier: MIT */
#include "ws/parts.h"

#include "proto/close_code.h"

#define TOO_SLOW SLICE_LITERAL("too-slow")

/* Nothing here runs per message: a message stores the time, and the timer compares when it fires.
 */

static bool ping_is_out(const struct ws_peer *p)
{
    return p->pinged_ms > p->received_ms;
}

static bool watches(const struct ws_peer *p)
{
    return p->state == PEER_OPEN && p->config->ping_interval_ms > 0;
}

/* Whether the pace of a message is judged now. */
static bool watches_pace(const struct ws_peer *p)
{
    bool bounded = p->config->message_window_ms > 0 || p->config->message_timeout_ms > 0;
    return p->state == PEER_OPEN && !p->paused && bounded && reader_is_under_way(p);
}

static uint64_t window_due(const struct ws_peer *p)
{
    uint32_t window = p->config->message_window_ms;
    return window > 0 ? p->reader->pace.began_ms + window : UINT64_MAX;
}

static uint64_t message_due(const struct ws_peer *p)
{
    const struct ws_reader *r = p->reader;
    return p->config->message_timeout_ms > 0 ? r->pace.began_ms + r->message_left_ms : UINT64_MAX;
}

static uint64_t pace_due(const struct ws_peer *p)
{
    uint64_t window = window_due(p), message = message_due(p);
    return window < message ? window : message;
}

static bool has_work(const struct ws_peer *p)
{
    return p->overfull || (p->held && !p->paused);
}

static uint64_t ping_due(const struct ws_peer *p, uint64_t now)
{
    if (!watches(p))
        return UINT64_MAX;
    if (p->paused)
        return now + p->config->ping_interval_ms;
    return ping_is_out(p) ? p->pinged_ms + p->config->pong_timeout_ms
                          : p->received_ms + p->config->ping_interval_ms;
}

static uint64_t next_due(const struct ws_peer *p, uint64_t now)
{
    if (has_work(p))
        return now;
    if (p->state == PEER_CLOSING)
        return p->close_due_ms;
    uint64_t due = ping_due(p, now);
    return watches_pace(p) && pace_due(p) < due ? pace_due(p) : due;
}

void liveness_arm(struct ws_peer *p)
{
    struct loop *loop = stream_loop(p->stream);
    uint64_t now = loop_now_ms(loop), due = next_due(p, now);
    if (due != UINT64_MAX)
        timer_start(loop, &p->timer, due > now ? due - now : 0);
}

/* So much time has passed for the message since pace.began_ms. */
static void spend_time(struct ws_reader *r, uint64_t now)
{
    uint64_t spent = now - r->pace.began_ms;
    r->message_left_ms -= spent < r->message_left_ms ? (uint32_t)spent : r->message_left_ms;
}

void liveness_begin_message(struct ws_peer *p)
{
    p->reader->message_left_ms = p->config->message_timeout_ms;
    liveness_resume_pace(p);
}

void liveness_stop_pace(struct ws_peer *p)
{
    if (p->reader)
        spend_time(p->reader, loop_now_ms(stream_loop(p->stream)));
}

void liveness_resume_pace(struct ws_peer *p)
{
    if (p->reader)
        pace_begin(&p->reader->pace, loop_now_ms(stream_loop(p->stream)));
}

void liveness_watch_pace(struct ws_peer *p)
{
    if (watches_pace(p) && (!timer_active(&p->timer) || p->timer.due_ms > pace_due(p)))
        liveness_arm(p);
}

/* A window has ended; the next one begins. */
static bool window_was_kept(struct ws_peer *p, uint64_t now)
{
    const struct ws_config *config = p->config;
    struct pace *pace = &p->reader->pace;
    bool silent = pace->moved == 0;
    spend_time(p->reader, now);
    return pace_keep(pace, config->least_rate, config->message_window_ms, now, 0) && !silent;
}

static void look_at_pace(struct ws_peer *p, uint64_t now)
{
    if (now < message_due(p) && (now < window_due(p) || window_was_kept(p, now)))
        return;
    p->counts->slow_peers++;
    sender_close(p, CLOSE_POLICY_VIOLATION, TOO_SLOW);
    peer_end(p, CLOSE_POLICY_VIOLATION, TOO_SLOW);
}

/* The pong waits behind what is on its way to the peer: that it moves is a sign of life too. */
static bool output_moves(struct ws_peer *p, uint64_t now)
{
    struct net_progress look = stream_progress(p->stream);
    bool moved = net_progress_moved(&p->pinged, &look);
    p->pinged = look;
    p->pinged_ms = now;
    return moved;
}

static void send_ping(struct ws_peer *p, uint64_t now)
{
    p->pinged_ms = now;
    p->pinged = stream_progress(p->stream);
    sender_frame(p, WS_OP_PING, NULL, 0);
}

static void look_for_pong(struct ws_peer *p, uint64_t now)
{
    if (ping_is_out(p) && now >= p->pinged_ms + p->config->pong_timeout_ms) {
        if (output_moves(p, now))
            return;
        p->counts->dead_peers++;
        peer_cut(p, CLOSE_ABNORMAL, "dead-peer");
    } else if (!ping_is_out(p) && now >= p->received_ms + p->config->ping_interval_ms) {
        send_ping(p, now);
    }
}

/* An owner that has not read for so long will hardly want the last messages of a vanished peer. */
static void look_for_end(struct ws_peer *p, uint64_t now)
{
    if (now >= p->received_ms + p->config->ping_interval_ms && stream_peer_gone(p->stream))
        peer_cut(p, CLOSE_ABNORMAL, "it left while nobody read");
}

/* Called when the kernel has taken what it would. */
static void look_at_queue(struct ws_peer *p)
{
    p->overfull = false;
    if (stream_queued(p->stream) > p->config->queue_max)
        peer_cut(p, CLOSE_TRY_AGAIN_LATER, "it does not read what it is sent");
}

/* Their close frame has not come. Who has still to read what went before ours gets as long
 * again. */
static void end_waiting(struct ws_peer *p, uint64_t now)
{
    bool waits = stream_queued(p->stream) > 0;
    if (waits && p->waited)
        peer_cut(p, p->close_code, "");
    else if (waits)
        p->close_due_ms = now + p->config->close_timeout_ms;
    else
        peer_end(p, p->close_code, SLICE_NONE);
    p->waited = true;
}

static void fire(struct timer *timer)
{
    struct ws_peer *p = container_of(timer, struct ws_peer, timer);
    uint64_t now = loop_now_ms(stream_loop(p->stream));
    if (now - timer->due_ms >= LOOP_PAUSE_MS) {
        p->received_ms = now;
        liveness_resume_pace(p);
    }
    if (p->overfull)
        look_at_queue(p);
    if (p->state != PEER_GONE && p->held && !p->paused)
        reader_release(p);
    if (watches_pace(p))
        look_at_pace(p, now);
    if (p->state == PEER_CLOSING && now >= p->close_due_ms)
        end_waiting(p, now);
    else if (watches(p) && p->paused)
        look_for_end(p, now);
    else if (watches(p))
        look_for_pong(p, now);
    if (p->state != PEER_GONE)
        liveness_arm(p);
}

void liveness_init(struct ws_peer *p)
{
    timer_init(&p->timer, fire);
    p->received_ms = p->alive_ms = loop_now_ms(stream_loop(p->stream));
    liveness_arm(p);
}

uint64_t ws_peer_alive_ms(struct ws_peer *p)
{
    if (p->state == PEER_GONE)
        return p->alive_ms;
    struct net_progress look = stream_progress(p->stream);
    if (net_progress_moved(&p->watched, &look))
        p->alive_ms = loop_now_ms(stream_loop(p->stream));
    p->watched = look;
    return p->alive_ms;
}
