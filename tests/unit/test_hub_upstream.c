/* SPDX-License-Identifier: MIT */
/* A home whose topics are numbered elsewhere, beside a broker that is an array: what waits for it,
 * who leaves meanwhile, what is lost, who is there of other servers, and a take-over. */
#include "base/hash.h"
#include "base/pack.h"
#include "hub/past.h"
#include "hub/threads.h"
#include "hub/upstream.h"

#include "every_backend.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    HUBS = 2,
    PEOPLE = 6,
    TOPICS = 3,
    HEARD_MAX = 8192,
    EVENTS_MAX = 4096,
    ASKED_MAX = 64,
    OTHER = 77 /* another server */
};

/* ---- the broker ---- */

struct published {
    int data;
    bool anonymous;
    char from[HUB_ID_LEN], ident[24];
};

/* Events are numbered from 1. */
struct broker_topic {
    char name[16];
    struct published events[EVENTS_MAX];
    uint64_t seq, first; /* the newest; the oldest that is kept, less one */
    struct hub_member others[4];
    size_t other_count;
};

static struct broker_topic broker[TOPICS];
static unsigned idents;

/* ---- one home's way to it ---- */

struct asked_follow {
    char topic[16];
    uint64_t number;
    bool over;
};

struct fake {
    struct hub_upstream upstream;
    struct hub_home *home;
    bool up;
    struct list publications; /* hub_request.held */
    struct asked_follow follows[ASKED_MAX];
    size_t follow_count; /* since it was last up */
    size_t followed_count, unfollow_count, resume_count;
    struct {
        char id[HUB_ID_LEN];
        bool shown;
    } shown[ASKED_MAX]; /* what it was told, in order */
    size_t show_count;
    char resumed[32];
};

static struct fake fakes[HUBS];

static struct fake *fake_of(struct hub_upstream *u)
{
    return container_of(u, struct fake, upstream);
}

static struct hub_topic_key key_of(const char *topic)
{
    struct slice name = slice_of(topic);
    return (struct hub_topic_key){name, hash_bytes(name)};
}

static struct fake *fake_at(const char *topic)
{
    return &fakes[key_of(topic).hash % HUBS];
}

static struct broker_topic *in_broker(struct slice name)
{
    for (size_t i = 0; i < TOPICS; i++)
        if (slice_equal(slice_of(broker[i].name), name))
            return &broker[i];
    fail_msg("no topic");
    return NULL;
}

static struct broker_topic *broker_topic(const char *topic)
{
    return in_broker(slice_of(topic));
}

/* `text` holds the data's digits. */
static struct hub_event_spec spec_of(const struct broker_topic *t, uint64_t seq, char text[24])
{
    const struct published *p = &t->events[seq];
    int len = snprintf(text, 24, "%d", p->data);
    return (struct hub_event_spec){
        .seq = seq,
        .time_ms = 1000 + seq,
        .from = p->anonymous ? NULL : p->from,
        .name = SLICE_LITERAL("e"),
        .data = slice_make(text, (size_t)len),
        .ident = slice_of(p->ident),
    };
}

static void append(struct broker_topic *t, const char *from, int data)
{
    struct published *p = &t->events[++t->seq];
    assert_true(t->seq < EVENTS_MAX);
    *p = (struct published){.data = data, .anonymous = !from};
    if (from)
        memcpy(p->from, from, HUB_ID_LEN);
    snprintf(p->ident, sizeof(p->ident), "o.%u", ++idents);
}

/* Says all that the home has not been told of a topic. */
static void catch_up(struct fake *f, const struct hub_topic_state *state)
{
    const struct broker_topic *t = in_broker(state->topic.name);
    struct hub_topic_key key = state->topic;
    uint64_t seq = state->seq;
    char text[24];
    if (seq < t->first) {
        hub_home_lost(f->home, key, t->first - seq, t->first);
        seq = t->first;
    }
    while (seq < t->seq) {
        struct hub_event_spec spec = spec_of(t, ++seq, text);
        assert_int_equal(hub_home_event(f->home, key, &spec, NULL), HUB_TAKEN);
        assert_int_equal(hub_home_event(f->home, key, &spec, NULL), HUB_OLD);
    }
    hub_home_present_all(f->home, key, t->others, t->other_count);
}

static void publish_one(struct fake *f, struct hub_request *r)
{
    struct broker_topic *t = in_broker(r->topic);
    uint64_t data;
    assert_true(slice_to_uint(r->data, INT32_MAX, &data));
    append(t, r->anonymous ? NULL : r->id, (int)data);
    hub_home_published(f->home, r, HUB_DONE, t->seq);
}

static bool load(struct fake *f, const struct asked_follow *asked)
{
    static char texts[EVENTS_MAX][24];
    static struct hub_event_spec specs[EVENTS_MAX];
    const struct broker_topic *t = broker_topic(asked->topic);
    struct hub_loaded loaded = {
        .seq = t->seq, .events = specs, .present = t->others, .present_count = t->other_count};
    for (uint64_t seq = t->first + 1; seq <= t->seq; seq++, loaded.event_count++)
        specs[loaded.event_count] = spec_of(t, seq, texts[seq]);
    return hub_home_loaded(f->home, key_of(asked->topic), asked->number, &loaded);
}

struct names {
    char topics[TOPICS][16];
    size_t count;
};

static void collect(void *arg, const struct hub_topic_state *state)
{
    struct names *names = arg;
    if (!state->loading)
        snprintf(names->topics[names->count++], 16, "%.*s", SLICE_ARG(state->topic.name));
}

/* All that there is to do. */
static void work(struct fake *f)
{
    struct names names = {.count = 0};
    if (!f->up)
        return;
    for (struct list *node; (node = list_pop(&f->publications));)
        publish_one(f, container_of(node, struct hub_request, held));
    for (size_t i = 0; i < f->follow_count; i++) {
        if (!f->follows[i].over)
            load(f, &f->follows[i]);
    }
    f->follow_count = 0;
    hub_home_each_topic(f->home, collect, &names);
    for (size_t i = 0; i < names.count; i++) {
        struct hub_topic_state state;
        if (hub_home_state(f->home, key_of(names.topics[i]), &state))
            catch_up(f, &state);
    }
}

