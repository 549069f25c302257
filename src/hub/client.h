/* SPDX-License-Identifier: MIT */
/* client.h - a client and its subscriptions; what the files of this room share. */
#ifndef HUB_CLIENT_H
#define HUB_CLIENT_H

#include "hub/hub.h"

struct hub_client {
    struct list node; /* hub.clients */
    struct hub *hub;  /* borrowed */
    const struct hub_client_ops *ops;
    void *owner;
    bool left; /* it lives on until its requests are back and its last call is out */
    bool connected;
    bool shown;    /* connected, or within the grace after */
    bool was_busy; /* on_room is owed */
    char id[HUB_ID_LEN];
    unsigned joining;   /* subscriptions under way that it has to wait for */
    unsigned entered;   /* client_enter(): no on_room from inside */
    uint32_t under_way; /* requests */
    size_t ahead;       /* their bytes */
    uint32_t subscription_count;
    struct list subscriptions;
    struct timer grace_timer;
};

/* A topic in this thread. */
struct local_topic {
    struct name_entry entry;   /* hub.topics */
    struct list subscriptions; /* that are active */
    uint32_t references;       /* of all */
    char name[];
};

struct subscription {
    struct list of_client, of_topic;
    struct hub_client *client;
    struct local_topic *topic;
    struct hub_request *farewell; /* made in advance: leaving can't fail */
    struct hub_request *join;     /* on its way, or NULL; borrowed: it is told when we end */
    bool active;                  /* the home has answered: events are for this subscription */
    bool watch, without_self, to_page;
    bool shown;  /* as the home knows it */
    bool losing; /* until the client has taken all that waits */
    bool stale;  /* a change of who is there was missed */
    uint64_t lost;
    char *presence; /* owned; NULL: unseen */
    size_t presence_len;
};

static inline bool client_takes(struct hub_client *c, bool to_page)
{
    return !c->ops->takes || c->ops->takes(c, to_page);
}

static inline struct subscription *subscription_of(struct list *of_client)
{
    return container_of(of_client, struct subscription, of_client);
}

/* ---- client.c: what it asks, and the answers ---- */

/* A request for what is wanted, with the subscription set so. NULL without memory: nothing has
 * changed. */
struct hub_request *client_make_join(struct subscription *s,
                                     const struct topic_subscription *wanted);
/* From now on the request is on its way, and `send` is to be called with it. */
void client_under_way(struct hub_request *r);
/* Asks who is there, since a change was missed. */
void client_look(struct subscription *s);
/* The request is back. Takes it. */
void client_request_back(struct hub_request *r);
/* Around whatever calls out to the client or walks its subscriptions. A client that leaves in there
 * hears no more, and keeps its subscriptions and itself until the last exit. */
void client_enter(struct hub_client *c);
/* False: the client has left, and may be freed. */
bool client_exit(struct hub_client *c);
void client_free(struct hub_client *c);
/* Without an id, in no list. NULL without memory. */
struct hub_client *client_make(struct hub *hub, const struct hub_client_ops *ops, void *owner);

/* ---- delivery.c: what it hears ---- */

void delivery_init(struct hub *hub);
/* Delivers what has come up to now: before anything changes who is subscribed, and how. */
void delivery_flush(struct hub *hub);
/* Delivers nothing more. */
void delivery_drop(struct hub *hub);

/* Delivers the answer to a JOIN or LOOK: who is there, and past events. */
void delivery_answer(struct subscription *s, const struct hub_request *r);

/* ---- subscription.c ---- */

/* NULL without memory; not active. */
struct subscription *subscription_new(struct hub_client *c, struct slice topic, uint64_t hash);
struct subscription *subscription_find(struct hub_client *c, struct slice topic);
/* Takes the presence; false without memory, and nothing has changed. */
bool subscription_set(struct subscription *s, const struct topic_subscription *wanted);
/* From now on events are for it. */
void subscription_activate(struct subscription *s);
void subscription_free(struct subscription *s);

#endif
