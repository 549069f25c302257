/* SPDX-License-Identifier: MIT */
#include "cluster/way_targets.h"

#include "base/log.h"

#include <stdlib.h>

enum {
    RETRY_MS = 200,
    WISH_MS = 5000,
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

/* ---- all of them ---- */

void targets_review(struct ways *ways)
{
    struct list *next;
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

void targets_part(struct ways *ways)
{
    struct list *next;
    for (struct list *node = ways->targets.next; node != &ways->targets; node = next) {
        struct target *t = container_of(node, struct target, node);
        next = node->next;
        if (t->way)
            way_close(t->way, WAY_STOPPED);
    }
}

void targets_done(struct ways *ways)
{
    while (!list_empty(&ways->targets)) {
        struct target *t = container_of(ways->targets.next, struct target, node);
        answer_all(t, WAYS_AWAY);
        forget(t);
    }
}
