/* SPDX-License-Identifier: MIT */
#include "ws/parts.h"

#include "base/log.h"
#include "base/pool.h"
#include "proto/close_code.h"

#include <assert.h>
#include <stdlib.h>

static _Thread_local struct pool peers = POOL_OF(struct ws_peer);

static void set_state(struct ws_peer *p, enum peer_state next)
{
    assert(next > p->state); /* OPEN, CLOSING, GONE: only onwards */
    p->state = (uint8_t)next;
}

static void peer_free(struct reap *reap)
{
    struct ws_peer *p = container_of(reap, struct ws_peer, reap);
    reader_free(p);
    pool_give(&peers, p);
}

/* Lets go of everything but the stream, which is returned. */
static struct stream *let_go(struct ws_peer *p)
{
    struct stream *s = p->stream;
    set_state(p, PEER_GONE);
    p->stream = NULL;
    p->counts->peers_now--;
    timer_stop(&p->timer);
    reader_forget(p);
    free(p->held);
    p->held = NULL;
    reader_count(p);
    p->account = NULL;
    loop_reap(stream_loop(s), &p->reap, peer_free);
    return s;
}

void peer_end(struct ws_peer *p, unsigned code, struct slice reason)
{
    stream_finish(let_go(p), p->config->close_timeout_ms);
    p->ops->on_end(p, code, reason);
}

void peer_part(struct ws_peer *p, unsigned code, struct slice reason)
{
    bool at_once = !p->config->client && !stream_secure(p->stream);
    if (at_once)
        io_flush(&p->stream->io);
    if (!at_once || stream_queued(p->stream) > 0) {
        peer_end(p, code, reason);
        return;
    }
    stream_close(let_go(p));
    p->ops->on_end(p, code, reason);
}

void peer_cut(struct ws_peer *p, unsigned code, const char *why)
{
    stream_close(let_go(p));
    p->ops->on_end(p, code, slice_of(why));
}

void peer_fail(struct ws_peer *p, unsigned code, const char *why)
{
    if (p->state == PEER_CLOSING) {
        peer_end(p, p->close_code, SLICE_NONE);
        return;
    }
    if (code != CLOSE_INTERNAL_ERROR)
        p->counts->protocol_errors++;
    sender_close(p, code, slice_of(why));
    peer_end(p, code, slice_of(why));
}

void peer_settle(struct ws_peer *p)
{
    if (p->state == PEER_GONE)
        return;
    bool stop = p->paused || p->choked || p->held;
    if (stop == p->stopped)
        return;
    p->stopped = stop;
    if (stop)
        stream_pause(p->stream);
    else
        stream_resume(p->stream);
}

static void on_recv(struct stream *s, struct bytes data)
{
    struct ws_peer *p = s->owner;
    p->received_ms = loop_now_ms(stream_loop(s));
    p->counts->bytes_in += data.len;
    reader_take(p, data);
}

static void on_stream_end(struct stream *s, int error)
{
    struct ws_peer *p = s->owner;
    if (p->state == PEER_CLOSING)
        peer_end(p, p->close_code, SLICE_NONE);
    else if (error)
        peer_cut(p, CLOSE_ABNORMAL, strerrordesc_np(-error));
    else
        peer_end(p, CLOSE_ABNORMAL, SLICE_LITERAL("end of stream without a close frame"));
}

static void on_stream_drain(struct stream *s)
{
    struct ws_peer *p = s->owner;
    p->received_ms = loop_now_ms(stream_loop(s));
    p->choked = false;
    peer_settle(p);
    if (p->ops->on_drain && p->state == PEER_OPEN)
        p->ops->on_drain(p);
}

static void on_grown(struct stream *s)
{
    const struct ws_peer *p = s->owner;
    if (p->account)
        memory_recount(p->account);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_stream_end,
    .on_drain = on_stream_drain,
    .on_grown = on_grown,
};

struct ws_peer *ws_peer_new(struct stream *stream, const struct ws_config *config,
                            struct ws_counts *counts, const struct ws_peer_ops *ops, void *owner)
{
    struct ws_peer *p = log_needed(pool_take(&peers));
    if (!p) {
        stream_close(stream);
        return NULL;
    }
    *p = (struct ws_peer){
        .stream = stream, .config = config, .counts = counts, .ops = ops, .owner = owner};
    counts->peers_now++;
    stream_own(stream, &stream_ops, p);
    liveness_init(p);
    return p;
}

void ws_peer_begin(struct ws_peer *p, struct bytes rest)
{
    p->counts->bytes_in += rest.len;
    reader_take(p, rest);
}

void *ws_peer_owner(const struct ws_peer *p)
{
    return p->owner;
}

void ws_peer_own(struct ws_peer *p, const struct ws_peer_ops *ops, void *owner)
{
    p->ops = ops;
    p->owner = owner;
}