static void follow(struct hub_upstream *u, struct hub_topic_key topic, uint64_t number)
{
    struct fake *f = fake_of(u);
    assert_true(f->follow_count < ASKED_MAX);
    struct asked_follow *asked = &f->follows[f->follow_count++];
    f->followed_count++;
    *asked = (struct asked_follow){.number = number};
    snprintf(asked->topic, sizeof(asked->topic), "%.*s", SLICE_ARG(topic.name));
}

static void unfollow(struct hub_upstream *u, struct hub_topic_key topic)
{
    struct fake *f = fake_of(u);
    f->unfollow_count++;
    for (size_t i = 0; i < f->follow_count; i++)
        if (slice_equal(slice_of(f->follows[i].topic), topic.name))
            f->follows[i].over = true;
}

static void publish_up(struct hub_upstream *u, struct hub_request *r)
{
    list_append(&fake_of(u)->publications, &r->held);
}

static void show_up(struct hub_upstream *u, struct hub_topic_key topic, const char id[HUB_ID_LEN],
                    struct slice data)
{
    struct fake *f = fake_of(u);
    (void)topic;
    size_t i = f->show_count++ % ASKED_MAX;
    memcpy(f->shown[i].id, id, HUB_ID_LEN);
    f->shown[i].shown = data.len;
}

enum {
    EPOCH = 1
};

static void pack_up(struct hub_upstream *u, struct hub_topic_key topic, struct pack *p)
{
    (void)u, (void)topic;
    pack_slice(p, EPOCH, SLICE_LITERAL("epoch-1"));
}

static void resume_up(struct hub_upstream *u, struct hub_topic_key topic, uint64_t number,
                      struct slice packed)
{
    struct fake *f = fake_of(u);
    (void)topic, (void)number;
    f->resume_count++;
    snprintf(f->resumed, sizeof(f->resumed), "%.*s", SLICE_ARG(packed_slice(packed, EPOCH)));
}

static const struct hub_upstream_ops fake_ops = {follow,  unfollow, publish_up,
                                                 show_up, pack_up,  resume_up};

/* ---- programs ---- */

struct person {
    struct hub_client *client;
    bool takes;
    char *heard[HEARD_MAX];
    size_t count, rooms, losses, answers;
    enum hub_answer refused;
    uint64_t subscribers;
};

static struct hub_config config;
static struct hub_threads *threads;
static struct loop *loops[HUBS];
static struct hub hubs[HUBS];
static struct person people[PEOPLE];
static uint64_t now_ms;

static uint64_t clock_ms(void *arg)
{
    (void)arg;
    return now_ms;
}

static struct person *person_of(struct hub_client *c)
{
    struct person *p = hub_client_owner(c);
    assert_true(!p->client || p->client == c);
    return p;
}

static void keep_line(struct person *p, struct slice a, struct slice b)
{
    char *line;
    assert_true(p->count < HEARD_MAX);
    int len = asprintf(&line, "%.*s%.*s", SLICE_ARG(a), SLICE_ARG(b));
    assert_true(len > 0);
    if (line[len - 1] == '\n')
        line[len - 1] = '\0';
    p->heard[p->count++] = line;
}

static bool takes(struct hub_client *c, bool to_page)
{
    (void)to_page;
    return person_of(c)->takes;
}

static void on_line(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole)
{
    (void)whole;
    keep_line(person_of(c), begin, rest);
}

static void on_page_event(struct hub_client *c, struct slice name, struct slice data)
{
    (void)name;
    keep_line(person_of(c), SLICE_LITERAL("page "), data);
}

static void on_answer(struct hub_client *c, const struct hub_request *r)
{
    struct person *p = person_of(c);
    char text[64];
    p->answers++;
    p->refused = r->answer;
    if (r->kind == HUB_PUBLISH)
        p->subscribers = r->subscribers;
    if (r->kind != HUB_JOIN || (r->answer != HUB_DONE && r->answer != HUB_PRESENCE_FULL))
        return;
    int len =
        snprintf(text, sizeof(text), "%.*s %llu", SLICE_ARG(r->topic), (unsigned long long)r->seq);
    keep_line(p, SLICE_LITERAL(".subscribed "), slice_make(text, (size_t)len));
}

static void on_room(struct hub_client *c)
{
    person_of(c)->rooms++;
}

static void on_loss(struct hub_client *c, struct slice topic)
{
    (void)topic;
    person_of(c)->losses++;
}

static const struct hub_client_ops ops = {takes,   on_line, on_page_event, on_answer,
                                          on_room, on_loss, NULL};

/* ---- the fixture ---- */

static void begin_server(bool distant)
{
    threads = hub_threads_new(HUBS);
    for (uint16_t i = 0; i < HUBS; i++) {
        loops[i] = loop_new();
        loop_set_clock(loops[i], clock_ms, NULL);
        hubs[i] = (struct hub){.route = &hub_threads_route,
                               .route_end = threads,
                               .index = i,
                               .loop = loops[i],
                               .config = &config};
        hub_init(&hubs[i]);
        hub_threads_add(threads, i, &hubs[i]);
        fakes[i] =
            (struct fake){.upstream = {&fake_ops}, .home = &threads->homes[i], .up = fakes[i].up};
        list_init(&fakes[i].publications);
        if (distant)
            hub_home_use_upstream(&threads->homes[i], &fakes[i].upstream);
    }
}

static void end_server(void)
{
    for (size_t i = 0; i < HUBS; i++)
        hub_stop(&hubs[i]);
    for (uint16_t i = 0; i < HUBS; i++) {
        loop_turn(loops[i], 0);
        hub_home_use_upstream(&threads->homes[i], NULL);
        for (struct list *node; (node = list_pop(&fakes[i].publications));)
            hub_request_drop(container_of(node, struct hub_request, held));
    }
    for (uint16_t i = 0; i < HUBS; i++) {
        hub_threads_forget(threads, i);
        hub_done(&hubs[i]);
        loop_free(loops[i]);
    }
    hub_threads_free(threads);
}

