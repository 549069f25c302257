/* SPDX-License-Identifier: MIT */
#include "cluster/inquiry.h"

#include "base/log.h"
#include "cluster/sends.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    KEY_MAX = 160,
    ID_LEN = 16,
    TAG_LEN = 8,
    LOOK_MS = 100
};

#define ANSWER_LIFE SLICE_LITERAL("10000") /* ms */

struct inquiry;

enum target_state {
    TARGET_TO_ASK,
    TARGET_ASKED,
    TARGET_FETCHED, /* its answer is on the way from the broker */
    TARGET_OVER
};

struct target {
    struct inquiry *inquiry; /* borrowed: it owns us */
    enum target_state state;
    uint64_t until_ms;
    struct broker_call call; /* while it is FETCHED, and perhaps later */
    bool calling;
};

/* What this server asks: until all is answered and no call is under way. */
struct inquiry {
    struct list node; /* inquiries.own */
    struct inquiries *all;
    char id[ID_LEN + 1];
    enum inquiry_what what;
    void (*done)(void *arg, const struct inquiry_target *targets, size_t count);
    void *arg;
    struct timer timer;
    uint64_t until_ms;
    size_t count, bytes;
    bool told; /* done() has been called */
    struct target *targets;
    struct inquiry_target *results;
};

/* What another server, or this one, asks us. */
struct inquiry_asked {
    struct list node; /* inquiries.others */
    struct inquiries *all;
    char id[ID_LEN + 1];
};

struct inquiries {
    struct inquiries_spec spec;
    struct broker *broker; /* borrowed; NULL: it is away */
    char channel[KEY_MAX];
    struct sends sends;
    struct list own, others;
    size_t own_count, others_count;
};

static struct slice key_of(const struct inquiries *q, const char *id, uint32_t tag,
                           char room[KEY_MAX])
{
    int len = snprintf(room, KEY_MAX, "%s:answer:%s:%08" PRIx32, q->spec.cluster, id, tag);
    return slice_make(room, (size_t)len);
}

static void publish(struct inquiries *q, const struct text *message)
{
    const struct slice words[] = {SLICE_LITERAL("PUBLISH"), slice_of(q->channel),
                                  text_slice(message)};
    if (!message->failed)
        sends_command(&q->sends, q->broker, words, 3);
}

/* ---- what this server asks: its end ---- */

static void free_inquiry(struct inquiry *i)
{
    list_remove(&i->node);
    timer_stop(&i->timer);
    i->all->own_count--;
    for (size_t n = 0; n < i->count; n++)
        text_done(&i->results[n].answer);
    free(i->results);
    free(i->targets);
    free(i);
}

static bool has(const struct inquiry *i, bool (*is)(const struct target *t))
{
    for (size_t n = 0; n < i->count; n++)
        if (is(&i->targets[n]))
            return true;
    return false;
}

static bool is_open(const struct target *t)
{
    return t->state != TARGET_OVER;
}

static bool is_calling(const struct target *t)
{
    return t->calling;
}

static void end_target(struct inquiry *i, size_t n, const char *why)
{
    i->targets[n].state = TARGET_OVER;
    i->results[n].why = why;
}

static void end_all(struct inquiry *i, const char *why)
{
    for (size_t n = 0; n < i->count; n++)
        if (is_open(&i->targets[n]))
            end_target(i, n, why);
}

/* May free it. */
static void settle(struct inquiry *i)
{
    if (has(i, is_open))
        return;
    timer_stop(&i->timer);
    if (!i->told) {
        i->told = true;
        i->done(i->arg, i->results, i->count);
    }
    if (!has(i, is_calling))
        free_inquiry(i);
}

/* ---- asking ---- */

static void ask_more(struct inquiry *i)
{
    struct inquiries *q = i->all;
    struct text message = {0};
    size_t asked = 0, now = 0;
    for (size_t n = 0; n < i->count; n++)
        asked += i->targets[n].state == TARGET_ASKED || i->targets[n].state == TARGET_FETCHED;
    text_printf(&message, "Q %s %c ", i->id, i->what);
    for (size_t n = 0; n < i->count && asked + now < INQUIRY_AT_ONCE; n++) {
        struct target *t = &i->targets[n];
        if (t->state != TARGET_TO_ASK)
            continue;
        text_printf(&message, "%s%08" PRIx32, now ? "," : "", i->results[n].tag);
        t->state = TARGET_ASKED;
        t->until_ms = loop_now_ms(q->spec.loop) + INQUIRY_PATIENCE_MS;
        now++;
    }
    if (now)
        publish(q, &message);
    text_done(&message);
}

