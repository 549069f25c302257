/* SPDX-License-Identifier: MIT */
#include "http/connection.h"

#include "base/log.h"
#include "base/pool.h"
#include "core/loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define FIRST_LOOK 8 /* part of write_timeout until the first look at what has left */

/* ---- state ---- */

#define TO(state) (1u << CONNECTION_##state)

static const unsigned may_become[] = {
    [CONNECTION_IDLE] = TO(HEAD) | TO(LINGER) | TO(GONE),
    [CONNECTION_HEAD] = TO(EXCHANGE) | TO(LINGER) | TO(GONE),
    [CONNECTION_EXCHANGE] = TO(IDLE) | TO(FLUSH) | TO(DRAIN) | TO(LINGER) | TO(GONE),
    [CONNECTION_DRAIN] = TO(IDLE) | TO(FLUSH) | TO(LINGER) | TO(GONE),
    [CONNECTION_FLUSH] = TO(IDLE) | TO(LINGER) | TO(GONE),
    [CONNECTION_LINGER] = TO(GONE),
    [CONNECTION_GONE] = 0,
};

static uint64_t state_timeout(const struct connection *c, enum connection_state state)
{
    const struct http_limits *limits = c->server->limits;
    switch (state) {
    case CONNECTION_IDLE:
        return limits->idle_timeout_ms;
    case CONNECTION_HEAD:
        return limits->head_timeout_ms;
    case CONNECTION_DRAIN:
        return limits->body_timeout_ms;
    case CONNECTION_FLUSH:
        return limits->write_timeout_ms;
    case CONNECTION_LINGER:
        return HTTP_LINGER_MS;
    case CONNECTION_EXCHANGE: /* its output starts the timer: connection_watch_output */
    case CONNECTION_GONE:
        break;
    }
    return 0;
}

static void set_state(struct connection *c, enum connection_state state)
{
    assert(may_become[c->state] & 1u << state);
    c->state = state;
    c->sent_seen = UINT64_MAX;
    uint64_t timeout = state_timeout(c, state);
    if (timeout > 0)
        timer_start(c->server->loop, &c->timer, timeout);
    else
        timer_stop(&c->timer);
}

/* ---- output ---- */

void connection_watch_output(struct connection *c)
{
    if (c->state != CONNECTION_EXCHANGE || timer_active(&c->timer))
        return;
    c->sent_seen = UINT64_MAX;
    timer_start(c->server->loop, &c->timer, c->server->limits->write_timeout_ms / FIRST_LOOK);
}

void connection_write(struct connection *c, const struct iovec *pieces, int count)
{
    for (int i = 0; i < count; i++)
        c->written += pieces[i].iov_len;
    stream_write(c->stream, pieces, count);
    connection_count(c);
    connection_watch_output(c);
}

void connection_write_file(struct connection *c, int file, off_t offset, size_t len)
{
    c->written += len;
    stream_write_file(c->stream, file, offset, len);
    connection_watch_output(c);
}

/* True if the client has taken enough of our output since the last look; the first look only
 * remembers. The kernel's own queue counts too: it can be so long that nothing leaves ours for
 * minutes. */
static bool output_moves(struct connection *c)
{
    const struct http_limits *limits = c->server->limits;
    uint64_t least = pace_least(limits->least_rate, limits->write_timeout_ms);
    uint64_t sent = connection_sent(c), seen = c->sent_seen;
    c->sent_seen = sent;
    return seen == UINT64_MAX || sent - seen > (least > 0 ? least - 1 : 0);
}

/* ---- ends ---- */

static _Thread_local struct pool connections = POOL_OF(struct connection);

static void connection_reap(struct reap *reap)
{
    pool_give(&connections, container_of(reap, struct connection, reap));
}

static void leave(struct connection *c)
{
    set_state(c, CONNECTION_GONE);
    timer_stop(&c->kick);
    input_drop(c);
    memory_close(&c->account);
    c->in = (struct bytes){0};
    c->stream = NULL;
    list_remove(&c->node);
    quota_release(c->server->limits->quota, &c->of_client);
    free(c->passed);
    c->passed = NULL;
    c->server->counts.connections_now--;
    c->server->refusing -= c->refusing;
    loop_reap(c->server->loop, &c->reap, connection_reap);
}

