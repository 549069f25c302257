/* SPDX-License-Identifier: MIT */
/* publication.c - what clients of this worker publish, on its way to the broker.
 *
 * Publications are numbered, and the script takes each number once, in their order. When one is not
 * taken (the link broke, a fence stands, the broker has no room) nothing more is sent until all
 * that was sent is answered; then it goes on from the first that has no answer.
 */
#include "base/log.h"
#include "base/pack.h"
#include "cluster/outpost.h"
#include "cluster/scripts.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    SENT_MAX = 1024,      /* at a time, */
    QUEUED_MAX = 4 << 20, /* and bytes that have not left */
    FENCE_LOOK_MS = 100,
    COMPLAINT_WAIT_MS = 1000,
    REPLICAS_WAIT_MS = 1000
};

struct publication {
    struct list node; /* outpost.publications or .waiting */
    struct broker_call call;
    struct outpost *outpost;
    struct hub_request *request; /* NULL: another process took it, and has told its answer */
    uint64_t number;
    uint64_t seq; /* in its topic, once it is taken */
    size_t cost;  /* bytes */
    struct slice topic, event, data;
    char from[HUB_ID_LEN];
    bool anonymous;
    enum topic_keep keep;
    char text[]; /* of one without a request */
};

static struct publication *publication_of(struct list *node)
{
    return container_of(node, struct publication, node);
}

/* ---- answered ---- */

static void finish(struct publication *p, enum hub_answer answer)
{
    struct hub_request *r = p->request;
    struct cluster_topics *topics = p->outpost->topics;
    uint64_t seq = p->seq;
    list_remove(&p->node);
    p->outpost->waiting_bytes -= p->cost;
    topics->counts.waiting--;
    topics->counts.published += answer == HUB_DONE;
    free(p);
    if (r)
        hub_home_published(topics->home, r, answer, seq);
}

static void finish_all(struct list *all)
{
    struct list done;
    list_init(&done);
    list_splice(&done, all);
    while (!list_empty(&done))
        finish(publication_of(done.next), HUB_DONE);
}

/* ---- replicas ---- */

static void ask_replicas(struct outpost *o);

/* WAIT counts for all that came before it on this connection. */
static void on_replicas(struct broker_call *call, const struct redisReply *reply)
{
    struct outpost *o = container_of(call, struct outpost, replicas);
    o->asking_replicas = false;
    if (!reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        outpost_complain(o, "wait", slice_make(reply->str, reply->len));
        timer_start(o->loop, &o->retry_timer, COMPLAINT_WAIT_MS);
        return;
    }
    if (reply->integer >= o->topics->config->replicas)
        finish_all(&o->waiting); /* the answers to publications came before */
    ask_replicas(o);
}

static void ask_replicas(struct outpost *o)
{
    bool may = o->state == OUTPOST_THERE && !o->asking_replicas && !timer_active(&o->retry_timer);
    if (!may || list_empty(&o->waiting))
        return;
    struct words w = {0};
    words_add(&w, SLICE_LITERAL("WAIT"));
    words_add_number(&w, o->topics->config->replicas);
    words_add_number(&w, REPLICAS_WAIT_MS);
    o->asking_replicas = true;
    broker_call(o->broker, &o->replicas, w.list, w.count);
}

/* ---- sent ---- */

static void hold(struct outpost *o, uint64_t ms)
{
    uint64_t until = loop_now_ms(o->loop) + ms;
    o->holding = true;
    if (until > o->hold_ms)
        o->hold_ms = until;
}

static void taken(struct publication *p, uint64_t seq)
{
    struct outpost *o = p->outpost;
    if (o->next == &p->node)
        o->next = p->node.next;
    p->seq = seq;
    if (!o->topics->config->replicas) {
        finish(p, HUB_DONE);
        return;
    }
    list_remove(&p->node);
    list_append(&o->waiting, &p->node);
    ask_replicas(o);
}

static bool says(const struct redisReply *reply, const char *word)
{
    return slice_equal(slice_make(reply->str, reply->len), slice_of(word));
}

