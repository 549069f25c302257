/* SPDX-License-Identifier: MIT */
/* departure.c - a client that ends its side while its request is under way.
 *
 * It may wait for the answer (RFC 9112, 9.6), or have left: TCP tells both the same way, and only
 * what is sent later shows which it was. So the client gets what comes soon: once nothing of the
 * exchange has moved for `departed_timeout`, the exchange is aborted.
 *
 * Of a client that is not read from nothing is heard: it is looked at from time to time.
 */
#include "http/connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define LOOKS       4 /* in one time-out */
#define LOOK_MIN_MS 20

uint64_t connection_sent(const struct connection *c)
{
    int in_kernel = 0;
    ioctl(c->stream->io.fd, SIOCOUTQ, &in_kernel);
    return c->written - stream_queued(c->stream) - (uint64_t)in_kernel;
}

static uint64_t moved(const struct connection *c)
{
    return connection_sent(c) + c->body.seen;
}

static uint64_t now_of(const struct http_exchange *hx)
{
    return loop_now_ms(hx->connection->server->loop);
}

static uint64_t timeout_of(const struct http_exchange *hx)
{
    return hx->connection->server->limits->departed_timeout_ms;
}

void departure_watch(struct http_exchange *hx)
{
    struct timer *timer = &hx->departure.timer;
    uint64_t interval = timeout_of(hx) / LOOKS;
    if (!timer_active(timer))
        timer_start(hx->connection->server->loop, timer,
                    interval > LOOK_MIN_MS ? interval : LOOK_MIN_MS);
}

void departure_begin(struct http_exchange *hx)
{
    struct departure *d = &hx->departure;
    if (d->begun)
        return;
    d->begun = true;
    d->began_ms = d->moved_ms = now_of(hx);
    d->moved = moved(hx->connection);
    departure_watch(hx);
}

/* The queue is watched by the write time-out. */
static bool is_over(struct http_exchange *hx)
{
    struct departure *d = &hx->departure;
    uint64_t now_moved = moved(hx->connection);
    if (now_moved != d->moved || stream_queued(hx->connection->stream) > 0)
        d->moved_ms = now_of(hx);
    d->moved = now_moved;
    return now_of(hx) - d->moved_ms >= timeout_of(hx);
}

static void on_timer(struct timer *timer)
{
    struct http_exchange *hx = container_of(timer, struct http_exchange, departure.timer);
    struct connection *c = hx->connection;
    if (!hx->departure.begun && !c->paused)
        return; /* it is heard again */
    if (stream_broken(c->stream) || (hx->departure.begun && is_over(hx))) {
        connection_close(c);
        return;
    }
    if (stream_peer_gone(c->stream))
        departure_begin(hx);
    departure_watch(hx);
}

void departure_init(struct http_exchange *hx)
{
    timer_init(&hx->departure.timer, on_timer);
}

uint64_t exchange_departed_ms(struct exchange *x)
{
    const struct http_exchange *hx = exchange_of(x);
    return hx->departure.begun ? now_of(hx) - hx->departure.began_ms : 0;
}

bool exchange_client_gone(struct exchange *x)
{
    return stream_peer_gone(exchange_of(x)->connection->stream);
}

uint64_t exchange_arrived_ms(struct exchange *x)
{
    const struct connection *c = exchange_of(x)->connection;
    return c->passed ? c->passed->arrived_ms : stream_arrived_ms(c->stream);
}
