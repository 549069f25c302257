/* SPDX-License-Identifier: MIT */
#include "cluster/servers.h"

#include "base/log.h"
#include "cluster/scripts.h"
#include "cluster/way.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    FRESH_MS = 3500, /* since a link was told something */
    KEPT_MS = 15000, /* what a link was told, while it is down */
    INSTANCE_LEN = 32,
    KEY_SIZE = 320,
    RECORD_SIZE = NET_ADDRESS_TEXT_MAX + SERVERS_NAME_MAX + SERVERS_VERSION_MAX + 64,
    FIELDS = 5
};

/* What one broker has told. */
struct servers_link {
    struct servers *servers; /* borrowed: it embeds us */
    struct broker *broker;   /* borrowed; NULL: down */
    struct broker_call beat, leave;
    bool asking, again, young;
    uint64_t told_ms;
    uint64_t round, told_round; /* of servers.round: of the call under way, of the last answer */
    char version[40];
    struct server_info *infos; /* owned */
    size_t count;
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

/* ---- a record: address, since, flags, version, name; tabs between them ---- */

static size_t write_record(const struct servers *s, char ret[RECORD_SIZE])
{
    const struct servers_spec *spec = &s->spec;
    int len = snprintf(ret, RECORD_SIZE, "\t%s\t%llu\t%s\t%.*s\t%.*s", s->address,
                       (unsigned long long)spec->since_ms, s->draining ? "d" : "-",
                       SERVERS_VERSION_MAX, spec->version, SERVERS_NAME_MAX, spec->name);
    return (size_t)len;
}

static struct slice next_field(struct slice *rest)
{
    size_t end = slice_find(*rest, '\t');
    struct slice field = slice_first(*rest, end);
    *rest = slice_skip(*rest, end < rest->len ? end + 1 : end);
    return field;
}

static void copy_text(char *to, size_t max, struct slice from)
{
    from = slice_first(from, max);
    memcpy(to, from.ptr ? from.ptr : "", from.len);
    to[from.len] = '\0';
}

/* False: not one of ours. */
static bool read_record(struct slice tag, struct slice record, struct server_info *ret)
{
    struct server_info info = {0};
    const char *why;
    char text[WAY_TAG_TEXT];
    if (tag.len != WAY_TAG_TEXT - 1 || record.len <= INSTANCE_LEN)
        return false;
    copy_text(text, sizeof(text) - 1, tag);
    info.tag = (uint32_t)strtoul(text, NULL, 16);
    record = slice_skip(record, INSTANCE_LEN + 1);
    struct slice address = next_field(&record), since = next_field(&record);
    info.draining = slice_equal(next_field(&record), SLICE_LITERAL("d"));
    if (address.len && net_address_parse(address, &info.address, &why) < 0)
        return false;
    slice_to_uint(since, UINT64_MAX, &info.since_ms);
    copy_text(info.version, SERVERS_VERSION_MAX, next_field(&record));
    copy_text(info.name, SERVERS_NAME_MAX, record);
    *ret = info;
    return info.tag != 0;
}

/* ---- the view ---- */

static bool is_fresh(const struct servers_link *link, uint64_t now)
{
    return link->broker && link->told_ms && !link->young && now - link->told_ms < FRESH_MS;
}

static bool counts(const struct servers_link *link, uint64_t now)
{
    return link->told_ms && now - link->told_ms < (link->broker ? UINT64_MAX : KEPT_MS);
}

static int by_tag(const void *a, const void *b)
{
    const struct server_info *x = a, *y = b;
    return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Known from several brokers: late only if all say so. */
static size_t without_doubles(struct server_info *infos, size_t count)
{
    size_t kept = 0;
    qsort(infos, count, sizeof(*infos), by_tag);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && infos[kept - 1].tag == infos[i].tag) {
            infos[kept - 1].late &= infos[i].late;
            infos[kept - 1].draining |= infos[i].draining;
        } else {
            infos[kept++] = infos[i];
        }
    }
    return kept;
}