static int begin(void **state)
{
    (void)state;
    now_ms = 1000;
    config = (struct hub_config){
        .topics_max = 100,
        .subscriptions_max = 10,
        .history_max = 8,
        .history_bytes_max = 100000,
        .linger_ms = 60000,
        .message_max = 1000,
        .ahead_max = 3000,
        .presence_max = 2,
        .presence_data_max = 100,
        .presence_grace_ms = 500,
    };
    for (size_t i = 0; i < TOPICS; i++) {
        memset(&broker[i], 0, sizeof(broker[i]));
        snprintf(broker[i].name, sizeof(broker[i].name), "t%zu", i);
    }
    fakes[0].up = fakes[1].up = true;
    begin_server(true);
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i] = (struct person){.takes = true};
        people[i].client = hub_client_new(&hubs[i % HUBS], &ops, &people[i]);
        hub_client_connected(people[i].client, true);
    }
    return 0;
}

static void turn_all(void)
{
    for (int round = 0; round < 8; round++)
        for (size_t i = 0; i < HUBS; i++)
            assert_int_equal(loop_turn(loops[i], 0), 0);
}

static void settle(void)
{
    for (int round = 0; round < 4; round++) {
        turn_all();
        for (size_t i = 0; i < HUBS; i++)
            work(&fakes[i]);
    }
    turn_all();
}

static void pass(uint64_t ms)
{
    settle();
    now_ms += ms;
    settle();
}

static void forget_heard(struct person *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->heard[i]);
    p->count = 0;
}

static void leave(struct person *p)
{
    hub_client_leave(p->client);
    p->client = NULL;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++) {
        leave(&people[i]);
        forget_heard(&people[i]);
    }
    end_server();
    return 0;
}

static void all_up(bool up)
{
    for (size_t i = 0; i < HUBS; i++)
        fakes[i].up = up;
}

static struct topic_subscription wanted(const char *topic)
{
    struct topic_subscription s = {.topic = {.len = (uint8_t)strlen(topic)}};
    memcpy(s.topic.text, topic, s.topic.len);
    return s;
}

static enum hub_answer subscribe(struct person *p, const char *topic)
{
    struct topic_subscription s = wanted(topic);
    return hub_subscribe(p->client, &s);
}

static enum hub_answer show(struct person *p, const char *topic, const char *presence)
{
    struct topic_subscription s = wanted(topic);
    s.presence = slice_of(presence);
    return hub_subscribe(p->client, &s);
}

static enum hub_answer watch(struct person *p, const char *topic)
{
    struct topic_subscription s = wanted(topic);
    s.watch = true;
    return hub_subscribe(p->client, &s);
}

static enum hub_answer publish(struct person *p, const char *topic, int data)
{
    char text[16];
    struct topic_publication what = {.topic = wanted(topic).topic, .event_len = 1, .event = "e"};
    what.data = slice_make(text, (size_t)snprintf(text, sizeof(text), "%d", data));
    return hub_publish(p->client, &what, false, NULL);
}

static void assert_heard(struct person *p, size_t i, const char *part)
{
    if (i >= p->count)
        fail_msg("`%s` was not heard", part);
    if (!strstr(p->heard[i], part))
        fail_msg("`%s` is not in `%s`", part, p->heard[i]);
}

static uint64_t count_all(size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HUBS; i++)
        sum += *(uint64_t *)((char *)&hubs[i].counts + offset);
    return sum;
}
#define COUNT_ALL(field) count_all(offsetof(struct hub_counts, field))

static size_t clients_left(void)
{
    size_t count = 0;
    for (size_t i = 0; i < HUBS; i++)
        for (struct list *node = hubs[i].clients.next; node != &hubs[i].clients; node = node->next)
            count++;
    return count;
}

static struct hub_member other(const char *id, const char *data)
{
    struct hub_member m = {.owner = OTHER, .data = data ? slice_of(data) : SLICE_NONE};
    memcpy(m.id, id, HUB_ID_LEN);
    return m;
}

/* ---- what waits ---- */

static void a_join_waits_for_the_topic_and_nobody_for_the_join(void **state)
{
    (void)state;
    struct person *p = &people[0];
    struct topic_subscription with_past = wanted("t0");
    with_past.history = 2;
    append(broker_topic("t0"), NULL, 1);
    append(broker_topic("t0"), NULL, 2);
    append(broker_topic("t0"), NULL, 3);
    all_up(false);
    assert_int_equal(hub_subscribe(p->client, &with_past), HUB_DONE);
    assert_int_equal(subscribe(&people[1], "t0"), HUB_DONE);
    pass(60000);
    assert_false(hub_client_busy(p->client));
    assert_false(hub_client_busy(people[1].client));
    assert_int_equal(publish(p, "t0", 4), HUB_DONE); /* before it is loaded */
    settle();
    assert_int_equal(p->count, 0);
    assert_int_equal(p->answers, 0);
    all_up(true);
    settle();
    assert_heard(p, 0, ".subscribed t0 4");
    assert_heard(p, 1, ".topic {\"past\":true,\"topic\":\"t0\",\"seq\":3,\"time\":1003,\"event\"");
    assert_heard(p, 2, "\"past\":true,\"topic\":\"t0\",\"seq\":4,");
    assert_heard(&people[1], 0, ".subscribed t0 4");
    assert_int_equal(p->count, 3);
    publish(&people[1], "t0", 5);
    settle();
    assert_int_equal(people[1].subscribers, 2);
    assert_heard(p, 3, ".topic {\"topic\":\"t0\",\"seq\":5,\"time\":1005,\"from\":");
    assert_heard(&people[1], 1, ".topic {\"self\":true,\"topic\":\"t0\",\"seq\":5,");
}