static void conclude(struct publication *p, const struct redisReply *reply)
{
    struct outpost *o = p->outpost;
    if (reply->type == REDIS_REPLY_ERROR) {
        outpost_complain(o, "publish", slice_make(reply->str, reply->len));
        hold(o, COMPLAINT_WAIT_MS);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING) {
        outpost_complain(o, "publish", SLICE_LITERAL("an answer of another form"));
        hold(o, COMPLAINT_WAIT_MS);
        return;
    }
    uint64_t number = (uint64_t)reply->element[1]->integer;
    if (says(reply->element[0], "ok") || says(reply->element[0], "again")) {
        o->topics->counts.again += says(reply->element[0], "again");
        taken(p, number);
    } else if (says(reply->element[0], "fenced")) {
        o->topics->counts.fenced++;
        hold(o, number < FENCE_LOOK_MS ? number : FENCE_LOOK_MS);
    } else if (says(reply->element[0], "emptied")) {
        hold(o, 0);
        outpost_emptied(o);
    } else { /* one before it was not taken */
        hold(o, 0);
    }
}

static void on_published(struct broker_call *call, const struct redisReply *reply)
{
    struct publication *p = container_of(call, struct publication, call);
    struct outpost *o = p->outpost;
    o->sent--;
    if (reply)
        conclude(p, reply);
    else
        hold(o, 0);
    publications_run(o);
}

static struct slice keep_word(enum topic_keep keep)
{
    switch (keep) {
    case TOPIC_KEEP_THIS:
        return SLICE_LITERAL("1");
    case TOPIC_KEEP_NONE:
        return SLICE_LITERAL("0");
    case TOPIC_KEEP_AS_IT_IS:
        break;
    }
    return SLICE_LITERAL("-");
}

/* False: nothing can be drawn now. */
static bool send_one(struct publication *p)
{
    struct outpost *o = p->outpost;
    const struct cluster_topics_config *config = o->topics->config;
    char keys[3][KEY_MAX];
    const char *epoch = outpost_draw_epoch(o);
    if (!epoch)
        return false;
    struct slice key[] = {outpost_key(o, 't', p->topic, keys[0]),
                          outpost_key(o, 's', p->topic, keys[1]),
                          outpost_key(o, 'r', outpost_id(o), keys[2])};
    struct words w = {0};
    words_add(&w, SLICE_LITERAL("publish"));
    words_add(&w, slice_of(config->name));
    words_add(&w, p->topic);
    words_add(&w, outpost_id(o));
    words_add_number(&w, p->number);
    words_add_number(&w, publication_of(o->publications.next)->number);
    words_add(&w, p->anonymous ? SLICE_LITERAL("-") : slice_make(p->from, HUB_ID_LEN));
    words_add(&w, keep_word(p->keep));
    words_add(&w, p->event);
    words_add(&w, p->data.len ? p->data : SLICE_LITERAL("null"));
    words_add(&w, slice_make(epoch, EPOCH_LEN));
    words_add_number(&w, config->history_max ? config->history_max : 1);
    words_add_number(&w, config->history_bytes_max);
    words_add_number(&w, outpost_ttl_ms(o));
    p->call.on_reply = on_published;
    o->sent++;
    broker_run(o->broker, &p->call, &broker_script_topics, key, 3, w.list, w.count);
    return true;
}

static void on_retry(struct timer *timer)
{
    struct outpost *o = container_of(timer, struct outpost, retry_timer);
    publications_run(o);
    if (broker_is_up(o->broker))
        ask_replicas(o);
}

/* What is under way comes back, and then the next ones leave. */
static bool has_room(const struct outpost *o)
{
    return o->sent == 0 || (o->sent < SENT_MAX && broker_queued(o->broker) < QUEUED_MAX);
}

static bool may_go_on(struct outpost *o)
{
    uint64_t now = loop_now_ms(o->loop);
    if (!o->holding)
        return true;
    if (o->sent)
        return false;
    if (now < o->hold_ms) {
        timer_start(o->loop, &o->retry_timer, o->hold_ms - now);
        return false;
    }
    o->holding = false;
    o->next = o->publications.next;
    return true;
}

void publications_run(struct outpost *o)
{
    if (o->state != OUTPOST_THERE || !broker_is_up(o->broker) || !may_go_on(o))
        return;
    while (o->next != &o->publications && has_room(o)) {
        struct publication *p = publication_of(o->next);
        if (!send_one(p)) {
            hold(o, COMPLAINT_WAIT_MS);
            may_go_on(o);
            return;
        }
        o->next = p->node.next;
    }
}

