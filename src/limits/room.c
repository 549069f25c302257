/* SPDX-License-Identifier: MIT */
#include "limits/room.h"

#include "base/log.h"
#include "base/pack.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct room {
    pthread_mutex_t lock;
    struct quota *quota;
    struct list idle[ROOM_CLAIMS]; /* those idle for longest first */
};

struct room *room_new(void)
{
    struct room *room = log_needed(calloc(1, sizeof(*room)));
    if (!room)
        return NULL;
    room->quota = quota_new();
    if (!room->quota) {
        free(room);
        return NULL;
    }
    pthread_mutex_init(&room->lock, NULL);
    for (int i = 0; i < ROOM_CLAIMS; i++)
        list_init(&room->idle[i]);
    return room;
}

void room_free(struct room *room)
{
    if (!room)
        return;
    pthread_mutex_destroy(&room->lock);
    quota_free(room->quota);
    free(room);
}

/* ---- counts ---- */

static void release_all(struct room *room, struct quota_hold holds[ROOM_LIMITS])
{
    for (int i = 0; i < ROOM_LIMITS; i++)
        quota_release(room->quota, &holds[i]);
}

/* What gives way is counted apart from then on, for each of its limits. */
static struct quota_hold going_of(const struct quota_hold *hold)
{
    return quota_hold_of(LIMIT_GOING, slice_make((const char *)&hold->hash, sizeof(hold->hash)));
}

/* `limits` are the newcomer's: how many may be going is known for those that both have. */
static uint32_t going_max(const struct quota_hold *hold, const struct room_limit *limits,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (quota_hold_of(limits[i].kind, limits[i].key).hash == hold->hash)
            return limits[i].max / ROOM_GOING + 1;
    return UINT32_MAX;
}

static void release_going(struct room *room, const struct room_place *p, int count)
{
    for (int i = 0; i < count; i++) {
        struct quota_hold going = going_of(&p->holds[i]);
        if (p->holds[i].hash)
            quota_release(room->quota, &going);
    }
}

static bool take_going(struct room *room, struct room_place *p, const struct room_limit *limits,
                       size_t count)
{
    for (int i = 0; i < ROOM_LIMITS && p->holds[i].hash; i++) {
        struct quota_hold going = going_of(&p->holds[i]);
        if (!quota_take_hold(room->quota, &going, going_max(&p->holds[i], limits, count))) {
            release_going(room, p, i);
            return false;
        }
    }
    return true;
}

/* The hashes stay, for room_busy(). */
static void uncount(struct room *room, const struct room_place *p)
{
    for (int i = 0; i < ROOM_LIMITS; i++)
        quota_release(room->quota, &(struct quota_hold){p->holds[i].hash});
}

/* Others may have come meanwhile: then some are above the limit for a while. */
static void count_again(struct room *room, struct room_place *p)
{
    release_going(room, p, ROOM_LIMITS);
    for (int i = 0; i < ROOM_LIMITS; i++)
        if (p->holds[i].hash && !quota_take_hold(room->quota, &p->holds[i], UINT32_MAX))
            p->holds[i].hash = 0;
}

/* ---- who gives way ---- */

struct search {
    struct room *room;
    uint64_t client, reached; /* the newcomer's client, and the limit that he met */
    uint32_t claim;           /* how many the newcomer's client has then */
};

/* How many its client has; 0: it does not give way to this newcomer. */
static uint32_t weigh(const struct search *s, const struct room_place *p)
{
    bool counted = false;
    for (int i = 0; i < ROOM_LIMITS; i++)
        counted |= p->holds[i].hash == s->reached;
    uint32_t count = counted ? quota_count(s->room->quota, &p->holds[0]) : 0;
    return p->holds[0].hash == s->client || count >= s->claim ? count : 0;
}

static struct room_place *longest_idle(const struct search *s)
{
    struct list *all = &s->room->idle[ROOM_UNUSED];
    for (struct list *node = all->next; node != all; node = node->next) {
        struct room_place *p = container_of(node, struct room_place, node);
        if (weigh(s, p))
            return p;
    }
    return NULL;
}

/* Of those that were in use, one of the client that has most. */
static struct room_place *of_the_greediest(const struct search *s)
{
    struct list *all = &s->room->idle[ROOM_USED];
    struct room_place *chosen = NULL;
    uint32_t most = 0;
    for (struct list *node = all->next; node != all; node = node->next) {
        struct room_place *p = container_of(node, struct room_place, node);
        uint32_t count = weigh(s, p);
        if (count <= most)
            continue;
        most = count;
        chosen = p;
    }
    return chosen;
}

static void ring(struct room_desk *desk);

/* With the lock. */
static bool make_room(struct room *room, const struct room_limit *limits, size_t count,
                      size_t reached)
{
    struct quota_hold client = quota_hold_of(limits[0].kind, limits[0].key);
    struct search search = {
        .room = room,
        .client = client.hash,
        .reached = quota_hold_of(limits[reached].kind, limits[reached].key).hash,
        .claim = quota_count(room->quota, &client),
    };
    struct room_place *p = longest_idle(&search);
    p = p ? p : of_the_greediest(&search);
    if (!p || !take_going(room, p, limits, count))
        return false;
    uncount(room, p);
    list_remove(&p->node);
    list_append(&p->desk->chosen, &p->node);
    p->state = PLACE_CHOSEN;
    ring(p->desk);
    return true;
}

/* ---- desks ---- */