static void who_leaves_while_it_waits_is_forgotten_at_once(void **state)
{
    (void)state;
    all_up(false);
    for (size_t i = 0; i < PEOPLE; i++)
        assert_int_equal(show(&people[i], "t0", "{}"), HUB_DONE);
    turn_all();
    for (size_t i = 0; i < 4; i++)
        leave(&people[i]);
    turn_all();
    assert_int_equal(clients_left(), 2);
    hub_unsubscribe(people[4].client, SLICE_LITERAL("t0"));
    turn_all();
    all_up(true);
    settle();
    assert_int_equal(people[4].answers, 0);
    assert_int_equal(people[5].answers, 1);
    assert_int_equal(COUNT_ALL(subscriptions), 1);
    assert_int_equal(COUNT_ALL(present), 1);
    assert_int_equal(fake_at("t0")->show_count, 1);
    assert_int_equal(subscribe(&people[4], "t0"), HUB_DONE);
    settle();
    assert_heard(&people[4], 0, ".subscribed t0 0");
}

/* The answer and the farewell meet each other in the mail. */
static void an_answer_that_crosses_a_farewell(void **state)
{
    (void)state;
    for (uint16_t far = 0; far < HUBS; far++) {
        struct person *p = &people[far], *stays = &people[!far];
        const char *topic = fake_at("t0") == &fakes[far] ? "t1" : "t0";
        subscribe(stays, topic);
        settle();
        for (int turns = 0; turns < 4; turns++) {
            watch(p, topic);
            for (int i = 0; i < turns; i++)
                loop_turn(loops[(far + 1 + (uint16_t)i) % HUBS], 0);
            assert_int_equal(hub_client_busy(p->client), false);
            hub_unsubscribe(p->client, slice_of(topic));
            settle();
            publish(stays, topic, 1);
            settle();
            assert_int_equal(stays->subscribers, 1);
        }
        hub_unsubscribe(stays->client, slice_of(topic));
        settle();
        assert_int_equal(COUNT_ALL(subscriptions), 0);
    }
}

static void asking_again_while_it_waits_takes_the_place(void **state)
{
    (void)state;
    struct person *p = &people[0];
    struct topic_subscription to_page = wanted("t0");
    to_page.to_page = true;
    all_up(false);
    for (int i = 0; i < 6; i++)
        assert_int_equal(show(p, i % 2 ? "t0" : "t1", "{}"), HUB_DONE);
    turn_all();
    for (int i = 0; i < 5; i++)
        assert_int_equal(show(p, "t0", "{}"), HUB_DONE);
    assert_int_equal(hub_subscribe(p->client, &to_page), HUB_DONE);
    assert_false(hub_client_busy(p->client));
    pass(1000);
    all_up(true);
    settle();
    assert_int_equal(p->answers, 2);
    assert_int_equal(COUNT_ALL(subscriptions), 2);
    assert_int_equal(COUNT_ALL(present), 1);
    assert_int_equal(fake_at("t0")->show_count, 0);
    publish(&people[1], "t0", 1);
    settle();
    assert_int_equal(people[1].subscribers, 1);
    assert_heard(p, p->count - 1, "page 1");
}

static void changing_what_one_has_makes_one_wait_for_the_home_only(void **state)
{
    (void)state;
    struct person *p = &people[0];
    subscribe(p, "t0");
    subscribe(p, "t1");
    settle();
    all_up(false);
    watch(p, "t1"); /* whose home is another worker's */
    assert_true(hub_client_busy(p->client));
    turn_all();
    assert_false(hub_client_busy(p->client));
    watch(p, "t0");
    assert_false(hub_client_busy(p->client));
    assert_int_equal(p->answers, 4);
}

static void publications_wait_for_the_broker_and_keep_their_order(void **state)
{
    (void)state;
    struct person *p = &people[0], *listener = &people[1];
    int sent = 0;
    subscribe(listener, "t0");
    settle();
    all_up(false);
    while (!hub_client_busy(p->client))
        assert_int_equal(publish(p, "t0", ++sent), HUB_DONE);
    assert_in_range(sent, 3, 60);
    pass(10000);
    assert_int_equal(p->rooms, 0);
    all_up(true);
    settle();
    assert_int_equal(p->rooms, 1);
    assert_int_equal(listener->count, 1 + (size_t)sent);
    for (int i = 1; i <= sent; i++) {
        char data[32];
        snprintf(data, sizeof(data), "\"data\":%d}", i);
        assert_heard(listener, (size_t)i, data);
    }
    assert_int_equal(COUNT_ALL(topics), 1);
}

static void a_refusal_is_told_to_all_who_wait(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    all_up(false);
    subscribe(&people[0], "t0");
    subscribe(&people[1], "t0");
    turn_all();
    hub_home_refused(f->home, key_of("t0"), f->follows[0].number + 1, HUB_BROKER_REFUSED);
    assert_int_equal(people[0].answers + people[1].answers, 0);
    hub_home_refused(f->home, key_of("t0"), f->follows[0].number, HUB_BROKER_REFUSED);
    turn_all();
    assert_int_equal(people[0].refused, HUB_BROKER_REFUSED);
    assert_int_equal(people[1].refused, HUB_BROKER_REFUSED);
    assert_int_equal(COUNT_ALL(topics), 0);
    assert_int_equal(f->unfollow_count, 0);
    f->follow_count = 0;
    subscribe(&people[0], "t0");
    all_up(true);
    settle();
    assert_heard(&people[0], 0, ".subscribed t0 0");
}

/* ---- how long a topic is followed ---- */

static void a_topic_without_subscribers_is_followed_five_seconds_more(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    subscribe(&people[0], "t0");
    publish(&people[1], "t0", 1);
    settle();
    hub_unsubscribe(people[0].client, SLICE_LITERAL("t0"));
    pass(4000);
    assert_int_equal(f->unfollow_count, 0);
    publish(&people[1], "t0", 2); /* does not keep it */
    subscribe(&people[0], "t0");  /* does */
    pass(4000);
    assert_int_equal(f->followed_count, 1);
    hub_unsubscribe(people[0].client, SLICE_LITERAL("t0"));
    for (int i = 0; i < 5; i++) {
        publish(&people[1], "t0", 2);
        pass(1000);
    }
    assert_int_equal(f->unfollow_count, 1);
    assert_int_equal(COUNT_ALL(topics), 0);
}