void connection_close(struct connection *c)
{
    if (c->exchange != NULL)
        exchange_abort(c->exchange);
    if (c->state == CONNECTION_GONE)
        return; /* the owner did it in on_abort */
    stream_close(c->stream);
    leave(c);
}

void connection_break(struct connection *c)
{
    stream_finish(c->stream, c->server->limits->write_timeout_ms);
    leave(c);
}

void connection_reset(struct connection *c)
{
    io_flush(&c->stream->io);
    stream_reset(c->stream);
    leave(c);
}

struct stream *connection_release(struct connection *c, struct bytes *rest)
{
    struct stream *stream = c->stream;
    bool lost = c->in.len > 0 && !input_hold(c, SLICE_NONE);
    *rest = lost ? (struct bytes){0} : c->in;
    if (lost)
        shutdown(stream->io.fd, SHUT_RDWR);
    if (c->paused)
        stream_resume(stream);
    leave(c);
    return stream;
}

int connection_detach(struct connection *c, struct stream_parcel *ret)
{
    int error = stream_detach(c->stream, ret);
    if (error == 0)
        leave(c);
    return error;
}

/* Nothing that the client sends can destroy the answer: it has said that it sends nothing more (RFC
 * 9112, 9.6), and what it has sent is read. Under TLS it still says its goodbye. */
static bool may_close_now(const struct connection *c)
{
    return c->said_last && c->in.len == 0 && c->state == CONNECTION_EXCHANGE &&
           !stream_secure(c->stream);
}

/* With the client's side ended there is nothing to wait for but our output. */
void connection_linger(struct connection *c)
{
    if (may_close_now(c)) {
        io_flush(&c->stream->io);
        if (stream_queued(c->stream) == 0) {
            stream_close(c->stream);
            leave(c);
            return;
        }
    }
    c->in = (struct bytes){0};
    if (c->eof && stream_queued(c->stream) <= HTTP_QUEUE_HIGH) {
        connection_break(c);
        return;
    }
    set_state(c, CONNECTION_LINGER);
    stream_shutdown(c->stream);
    connection_update_reading(c);
}

/* ---- from one request to the next ---- */

bool connection_is_last(const struct connection *c)
{
    return c->eof && c->in.len == 0;
}

static void next_request(struct connection *c)
{
    if (c->closing || connection_is_last(c) || c->server->draining)
        connection_linger(c);
    else if (stream_queued(c->stream) > HTTP_QUEUE_HIGH)
        set_state(c, CONNECTION_FLUSH);
    else
        set_state(c, CONNECTION_IDLE);
}

bool connection_outlives_body(const struct connection *c)
{
    return !c->closing && !c->eof && !c->server->draining &&
           (c->body.kind != HTTP_BODY_LENGTH || c->body.left <= HTTP_DRAIN_MAX);
}

void connection_go_on(struct connection *c)
{
    if (c->running)
        return;
    if (c->in.len > 0)
        timer_start(c->server->loop, &c->kick, 0);
    connection_update_reading(c);
}

void connection_answered(struct connection *c)
{
    if (request_body_whole(&c->body)) {
        next_request(c);
    } else if (connection_outlives_body(c)) {
        c->body.seen = 0;
        set_state(c, CONNECTION_DRAIN);
    } else {
        connection_linger(c);
    }
    connection_go_on(c);
}

static bool step_drain(struct connection *c)
{
    bool progress = request_body_step(c);
    if (c->state != CONNECTION_DRAIN)
        return false;
    if (request_body_whole(&c->body)) {
        next_request(c);
        return true;
    }
    if (c->body.seen > HTTP_DRAIN_MAX) {
        connection_linger(c);
        return false;
    }
    return progress;
}

static void refuse_long_head(struct connection *c)
{
    struct slice in = slice_first(slice_from_bytes(c->in), c->server->limits->head_max);
    while (in.len > 0 && (*in.ptr == '\r' || *in.ptr == '\n'))
        in = slice_skip(in, 1);
    if (slice_find(in, '\n') == in.len)
        connection_refuse(c, 414, "the request line is too long");
    else
        connection_refuse(c, 431, "the request's head is too long");
}

