/* SPDX-License-Identifier: MIT */
#include "cluster/policy_parts.h"

#include "base/hash.h"
#include "base/log.h"
#include "cluster/scripts.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    RATES_TICKS = 1000 / POLICY_TICK_MS,
    CENSUS_TICKS = 2000 / POLICY_TICK_MS,
    GREETING_TICKS = 10000 / POLICY_TICK_MS,
    KEY_TEXT = 33 /* two words in hex */
};

/* ---- words for the broker ---- */

void policy_run(struct policy *p, struct broker_call *call, struct slice dns_key,
                const struct slice *words, size_t count)
{
    static const char *const names[] = {"key", "lifts", "bans"};
    char text[3][POLICY_KEY_MAX];
    struct slice keys[POLICY_KEYS];
    for (int i = 0; i < 3; i++) {
        int len = snprintf(text[i], POLICY_KEY_MAX, "%s:policy:%s", p->cluster, names[i]);
        keys[i] = slice_make(text[i], (size_t)len);
    }
    keys[3] = slice_of(p->channel);
    keys[4] = dns_key.len ? dns_key : keys[0]; /* rights are about each key, used or not */
    broker_run(p->broker, call, &broker_script_policy, keys, POLICY_KEYS, words, count);
}

bool policy_failed(struct policy *p, const struct redisReply *reply, int type)
{
    if (!reply || reply->type == type)
        return !reply;
    struct slice why = SLICE_LITERAL("an answer of another kind");
    if (reply->type == REDIS_REPLY_ERROR)
        why = slice_make(reply->str, reply->len);
    if (p->broker)
        sends_complain(&p->sends, p->broker, why);
    return true;
}

void policy_announce(struct policy *p, const struct text *message)
{
    const struct slice words[] = {SLICE_LITERAL("PUBLISH"), slice_of(p->channel),
                                  text_slice(message)};
    if (message->failed)
        p->counts.left_out++;
    else
        sends_command(&p->sends, p->broker, words, 3);
}

/* ---- the state ---- */

void policy_set_state(struct policy *p, enum policy_state state)
{
    assert(state == POLICY_AWAY || p->state != POLICY_AWAY || state == POLICY_GREETING);
    p->state = state;
    atomic_store(&p->there, state == POLICY_THERE);
}

static void write_key(const uint64_t key[2], char ret[KEY_TEXT])
{
    snprintf(ret, KEY_TEXT, "%016llx%016llx", (unsigned long long)key[0],
             (unsigned long long)key[1]);
}

static bool read_key(const char *text, uint64_t ret[2])
{
    unsigned long long a, b;
    if (strlen(text) != KEY_TEXT - 1 || sscanf(text, "%16llx%16llx", &a, &b) != 2)
        return false;
    ret[0] = a;
    ret[1] = b;
    return true;
}

/* The key of hashes that this server offers: the one that it has. */
static bool offered_key(char ret[KEY_TEXT])
{
    uint64_t key[2];
    if (!hash_shared_key(key) && getrandom(key, sizeof(key), 0) != sizeof(key))
        return false;
    write_key(key, ret);
    return true;
}

/* True: it is another than that of before. */
static bool use_key(struct policy *p, const uint64_t key[2])
{
    uint64_t known[2];
    if (hash_shared_key(known) && memcmp(known, key, sizeof(known)) == 0)
        return false;
    hash_share(key);
    policy_bans_forget(p);
    return true;
}

static void on_greeting(struct broker_call *call, const struct redisReply *reply)
{
    struct policy *p = container_of(call, struct policy, greeting);
    uint64_t key[2];
    p->greets = false;
    if (policy_failed(p, reply, REDIS_REPLY_ARRAY) || p->state == POLICY_AWAY)
        return;
    if (reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_INTEGER || !read_key(reply->element[0]->str, key)) {
        sends_complain(&p->sends, p->broker, SLICE_LITERAL("its key of hashes can't be read"));
        return;
    }
    bool changed = use_key(p, key);
    policy_bans_lifts(p, (uint64_t)reply->element[1]->integer);
    if (changed || p->state == POLICY_GREETING)
        policy_bans_read(p);
}

static void greet(struct policy *p)
{
    char key[KEY_TEXT], lifts[24];
    if (p->greets || !offered_key(key))
        return;
    int len = snprintf(lifts, sizeof(lifts), "%llu", (unsigned long long)p->bans.lifts);
    const struct slice words[] = {SLICE_LITERAL("hello"), slice_of(key),
                                  slice_make(lifts, (size_t)len)};
    p->greets = true;
    policy_run(p, &p->greeting, SLICE_NONE, words, 3);
}

/* ---- how many servers there are ---- */