static void a_late_answer_to_an_old_follow_does_nothing(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    all_up(false);
    subscribe(&people[0], "t0");
    turn_all();
    hub_unsubscribe(people[0].client, SLICE_LITERAL("t0"));
    turn_all();
    struct asked_follow old = f->follows[0];
    pass(6000);
    assert_int_equal(f->unfollow_count, 1);
    assert_false(load(f, &old)); /* for nobody */
    subscribe(&people[0], "t0");
    turn_all();
    assert_int_equal(f->followed_count, 2);
    append(broker_topic("t0"), NULL, 1);
    assert_false(load(f, &old));
    turn_all();
    assert_int_equal(people[0].answers, 0);
    assert_true(load(f, &f->follows[1]));
    assert_false(load(f, &f->follows[1])); /* once */
    turn_all();
    assert_heard(&people[0], 0, ".subscribed t0 1");
    assert_int_equal(people[0].count, 1);
}

static void a_topic_that_is_loaded_when_all_have_gone_waits_for_the_next(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    append(broker_topic("t0"), NULL, 1);
    all_up(false);
    subscribe(&people[0], "t0");
    turn_all();
    leave(&people[0]);
    turn_all();
    all_up(true);
    settle();
    subscribe(&people[1], "t0");
    settle();
    assert_int_equal(f->followed_count, 1);
    assert_heard(&people[1], 0, ".subscribed t0 1");
}

static void topics_that_nobody_wants_give_way(void **state)
{
    (void)state;
    config.topics_max = 1;
    all_up(false);
    publish(&people[0], "t1", 1); /* makes no topic */
    subscribe(&people[0], "t0");
    turn_all();
    subscribe(&people[1], "t1");
    turn_all();
    assert_int_equal(people[1].refused, HUB_TOPICS_FULL);
    assert_int_equal(COUNT_ALL(topics), 1);
    leave(&people[0]);
    turn_all();
    assert_string_equal(broker[2].name, "t2"); /* it has the home of t0 */
    subscribe(&people[1], "t2");
    turn_all();
    all_up(true);
    settle();
    assert_heard(&people[1], 0, ".subscribed t2 0");
    assert_int_equal(fake_at("t0")->unfollow_count, 1);
}

static void the_servers_own_topics_stay_in_it(void **state)
{
    (void)state;
    all_up(false);
    subscribe(&people[0], " own");
    turn_all();
    publish(&people[1], " own", 1);
    turn_all();
    assert_heard(&people[0], 0, ".subscribed  own 0");
    assert_heard(&people[0], 1, "\"seq\":1,");
    assert_int_equal(fakes[0].followed_count + fakes[1].followed_count, 0);
}

/* ---- what is lost ---- */

static void a_loss_is_told_to_each_in_its_place(void **state)
{
    (void)state;
    struct broker_topic *t = broker_topic("t0");
    struct topic_subscription to_page = wanted("t0");
    to_page.to_page = true;
    subscribe(&people[0], "t0");
    hub_subscribe(people[1].client, &to_page);
    subscribe(&people[2], "t0");
    settle();
    append(t, NULL, 1);
    settle();
    people[2].takes = false;
    append(t, NULL, 2); /* people[2] begins to lose */
    settle();
    all_up(false);
    for (int i = 3; i <= 9; i++)
        append(t, NULL, i);
    t->first = 6;
    all_up(true);
    settle();
    for (size_t i = 0; i < 2; i++) {
        assert_heard(&people[i], 3, ".topic {\"topic\":\"t0\",\"lost\":4}");
        assert_int_equal(people[i].count, 7);
        assert_int_equal(people[i].losses, 0);
    }
    assert_heard(&people[0], 4, "\"seq\":7,");
    assert_heard(&people[1], 4, "page 7");
    assert_int_equal(people[2].count, 2);
    people[2].takes = true;
    hub_client_drained(people[2].client);
    assert_heard(&people[2], 2, ".topic {\"topic\":\"t0\",\"lost\":8}");
    append(t, NULL, 10);
    settle();
    assert_heard(&people[2], 3, "\"seq\":10,");
    struct topic_subscription with_past = wanted("t0");
    with_past.history = 8;
    hub_subscribe(people[3].client, &with_past);
    settle();
    assert_heard(&people[3], 1, "\"seq\":7,"); /* a past has no gap */
}

static void who_takes_nothing_when_a_loss_comes_hears_of_it_later(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    subscribe(&people[0], "t0");
    settle();
    people[0].takes = false;
    hub_home_lost(f->home, key_of("t0"), 5, 5);
    settle();
    assert_int_equal(people[0].losses, 1);
    hub_home_lost(f->home, key_of("t0"), 0, 2); /* it began anew: nobody hears of that */
    broker_topic("t0")->seq = broker_topic("t0")->first = 2;
    settle();
    people[0].takes = true;
    hub_client_drained(people[0].client);
    assert_heard(&people[0], 1, "\"lost\":5}");
    assert_int_equal(people[0].count, 2);
    append(broker_topic("t0"), NULL, 3);
    settle();
    assert_heard(&people[0], 2, "\"seq\":3,");
}

static void a_gap_is_not_taken(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    char text[24];
    for (int i = 1; i <= 3; i++)
        append(broker_topic("t0"), NULL, i);
    struct hub_event_spec third = spec_of(broker_topic("t0"), 3, text);
    assert_int_equal(hub_home_event(f->home, key_of("t0"), &third, NULL), HUB_UNKNOWN);
    broker_topic("t0")->seq = 1;
    all_up(false);
    subscribe(&people[0], "t0");
    turn_all();
    assert_int_equal(hub_home_event(f->home, key_of("t0"), &third, NULL), HUB_LOADING);
    load(f, &f->follows[0]);
    assert_int_equal(hub_home_event(f->home, key_of("t0"), &third, NULL), HUB_GAP);
    turn_all();
    assert_int_equal(people[0].count, 1);
}

