/* SPDX-License-Identifier: MIT */
#include "cluster/topics.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"
#include "cluster/outpost.h"

#include <stdio.h>
#include <stdlib.h>

static struct cluster_topics *topics_of(struct hub_upstream *u)
{
    return container_of(u, struct cluster_topics, upstream);
}

/* ---- which broker ---- */

/* The same in all servers: so no hash_bytes(). */
static uint64_t weight(struct slice topic, uint64_t broker)
{
    static const uint64_t key[2] = {0x746f706963732074, 0x6f2062726f6b6572};
    uint64_t seed[2] = {key[0], key[1] ^ broker};
    return hash_siphash13(seed, topic);
}

/* Rendezvous hashing: one broker more takes only its share of the topics. */
struct outpost *topics_outpost_for(struct cluster_topics *t, struct slice topic)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < t->count; i++)
        if (weight(topic, i) > weight(topic, best))
            best = i;
    return &t->outposts[best];
}

/* ---- from the home ---- */

static void follow(struct hub_upstream *u, struct hub_topic_key topic, uint64_t number)
{
    struct outpost *o = topics_outpost_for(topics_of(u), topic.name);
    follow_begin(o, topic, number, SLICE_NONE, false);
}

static void unfollow(struct hub_upstream *u, struct hub_topic_key topic)
{
    follow_end(topics_outpost_for(topics_of(u), topic.name), topic);
}

/* Programs wait, and their writes block; others have somebody to tell. */
static void publish(struct hub_upstream *u, struct hub_request *r)
{
    struct cluster_topics *t = topics_of(u);
    struct outpost *o = topics_outpost_for(t, r->topic);
    if (r->anonymous && o->state == OUTPOST_AWAY)
        hub_home_published(t->home, r, HUB_AWAY, 0);
    else
        publication_add(o, r);
}

static void show(struct hub_upstream *u, struct hub_topic_key topic, const char id[HUB_ID_LEN],
                 struct slice data)
{
    outpost_show(topics_outpost_for(topics_of(u), topic.name), topic, id, data);
}

static void pack_topic(struct hub_upstream *u, struct hub_topic_key topic, struct pack *p)
{
    follow_pack(topics_outpost_for(topics_of(u), topic.name), topic, p);
}

static void resume(struct hub_upstream *u, struct hub_topic_key topic, uint64_t number,
                   struct slice packed)
{
    struct outpost *o = topics_outpost_for(topics_of(u), topic.name);
    follow_begin(o, topic, number, packed, true);
}

static const struct hub_upstream_ops upstream_ops = {
    follow, unfollow, publish, show, pack_topic, resume,
};

/* ---- made and freed ---- */

static bool open_outposts(struct cluster_topics *t, const struct cluster_topics_spec *spec)
{
    char id[OUTPOST_MAX + 1];
    snprintf(id, sizeof(id), "%.*s.%u", OUTPOST_INSTANCE, spec->instance, spec->worker);
    for (; t->count < spec->config->brokers; t->count++)
        if (!outpost_init(&t->outposts[t->count], t, &spec->brokers[t->count], id))
            return false;
    return true;
}

struct cluster_topics *cluster_topics_new(const struct cluster_topics_spec *spec)
{
    uint32_t brokers = spec->config->brokers;
    struct cluster_topics *t = log_needed(calloc(1, sizeof(*t) + brokers * sizeof(struct outpost)));
    if (!t)
        return NULL;
    t->upstream.ops = &upstream_ops;
    t->loop = spec->loop;
    t->home = spec->home;
    t->config = spec->config;
    if (open_outposts(t, spec)) {
        hub_home_use_upstream(t->home, &t->upstream);
        return t;
    }
    cluster_topics_free(t);
    return NULL;
}

void cluster_topics_free(struct cluster_topics *t)
{
    if (!t)
        return;
    hub_home_use_upstream(t->home, NULL);
    for (uint32_t i = 0; i < t->count; i++)
        outpost_done(&t->outposts[i]);
    free(t);
}

const struct cluster_topics_counts *cluster_topics_counts(const struct cluster_topics *t)
{
    return &t->counts;
}

struct broker_counts cluster_topics_links(const struct cluster_topics *t)
{
    struct broker_counts sum = {0};
    for (uint32_t i = 0; i < t->count; i++) {
        const struct broker_counts *c = broker_counts(t->outposts[i].broker);
        sum.calls += c->calls;
        sum.broken += c->broken;
        sum.timed += c->timed;
        sum.latency_us += c->latency_us;
        sum.bytes_in += c->bytes_in;
        sum.bytes_out += c->bytes_out;
    }
    return sum;
}

/* ---- for the process that takes over ---- */

enum {
    OUTPOST = 1, /* in their order */
};

void cluster_topics_pack(const struct cluster_topics *t, struct pack *p)
{
    for (uint32_t i = 0; i < t->count; i++) {
        size_t field = pack_begin(p, OUTPOST);
        outpost_pack(&t->outposts[i], p);
        pack_end(p, field);
    }
}

void cluster_topics_unpack(struct cluster_topics *t, struct slice in)
{
    uint32_t i = 0;
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == OUTPOST && i < t->count)
            outpost_unpack(&t->outposts[i++], field.value);
}
