/* SPDX-License-Identifier: MIT */
/* showing.c - who of this worker is there, said to the broker; and which topics are in use. */
#include "base/log.h"
#include "cluster/outpost.h"
#include "cluster/scripts.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    TOUCHED_AT_ONCE = 100 /* topics */
};

/* A call that nobody waits for. */
struct errand {
    struct list node; /* outpost.errands */
    struct broker_call call;
    struct outpost *outpost;
    const char *what;
};

/* If it fails, everything is said again with a later beat. */
static void on_done(struct broker_call *call, const struct redisReply *reply)
{
    struct errand *e = container_of(call, struct errand, call);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        outpost_complain(e->outpost, e->what, slice_make(reply->str, reply->len));
        e->outpost->says_who = true;
    }
    list_remove(&e->node);
    free(e);
}

void outpost_drop_errands(struct outpost *o)
{
    for (struct list *node; (node = list_pop(&o->errands));)
        free(container_of(node, struct errand, node));
}

static void run(struct outpost *o, const char *what, const struct slice *keys, size_t key_count,
                const struct slice *args, size_t arg_count)
{
    struct errand *e = log_needed(malloc(sizeof(*e)));
    if (!e) {
        o->says_who = true;
        return;
    }
    *e = (struct errand){.call.on_reply = on_done, .outpost = o, .what = what};
    list_append(&o->errands, &e->node);
    broker_run(o->broker, &e->call, &broker_script_topics, keys, key_count, args, arg_count);
}

/* Words behind each other on the heap; a word may be someone else's bytes. */
struct list_of_words {
    struct slice *words;
    size_t count, room;
    bool failed;
};

static void add(struct list_of_words *l, struct slice word)
{
    if (l->count == l->room && !l->failed) {
        size_t room = l->room ? l->room * 2 : 64;
        struct slice *words = realloc(l->words, room * sizeof(*words));
        l->failed = !words;
        l->words = words ? words : l->words;
        l->room = words ? room : l->room;
    }
    if (!l->failed)
        l->words[l->count++] = word;
}

static void add_all(struct list_of_words *l, const struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        add(l, w->list[i]);
}

static void begin(struct outpost *o, struct slice operation, struct slice topic, struct words *w)
{
    words_add(w, operation);
    words_add(w, slice_of(o->topics->config->name));
    words_add(w, topic);
    words_add(w, outpost_id(o));
    words_add_number(w, outpost_ttl_ms(o));
}

/* ---- who is there ---- */

void outpost_show(struct outpost *o, struct hub_topic_key topic, const char id[HUB_ID_LEN],
                  struct slice data)
{
    struct followed *f = follow_find(o, topic);
    char keys[2][KEY_MAX];
    if (!f)
        return;
    if (f->state != FOLLOWED_HEARD) { /* then all are said */
        f->says_who = true;
        return;
    }
    struct slice key[] = {outpost_key(o, 't', topic.name, keys[0]),
                          outpost_key(o, 'p', topic.name, keys[1])};
    struct words w = {0};
    f->showed |= data.len > 0;
    begin(o, SLICE_LITERAL("show"), topic.name, &w);
    words_add(&w, slice_make(id, HUB_ID_LEN));
    words_add(&w, data);
    run(o, "show", key, 2, w.list, w.count);
}

static void add_own(void *arg, const char id[HUB_ID_LEN], struct slice data)
{
    struct list_of_words *l = arg;
    add(l, slice_make(id, HUB_ID_LEN));
    add(l, data);
}

void outpost_show_all(struct followed *f)
{
    struct outpost *o = f->outpost;
    struct slice topic = f->entry.name;
    char keys[2][KEY_MAX];
    struct slice key[] = {outpost_key(o, 't', topic, keys[0]), outpost_key(o, 'p', topic, keys[1])};
    struct words w = {0};
    struct list_of_words l = {0};
    begin(o, SLICE_LITERAL("show_all"), topic, &w);
    add_all(&l, &w);
    hub_home_each_own(o->topics->home, follow_key(f), add_own, &l);
    f->showed = l.count > w.count;
    f->says_who = l.failed;
    o->says_who |= l.failed;
    if (!l.failed)
        run(o, "show_all", key, 2, l.words, l.count);
    free(l.words);
}

void outpost_show_none(struct followed *f)
{
    struct outpost *o = f->outpost;
    char keys[2][KEY_MAX];
    struct slice key[] = {outpost_key(o, 't', f->entry.name, keys[0]),
                          outpost_key(o, 'p', f->entry.name, keys[1])};
    struct words w = {0};
    if (!f->showed || o->state == OUTPOST_AWAY)
        return;
    begin(o, SLICE_LITERAL("show_all"), f->entry.name, &w);
    run(o, "show_all", key, 2, w.list, w.count);
}

static void say_who(struct followed *f)
{
    f->says_who = f->loaded;
    if (f->state == FOLLOWED_HEARD && f->loaded)
        outpost_show_all(f);
}

void outpost_say_who(struct outpost *o)
{
    if (o->state == OUTPOST_AWAY)
        return; /* all are said when it is back */
    o->says_who = false;
    follow_each(o, say_who);
}

/* ---- topics in use ---- */

static void touch(struct outpost *o, struct list_of_words *l)
{
    if (l->count > 3 && !l->failed)
        run(o, "touch", NULL, 0, l->words, l->count);
    l->count = 0;
}

void outpost_touch(struct outpost *o)
{
    struct list_of_words l = {0};
    struct words w = {0};
    words_add(&w, SLICE_LITERAL("touch"));
    words_add(&w, slice_of(o->topics->config->name));
    words_add_number(&w, outpost_ttl_ms(o));
    for (uint32_t i = 0; i < o->followed.bucket_count; i++) {
        for (struct name_entry *e = o->followed.buckets[i]; e; e = e->next) {
            if (l.count == 0)
                add_all(&l, &w);
            add(&l, e->name);
            if (l.count == 3 + TOUCHED_AT_ONCE)
                touch(o, &l);
        }
    }
    touch(o, &l);
    free(l.words);
}
