/* SPDX-License-Identifier: MIT */
/* hub.h - topics shared by the programs of one server: one thread's end of them.
 *
 *   program ── client ── subscription ──┐
 *                                       ├── hub ──route──> the topic's home
 *   program ── client ── subscription ──┘    <── events, answers ──┘
 *
 * A client is one program, or the admin listener. The client's request travels to the topic's home
 * and comes back with the answer; an event comes to the hub once, however many subscribers it has
 * here, and all of them are given the same bytes. Events that come in one callback of the loop are
 * delivered together, once it has returned.
 *
 * Order     All subscribers of a topic see one order, in which the events of one client keep
 *           theirs. Who has subscribed hears all that is published by whoever knows of it, also
 *           before the answer.
 * Bounds    A client that is ahead of the server (hub_client_busy) is to wait: `ahead_max` bytes of
 *           requests, or one subscription, are under way. With an upstream a subscription does not
 *           make it wait, unless it changes one that has its answer. An event for a client that
 *           takes no more is counted, and once it takes again it is told how many it has missed.
 * Route     How a request finds the home is behind struct hub_route. threads.h keeps the homes in
 *           the workers. A home may have an upstream (upstream.h), where several servers meet.
 * Lifetime  hub_stop() of all, then their loops read the remaining mail, then hub_done(): they hold
 *           each other's letters.
 * Threads   The loop's.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "core/chunk.h"
#include "hub/name_table.h"
#include "hub/request.h"

struct pack;

struct hub_config {
    uint32_t topics_max;        /* in all */
    uint32_t subscriptions_max; /* of one client */
    uint32_t history_max;       /* events of one topic */
    size_t history_bytes_max;   /* of one topic */
    uint32_t linger_ms;         /* for a topic with a past and without subscribers */
    size_t message_max;         /* event name and data */
    size_t ahead_max;           /* of one client, under way */
    uint32_t presence_max;      /* of one topic */
    size_t presence_data_max;
    uint32_t presence_grace_ms; /* from a lost connection until the others are told */
};

struct hub_counts {
    uint64_t topics, subscriptions, present, published, delivered, lost, forgotten;
    uint64_t refused[HUB_ANSWERS]; /* by reason */
};

/* Published events of one topic that came one right after the other: a subscriber is given all of
 * them before the next subscriber is. */
enum {
    HUB_BATCH_MAX = 64,
    HUB_BATCH_BYTES = 16384, /* of names and data; one event may have more */
    HUB_FORMS = 2
};

/* What the owners of clients have made of a batch, for all of them. */
struct hub_form {
    struct shared_bytes *bytes; /* one reference; NULL: not made yet */
    uint32_t payload;           /* the owners' own */
    bool impossible;            /* it can't be made */
};

struct hub_batch {
    struct hub_event *events[HUB_BATCH_MAX]; /* a reference of each */
    unsigned count;
    size_t bytes;
    struct hub_form forms[HUB_FORMS];
};

struct hub;
struct hub_route {
    /* Takes the request to the home of its topic, in the order of the calls. */
    void (*send)(struct hub *hub, struct hub_request *request);
};

struct hub {
    const struct hub_route *route;
    void *route_end; /* the route's own */
    uint16_t index;  /* among the subscribers' threads */
    bool stopped;
    unsigned to_own;   /* requests in the mail of this thread, to homes of its own */
    bool distant;      /* topics are numbered elsewhere: a join may take as long as an outage */
    struct loop *loop; /* borrowed */
    const struct hub_config *config; /* borrowed */
    struct memory_desk *memory;      /* borrowed; NULL: nothing is counted */
    struct hub_counts counts;
    struct name_table topics; /* with a subscriber here */
    struct list clients;
    struct hub_batch batch;  /* what has come in this callback of the loop */
    struct loop_after after; /* delivers it */
};

