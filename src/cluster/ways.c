/* SPDX-License-Identifier: MIT */
#include "cluster/way_targets.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SHAKING_MAX = 64,
    SEND_AWAY_MS = 2000
};

/* ---- ways that others make ---- */

static void on_accepted_open(struct way *way)
{
    struct ways *ways = way->owner;
    list_remove(&way->node);
    list_append(&ways->accepted, &way->node);
    ways->shaking_count--;
    ways->counts.accepted++;
}

static void on_accepted_closed(struct way *way, enum way_end end)
{
    struct ways *ways = way->owner;
    bool shaking = way->used_ms == 0;
    (void)end;
    list_remove(&way->node);
    ways->shaking_count -= shaking;
    ways->counts.refused += shaking;
}

static struct http_passed passed_of(const struct way_open *open)
{
    return (struct http_passed){
        .peer = open->peer,
        .local = open->local,
        .secure = open->secure,
        .arrived_ms = stream_clock_ms() - open->age_ms,
    };
}

static void on_stream(struct way *way, uint32_t number, const struct way_open *open)
{
    struct ways *ways = way->owner;
    struct http_passed passed = passed_of(open);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0) {
        log_lack("take a connection of another server", -errno);
        return;
    }
    struct stream *stream = stream_new_known(ways->spec.loop, ends[0], NULL);
    if (stream && pump_accept(&ways->passed, stream, way, number, NULL))
        ways->spec.adopt(ways->spec.owner, ends[1], open->worker, &passed);
    else
        close(ends[1]);
}

static const struct way_ops accepted_ops = {on_accepted_open, on_stream, on_accepted_closed};

void ways_take(struct ways *ways, struct stream *stream)
{
    struct way *way = way_accept(stream, ways->spec.tag, &accepted_ops, ways);
    if (!way)
        return;
    list_append(&ways->shaking, &way->node);
    if (++ways->shaking_count > SHAKING_MAX)
        way_close(container_of(ways->shaking.next, struct way, node), WAY_LOST);
}

/* ---- passing on ---- */

bool ways_forward(struct ways *ways, struct way *way, struct exchange *x, uint16_t worker)
{
    struct http_passed passed;
    struct net_address client = {0};
    struct http_parcel parcel;
    if (exchange_pass(x, &passed) < 0 || exchange_peer(x, &client) < 0 ||
        exchange_hand_over(x, &parcel) < 0)
        return false;
    struct way_open open = {
        .peer = passed.peer,
        .local = passed.local,
        .secure = passed.secure,
        .age_ms = (uint32_t)(stream_clock_ms() - passed.arrived_ms),
        .worker = worker,
    };
    struct net_client_key key = net_client_key_of(&client);
    struct stream *stream = stream_adopt(ways->spec.loop, &parcel.stream);
    if (stream)
        pump_forward(&ways->forwarded, stream, slice_make(parcel.bytes, parcel.len), way, &open,
                     &key);
    free(parcel.bytes);
    free(parcel.passed);
    return true;
}

/* ---- all ---- */

void ways_init(struct ways *ways, const struct ways_spec *spec)
{
    *ways = (struct ways){.spec = *spec};
    list_init(&ways->targets);
    list_init(&ways->accepted);
    list_init(&ways->shaking);
    pumps_init(&ways->forwarded, spec->loop, spec->memory);
    pumps_init(&ways->passed, spec->loop, spec->memory);
}

static void close_all(struct list *list)
{
    while (!list_empty(list))
        way_close(container_of(list->next, struct way, node), WAY_STOPPED);
}

void ways_part(struct ways *ways)
{
    pumps_stop(&ways->forwarded);
    pumps_stop(&ways->passed);
    close_all(&ways->accepted);
    close_all(&ways->shaking);
    targets_part(ways);
}

void ways_done(struct ways *ways)
{
    ways_part(ways);
    targets_done(ways);
    servers_view_unref(ways->view);
    ways->view = NULL;
}

void ways_use_tag(struct ways *ways, uint32_t tag)
{
    ways->spec.tag = tag;
}

void ways_use_view(struct ways *ways, struct servers_view *view)
{
    servers_view_ref(view);
    servers_view_unref(ways->view);
    ways->view = view;
    targets_review(ways);
}

void ways_drain(struct ways *ways)
{
    pumps_send_away(&ways->forwarded, SEND_AWAY_MS);
}

bool ways_empty(const struct ways *ways)
{
    return ways->forwarded.count == 0 && ways->passed.count == 0;
}