static void events_are_known_by_what_the_upstream_calls_them(void **state)
{
    (void)state;
    struct hub_topic_state found;
    subscribe(&people[0], "t0");
    publish(&people[0], "t0", 1);
    settle();
    assert_true(hub_home_state(fake_at("t0")->home, key_of("t0"), &found));
    const struct hub_event *event = found.past->first;
    assert_int_equal(found.seq, 1);
    assert_int_equal(found.subscribers, 1);
    assert_int_equal(hub_event_time_ms(event), 1001);
    struct slice ident = hub_event_ident(event);
    assert_true(slice_equal(ident, slice_of(broker_topic("t0")->events[1].ident)));
}

static void the_kept_event_may_be_older_than_the_past(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    struct topic_subscription last = wanted("t0");
    char text[24];
    last.last = true;
    subscribe(&people[0], "t0");
    for (int i = 1; i <= 3; i++)
        append(broker_topic("t0"), NULL, i);
    settle();
    struct hub_event_spec second = spec_of(broker_topic("t0"), 2, text);
    hub_home_keep(f->home, key_of("t0"), &second);
    hub_home_lost(f->home, key_of("t0"), 0, 3);
    hub_subscribe(people[1].client, &last);
    settle();
    assert_heard(&people[1], 0, ".subscribed t0 3");
    assert_heard(&people[1], 1, "\"seq\":2,");
    hub_home_keep(f->home, key_of("t0"), NULL);
    hub_subscribe(people[2].client, &last);
    settle();
    assert_int_equal(people[2].count, 1);
}

/* ---- who is there ---- */

static void members_of_other_servers_come_and_go(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    struct broker_topic *t = broker_topic("t0");
    struct hub_topic_key key = key_of("t0");
    t->others[t->other_count++] = other("AAAAAAAAAAAA", "{\"n\":1}");
    watch(&people[0], "t0");
    settle();
    assert_heard(&people[0], 1, "\"here\":[{\"id\":\"AAAAAAAAAAAA\",\"data\":{\"n\":1}}]");
    all_up(false);
    struct hub_member b = other("BBBBBBBBBBBB", "{}"), gone = other("AAAAAAAAAAAA", NULL);
    gone.owner++;
    hub_home_present(f->home, key, &b);
    hub_home_present(f->home, key, &gone); /* says another than its owner */
    pass(100);
    assert_heard(&people[0], 2, "\"joined\":[{\"id\":\"BBBBBBBBBBBB\"");
    assert_int_equal(people[0].count, 3);
    gone.owner = OTHER;
    hub_home_present(f->home, key, &gone);
    pass(100);
    assert_heard(&people[0], 3, "\"left\":[\"AAAAAAAAAAAA\"]");
    hub_home_owner_gone(f->home, OTHER);
    pass(100);
    assert_heard(&people[0], 4, "\"left\":[\"BBBBBBBBBBBB\"]");
    hub_home_present(f->home, key, &b);
    hub_home_owner_left(f->home, key_of("t2"), OTHER); /* another topic, and not here */
    pass(100);
    assert_int_equal(people[0].count, 6);
    hub_home_owner_left(f->home, key, OTHER);
    pass(100);
    assert_heard(&people[0], 6, "\"left\":[\"BBBBBBBBBBBB\"]");
}

static void own_members_are_the_servers_own(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    struct hub_member own = {.owner = OTHER, .data = SLICE_LITERAL("{\"false\":1}")};
    watch(&people[0], "t0");
    show(&people[1], "t0", "{\"true\":1}");
    pass(100);
    assert_heard(&people[0], 2, "\"data\":{\"true\":1}}]");
    memcpy(own.id, hub_client_id(people[1].client).ptr, HUB_ID_LEN);
    hub_home_present(f->home, key_of("t0"), &own);
    own.data = SLICE_NONE;
    hub_home_present(f->home, key_of("t0"), &own);
    hub_home_present_all(f->home, key_of("t0"), NULL, 0);
    hub_home_owner_gone(f->home, OTHER);
    pass(100);
    assert_int_equal(people[0].count, 3);
    assert_int_equal(f->show_count, 1);
    show(&people[1], "t0", "{\"true\":1}"); /* nothing new */
    settle();
    assert_int_equal(f->show_count, 1);
    leave(&people[1]);
    pass(100);
    assert_int_equal(f->show_count, 2);
    assert_false(f->shown[1].shown);
    assert_heard(&people[0], 3, "\"left\":[");
}

/* In a moment between two tellings. */
static void who_comes_and_goes_untold_is_hidden_from_all(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    subscribe(&people[0], "t0");
    settle();
    show(&people[1], "t0", "{}");
    settle();
    hub_unsubscribe(people[1].client, SLICE_LITERAL("t0"));
    settle();
    assert_int_equal(f->show_count, 2);
    assert_false(f->shown[1].shown);
}

static void the_limit_of_who_is_there_counts_all_that_are_known(void **state)
{
    (void)state;
    struct broker_topic *t = broker_topic("t0");
    t->others[t->other_count++] = other("AAAAAAAAAAAA", "{}");
    t->others[t->other_count++] = other("BBBBBBBBBBBB", "{}");
    t->others[t->other_count++] = other("CCCCCCCCCCCC", "{}"); /* one above the limit */
    show(&people[0], "t0", "{}");
    settle();
    assert_int_equal(people[0].refused, HUB_PRESENCE_FULL);
    assert_heard(&people[0], 1, "CCCCCCCCCCCC");
    assert_int_equal(fake_at("t0")->show_count, 0);
    t->other_count = 1;
    settle();
    show(&people[0], "t0", "{}");
    settle();
    assert_int_equal(people[0].refused, HUB_DONE);
}

static void a_page_that_goes_while_its_join_waits_is_not_there(void **state)
{
    (void)state;
    struct fake *f = fake_at("t0");
    all_up(false);
    show(&people[0], "t0", "{}");
    hub_client_connected(people[0].client, false);
    pass(600); /* its grace is over */
    all_up(true);
    pass(100);
    assert_int_equal(COUNT_ALL(present), 0);
    assert_int_equal(f->show_count, 2);
    assert_false(f->shown[1].shown);
    hub_client_connected(people[0].client, true);
    settle();
    assert_true(f->shown[2].shown);
}

/* ---- a take-over ---- */

static struct pack homes[HUBS], clients[PEOPLE];

