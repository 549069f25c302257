/* SPDX-License-Identifier: MIT */
/* mend.c - events that the broker has lost, given back from the past of the home. */
#include "cluster/outpost.h"
#include "cluster/scripts.h"
#include "hub/past.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MENDED_MAX = 1000, /* events in one call; more follow when the broker is asked again */
    MENDED_BYTES = 4 << 20
};

static void put_event(struct text *out, const struct followed *f, const struct hub_event *e,
                      bool kept)
{
    static const char nobody[HUB_ID_LEN];
    struct slice ident = hub_event_ident(e);
    text_printf(out, "E %.*s %llu %.*s %llu ", EPOCH_LEN, f->epoch, (unsigned long long)e->seq,
                SLICE_ARG(ident), (unsigned long long)hub_event_time_ms(e));
    text_put(out, memcmp(e->from, nobody, HUB_ID_LEN) ? slice_make(e->from, HUB_ID_LEN)
                                                      : SLICE_LITERAL("-"));
    text_put(out, kept ? SLICE_LITERAL(" 1 ") : SLICE_LITERAL(" - "));
    text_put(out, e->name);
    text_put(out, SLICE_LITERAL("\n"));
    text_put(out, e->data);
}

/* The events after `seq`, one behind the other; `ends` says where each is over. */
struct lost {
    struct text text;
    size_t ends[MENDED_MAX];
    size_t count;
    uint64_t last; /* the number of the last one */
};

static void gather(const struct followed *f, const struct past *past, uint64_t seq,
                   struct lost *ret)
{
    for (const struct hub_event *e = past->first; e; e = e->next) {
        if (e->seq <= seq || !hub_event_ident(e).len)
            continue;
        if (ret->count == MENDED_MAX || ret->text.len > MENDED_BYTES)
            return;
        put_event(&ret->text, f, e, e == past->kept);
        ret->ends[ret->count++] = ret->text.len;
        ret->last = e->seq;
    }
    ret->last = f->seq; /* the newest number, whether or not its event is still here */
}

static bool give_back(struct followed *f, uint64_t seq, const struct lost *lost, struct slice kept)
{
    struct outpost *o = f->outpost;
    const struct cluster_topics_config *config = o->topics->config;
    char keys[2][KEY_MAX];
    struct slice *args = malloc((WORDS_MAX + lost->count) * sizeof(*args));
    if (!args)
        return false;
    struct slice key[] = {outpost_key(o, 't', f->entry.name, keys[0]),
                          outpost_key(o, 's', f->entry.name, keys[1])};
    struct words w = {0};
    words_add(&w, SLICE_LITERAL("mend"));
    words_add(&w, slice_of(config->name));
    words_add(&w, f->entry.name);
    words_add(&w, slice_make(f->epoch, EPOCH_LEN));
    words_add_number(&w, seq);
    words_add_number(&w, lost->last);
    words_add(&w, kept);
    words_add_number(&w, config->history_max ? config->history_max : 1);
    words_add_number(&w, config->history_bytes_max);
    words_add_number(&w, outpost_ttl_ms(o));
    memcpy(args, w.list, w.count * sizeof(*args));
    for (size_t i = 0, begin = 0; i < lost->count; begin = lost->ends[i++])
        args[w.count + i] = slice_make(lost->text.ptr + begin, lost->ends[i] - begin);
    o->topics->counts.mended += lost->count;
    broker_run(o->broker, &f->call, &broker_script_topics, key, 2, args, w.count + lost->count);
    free(args);
    return true;
}

bool follow_mend(struct followed *f, uint64_t seq,
                 void (*done)(struct broker_call *call, const struct redisReply *reply))
{
    struct hub_topic_state state;
    struct text kept = {0};
    struct lost *lost = calloc(1, sizeof(*lost));
    bool good = lost && hub_home_state(f->outpost->topics->home, follow_key(f), &state);
    if (good) {
        gather(f, state.past, seq, lost);
        if (state.past->kept && state.past->kept->seq > seq)
            put_event(&kept, f, state.past->kept, true);
        good = !lost->text.failed && !kept.failed;
    }
    if (good) {
        f->call.on_reply = done;
        good = give_back(f, seq, lost, text_slice(&kept));
    }
    if (good) {
        f->calling = true;
        f->outpost->asked++;
    }
    text_done(&kept);
    if (lost)
        text_done(&lost->text);
    free(lost);
    return good;
}
