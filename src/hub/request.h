/* SPDX-License-Identifier: MIT */
/* request.h - a worker's request to a topic's home. The same letter brings the answer back.
 *
 * Every request comes back to the worker that sent it: only then is the memory that it holds
 * released, and only then does the program go on, if it was too far ahead. The request of a
 * publication comes back when the last worker has passed the event on. A join may wait in the home
 * for as long as its topic is loading (upstream.h); who leaves meanwhile withdraws it.
 */
#ifndef HUB_REQUEST_H
#define HUB_REQUEST_H

#include "base/text.h"
#include "hub/event.h"
#include "proto/topic.h"

enum hub_request_kind {
    HUB_JOIN,  /* subscribe, or subscribe anew with other options */
    HUB_LEAVE, /* unsubscribe */
    HUB_SHOW,  /* be there for others */
    HUB_HIDE,
    HUB_LOOK, /* who is there? */
    HUB_PUBLISH
};

enum hub_answer {
    HUB_DONE,
    HUB_TOPICS_FULL,
    HUB_SUBSCRIPTIONS_FULL,
    HUB_PRESENCE_FULL, /* of HUB_JOIN: subscribed, but not seen */
    HUB_PRESENCE_TOO_LONG,
    HUB_TOO_LONG,
    HUB_NO_MEMORY,
    HUB_NOT_SUBSCRIBED,
    HUB_AWAY, /* these two: of an upstream */
    HUB_BROKER_REFUSED,
    HUB_ANSWERS
};

/* Of HUB_JOIN; the home's alone. */
enum hub_join_stage {
    HUB_JOIN_SENT,
    HUB_JOIN_WAITS, /* for the topic's upstream */
    HUB_JOIN_DONE,  /* it has its answer */
    HUB_JOIN_WITHDRAWN
};

struct hub_client;
struct hub_home;
struct subscription;

struct hub_request {
    struct mail mail;
    struct list held;          /* by the home, or its upstream, while the request waits there */
    struct hub *hub;           /* the asking worker's */
    struct hub_home *home;     /* the topic's; set by the route */
    struct hub_client *client; /* lives until the request is back */
    char id[HUB_ID_LEN];       /* the client's */
    union {
        void *tag;                         /* the publisher's own */
        struct subscription *subscription; /* of HUB_JOIN, its worker's; NULL: it has left again */
        struct hub_request *withdraws;     /* of HUB_LEAVE: that join, and a reference */
    };
    uint8_t references; /* beside the first one; the asking worker's */
    enum hub_join_stage stage;
    enum hub_request_kind kind;
    uint64_t hash;
    struct slice topic;
    struct slice event; /* of HUB_PUBLISH */
    struct slice data;  /* of the event, or the presence that HUB_JOIN and HUB_SHOW show */
    enum topic_keep keep;
    bool anonymous; /* no program's: its event has no `from` */
    bool again;     /* HUB_JOIN: is subscribed already */
    bool watch;     /* HUB_JOIN, _LEAVE: wants to hear (heard) who is there */
    bool watched;   /* HUB_JOIN again: did before */
    bool show;      /* HUB_JOIN: be there, with `data`; else be not */
    bool last;
    bool exclusive; /* HUB_JOIN: its client waits for the answer */
    uint32_t history;

    enum hub_answer answer;
    uint64_t seq;            /* of the event, or of the topic's newest one */
    uint32_t subscribers;    /* that the event went to */
    struct hub_event **past; /* owned, and a reference of each */
    size_t past_count;
    struct text here; /* a line `.presence {"topic":…,"here":[…]}` */

    size_t cost; /* bytes of memory */
    char text[]; /* topic, event, data */
};

/* The texts are copied. NULL without memory. */
struct hub_request *hub_request_new(struct hub_client *client, enum hub_request_kind kind,
                                    struct slice topic, uint64_t hash, struct slice event,
                                    struct slice data);
/* Frees it with the last reference, with all that it holds. Accepts NULL. */
void hub_request_drop(struct hub_request *request);

#endif