static void on_census(struct broker_call *call, const struct redisReply *reply)
{
    struct policy *p = container_of(call, struct policy, census);
    p->counts_servers = false;
    if (policy_failed(p, reply, REDIS_REPLY_ARRAY) || reply->elements != 2 ||
        reply->element[1]->type != REDIS_REPLY_INTEGER)
        return;
    long long servers = reply->element[1]->integer;
    p->servers = servers < 1 ? 1 : servers > 100000 ? 100000 : (uint32_t)servers;
}

static void count_servers(struct policy *p)
{
    const struct slice words[] = {SLICE_LITERAL("PUBSUB"), SLICE_LITERAL("NUMSUB"),
                                  slice_of(p->channel)};
    if (p->counts_servers)
        return;
    p->counts_servers = true;
    broker_call(p->broker, &p->census, words, 3);
}

/* ---- time ---- */

static void on_tick(struct timer *timer)
{
    struct policy *p = container_of(timer, struct policy, tick);
    timer_start(p->loop, timer, POLICY_TICK_MS);
    bool greets = ++p->ticks % GREETING_TICKS == 0;
    if (p->state == POLICY_AWAY) {
        if (greets && p->broker)
            broker_subscribe(p->broker, slice_of(p->channel)); /* there was no memory */
        return;
    }
    if (greets)
        greet(p);
    if (p->ticks % CENSUS_TICKS == 0)
        count_servers(p);
    policy_bans_tick(p);
    if (p->ticks % RATES_TICKS == 0 && p->state == POLICY_THERE)
        policy_rates_tell(p);
}

/* ---- the link ---- */

void policy_up(struct policy *p, struct broker *b)
{
    p->broker = b;
    broker_subscribe(b, slice_of(p->channel));
}

void policy_down(struct policy *p)
{
    policy_set_state(p, POLICY_AWAY);
    p->broker = NULL;
}

bool policy_subscribed(struct policy *p, struct slice channel)
{
    if (!slice_equal(channel, slice_of(p->channel)))
        return false;
    if (!p->broker || p->state != POLICY_AWAY)
        return true;
    policy_set_state(p, POLICY_GREETING);
    greet(p);
    count_servers(p);
    return true;
}

static void heard(struct policy *p, char kind, struct slice rest)
{
    uint64_t lifts;
    switch ((enum policy_kind)kind) {
    case POLICY_BANS:
        policy_bans_heard(p, rest);
        break;
    case POLICY_LIFTED:
        if (slice_to_uint(rest, INT64_MAX, &lifts))
            policy_bans_lifts(p, lifts);
        break;
    case POLICY_RATES:
        policy_rates_heard(p, rest);
        break;
    case POLICY_DOUBT:
        policy_doubt_heard(p, rest);
        break;
    }
}

bool policy_message(struct policy *p, struct slice channel, struct slice payload)
{
    if (!slice_equal(channel, slice_of(p->channel)))
        return false;
    if (payload.len > 0 && p->state > POLICY_GREETING) /* else its hashes may be of another key */
        heard(p, payload.ptr[0], slice_skip(payload, 1));
    return true;
}

size_t policy_broker(const struct slice *names, size_t count)
{
    static const uint64_t key[2] = {0x706f6c696379, 1};
    size_t best = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t weight = hash_siphash13(key, names[i]);
        if (i > 0 && weight <= most)
            continue;
        best = i;
        most = weight;
    }
    return best;
}

/* ---- from outside ---- */

static bool init(struct policy *p, const struct policy_spec *spec)
{
    p->loop = spec->loop;
    p->spec = *spec;
    p->servers = 1;
    snprintf(p->cluster, sizeof(p->cluster), "%s", spec->cluster);
    snprintf(p->channel, sizeof(p->channel), "%s:policy", p->cluster);
    p->greeting.on_reply = on_greeting;
    p->census.on_reply = on_census;
    sends_init(&p->sends, p->loop);
    timer_init(&p->tick, on_tick);
    policy_dns_init(p);
    p->tally = tally_new();
    return p->tally && policy_bans_init(p) &&
           getrandom(p->sender, sizeof(p->sender), 0) == sizeof(p->sender);
}

struct policy *policy_new(const struct policy_spec *spec)
{
    struct policy *p = log_needed(calloc(1, sizeof(*p)));
    if (!p)
        return NULL;
    if (!init(p, spec)) {
        policy_free(p);
        return NULL;
    }
    rates_tally(spec->rates, p->tally);
    timer_start(p->loop, &p->tick, POLICY_TICK_MS);
    return p;
}

void policy_stop(struct policy *p)
{
    if (!p)
        return;
    atomic_store(&p->stopped, true);
    policy_set_state(p, POLICY_AWAY);
    timer_stop(&p->tick);
    timer_stop(&p->dns_timer);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    rates_tally(p->spec.rates, NULL);
    policy_bans_done(p);
    policy_dns_done(p);
    tally_free(p->tally);
    sends_done(&p->sends);
    free(p);
}

struct policy_counts policy_count(const struct policy *p)
{
    struct policy_counts counts = p->counts;
    counts.left_out += p->sends.left_out;
    return counts;
}