static void on_look(struct timer *timer)
{
    struct inquiry *i = container_of(timer, struct inquiry, timer);
    uint64_t now = loop_now_ms(i->all->spec.loop);
    if (now >= i->until_ms)
        end_all(i, "no-time");
    for (size_t n = 0; n < i->count; n++)
        if ((i->targets[n].state == TARGET_ASKED || i->targets[n].state == TARGET_FETCHED) &&
            now >= i->targets[n].until_ms)
            end_target(i, n, "no-answer");
    timer_start(i->all->spec.loop, timer, LOOK_MS);
    ask_more(i);
    settle(i);
}

static void take(struct inquiry *i, size_t n, const struct redisReply *reply)
{
    struct inquiry_target *result = &i->results[n];
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0) {
        end_target(i, n, "no-answer"); /* it has expired */
        return;
    }
    text_put(&result->answer, slice_make(reply->str + 1, reply->len - 1));
    i->bytes += result->answer.len;
    end_target(i, n, result->answer.failed ? "no-memory" : *reply->str == '=' ? NULL : "refused");
    if (i->bytes >= INQUIRY_BYTES_MAX)
        end_all(i, "too-much");
}

static void on_fetched(struct broker_call *call, const struct redisReply *reply)
{
    struct target *t = container_of(call, struct target, call);
    struct inquiry *i = t->inquiry;
    t->calling = false;
    if (t->state == TARGET_FETCHED && reply)
        take(i, (size_t)(t - i->targets), reply);
    if (reply)
        ask_more(i);
    settle(i);
}

static void fetch(struct inquiry *i, uint32_t tag)
{
    char key[KEY_MAX];
    const struct slice words[] = {SLICE_LITERAL("GETDEL"), key_of(i->all, i->id, tag, key)};
    for (size_t n = 0; n < i->count; n++) {
        struct target *t = &i->targets[n];
        if (i->results[n].tag != tag || t->state != TARGET_ASKED)
            continue;
        t->state = TARGET_FETCHED;
        t->calling = true;
        broker_call(i->all->broker, &t->call, words, 2);
        return;
    }
}

static bool draw_id(char ret[ID_LEN + 1])
{
    uint64_t number;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return false;
    snprintf(ret, ID_LEN + 1, "%016" PRIx64, number);
    return true;
}

static struct inquiry *new_inquiry(struct inquiries *q, const uint32_t *tags, size_t count)
{
    struct inquiry *i = log_needed(calloc(1, sizeof(*i)));
    if (!i)
        return NULL;
    *i = (struct inquiry){.all = q, .count = count};
    list_init(&i->node);
    timer_init(&i->timer, on_look);
    q->own_count++;
    i->targets = log_needed(calloc(count, sizeof(*i->targets)));
    i->results = log_needed(calloc(count, sizeof(*i->results)));
    if (!i->targets || !i->results || !draw_id(i->id)) {
        i->count = 0;
        free_inquiry(i);
        return NULL;
    }
    for (size_t n = 0; n < count; n++) {
        i->targets[n] = (struct target){.inquiry = i, .call = {.on_reply = on_fetched}};
        i->results[n].tag = tags[n];
    }
    return i;
}

bool inquiries_ask(struct inquiries *q, enum inquiry_what what, const uint32_t *tags, size_t count,
                   void (*done)(void *arg, const struct inquiry_target *targets, size_t count),
                   void *arg)
{
    bool can = q->broker && count > 0 && q->own_count < INQUIRIES_MAX;
    struct inquiry *i = can ? new_inquiry(q, tags, count) : NULL;
    if (!i)
        return false;
    i->what = what;
    i->done = done;
    i->arg = arg;
    i->until_ms = loop_now_ms(q->spec.loop) + INQUIRY_MOST_MS;
    list_append(&q->own, &i->node);
    timer_start(q->spec.loop, &i->timer, LOOK_MS);
    ask_more(i);
    return true;
}

/* ---- what this server is asked ---- */

static bool names_us(const struct inquiries *q, struct slice tags)
{
    char text[TAG_LEN + 1];
    snprintf(text, sizeof(text), "%08" PRIx32, *q->spec.tag);
    for (; tags.len >= TAG_LEN; tags = slice_skip(tags, tags.len > TAG_LEN ? TAG_LEN + 1 : TAG_LEN))
        if (slice_equal(slice_first(tags, TAG_LEN), slice_of(text)))
            return true;
    return false;
}

