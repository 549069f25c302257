/* SPDX-License-Identifier: MIT */
/* outpost.h - one worker at one broker; what the files topics.c, outpost.c, follow.c, catch_up.c,
 * announced.c, mend.c, showing.c and publication.c share.
 *
 *             on_up              hello answered
 *   AWAY ─────────────> GREETING ────────────────> THERE
 *    ^ ^                    │ on_down                │ on_down
 *    │ └────────────────────┴────────────────────────┘
 *
 * A topic that is followed:
 *
 *   SUBSCRIBING ──on_subscribed──> QUEUED ──a slot──> ASKED ──all caught up──> HEARD
 *     ^                              ^                 │ ^                       │
 *     │                              └─── more, gap ───┤ │                a gap  │
 *     │                                                v │                       v
 *     └── on_down, from anywhere                     MENDING                  QUEUED
 */
#ifndef CLUSTER_OUTPOST_H
#define CLUSTER_OUTPOST_H

#include "base/digits.h"
#include "base/list.h"
#include "cluster/announcement.h"
#include "cluster/sends.h"
#include "cluster/topics.h"
#include "hub/name_table.h"

enum outpost_state {
    OUTPOST_AWAY,
    OUTPOST_GREETING,
    OUTPOST_THERE
};

enum followed_state {
    FOLLOWED_SUBSCRIBING,
    FOLLOWED_QUEUED,
    FOLLOWED_ASKED,
    FOLLOWED_MENDING,
    FOLLOWED_HEARD
};

enum {
    EPOCHS_DRAWN = 21 /* at a time */
};

struct outpost {
    struct cluster_topics *topics; /* borrowed: it owns us */
    struct broker *broker;         /* owned */
    struct loop *loop;             /* borrowed */
    enum outpost_state state;
    char id[OUTPOST_MAX + 1]; /* INSTANCE.WORKER, the same at all brokers */
    char memory[EPOCH_LEN];   /* of the broker: another one is to be told again what we know */
    bool synced;              /* all topics have caught up with this instance */
    bool beating;             /* a sign of life is under way */
    bool burying;
    struct broker_call hello, beat, bury, sync;
    struct timer beat_timer;
    uint64_t touched_ms; /* when the topics were said to be in use last */
    /* follow.c */
    struct name_table followed;
    struct list queued;      /* followed.node */
    uint32_t asked, unheard; /* under way; topics that are not HEARD */
    struct timer ask_timer;  /* nothing is asked before, after an error or while a fence stands */
    bool missed;             /* a topic found no memory */
    bool says_who;           /* it failed: with the next beat */
    bool who_later;          /* the broker does not know yet who is there: with the next beat */
    struct list errands;     /* showing.c */
    struct sends complaints; /* nothing is sent by it: it counts and logs errors */
    /* publication.c */
    struct list publications; /* by number: those that are not answered */
    struct list waiting;      /* for replicas */
    struct list *next;        /* of `publications`: the first that is to be sent */
    size_t waiting_bytes;     /* of both lists */
    uint64_t last_number;
    uint32_t sent;    /* without an answer */
    bool holding;     /* nothing is sent before all that was sent is answered, and then */
    uint64_t hold_ms; /* before that time, on the loop's clock */
    struct timer retry_timer;
    struct broker_call replicas;
    bool asking_replicas;
    char epochs[EPOCHS_DRAWN * EPOCH_LEN]; /* drawn; `epochs_left` of them are unused */
    uint32_t epochs_left;
};

struct cluster_topics {
    struct hub_upstream upstream;
    struct loop *loop;
    struct hub_home *home;
    const struct cluster_topics_config *config;
    struct cluster_topics_counts counts;
    uint32_t count;
    struct outpost outposts[];
};

/* An announcement that came while the topic was being asked for. */
struct held;

struct followed {
    struct name_entry entry; /* outpost.followed */
    struct list node;        /* outpost.queued */
    struct outpost *outpost;
    struct broker_call call;
    struct held *held, **held_end; /* owned */
    size_t held_bytes;
    uint64_t follow;  /* the home's number of it */
    uint64_t seq;     /* of the newest event */
    uint64_t changes; /* of presence */
    enum followed_state state;
    uint8_t entered; /* follow_enter() */
    bool calling;    /* a call is under way */
    bool over;       /* not followed any more, and freed when neither is the case */
    bool loaded;     /* the home has it */
    bool says_who;   /* the broker is to be told who of ours is there */
    bool showed;     /* the broker may know of somebody of ours */
    char epoch[EPOCH_LEN];
    uint8_t epoch_len, ident_len; /* 0: not known */
    char ident[IDENT_MAX];        /* of the newest event */
    char name[];
};

/* What a script is given: at most WORDS_MAX short words and some long ones. */
enum {
    WORDS_MAX = 16
};

struct words {
    struct slice list[WORDS_MAX];
    size_t count;
    char text[8][DIGITS_MAX];
    size_t texts;
};

static inline void words_add(struct words *w, struct slice word)
{
    w->list[w->count++] = word;
}
void words_add_number(struct words *w, uint64_t number);

