/* SPDX-License-Identifier: MIT */
#include "cluster/ways.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SHAKING_MAX = 64,
    RETRY_MS = 200,
    WISH_MS = 5000,
    SEND_AWAY_MS = 2000,
    UNKNOWN_MAX = 256
};

/* A server that was asked for. */
struct target {
    struct list node; /* ways.targets */
    struct ways *ways;
    uint32_t tag;
    struct way *way; /* NULL: there is none now */
    struct list wishes;
    struct timer retry;
    struct reap reap;
    bool gone;     /* another server was there */
    bool checking; /* it was not in the view, which may be a moment too old */
    bool complained;
};

/* ---- targets ---- */

static struct target *find(const struct ways *ways, uint32_t tag)
{
    for (struct list *node = ways->targets.next; node != &ways->targets; node = node->next) {
        struct target *t = container_of(node, struct target, node);
        if (t->tag == tag)
            return t;
    }
    return NULL;
}

static void free_target(struct reap *reap)
{
    free(container_of(reap, struct target, reap));
}

static void forget(struct target *t)
{
    timer_stop(&t->retry);
    list_remove(&t->node);
    t->ways->target_count--;
    loop_reap(t->ways->spec.loop, &t->reap, free_target);
}

/* One that is gone is remembered as long as the registry has it. */
static void settle(struct target *t)
{
    bool known = servers_view_find(t->ways->view, t->tag);
    if (!t->way && list_empty(&t->wishes) && !t->checking && !(t->gone && known))
        forget(t);
}

static void answer(struct ways_wish *wish, enum ways_answer answer, struct way *way)
{
    list_remove(&wish->node);
    timer_stop(&wish->timer);
    wish->on_answer(wish, answer, way);
}

static void answer_all(struct target *t, enum ways_answer what)
{
    struct list now;
    list_init(&now);
    list_splice(&now, &t->wishes);
    for (struct list *node; (node = list_pop(&now));) {
        struct way *way = t->way && way_is_open(t->way) ? t->way : NULL;
        enum ways_answer which = what == WAYS_READY && !way ? WAYS_AWAY : what;
        answer(container_of(node, struct ways_wish, node), which, which == WAYS_READY ? way : NULL);
    }
}

static bool is_gone(const struct target *t)
{
    return t->gone || (!t->checking && servers_view_is_gone(t->ways->view, t->tag));
}

/* ---- ways that we make ---- */

static void on_open(struct way *way)
{
    struct target *t = way->owner;
    char tag[WAY_TAG_TEXT];
    t->ways->counts.made++;
    t->complained = false;
    log_info("way.open", log_text("to", way_tag_print(t->tag, tag)));
    answer_all(t, WAYS_READY);
}

static void say_closed(struct target *t, enum way_end end, bool was_open)
{
    char tag[WAY_TAG_TEXT];
    way_tag_print(t->tag, tag);
    if (was_open) {
        log_info("way.closed", log_text("to", tag), log_text("reason", way_end_token(end)));
        return;
    }
    t->ways->counts.failed++;
    if (!t->complained)
        log_warn("way.failed", log_text("to", tag), log_text("reason", way_end_token(end)));
    t->complained = true;
}

static void on_closed(struct way *way, enum way_end end)
{
    struct target *t = way->owner;
    const struct server_info *server = servers_view_find(t->ways->view, t->tag);
    bool late = server && server->late;
    t->way = NULL;
    say_closed(t, end, way->heard_ms != 0 && way->used_ms != 0);
    t->gone |= end == WAY_ELSEWHERE || (end == WAY_REFUSED && late);
    if (is_gone(t))
        answer_all(t, WAYS_GONE);
    else if (!list_empty(&t->wishes))
        timer_start(t->ways->spec.loop, &t->retry, RETRY_MS);
    settle(t);
}

static void refuse_stream(struct way *way, uint32_t number, const struct way_open *open)
{
    (void)way, (void)number, (void)open; /* the way refuses it: we have connected */
}

static const struct way_ops made_ops = {on_open, refuse_stream, on_closed};

static void connect_to(struct target *t)
{
    struct ways *ways = t->ways;
    const struct server_info *server = servers_view_find(ways->view, t->tag);
    if (server && server->address.len)
        t->way = way_connect(ways->spec.loop, ways->spec.tls, &server->address, ways->spec.tag,
                             t->tag, &made_ops, t);
    if (!t->way)
        timer_start(ways->spec.loop, &t->retry, RETRY_MS);
}

static void retry(struct timer *timer)
{
    struct target *t = container_of(timer, struct target, retry);
    if (is_gone(t))
        answer_all(t, WAYS_GONE);
    else if (!t->way && !list_empty(&t->wishes))
        connect_to(t);
    settle(t);
}

