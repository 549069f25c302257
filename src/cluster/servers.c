/* SPDX-License-Identifier: MIT */
#include "cluster/servers.h"

#include "base/log.h"
#include "cluster/scripts.h"
#include "cluster/servers_told.h"
#include "cluster/way.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    KEY_SIZE = 320,
    RECORD_SIZE = NET_ADDRESS_TEXT_MAX + SERVERS_NAME_MAX + SERVERS_VERSION_MAX + 64
};

struct servers_link {
    struct servers *servers; /* borrowed: it embeds us */
    struct broker *broker;   /* borrowed; NULL: down */
    struct broker_call beat, leave;
    bool asking, again;
    uint64_t round, told_round; /* of servers.round: of the call under way, of the last answer */
    struct servers_told told;
};

struct servers {
    struct servers_spec spec;
    struct timer timer, ask_timer;
    struct list questions;
    uint64_t round, asked_ms;  /* counts calls */
    struct servers_view *view; /* a reference */
    char address[NET_ADDRESS_TEXT_MAX];
    char about[SERVERS_ABOUT_MAX];
    size_t about_len;
    bool draining, left;
    const struct servers_told **told; /* owned; of each link */
    struct servers_link links[];
};

int servers_draw_tag(uint32_t *ret)
{
    uint32_t tag = 0;
    while (tag == 0)
        if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
            return -EAGAIN;
    *ret = tag;
    return 0;
}

/* ---- the view ---- */

static bool same(const struct servers_view *a, const struct servers_view *b)
{
    return a && a->fresh == b->fresh && a->count == b->count &&
           memcmp(a->servers, b->servers, a->count * sizeof(*a->servers)) == 0;
}

static void review(struct servers *s)
{
    struct servers_view *view =
        servers_told_view(s->told, s->spec.brokers, loop_now_ms(s->spec.loop));
    if (!view || same(s->view, view)) {
        servers_view_unref(view);
        return;
    }
    servers_view_unref(s->view);
    s->view = view;
    s->spec.on_view(s->spec.owner, view);
}

static bool is_taken(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements == 1;
}

static void draw_anew(struct servers *s)
{
    char old[WAY_TAG_TEXT];
    way_tag_print(s->spec.tag, old);
    if (servers_draw_tag(&s->spec.tag) < 0)
        return;
    log_warn("cluster.tag_taken", log_text("tag", old));
    s->spec.on_tag(s->spec.owner, s->spec.tag);
}

static void beat(struct servers_link *link);

static bool is_known(const struct servers *s, const struct servers_question *q)
{
    bool known = true;
    for (size_t i = 0; i < s->spec.brokers; i++)
        known &= !s->links[i].broker || s->links[i].told_round > q->round;
    return known;
}

/* Oldest first: what one waits for, those behind it wait for too. */
static void answer_questions(struct servers *s)
{
    while (!list_empty(&s->questions)) {
        struct servers_question *q = container_of(s->questions.next, struct servers_question, node);
        if (!is_known(s, q))
            return;
        list_remove(&q->node);
        q->on_known(q);
    }
}

static void on_beat(struct broker_call *call, const struct redisReply *r)
{
    struct servers_link *link = container_of(call, struct servers_link, beat);
    struct servers *s = link->servers;
    link->asking = false;
    link->told_round = link->round;
    if (!r || s->left)
        return; /* the link is down: servers_link_down() follows */
    if (is_taken(r)) {
        draw_anew(s);
        link->again = true;
    } else if (!servers_told_take(&link->told, r, loop_now_ms(s->spec.loop)) &&
               r->type == REDIS_REPLY_ERROR) {
        log_warn("cluster.registry_refused", log_slice("broker", broker_name(link->broker)),
                 log_slice("error", slice_make(r->str, (size_t)r->len)));
    }
    if (link->again)
        beat(link);
    review(s);
    answer_questions(s);
}

/* ---- what it is told ---- */

/* As servers_told.h has it, after the instance. */
static size_t write_record(const struct servers *s, char ret[RECORD_SIZE])
{
    const struct servers_spec *spec = &s->spec;
    int len = snprintf(ret, RECORD_SIZE, "\t%s\t%llu\t%s\t%.*s\t%.*s", s->address,
                       (unsigned long long)spec->since_ms, s->draining ? "d" : "-",
                       SERVERS_VERSION_MAX, spec->version, SERVERS_NAME_MAX, spec->name);
    return (size_t)len;
}

static void name_keys(const struct servers *s, char room[4][KEY_SIZE], struct slice ret[4])
{
    static const char *const names[] = {"servers", "beats", "about", "registry"};
    for (int i = 0; i < 4; i++)
        ret[i] = slice_make(
            room[i], (size_t)snprintf(room[i], KEY_SIZE, "%.256s:%s", s->spec.cluster, names[i]));
}