/* A key of the topic, in `room`. */
enum {
    KEY_MAX = 64 + 4 + 256
};
struct slice outpost_key(const struct outpost *o, char kind, struct slice rest, char room[KEY_MAX]);
struct slice outpost_id(const struct outpost *o);
/* For a topic that begins: EPOCH_LEN letters that nobody else has. NULL: none can be drawn now. */
const char *outpost_draw_epoch(struct outpost *o);
/* How long what belongs to a topic lives that nobody uses. */
uint64_t outpost_ttl_ms(const struct outpost *o);
/* The topic in the name of a channel of this cluster; SLICE_NONE. */
struct slice outpost_topic_of(const struct outpost *o, struct slice channel);
struct outpost *topics_outpost_for(struct cluster_topics *t, struct slice topic);

/* ---- outpost.c ---- */

bool outpost_init(struct outpost *o, struct cluster_topics *topics,
                  const struct broker_config *broker, const char *id);
void outpost_done(struct outpost *o);
/* The broker has lost its memory, though it is the same instance (FLUSHALL): as if it were a new
 * one. */
void outpost_emptied(struct outpost *o);
/* The broker has answered with an error, which the operator has to mend: logged now and then. */
void outpost_complain(struct outpost *o, const char *what, struct slice error);
void outpost_pack(const struct outpost *o, struct pack *p);
void outpost_unpack(struct outpost *o, struct slice in);
/* After a topic has become HEARD, or is over. */
void outpost_settle(struct outpost *o);

/* ---- follow.c ---- */

void follow_init(struct outpost *o);
/* NULL: it is not followed. */
struct followed *follow_find(struct outpost *o, struct hub_topic_key topic);
struct hub_topic_key follow_key(const struct followed *f);
void follow_begin(struct outpost *o, struct hub_topic_key topic, uint64_t follow,
                  struct slice packed, bool loaded);
void follow_pack(struct outpost *o, struct hub_topic_key topic, struct pack *p);
void follow_end(struct outpost *o, struct hub_topic_key topic);
void follow_end_all(struct outpost *o);
/* What the broker has said may not be true any more: all topics are asked for once more. */
void follow_doubt(struct outpost *o);
/* Asks for those of whom it is not known who is there. */
void follow_ask_who(struct outpost *o);
/* The link is down: everything is to be asked again. */
void follow_forget(struct outpost *o);
void follow_subscribed(struct outpost *o, struct slice topic);
/* Asks for those whose turn it is. */
void follow_run(struct outpost *o);
/* Those that found no memory are tried again. */
void follow_retry(struct outpost *o);
void follow_each(struct outpost *o, void (*each)(struct followed *f));
/* Around what may call back into the upstream: it is not freed inside. */
void follow_enter(struct followed *f);
void follow_exit(struct followed *f);
/* It has something to ask again. */
void follow_queue(struct followed *f);

/* ---- catch_up.c ---- */

enum caught {
    CAUGHT_UP,
    CAUGHT_A_PART,  /* ask again at once */
    CAUGHT_BEHIND,  /* the broker knows only events up to *ret_seq */
    CAUGHT_LATER,   /* a fence stands: ask again soon */
    CAUGHT_NOTHING, /* an error, or no memory: ask again later */
};

/* Takes the answer to `follow`. The topic may be over after it. */
enum caught catch_up(struct followed *f, const struct redisReply *reply, uint64_t *ret_seq);
void follow_event_known(struct followed *f, const struct announcement *a);

/* ---- announced.c ---- */

void follow_announced(struct outpost *o, struct slice topic, struct slice message);
/* Takes what was held back; asks again if that was too much. */
void follow_take_held(struct followed *f);
void follow_drop_held(struct followed *f);
/* As if too much had come. */
void follow_miss(struct followed *f);
void follow_spec(const struct announcement *a, struct hub_event_spec *ret);
uint64_t outpost_owner(const struct outpost *o, struct slice outpost);

/* ---- mend.c ---- */

/* The broker knows events up to `seq` only. Its reply is `done`. False without memory. */
bool follow_mend(struct followed *f, uint64_t seq,
                 void (*done)(struct broker_call *call, const struct redisReply *reply));

/* ---- showing.c: who of this worker is there ---- */

void outpost_show(struct outpost *o, struct hub_topic_key topic, const char id[HUB_ID_LEN],
                  struct slice data);
/* Of one topic, all of them. */
void outpost_show_all(struct followed *f);
/* It is not followed any more. */
void outpost_show_none(struct followed *f);
/* The broker has taken us for dead. */
void outpost_say_who(struct outpost *o);
/* Topics that are followed stay in the broker. */
void outpost_touch(struct outpost *o);
/* The link is gone, and with it all calls. */
void outpost_drop_errands(struct outpost *o);

/* ---- publication.c ---- */

void publications_init(struct outpost *o);
void publication_add(struct outpost *o, struct hub_request *request);
/* Sends what can be sent. */
void publications_run(struct outpost *o);
/* The link is down. */
void publications_hold(struct outpost *o);
void publications_drop(struct outpost *o);
void publications_pack(const struct outpost *o, struct pack *p);
void publications_unpack(struct outpost *o, struct slice in);
size_t publications_count(const struct outpost *o);

#endif