static void pack_all(void)
{
    for (size_t i = 0; i < HUBS; i++) {
        homes[i] = (struct pack){0};
        hub_home_pack(&threads->homes[i], &homes[i]);
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        clients[i] = (struct pack){0};
        hub_client_pack(people[i].client, &clients[i]);
    }
}

static void unpack_all(void)
{
    for (size_t i = 0; i < HUBS; i++)
        hub_home_unpack(&threads->homes[i], text_slice(&homes[i].out));
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i].client =
            hub_client_unpack(&hubs[i % HUBS], text_slice(&clients[i].out), &ops, &people[i]);
        assert_non_null(people[i].client);
        pack_done(&clients[i]);
    }
    for (size_t i = 0; i < HUBS; i++) {
        hub_home_go_on(&threads->homes[i]);
        pack_done(&homes[i]);
    }
}

/* As execve does it: all is gone but what was packed. */
static void take_over(bool distant)
{
    turn_all();
    pack_all();
    end_server();
    begin_server(distant);
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i].client = NULL;
        people[i].answers = 0;
    }
    unpack_all();
}

static void forget_all_heard(void)
{
    for (size_t i = 0; i < PEOPLE; i++)
        forget_heard(&people[i]);
}

static void a_take_over_carries_what_is_known_and_what_waits(void **state)
{
    (void)state;
    struct broker_topic *t = broker_topic("t0");
    struct topic_subscription wish = wanted("t1");
    t->others[t->other_count++] = other("AAAAAAAAAAAA", "{}");
    show(&people[0], "t0", "{}");
    append(t, NULL, 1);
    pass(100);
    all_up(false);
    wish.history = 3;
    wish.presence = SLICE_LITERAL("{\"w\":1}");
    hub_subscribe(people[0].client, &wish);
    subscribe(&people[1], "t1");
    take_over(true);
    forget_all_heard();
    assert_int_equal(fake_at("t0")->resume_count, 1);
    assert_string_equal(fake_at("t0")->resumed, "epoch-1");
    append(t, NULL, 2);
    append(broker_topic("t1"), NULL, 7);
    hub_unsubscribe(people[1].client, SLICE_LITERAL("t1")); /* before its join is sent again */
    turn_all();
    assert_false(hub_client_busy(people[0].client));
    assert_int_equal(people[0].count, 0);
    all_up(true);
    pass(100);
    assert_heard(&people[0], 0, "\"topic\":\"t0\",\"seq\":2,");
    assert_heard(&people[0], 1, ".subscribed t1 1");
    assert_heard(&people[0], 2, "\"topic\":\"t1\",\"here\":[]");
    assert_heard(&people[0], 3, "\"past\":true,\"topic\":\"t1\",\"seq\":1,");
    assert_heard(&people[0], 4, "\"joined\":[{\"id\":");
    assert_heard(&people[0], 4, "{\"w\":1}");
    assert_int_equal(people[0].count, 5); /* nobody has left t0, and nobody joined it again */
    assert_int_equal(people[1].answers, 0);
    assert_int_equal(COUNT_ALL(subscriptions), 2);
    assert_int_equal(COUNT_ALL(present), 2);
}

static void after_a_take_over_there_may_be_no_broker_any_more(void **state)
{
    (void)state;
    struct broker_topic *t = broker_topic("t0");
    t->others[t->other_count++] = other("AAAAAAAAAAAA", "{}");
    watch(&people[0], "t0");
    append(t, NULL, 1);
    settle();
    all_up(false);
    subscribe(&people[1], "t1");
    take_over(false);
    forget_all_heard();
    publish(&people[1], "t0", 2);
    pass(100);
    assert_heard(&people[0], 0, "\"seq\":2,");
    assert_heard(&people[0], 1, "\"left\":[\"AAAAAAAAAAAA\"]");
    assert_heard(&people[1], 0, ".subscribed t1 0");
    publish(&people[1], "t1", 3);
    settle();
    assert_heard(&people[1], 1, "\"seq\":1,");
}

static void after_a_take_over_there_may_be_one(void **state)
{
    (void)state;
    end(state);
    begin_server(false);
    for (size_t i = 0; i < PEOPLE; i++)
        people[i].client = hub_client_new(&hubs[i % HUBS], &ops, &people[i]);
    subscribe(&people[0], "t0");
    for (int i = 1; i <= 5; i++)
        publish(&people[1], "t0", i);
    turn_all();
    all_up(false);
    take_over(true);
    forget_all_heard();
    assert_int_equal(fake_at("t0")->resume_count, 1);
    assert_string_equal(fake_at("t0")->resumed, "");
    hub_home_lost(fake_at("t0")->home, key_of("t0"), 0, 0);
    append(broker_topic("t0"), NULL, 6);
    all_up(true);
    settle();
    assert_heard(&people[0], 0, "\"seq\":1,");
    assert_int_equal(people[0].count, 1);
}

/* ---- an end in the middle, and anything at all ---- */

static void an_end_while_much_waits_frees_everything(void **state)
{
    (void)state;
    all_up(false);
    for (size_t i = 0; i < PEOPLE; i++) {
        show(&people[i], "t0", "{}");
        subscribe(&people[i], "t1");
        publish(&people[i], "t1", 1);
    }
    turn_all();
    show(&people[0], "t0", "{}"); /* on its way, and withdraws one that waits */
    subscribe(&people[1], "t2");
    leave(&people[2]);
}