/* `ID WHAT TAGS` */
static void hear_question(struct inquiries *q, struct slice rest)
{
    if (rest.len < ID_LEN + 3 + TAG_LEN || !names_us(q, slice_skip(rest, ID_LEN + 3)) ||
        q->others_count >= INQUIRIES_MAX)
        return;
    struct inquiry_asked *asked = log_needed(calloc(1, sizeof(*asked)));
    if (!asked)
        return;
    asked->all = q;
    memcpy(asked->id, rest.ptr, ID_LEN);
    list_append(&q->others, &asked->node);
    q->others_count++;
    q->spec.asked(q->spec.owner, (enum inquiry_what)rest.ptr[ID_LEN + 1], asked);
}

static void send_answer(struct inquiries *q, const char *id, const struct text *answer)
{
    char key[KEY_MAX];
    struct text message = {0};
    const struct slice words[] = {SLICE_LITERAL("SET"), key_of(q, id, *q->spec.tag, key),
                                  text_slice(answer), SLICE_LITERAL("PX"), ANSWER_LIFE};
    sends_command(&q->sends, q->broker, words, 5);
    text_printf(&message, "A %s %08" PRIx32, id, *q->spec.tag);
    publish(q, &message);
    text_done(&message);
}

void inquiries_answer(struct inquiry_asked *asked, struct slice text, const char *why)
{
    struct inquiries *q = asked->all;
    struct text answer = {0};
    if (text.len > INQUIRY_ANSWER_MAX)
        why = "too-large";
    text_put(&answer, why ? SLICE_LITERAL("!") : SLICE_LITERAL("="));
    text_put(&answer, why ? slice_of(why) : text);
    if (q->broker && !answer.failed)
        send_answer(q, asked->id, &answer);
    text_done(&answer);
    list_remove(&asked->node);
    q->others_count--;
    free(asked);
}

/* ---- the link ---- */

void inquiries_up(struct inquiries *q, struct broker *b)
{
    q->broker = b;
    broker_subscribe(b, slice_of(q->channel));
}

void inquiries_down(struct inquiries *q)
{
    q->broker = NULL;
    for (struct list *next, *node = q->own.next; node != &q->own; node = next) {
        struct inquiry *i = container_of(node, struct inquiry, node);
        next = node->next;
        end_all(i, "broker-away");
        settle(i);
    }
}

/* `ID TAG` */
static void hear_answer(struct inquiries *q, struct slice rest)
{
    char tag[TAG_LEN + 1] = "";
    if (rest.len != ID_LEN + 1 + TAG_LEN)
        return;
    memcpy(tag, rest.ptr + ID_LEN + 1, TAG_LEN);
    for (struct list *node = q->own.next; node != &q->own; node = node->next) {
        struct inquiry *i = container_of(node, struct inquiry, node);
        if (!slice_equal(slice_first(rest, ID_LEN), slice_of(i->id)))
            continue;
        fetch(i, (uint32_t)strtoul(tag, NULL, 16));
        return;
    }
}

bool inquiries_message(struct inquiries *q, struct slice channel, struct slice payload)
{
    if (!slice_equal(channel, slice_of(q->channel)))
        return false;
    if (!q->broker)
        return true;
    if (slice_starts_with(payload, SLICE_LITERAL("Q ")))
        hear_question(q, slice_skip(payload, 2));
    else if (slice_starts_with(payload, SLICE_LITERAL("A ")))
        hear_answer(q, slice_skip(payload, 2));
    return true;
}

/* ---- from outside ---- */

struct inquiries *inquiries_new(const struct inquiries_spec *spec)
{
    struct inquiries *q = log_needed(calloc(1, sizeof(*q)));
    if (!q)
        return NULL;
    q->spec = *spec;
    snprintf(q->channel, sizeof(q->channel), "%s:ask", spec->cluster);
    sends_init(&q->sends, spec->loop);
    list_init(&q->own);
    list_init(&q->others);
    return q;
}

void inquiries_free(struct inquiries *q)
{
    if (!q)
        return;
    q->broker = NULL;
    while (!list_empty(&q->own)) {
        struct inquiry *i = container_of(q->own.next, struct inquiry, node);
        for (size_t n = 0; n < i->count; n++)
            i->targets[n].calling = false; /* the link has been freed: no reply comes */
        end_all(i, "server-ends");
        settle(i);
    }
    for (struct list *node; (node = list_pop(&q->others));)
        free(container_of(node, struct inquiry_asked, node));
    sends_done(&q->sends);
    free(q);
}