static struct room_place *next_chosen(struct room_desk *desk)
{
    pthread_mutex_lock(&desk->room->lock);
    struct list *node = list_pop(&desk->chosen);
    struct room_place *p = node ? container_of(node, struct room_place, node) : NULL;
    if (p)
        p->state = PLACE_GOING;
    pthread_mutex_unlock(&desk->room->lock);
    return p;
}

static void on_ring(struct mail *mail)
{
    struct room_desk *desk = container_of(mail, struct room_desk, mail);
    struct room_place *p;
    atomic_store(&desk->rung, false);
    while ((p = next_chosen(desk)))
        p->give_up(p->owner);
}

static void ring(struct room_desk *desk)
{
    if (!atomic_exchange(&desk->rung, true))
        loop_post(desk->loop, &desk->mail, on_ring);
}

void room_desk_init(struct room_desk *desk, struct room *room, struct loop *loop)
{
    *desk = (struct room_desk){.room = room, .loop = loop};
    list_init(&desk->chosen);
}

/* ---- places ---- */

/* One more under a limit, for which others may have to give way. With the lock. */
static bool take(struct room *room, const struct room_limit *limits, size_t count, size_t i,
                 struct quota_hold *ret)
{
    const struct room_limit *l = &limits[i];
    return quota_take(room->quota, l->kind, l->key, l->max, ret) ||
           (make_room(room, limits, count, i) &&
            quota_take(room->quota, l->kind, l->key, l->max, ret));
}

bool room_take(struct room_desk *desk, const struct room_limit *limits, size_t count,
               struct room_place *place)
{
    struct room *room = desk->room;
    bool taken = true;
    assert(count <= ROOM_LIMITS && !place->desk);
    *place = (struct room_place){.desk = desk, .state = PLACE_COUNTED};
    list_init(&place->node);
    pthread_mutex_lock(&room->lock);
    for (size_t i = 0; i < count && taken; i++)
        taken = take(room, limits, count, i, &place->holds[i]);
    if (!taken) {
        release_all(room, place->holds);
        *place = (struct room_place){0};
    }
    pthread_mutex_unlock(&room->lock);
    return taken;
}

void room_idle(struct room_place *place, enum room_claim claim, void (*give_up)(void *owner),
               void *owner)
{
    if (!place->desk)
        return;
    struct room *room = place->desk->room;
    pthread_mutex_lock(&room->lock);
    if (place->state == PLACE_COUNTED) {
        place->state = PLACE_IDLE;
        place->give_up = give_up;
        place->owner = owner;
        list_append(&room->idle[claim], &place->node);
    }
    pthread_mutex_unlock(&room->lock);
}

void room_busy(struct room_place *place)
{
    if (!place->desk)
        return;
    struct room *room = place->desk->room;
    pthread_mutex_lock(&room->lock);
    if (place->state == PLACE_CHOSEN)
        count_again(room, place);
    if (place->state == PLACE_CHOSEN || place->state == PLACE_IDLE)
        place->state = PLACE_COUNTED;
    list_remove(&place->node);
    pthread_mutex_unlock(&room->lock);
}

void room_release(struct room_place *place)
{
    if (!place->desk)
        return;
    struct room *room = place->desk->room;
    pthread_mutex_lock(&room->lock);
    list_remove(&place->node);
    if (place->state == PLACE_COUNTED || place->state == PLACE_IDLE)
        uncount(room, place);
    else
        release_going(room, place, ROOM_LIMITS);
    pthread_mutex_unlock(&room->lock);
    *place = (struct room_place){0};
}

/* ---- for the process that takes over ---- */

enum {
    HOLD = 1, /* one after the other, also those that are none */
    GOING,
    IS_GOING,
};

static void pack_hold(struct pack *p, uint32_t tag, const struct quota_hold *hold)
{
    pack_slice(p, tag, slice_make((const char *)&hold->hash, sizeof(hold->hash)));
}

void room_pack(const struct room_place *place, struct pack *p)
{
    if (!place->desk)
        return;
    bool is_going = place->state == PLACE_GOING || place->state == PLACE_CHOSEN;
    pack_number(p, IS_GOING, is_going);
    for (int i = 0; i < ROOM_LIMITS; i++)
        pack_hold(p, HOLD, &place->holds[i]);
    for (int i = 0; i < ROOM_LIMITS; i++) { /* for older versions, which don't reckon it */
        bool has = is_going && place->holds[i].hash;
        struct quota_hold going = has ? going_of(&place->holds[i]) : (struct quota_hold){0};
        pack_hold(p, GOING, &going);
    }
}

/* A place that is going is counted as such alone. */
static void take_again(struct room_place *place, struct slice in, bool going)
{
    struct quota *quota = place->desk->room->quota;
    int i = 0;
    for (struct packed field; i < ROOM_LIMITS && packed_next(&in, &field);) {
        if (field.tag != HOLD)
            continue;
        struct quota_hold hold = {packed_value(field.value)};
        struct quota_hold counted = going && hold.hash ? going_of(&hold) : hold;
        if (hold.hash && quota_take_hold(quota, &counted, UINT32_MAX))
            place->holds[i] = hold;
        i++;
    }
}

void room_unpack(struct room_desk *desk, struct room_place *place, struct slice in)
{
    bool going = packed_number(in, IS_GOING);
    *place = (struct room_place){0};
    if (!in.len)
        return;
    place->desk = desk;
    place->state = going ? PLACE_GOING : PLACE_COUNTED;
    list_init(&place->node);
    take_again(place, in, going);
}
