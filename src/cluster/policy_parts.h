/* SPDX-License-Identifier: MIT */
/* policy_parts.h - what the files of the policy share, for these alone. All in the thread of its
 * loop, unless it says otherwise. */
#ifndef CLUSTER_POLICY_PARTS_H
#define CLUSTER_POLICY_PARTS_H

#include "base/bucket.h"
#include "base/text.h"
#include "cluster/octets.h"
#include "cluster/policy.h"
#include "cluster/sends.h"
#include "limits/tally.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    CLUSTER_NAME_MAX = 64,
    POLICY_KEY_MAX = CLUSTER_NAME_MAX + 32,
    POLICY_KEYS = 5,
    POLICY_BANS_WAITING = 1024,
    POLICY_BANS_OWN = 4096,
    POLICY_SENDER = 8,          /* octets that tell servers apart */
    POLICY_QUEUE_MAX = 4 << 20, /* beyond, what can wait is not sent */
};

enum policy_state {
    POLICY_AWAY,
    POLICY_GREETING,
    POLICY_READING,
    POLICY_THERE
};

/* What an announcement begins with. */
enum policy_kind {
    POLICY_BANS = 'B',
    POLICY_LIFTED = 'L',
    POLICY_RATES = 'R',
    POLICY_DOUBT = 'V'
};

/* What was set here: what waits to be told, and all of it, for a broker that comes back. */
struct policy_bans {
    pthread_mutex_t lock; /* of `waiting` */
    struct ban waiting[POLICY_BANS_WAITING];
    size_t count;
    struct bans *own;
    bool again;                /* all of `own` is to be told */
    size_t at;                 /* so far that has been done */
    size_t read;               /* so many have been read */
    bool reading, telling;     /* a call is under way */
    uint64_t read_ms, tell_ms; /* not before that time, after an error */
    uint64_t lifts;
    bool knows_lifts;
    struct broker_call read_call, tell_call;
};

struct policy {
    struct loop *loop;
    struct policy_spec spec;
    char cluster[CLUSTER_NAME_MAX + 1];
    char channel[POLICY_KEY_MAX];
    char sender[POLICY_SENDER];
    struct broker *broker; /* borrowed; NULL: it is not up */
    enum policy_state state;
    atomic_bool there; /* read by other threads */
    atomic_bool stopped;
    struct timer tick;
    uint64_t ticks;
    struct broker_call greeting, census;
    bool greets, counts_servers; /* they are under way */
    uint32_t servers;            /* that hear the channel, of late */
    struct policy_bans bans;
    struct tally *tally;
    struct sends sends;
    struct list questions; /* shared_question.node: all that are with us */
    size_t questions_count;
    struct timer dns_timer;
    uint64_t store_full_us, doubt_full_us; /* buckets: bucket.h */
    struct policy_counts counts;
};

/* Runs an operation of scripts/policy.lua; `dns_key` for `ask`, else SLICE_NONE. */
void policy_run(struct policy *p, struct broker_call *call, struct slice dns_key,
                const struct slice *words, size_t count);
void policy_announce(struct policy *p, const struct text *message);
/* Whether the reply is NULL, of another type, or an error, which is logged. */
bool policy_failed(struct policy *p, const struct redisReply *reply, int type);
void policy_set_state(struct policy *p, enum policy_state state);
static inline uint64_t policy_now_ms(const struct policy *p)
{
    return loop_now_ms(p->loop);
}

/* policy_bans.c */
bool policy_bans_init(struct policy *p);
void policy_bans_done(struct policy *p);
/* Lifts all that is known here. From any thread. */
void policy_bans_forget(struct policy *p);
/* They have been lifted everywhere so often. */
void policy_bans_lifts(struct policy *p, uint64_t lifts);
/* From the first one on; then the state is THERE. */
void policy_bans_read(struct policy *p);
void policy_bans_tick(struct policy *p);
void policy_bans_heard(struct policy *p, struct slice bans);

/* policy_rates.c */
void policy_rates_tell(struct policy *p);
void policy_rates_heard(struct policy *p, struct slice payload);

/* policy_doubts.c */
void policy_doubt_heard(struct policy *p, struct slice payload);

/* ---- policy_dns.c: questions and answers of shared_dns.c ---- */

enum {
    DNS_KEY_MAX = POLICY_KEY_MAX + 40 + DNS_NAME_SIZE
};

enum shared_result {
    SHARED_KNOWN, /* the answer is set */
    SHARED_ASK,   /* here, and store it for the others */
    SHARED_ALONE  /* here: the broker is of no use */
};

/* A question on its way through the policy. shared_dns.c makes it; the policy gives it back with a
 * result, or frees it, if it was with it at the end. */
struct shared_question {
    struct mail mail;
    struct loop *loop; /* borrowed: of whoever asks */
    void (*deliver)(struct mail *mail);
    enum shared_result result;
    struct text answer;
    uint32_t ttl_s;
    char mark[17]; /* of the resolver's settings */
    /* The policy's. */
    struct policy *policy;
    struct broker_call call;
    struct list node;   /* policy.questions */
    bool waits, waited; /* for another server */
    uint64_t until_ms;
    /* shared_dns.c's; the policy reads name and type of `below`. */
    struct shared_dns *shared;
    struct dns_question *question; /* NULL: it was cancelled */
    struct dns_question below;
    struct timer timer;
    bool is_below;
};

/* From any thread: takes the question. False: the policy takes none now. */
bool policy_ask(struct policy *p, struct shared_question *q);
/* From any thread: an answer for the others. */
void policy_store(struct policy *p, const struct shared_question *q, const struct text *answer,
                  uint32_t ttl_s);
void policy_dns_init(struct policy *p);
void policy_dns_done(struct policy *p);

#endif
