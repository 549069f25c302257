/* SPDX-License-Identifier: MIT */
/* topic.h - a topic in its home: how long it is kept, its past, whom its events go to; what the
 * files of the home share.
 *
 * A topic that is numbered here lives while somebody is subscribed, and with a past for `linger_ms`
 * more. One that has an upstream lives for FOLLOW_LINGER_MS more, past or not.
 */
#ifndef HUB_TOPIC_H
#define HUB_TOPIC_H

#include "hub/home.h"
#include "hub/hub.h"
#include "hub/past.h"
#include "hub/presence.h"
#include "hub/upstream.h"

#define FOLLOW_LINGER_MS 5000

struct topic {
    struct name_entry entry; /* home.topics */
    struct list idle;        /* home.idle, while nobody is subscribed */
    struct list changed;     /* home.changed */
    uint64_t idle_since_ms;
    uint64_t seq;
    uint64_t follow;      /* the number of the follow; 0: the upstream does not have it */
    uint64_t lost;        /* not told yet */
    struct list waiting;  /* HUB_JOIN, while it is loading */
    uint32_t subscribers; /* in all workers */
    bool distant;         /* it is numbered by the upstream */
    bool loading;         /* and nothing is known of it yet */
    struct past past;
    struct presence presence;
    struct hub_audience audience[]; /* by worker; then the name */
};

static inline struct topic *topic_of(struct name_entry *entry)
{
    return entry ? container_of(entry, struct topic, entry) : NULL;
}

static inline struct hub_topic_key topic_key(const struct topic *t)
{
    return (struct hub_topic_key){t->entry.name, t->entry.hash};
}

static inline const struct hub_config *topic_config(const struct hub_home *home)
{
    return home->hub->config;
}

/* The home's upstream, if topics of this name are numbered there; else NULL. */
struct hub_upstream *topic_upstream(const struct hub_home *home, struct slice name);

struct topic *topic_find(const struct hub_home *home, struct slice name, uint64_t hash);
/* NULL, and *why tells the reason. */
struct topic *topic_find_or_make(struct hub_home *home, struct slice name, uint64_t hash,
                                 enum hub_answer *why);
/* Whatever the limit of topics says: there was room for it in the process before. A new one of the
 * upstream's is not followed yet. NULL without memory. */
struct topic *topic_make_again(struct hub_home *home, struct slice name, uint64_t hash);
/* Asks the upstream for it, which is to load it. */
void topic_follow(struct hub_home *home, struct topic *t);
/* Forgets the topic, or lets it wait among the idle ones, if nobody is subscribed any more. */
void topic_settle(struct hub_home *home, struct topic *t);
/* In the place of topic_settle(): it has been idle since then. */
void topic_settle_since(struct hub_home *home, struct topic *t, uint64_t since_ms);
void topic_forget(struct hub_home *home, struct topic *t);
void topic_forget_all(struct hub_home *home);
void topics_init(struct hub_home *home);

/* Nothing may forget the topic until topic_release(). */
static inline void topic_hold(struct topic *t)
{
    t->subscribers++;
}

static inline void topic_release(struct topic *t)
{
    t->subscribers--;
}

/* ---- its past, which is counted for the whole home ---- */

/* An event with the topic's name, `seq` and `time_ms` as in the spec. NULL without memory. */
struct hub_event *topic_event(struct hub_home *home, struct topic *t,
                              const struct hub_event_spec *spec);
void topic_remember(struct hub_home *home, struct topic *t, struct hub_event *event,
                    enum topic_keep keep);
/* `kept` NULL: none. */
void topic_keep_event(struct hub_home *home, struct topic *t, struct hub_event *kept);
/* All but the kept event, or that too. */
void topic_forget_past(struct hub_home *home, struct topic *t, bool kept_too);
/* Sends the event to every worker that it concerns. */
void topic_spread(struct hub_home *home, struct topic *t, struct hub_event *event,
                  struct hub_request *asked);

/* ---- home.c ---- */

/* The event has its number: it is kept, spread, and `asked` (may be NULL) goes back. */
void hub_home_pass_on(struct hub_home *home, struct topic *t, struct hub_event *event,
                      struct hub_request *asked);
/* Those who have waited for the topic are subscribed, in their order, and told so. The topic is
 * held meanwhile. */
void hub_home_join_waiting(struct hub_home *home, struct topic *t);

/* ---- changes.c: what is told a little later ---- */

void changes_init(struct hub_home *home);
void changes_done(struct hub_home *home);
/* Watchers are to hear of it. */
void changes_note(struct hub_home *home, struct topic *t, enum presence_result result);
/* Tells now that events are lost, if there is memory for it; otherwise later, but before anything
 * else that changes_lost() is asked for. True: nothing is left to tell. */
bool changes_tell_lost(struct hub_home *home, struct topic *t);

#endif