static unsigned long long number_of(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* From the first `.subscribed` on each number follows the last one, or as many are told to be lost.
 * The number that comes next; 0: not subscribed. */
static unsigned long long check_heard(const struct person *p, const struct broker_topic *t)
{
    const char *topic = t->name;
    char subscribed[32], unsubscribed[32], is[32];
    unsigned long long next = 0;
    snprintf(subscribed, sizeof(subscribed), ".subscribed %.15s ", topic);
    snprintf(unsubscribed, sizeof(unsubscribed), "unsubscribed %.15s", topic);
    snprintf(is, sizeof(is), "\"topic\":\"%.15s\",", topic);
    for (size_t i = 0; i < p->count; i++) {
        const char *line = p->heard[i];
        if (!strcmp(line, unsubscribed))
            next = 0;
        if (!next && slice_starts_with(slice_of(line), slice_of(subscribed)))
            next = number_of(line, subscribed) + 1;
        if (!strstr(line, is) || slice_starts_with(slice_of(line), SLICE_LITERAL(".presence")))
            continue;
        if (strstr(line, "\"lost\":")) {
            next += number_of(line, "\"lost\":");
            continue;
        }
        unsigned long long seq = number_of(line, "\"seq\":");
        assert_int_equal(seq, next);
        assert_int_equal(number_of(line, "\"data\":"), t->events[seq].data);
        next = seq + 1;
    }
    return next;
}

static void check_all(const struct person *p, bool to_the_end)
{
    for (const struct broker_topic *t = broker; t < broker + TOPICS; t++) {
        unsigned long long next = check_heard(p, t);
        if (to_the_end && next)
            assert_int_equal(next, t->seq + 1);
    }
}

static void is_replaced(struct person *p)
{
    check_all(p, false);
    leave(p);
    forget_heard(p);
    p->client = hub_client_new(&hubs[(p - people) % HUBS], &ops, p);
    hub_client_connected(p->client, true);
}

static void do_anything(uint64_t *random, int n)
{
    struct person *p = &people[random_below(random, PEOPLE)];
    const char *topic = broker[random_below(random, TOPICS)].name;
    struct broker_topic *t = broker_topic(topic);
    struct fake *f = &fakes[random_below(random, HUBS)];
    switch (random_below(random, 16)) {
    case 0:
        if (!hub_client_busy(p->client))
            assert_int_equal(subscribe(p, topic), HUB_DONE);
        break;
    case 1:
        if (!hub_client_busy(p->client))
            assert_int_equal(show(p, topic, "{}"), HUB_DONE);
        break;
    case 2:
        if (!hub_client_busy(p->client) && hub_unsubscribe(p->client, slice_of(topic)) == HUB_DONE)
            keep_line(p, SLICE_LITERAL("unsubscribed "), slice_of(topic));
        break;
    case 3:
        append(t, NULL, n);
        break;
    case 4:
    case 5:
        f->up = !f->up;
        break;
    case 6:
        t->first += random_below(random, t->seq - t->first + 1); /* the stream is cut */
        break;
    case 7:
        now_ms += random_below(random, 3000);
        break;
    case 8:
        p->takes = !p->takes;
        if (p->takes)
            hub_client_drained(p->client);
        break;
    case 9:
        if (random_below(random, 4) == 0)
            is_replaced(p);
        break;
    case 10:
        if (random_below(random, 8) == 0)
            take_over(true);
        break;
    default:
        if (!hub_client_busy(p->client))
            publish(p, topic, n);
    }
}

static void anything_with(uint64_t random)
{
    for (int n = 1; n <= 800; n++) {
        do_anything(&random, n);
        loop_turn(loops[random_below(&random, HUBS)], 0);
        work(&fakes[random_below(&random, HUBS)]);
        for (size_t i = 0; i < HUBS; i++)
            if (fakes[i].follow_count > ASKED_MAX - 2 * TOPICS)
                fakes[i].up = true;
    }
    all_up(true);
    settle();
    for (struct person *p = people; p < people + PEOPLE; p++) {
        p->takes = true;
        hub_client_drained(p->client);
        check_all(p, true);
        leave(p);
    }
    pass(6000);
    assert_int_equal(COUNT_ALL(topics), 0);
    assert_int_equal(COUNT_ALL(subscriptions), 0);
    assert_int_equal(COUNT_ALL(present), 0);
    assert_int_equal(clients_left(), 0);
}

static void whatever_happens_nothing_is_doubled_or_missed_untold(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        anything_with(seed);
        end(state);
        begin(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* The homes of t0 and t2 are in one worker, and that of t1 is in the other. */
static void choose_homes(void)
{
    for (uint64_t key[2] = {0};
         fake_at("t0") != &fakes[0] || fake_at("t1") != &fakes[1] || fake_at("t2") != &fakes[0];
         key[0]++)
        hash_begin_with(key);
}

int main(void)
{
    choose_homes();
    const struct CMUnitTest tests[] = {
        TEST(a_join_waits_for_the_topic_and_nobody_for_the_join),
        TEST(who_leaves_while_it_waits_is_forgotten_at_once),
        TEST(an_answer_that_crosses_a_farewell),
        TEST(asking_again_while_it_waits_takes_the_place),
        TEST(changing_what_one_has_makes_one_wait_for_the_home_only),
        TEST(publications_wait_for_the_broker_and_keep_their_order),
        TEST(a_refusal_is_told_to_all_who_wait),
        TEST(a_topic_without_subscribers_is_followed_five_seconds_more),
        TEST(a_late_answer_to_an_old_follow_does_nothing),
        TEST(a_topic_that_is_loaded_when_all_have_gone_waits_for_the_next),
        TEST(topics_that_nobody_wants_give_way),
        TEST(the_servers_own_topics_stay_in_it),
        TEST(a_loss_is_told_to_each_in_its_place),
        TEST(who_takes_nothing_when_a_loss_comes_hears_of_it_later),
        TEST(a_gap_is_not_taken),
        TEST(events_are_known_by_what_the_upstream_calls_them),
        TEST(the_kept_event_may_be_older_than_the_past),
        TEST(members_of_other_servers_come_and_go),
        TEST(own_members_are_the_servers_own),
        TEST(who_comes_and_goes_untold_is_hidden_from_all),
        TEST(the_limit_of_who_is_there_counts_all_that_are_known),
        TEST(a_page_that_goes_while_its_join_waits_is_not_there),
        TEST(a_take_over_carries_what_is_known_and_what_waits),
        TEST(after_a_take_over_there_may_be_no_broker_any_more),
        TEST(after_a_take_over_there_may_be_one),
        TEST(an_end_while_much_waits_frees_everything),
        TEST(whatever_happens_nothing_is_doubled_or_missed_untold),
    };
    return run_on_every_backend("hub upstream", tests);
}