static bool step_head(struct connection *c)
{
    struct http_head head;
    size_t head_max = c->server->limits->head_max;
    struct slice in = slice_first(slice_from_bytes(c->in), head_max);
    if (c->head_seen >= head_max) { /* a reload has lowered the limit since */
        refuse_long_head(c);
        return false;
    }
    switch (http_head_parse(in, c->head_seen, &head)) {
    case PARSE_MORE:
        c->head_seen = in.len;
        if (in.len == head_max)
            refuse_long_head(c);
        return false;
    case PARSE_BAD:
        connection_refuse(c, head.status, head.why);
        return false;
    case PARSE_OK:
        break;
    }
    c->in = (struct bytes){c->in.ptr + head.size, c->in.len - head.size};
    c->head_seen = 0;
    c->in_a_row++;
    set_state(c, CONNECTION_EXCHANGE);
    request_begin(c, &head, slice_first(in, head.size));
    return true;
}

/* False: nothing more can be done with the present input. */
static bool step(struct connection *c)
{
    if (connection_rests(c))
        return false;
    switch (c->state) {
    case CONNECTION_IDLE:
        if (c->in.len > 0)
            set_state(c, CONNECTION_HEAD);
        return c->in.len > 0;
    case CONNECTION_HEAD:
        return step_head(c);
    case CONNECTION_EXCHANGE:
        return !request_body_whole(&c->body) && !c->exchange->paused && request_body_step(c);
    case CONNECTION_DRAIN:
        return step_drain(c);
    case CONNECTION_LINGER:
        c->in = (struct bytes){0};
        return false;
    case CONNECTION_FLUSH:
    case CONNECTION_GONE:
        return false;
    }
    return false;
}

/* Reading stops when the exchange does not want the body, or too much has come ahead of its time.
 */
void connection_update_reading(struct connection *c)
{
    if (c->state == CONNECTION_GONE)
        return;
    bool unwanted = c->exchange != NULL && c->exchange->paused && !request_body_whole(&c->body);
    bool waits =
        c->state == CONNECTION_EXCHANGE || c->state == CONNECTION_FLUSH || timer_active(&c->kick);
    bool pause = unwanted || (waits && c->in.len >= HTTP_HELD_MAX) || connection_rests(c);
    if (pause == c->paused)
        return;
    c->paused = pause;
    if (!pause) {
        stream_resume(c->stream);
        return;
    }
    stream_pause(c->stream);
    if (c->exchange != NULL)
        departure_watch(c->exchange);
}

/* A client may end its side after its requests and wait for the answers (RFC 9112, 9.6); one that
 * wants another protocol has nothing to speak it with. */
static bool may_end_its_side(const struct connection *c)
{
    if (c->state == CONNECTION_EXCHANGE)
        return request_body_whole(&c->body) && !c->exchange->head.upgrade;
    return c->state == CONNECTION_FLUSH;
}

/* The client's side has ended: what it has sent whole before is answered. */
static void settle_end(struct connection *c)
{
    if (timer_active(&c->kick))
        return; /* there is more to answer first */
    if (may_end_its_side(c)) {
        if (c->exchange != NULL)
            departure_begin(c->exchange);
    } else if (stream_queued(c->stream) == 0 || c->exchange != NULL) {
        connection_close(c);
    } else if (c->state != CONNECTION_LINGER) {
        connection_linger(c);
    }
}

/* A request takes 4 KiB until the run is over, and thousands may come at once. */
#define IN_A_ROW_MAX 64

static void run(struct connection *c)
{
    c->running = true;
    c->in_a_row = 0;
    while (c->in_a_row < IN_A_ROW_MAX && step(c))
        ;
    c->running = false;
    if (c->state == CONNECTION_GONE)
        return;
    input_keep_rest(c);
    if (c->state == CONNECTION_GONE)
        return;
    if (c->in_a_row == IN_A_ROW_MAX)
        timer_start(c->server->loop, &c->kick, 0);
    connection_count(c);
    if (c->eof)
        settle_end(c);
    connection_update_reading(c);
}

/* By a timer: the loop does not run yet. */
void connection_take_over(struct connection *c, struct slice input)
{
    if (input.len && !input_hold(c, input)) {
        connection_close(c);
        return;
    }
    timer_start(c->server->loop, &c->kick, 0);
}