static void beat(struct servers_link *link)
{
    struct servers *s = link->servers;
    char room[4][KEY_SIZE], tag[WAY_TAG_TEXT], record[RECORD_SIZE];
    struct slice keys[4];
    link->again = link->asking;
    if (!link->broker || link->asking || s->left)
        return;
    name_keys(s, room, keys);
    char lifetime[16], late[16];
    snprintf(lifetime, sizeof(lifetime), "%d", SERVERS_LIFETIME_MS);
    snprintf(late, sizeof(late), "%d", SERVERS_LATE_MS);
    struct slice args[] = {
        slice_of(way_tag_print(s->spec.tag, tag)),
        slice_make(s->spec.instance, SERVERS_INSTANCE_LEN),
        slice_make(record, write_record(s, record)),
        slice_of(lifetime),
        slice_of(late),
        slice_of(link->told.version),
        slice_make(s->about, s->about_len),
    };
    link->asking = true;
    link->round = ++s->round;
    link->beat.on_reply = on_beat;
    broker_run(link->broker, &link->beat, &broker_script_beat, keys, 4, args, 7);
}

static void beat_all(struct servers *s)
{
    for (size_t i = 0; i < s->spec.brokers; i++)
        beat(&s->links[i]);
}

static void on_timer(struct timer *timer)
{
    struct servers *s = container_of(timer, struct servers, timer);
    timer_start(s->spec.loop, timer, SERVERS_BEAT_MS);
    beat_all(s);
    review(s);
}

static void ask_now(struct timer *timer)
{
    struct servers *s = container_of(timer, struct servers, ask_timer);
    s->asked_ms = loop_now_ms(s->spec.loop);
    beat_all(s);
    answer_questions(s);
}

/* ---- from outside ---- */

struct servers *servers_new(const struct servers_spec *spec)
{
    struct servers *s =
        log_needed(calloc(1, sizeof(*s) + spec->brokers * sizeof(struct servers_link)));
    if (!s)
        return NULL;
    s->spec = *spec;
    s->told = log_needed(calloc(spec->brokers, sizeof(*s->told)));
    if (!s->told) {
        free(s);
        return NULL;
    }
    for (size_t i = 0; i < spec->brokers; i++) {
        s->links[i].servers = s;
        s->told[i] = &s->links[i].told;
    }
    timer_init(&s->timer, on_timer);
    timer_start(spec->loop, &s->timer, SERVERS_BEAT_MS);
    timer_init(&s->ask_timer, ask_now);
    list_init(&s->questions);
    return s;
}

void servers_free(struct servers *s)
{
    if (!s)
        return;
    timer_stop(&s->timer);
    timer_stop(&s->ask_timer);
    for (struct list *node; (node = list_pop(&s->questions));) {
        struct servers_question *q = container_of(node, struct servers_question, node);
        q->on_known(q);
    }
    for (size_t i = 0; i < s->spec.brokers; i++)
        servers_told_done(&s->links[i].told);
    servers_view_unref(s->view);
    free(s->told);
    free(s);
}

void servers_link_up(struct servers *s, size_t index, struct broker *broker)
{
    struct servers_link *link = &s->links[index];
    link->broker = broker;
    link->asking = false;
    link->told.up = true;
    link->told.version[0] = '\0'; /* it may be another instance */
    beat(link);
}

void servers_link_down(struct servers *s, size_t index)
{
    s->links[index].broker = NULL;
    s->links[index].told.up = false;
    review(s);
    answer_questions(s);
}

void servers_ask(struct servers *s, struct servers_question *question)
{
    uint64_t since = loop_now_ms(s->spec.loop) - s->asked_ms;
    question->round = s->round;
    list_append(&s->questions, &question->node);
    if (!timer_active(&s->ask_timer))
        timer_start(s->spec.loop, &s->ask_timer,
                    since < SERVERS_ASK_MS ? SERVERS_ASK_MS - since : 0);
}

void servers_use_address(struct servers *s, const struct net_address *address)
{
    char text[NET_ADDRESS_TEXT_MAX] = "";
    if (address->len)
        net_address_print(address, text);
    if (strcmp(text, s->address) == 0)
        return;
    strcpy(s->address, text);
    beat_all(s);
}

void servers_drain(struct servers *s)
{
    s->draining = true;
    beat_all(s);
}

void servers_set_about(struct servers *s, struct slice about)
{
    s->about_len = about.len <= SERVERS_ABOUT_MAX ? about.len : 0;
    memcpy(s->about, about.ptr ? about.ptr : "", s->about_len);
}

static void ignore(struct broker_call *call, const struct redisReply *r)
{
    (void)call, (void)r;
}

void servers_leave(struct servers *s)
{
    char room[4][KEY_SIZE], tag[WAY_TAG_TEXT];
    struct slice keys[4];
    if (s->left)
        return;
    s->left = true;
    name_keys(s, room, keys);
    struct slice args[] = {slice_of(way_tag_print(s->spec.tag, tag)),
                           slice_make(s->spec.instance, SERVERS_INSTANCE_LEN)};
    for (size_t i = 0; i < s->spec.brokers; i++) {
        struct servers_link *link = &s->links[i];
        link->leave.on_reply = ignore;
        if (link->broker)
            broker_run(link->broker, &link->leave, &broker_script_leave, keys, 4, args, 2);
    }
}

struct servers_view *servers_now(const struct servers *s)
{
    return s->view;
}