/* To be called once the borrowed pointers, the route and the index are filled in. */
void hub_init(struct hub *hub);
/* From now on no letter is sent or answered: letters are only released. */
void hub_stop(struct hub *hub);
/* Frees clients that have left and whose requests never came back. */
void hub_done(struct hub *hub);

/* ---- clients ---- */

/* A client that subscribes has on_line, and on_page_event if events go to its page; the others may
 * be NULL. */
struct hub_client_ops {
    /* Has the program, or its page, room for one more? NULL: always. */
    bool (*takes)(struct hub_client *c, bool to_page);
    /* A line for the program: `begin`, then `rest`. `whole` (may be NULL) holds both, for all
     * readers. */
    void (*on_line)(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole);
    /* An event that goes straight to the page. */
    void (*on_page_event)(struct hub_client *c, struct slice name, struct slice data);
    /* A request of the client is done, or refused; also from inside the call that asked. Not called
     * for requests that the hub makes by itself. */
    void (*on_answer)(struct hub_client *c, const struct hub_request *request);
    /* hub_client_busy() has become false; never from inside a call of this client. */
    void (*on_room)(struct hub_client *c);
    /* From now on events of this topic are missed. */
    void (*on_loss)(struct hub_client *c, struct slice topic);
    /* All events of the batch, straight to the page. False: none of them was taken, and they come
     * by on_page_event, while `takes` says so. NULL: as false. */
    bool (*on_page_events)(struct hub_client *c, struct hub_batch *batch);
};

/* Its public id is drawn here. NULL without memory. The owner calls
 * hub_client_leave() in the end. */
struct hub_client *hub_client_new(struct hub *hub, const struct hub_client_ops *ops, void *owner);
/* Unsubscribes from everything and is seen nowhere; what it has published goes on. No callback
 * after this, and the pointer is dead. Accepts NULL. */
void hub_client_leave(struct hub_client *c);
void *hub_client_owner(const struct hub_client *c);
struct slice hub_client_id(const struct hub_client *c);
/* For the process that takes over: a client with its subscriptions, whose topics' homes have been
 * there before (hub_home_unpack). NULL: it can't be read, or there is no memory. */
void hub_client_pack(const struct hub_client *c, struct pack *p);
struct hub_client *hub_client_unpack(struct hub *hub, struct slice in,
                                     const struct hub_client_ops *ops, void *owner);
/* Whether the client is too far ahead: the owner then takes nothing more from the program before
 * on_room. */
bool hub_client_busy(const struct hub_client *c);
/* Whether the client's page is connected: others see the client meanwhile, and for the grace time
 * after. */
void hub_client_connected(struct hub_client *c, bool connected);
/* takes() may be true again: the client is told what it has missed. */
void hub_client_drained(struct hub_client *c);

/* HUB_DONE: on_answer follows, or has been called. Anything else: refused at once, and no
 * on_answer. Subscribe and unsubscribe only while not busy. Subscribing to a topic again changes
 * what was asked. What is still unanswered when it is asked again, or unsubscribed, gets no answer.
 */
enum hub_answer hub_subscribe(struct hub_client *c, const struct topic_subscription *wanted);
enum hub_answer hub_unsubscribe(struct hub_client *c, struct slice topic);
/* `anonymous`: the event does not say who it is from. */
enum hub_answer hub_publish(struct hub_client *c, const struct topic_publication *what,
                            bool anonymous, void *tag);

/* A token, and a sentence for people. */
struct slice hub_answer_token(enum hub_answer answer);
const char *hub_answer_text(enum hub_answer answer);

/* ---- for the route ---- */

/* Gives an event that has come to this thread to its subscribers, at the end of this callback of
 * the loop at the latest. The reference stays the caller's. */
void hub_take_event(struct hub *hub, struct hub_event *event);
/* Sends a request that is done back to its hub. `from` is the hub of the calling thread. */
void hub_request_return(struct hub *from, struct hub_request *request);

#endif