void connection_feed(struct connection *c, struct bytes data)
{
    if (c->in.len == 0)
        c->in = data;
    else if (!input_hold(c, slice_from_bytes(data))) {
        connection_close(c);
        return;
    }
    run(c);
}

/* ---- callbacks of the stream and the timers ---- */

static void on_recv(struct stream *s, struct bytes data)
{
    connection_feed(s->owner, data);
}

static void on_end(struct stream *s, int error)
{
    struct connection *c = s->owner;
    c->eof = true;
    if (error == 0)
        settle_end(c);
    else
        connection_close(c);
}

static void on_drain(struct stream *s)
{
    struct connection *c = s->owner;
    if (c->state == CONNECTION_FLUSH) {
        next_request(c);
        run(c);
    } else if (c->state == CONNECTION_LINGER && c->eof) {
        connection_close(c);
    } else if (c->state == CONNECTION_LINGER) {
        timer_start(c->server->loop, &c->timer, HTTP_LINGER_MS);
    } else if (c->exchange != NULL) {
        exchange_drained(c->exchange);
    }
}

static void on_grown(struct stream *s)
{
    connection_count(s->owner);
}

/* The TLS handshake has to come in the time of a head. From here on the client may think. */
static void on_secure(struct stream *s)
{
    struct connection *c = s->owner;
    connection_count(c);
    if (c->state == CONNECTION_IDLE)
        timer_start(c->server->loop, &c->timer, c->server->limits->idle_timeout_ms);
}

static const struct stream_ops stream_ops = {
    .on_recv = on_recv,
    .on_end = on_end,
    .on_drain = on_drain,
    .on_secure = on_secure,
    .on_grown = on_grown,
};

static void time_out(struct connection *c)
{
    c->server->counts.timeouts++;
    if (c->state == CONNECTION_HEAD)
        connection_refuse(c, 408, "the request's head did not come in time");
    else
        connection_close(c);
}

/* Whatever the state: while output leaves, the client is alive. */
static void on_timer(struct timer *timer)
{
    struct connection *c = container_of(timer, struct connection, timer);
    if (stream_queued(c->stream) > 0 && c->state != CONNECTION_HEAD) {
        if (output_moves(c))
            timer_start(c->server->loop, timer, c->server->limits->write_timeout_ms);
        else
            time_out(c);
        return;
    }
    switch (c->state) {
    case CONNECTION_IDLE:
        c->server->counts.timeouts += stream_shakes_hands(c->stream);
        connection_close(c);
        break;
    case CONNECTION_LINGER:
        connection_close(c);
        break;
    case CONNECTION_HEAD:
    case CONNECTION_DRAIN:
        time_out(c);
        break;
    case CONNECTION_FLUSH:
        next_request(c);
        run(c);
        break;
    case CONNECTION_EXCHANGE: /* all is sent; the next write starts it again */
    case CONNECTION_GONE:
        break;
    }
}

static void on_kick(struct timer *timer)
{
    run(container_of(timer, struct connection, kick));
}

/* ---- for the server ---- */

struct connection *connection_open(struct http_server *server, struct stream *stream)
{
    struct connection *c = log_needed(pool_take(&connections));
    if (c == NULL) {
        stream_close(stream);
        return NULL;
    }
    *c = (struct connection){.server = server, .stream = stream};
    timer_init(&c->timer, on_timer);
    timer_init(&c->kick, on_kick);
    list_append(&server->connections, &c->node);
    server->counts.connections++;
    server->counts.connections_now++;
    stream_own(stream, &stream_ops, c);
    c->opened_ms = loop_now_ms(server->loop);
    connection_pay(c);
    timer_start(server->loop, &c->timer,
                stream_shakes_hands(stream) ? server->limits->head_timeout_ms
                                            : server->limits->idle_timeout_ms);
    return c;
}

/* A request is on its way, as far as can be known. */
static bool expects_request(const struct connection *c)
{
    int waiting = 0;
    bool is_new = !c->used && loop_now_ms(c->server->loop) - c->opened_ms < HTTP_FIRST_MS;
    return is_new || (ioctl(c->stream->io.fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

void connection_drain(struct connection *c)
{
    if (c->state != CONNECTION_IDLE)
        return;
    if (expects_request(c))
        timer_start(c->server->loop, &c->timer, HTTP_FIRST_MS);
    else
        connection_break(c);
}