/* What waits for replicas may be lost with the broker: it is said again. */
void publications_hold(struct outpost *o)
{
    struct list all;
    list_init(&all);
    list_splice(&all, &o->waiting);
    list_splice(&all, &o->publications);
    list_splice(&o->publications, &all);
    timer_stop(&o->retry_timer);
    hold(o, 0);
}

/* ---- made ---- */

void publications_init(struct outpost *o)
{
    list_init(&o->publications);
    list_init(&o->waiting);
    o->next = &o->publications;
    timer_init(&o->retry_timer, on_retry);
    o->replicas.on_reply = on_replicas;
}

static void append(struct publication *p)
{
    struct outpost *o = p->outpost;
    bool at_end = o->next == &o->publications;
    list_append(&o->publications, &p->node);
    o->topics->counts.waiting++;
    o->waiting_bytes += p->cost;
    if (at_end)
        o->next = &p->node;
}

void publication_add(struct outpost *o, struct hub_request *r)
{
    struct hub_home *home = o->topics->home;
    if (o->waiting_bytes + r->cost > o->topics->config->backlog_max) {
        hub_home_published(home, r, HUB_AWAY, 0);
        return;
    }
    struct publication *p = log_needed(malloc(sizeof(*p)));
    if (!p) {
        hub_home_published(home, r, HUB_NO_MEMORY, 0);
        return;
    }
    *p = (struct publication){
        .outpost = o,
        .request = r,
        .number = ++o->last_number,
        .cost = sizeof(*p) + r->cost,
        .topic = r->topic,
        .event = r->event,
        .data = r->data,
        .anonymous = r->anonymous,
        .keep = r->keep,
    };
    memcpy(p->from, r->id, HUB_ID_LEN);
    append(p);
    publications_run(o);
}

void publications_drop(struct outpost *o)
{
    publications_hold(o);
    timer_stop(&o->retry_timer);
    for (struct list *node; (node = list_pop(&o->publications));) {
        struct publication *p = publication_of(node);
        o->topics->counts.waiting--;
        hub_request_drop(p->request);
        free(p);
    }
    o->next = &o->publications;
}

size_t publications_count(const struct outpost *o)
{
    size_t count = 0;
    for (const struct list *n = o->publications.next; n != &o->publications; n = n->next)
        count++;
    return count;
}

/* ---- for the process that takes over ---- */

enum {
    PUBLICATION = 1,
    LAST_NUMBER,
    NUMBER = 1,
    TOPIC,
    EVENT,
    DATA,
    FROM,
    KEEP,
};

static void pack_list(const struct list *all, struct pack *out)
{
    for (const struct list *node = all->next; node != all; node = node->next) {
        const struct publication *p = container_of(node, struct publication, node);
        size_t field = pack_begin(out, PUBLICATION);
        pack_number(out, NUMBER, p->number);
        pack_slice(out, TOPIC, p->topic);
        pack_slice(out, EVENT, p->event);
        pack_slice(out, DATA, p->data);
        if (!p->anonymous)
            pack_slice(out, FROM, slice_make(p->from, HUB_ID_LEN));
        pack_number(out, KEEP, p->keep);
        pack_end(out, field);
    }
}

void publications_pack(const struct outpost *o, struct pack *p)
{
    pack_number(p, LAST_NUMBER, o->last_number);
    pack_list(&o->waiting, p);
    pack_list(&o->publications, p);
}

static void unpack_one(struct outpost *o, struct slice in)
{
    struct slice topic = packed_slice(in, TOPIC), event = packed_slice(in, EVENT);
    struct slice data = packed_slice(in, DATA), from = packed_slice(in, FROM);
    struct publication *p = log_needed(malloc(sizeof(*p) + topic.len + event.len + data.len));
    if (!p)
        return;
    *p = (struct publication){
        .outpost = o,
        .number = packed_number(in, NUMBER),
        .cost = sizeof(*p) + topic.len + event.len + data.len,
        .anonymous = from.len != HUB_ID_LEN,
        .keep = (enum topic_keep)packed_number(in, KEEP),
    };
    char *at = p->text;
    p->topic = slice_copy(&at, topic);
    p->event = slice_copy(&at, event);
    p->data = slice_copy(&at, data);
    if (!p->anonymous)
        memcpy(p->from, from.ptr, HUB_ID_LEN);
    append(p);
}

void publications_unpack(struct outpost *o, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == PUBLICATION)
            unpack_one(o, field.value);
        else if (field.tag == LAST_NUMBER)
            o->last_number = packed_value(field.value);
}