void ws_peer_pay(struct ws_peer *p, struct memory_account *account)
{
    if (p->account)
        memory_hold(p->account, &p->counted, 0);
    p->account = p->state == PEER_GONE ? NULL : account;
    reader_count(p);
}

struct memory_account *ws_peer_payer(const struct ws_peer *p)
{
    return p->account;
}

size_t ws_peer_gathered(const struct ws_peer *p)
{
    return p->counted;
}

size_t ws_peer_held(const struct ws_peer *p)
{
    return p->stream ? stream_held(p->stream) : 0;
}

size_t ws_peer_held_in_all(const struct ws_peer *p)
{
    return p->stream ? stream_held_in_all(p->stream) : 0;
}

struct shared_bytes *ws_peer_arriving(const struct ws_peer *p)
{
    return p->reader ? p->reader->arriving : NULL;
}

struct stream *ws_peer_stream(const struct ws_peer *p)
{
    return p->stream;
}

static void check_queue(struct ws_peer *p)
{
    uint64_t max = p->config->queue_max;
    if (max == 0 || p->overfull || stream_queued(p->stream) <= max)
        return;
    p->overfull = true;
    liveness_arm(p);
}

void ws_peer_send(struct ws_peer *p, enum ws_op op, const struct slice *pieces, size_t count)
{
    assert(op == WS_OP_TEXT || op == WS_OP_BINARY);
    if (p->state != PEER_OPEN)
        return;
    p->counts->messages_out++;
    sender_frame(p, op, pieces, count);
    check_queue(p);
}

void ws_peer_send_one(struct ws_peer *p, enum ws_op op, struct slice data)
{
    assert(op == WS_OP_TEXT || op == WS_OP_BINARY);
    if (p->state != PEER_OPEN)
        return;
    p->counts->messages_out++;
    sender_one(p, op, data);
    check_queue(p);
}

/* Not inlined: few messages are so long. */
__attribute__((noinline)) void ws_peer_send_much_back(struct ws_peer *p, enum ws_op op,
                                                      struct bytes data)
{
    if (!p->in_place || p->config->client || p->state != PEER_OPEN) {
        ws_peer_send(p, op, &(struct slice){data.ptr, data.len}, 1);
        return;
    }
    p->counts->messages_out++;
    sender_back(p, op, data);
    check_queue(p);
}

void ws_peer_send_shared(struct ws_peer *p, struct slice head, struct shared_bytes *shared,
                         size_t at, size_t len)
{
    if (p->state != PEER_OPEN)
        return;
    p->counts->messages_out++;
    sender_shared(p, WS_OP_BINARY, head, shared, at, len);
    check_queue(p);
}

void ws_peer_send_frames(struct ws_peer *p, struct shared_bytes *shared, size_t at, size_t len,
                         uint32_t count, bool elsewhere)
{
    assert(!p->config->client);
    if (p->state != PEER_OPEN)
        return;
    p->counts->messages_out += count;
    p->counts->bytes_out += len;
    if (elsewhere)
        stream_write_part(p->stream, shared, at, len);
    else
        stream_give_part(p->stream, shared, at, len);
    check_queue(p);
}

size_t ws_peer_queued(const struct ws_peer *p)
{
    return p->stream ? stream_queued(p->stream) : 0;
}

void ws_peer_pause(struct ws_peer *p)
{
    if (p->state != PEER_OPEN)
        return;
    if (!p->paused) {
        p->received_ms = loop_now_ms(stream_loop(p->stream));
        liveness_stop_pace(p);
    }
    p->paused = true;
    peer_settle(p);
}

void ws_peer_resume(struct ws_peer *p)
{
    if (p->state == PEER_GONE || !p->paused)
        return;
    p->paused = false;
    p->received_ms = loop_now_ms(stream_loop(p->stream));
    liveness_resume_pace(p);
    liveness_watch_pace(p);
    if (p->held)
        liveness_arm(p); /* the timer delivers the rest of the input */
    else
        peer_settle(p);
}

void ws_peer_close(struct ws_peer *p, unsigned code, struct slice reason)
{
    if (p->state != PEER_OPEN)
        return;
    sender_close(p, code, reason);
    set_state(p, PEER_CLOSING);
    reader_forget(p);
    reader_count(p);
    p->close_code = (uint16_t)code;
    p->overfull = false;
    p->close_due_ms = loop_now_ms(stream_loop(p->stream)) + p->config->close_timeout_ms;
    ws_peer_resume(p); /* their close frame is still to come */
    liveness_arm(p);
}

bool ws_peer_close_answered(const struct ws_peer *p)
{
    return p->answered;
}

void ws_peer_finish(struct ws_peer *p)
{
    if (p->state != PEER_GONE)
        stream_finish(let_go(p), p->config->close_timeout_ms);
}

void ws_peer_drop(struct ws_peer *p)
{
    if (p->state != PEER_GONE)
        stream_close(let_go(p));
}