static struct target *new_target(struct ways *ways, uint32_t tag)
{
    struct target *t = log_needed(calloc(1, sizeof(*t)));
    if (!t)
        return NULL;
    t->ways = ways;
    t->tag = tag;
    list_init(&t->wishes);
    timer_init(&t->retry, retry);
    list_append(&ways->targets, &t->node);
    ways->target_count++;
    return t;
}

/* ---- wishes ---- */

static void waited(struct timer *timer)
{
    struct ways_wish *wish = container_of(timer, struct ways_wish, timer);
    struct ways *ways = wish->ways;
    uint32_t tag = wish->tag;
    answer(wish, WAYS_AWAY, NULL);
    struct target *t = find(ways, tag);
    if (!t)
        return;
    t->checking = false; /* nobody has answered: the next one asks again */
    settle(t);
}

static void check(struct target *t)
{
    if (t->checking)
        return;
    t->checking = true;
    t->ways->spec.check(t->ways->spec.owner, t->tag);
}

/* Anybody can invent tags. Servers that are known are always asked for. */
static bool is_crowded(const struct ways *ways, const struct server_info *server)
{
    size_t known = ways->view ? ways->view->count : 0;
    return !server && ways->target_count >= known + UNKNOWN_MAX;
}

enum ways_answer ways_ask(struct ways *ways, uint32_t tag, struct ways_wish *wish, struct way **ret)
{
    struct target *t = find(ways, tag);
    const struct server_info *server = servers_view_find(ways->view, tag);
    if (t && t->way && way_is_open(t->way)) {
        *ret = t->way;
        return WAYS_READY;
    }
    bool unknown = !server && servers_view_is_gone(ways->view, tag);
    if (t && t->gone)
        return WAYS_GONE;
    if (!ways->spec.tls || (server && !server->address.len))
        return unknown ? WAYS_GONE : WAYS_AWAY;
    if (!t && (is_crowded(ways, server) || !(t = new_target(ways, tag))))
        return WAYS_AWAY;
    wish->ways = ways;
    wish->tag = tag;
    timer_init(&wish->timer, waited);
    timer_start(ways->spec.loop, &wish->timer, WISH_MS);
    list_append(&t->wishes, &wish->node);
    if (unknown)
        check(t);
    else if (!t->way && !timer_active(&t->retry))
        connect_to(t);
    return WAYS_WAIT;
}

void ways_checked(struct ways *ways, uint32_t tag)
{
    struct target *t = find(ways, tag);
    if (!t || !t->checking)
        return;
    t->checking = false;
    if (is_gone(t))
        answer_all(t, WAYS_GONE);
    else if (!t->way && !list_empty(&t->wishes))
        connect_to(t);
    settle(t);
}

void ways_cancel(struct ways_wish *wish)
{
    list_remove(&wish->node);
    timer_stop(&wish->timer);
}

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
    struct list *next;
    pumps_stop(&ways->forwarded);
    pumps_stop(&ways->passed);
    close_all(&ways->accepted);
    close_all(&ways->shaking);
    for (struct list *node = ways->targets.next; node != &ways->targets; node = next) {
        struct target *t = container_of(node, struct target, node);
        next = node->next;
        if (t->way)
            way_close(t->way, WAY_STOPPED);
    }
}

void ways_done(struct ways *ways)
{
    ways_part(ways);
    while (!list_empty(&ways->targets)) {
        struct target *t = container_of(ways->targets.next, struct target, node);
        answer_all(t, WAYS_AWAY);
        forget(t);
    }
    servers_view_unref(ways->view);
    ways->view = NULL;
}

void ways_use_tag(struct ways *ways, uint32_t tag)
{
    ways->spec.tag = tag;
}

void ways_use_view(struct ways *ways, struct servers_view *view)
{
    struct list *next;
    servers_view_ref(view);
    servers_view_unref(ways->view);
    ways->view = view;
    for (struct list *node = ways->targets.next; node != &ways->targets; node = next) {
        struct target *t = container_of(node, struct target, node);
        next = node->next;
        if (is_gone(t))
            answer_all(t, WAYS_GONE);
        else if (!t->way && !t->checking && !list_empty(&t->wishes))
            connect_to(t);
        settle(t);
    }
}

void ways_drain(struct ways *ways)
{
    pumps_send_away(&ways->forwarded, SEND_AWAY_MS);
}

bool ways_empty(const struct ways *ways)
{
    return ways->forwarded.count == 0 && ways->passed.count == 0;
}