static struct servers_view *make_view(const struct servers *s)
{
    uint64_t now = loop_now_ms(s->spec.loop);
    size_t most = 0;
    for (size_t i = 0; i < s->spec.brokers; i++)
        most += s->links[i].count;
    struct servers_view *view =
        log_needed(calloc(1, sizeof(*view) + most * sizeof(*view->servers)));
    if (!view)
        return NULL;
    atomic_init(&view->refs, 1);
    for (size_t i = 0; i < s->spec.brokers; i++) {
        const struct servers_link *link = &s->links[i];
        view->fresh |= is_fresh(link, now);
        for (size_t n = 0; counts(link, now) && n < link->count; n++) {
            view->servers[view->count] = link->infos[n];
            view->servers[view->count++].late |= !link->broker;
        }
    }
    view->count = without_doubles(view->servers, view->count);
    return view;
}

static bool same(const struct servers_view *a, const struct servers_view *b)
{
    return a && a->fresh == b->fresh && a->count == b->count &&
           memcmp(a->servers, b->servers, a->count * sizeof(*a->servers)) == 0;
}

static void review(struct servers *s)
{
    struct servers_view *view = make_view(s);
    if (!view || same(s->view, view)) {
        servers_view_unref(view);
        return;
    }
    servers_view_unref(s->view);
    s->view = view;
    s->spec.on_view(s->spec.owner, view);
}

/* ---- what a broker tells ---- */

static struct slice text_of(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_STRING ? slice_make(r->str, (size_t)r->len) : SLICE_NONE;
}

static void take_all(struct servers_link *link, const struct redisReply *all)
{
    struct server_info *infos = log_needed(calloc(all->elements / 2 + 1, sizeof(*infos)));
    if (!infos) {
        link->version[0] = '\0';
        return;
    }
    free(link->infos);
    link->infos = infos;
    link->count = 0;
    for (size_t i = 0; i + 1 < all->elements; i += 2)
        link->count += read_record(text_of(all->element[i]), text_of(all->element[i + 1]),
                                   &infos[link->count]);
}

static void take_late(struct servers_link *link, const struct redisReply *late)
{
    char tag[WAY_TAG_TEXT];
    for (size_t n = 0; n < link->count; n++) {
        struct server_info *info = &link->infos[n];
        way_tag_print(info->tag, tag);
        info->late = false;
        for (size_t i = 0; i < late->elements; i++)
            info->late |= slice_equal(text_of(late->element[i]), slice_of(tag));
    }
}

static bool is_answer(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements == 5 &&
           r->element[1]->type == REDIS_REPLY_STRING &&
           r->element[2]->type == REDIS_REPLY_INTEGER && r->element[3]->type == REDIS_REPLY_ARRAY;
}

static void take_answer(struct servers_link *link, const struct redisReply *r)
{
    copy_text(link->version, sizeof(link->version) - 1, text_of(r->element[1]));
    link->young = r->element[2]->integer != 0;
    link->told_ms = loop_now_ms(link->servers->spec.loop);
    if (r->element[4]->type == REDIS_REPLY_ARRAY)
        take_all(link, r->element[4]);
    take_late(link, r->element[3]);
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
    } else if (is_answer(r)) {
        take_answer(link, r);
    } else if (r->type == REDIS_REPLY_ERROR) {
        log_warn("cluster.registry_refused", log_slice("broker", broker_name(link->broker)),
                 log_slice("error", slice_make(r->str, (size_t)r->len)));
    }
    if (link->again)
        beat(link);
    review(s);
    answer_questions(s);
}

/* ---- what it is told ---- */

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
        slice_make(s->spec.instance, INSTANCE_LEN),
        slice_make(record, write_record(s, record)),
        slice_of(lifetime),
        slice_of(late),
        slice_of(link->version),
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
    for (size_t i = 0; i < spec->brokers; i++)
        s->links[i].servers = s;
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
        free(s->links[i].infos);
    servers_view_unref(s->view);
    free(s);
}

void servers_link_up(struct servers *s, size_t index, struct broker *broker)
{
    struct servers_link *link = &s->links[index];
    link->broker = broker;
    link->asking = false;
    link->version[0] = '\0'; /* it may be another instance */
    beat(link);
}

void servers_link_down(struct servers *s, size_t index)
{
    s->links[index].broker = NULL;
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
                           slice_make(s->spec.instance, INSTANCE_LEN)};
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
