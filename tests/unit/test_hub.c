/* SPDX-License-Identifier: MIT */
/* Topics over several loops of one thread, which turn in any order: order, limits, who is there,
 * who is slow, and an end in the middle of it. */
#include "base/hash.h"
#include "core/backend.h"
#include "hub/threads.h"

#include "every_backend.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    HUBS = 3,
    PEOPLE = 12,
    TOPICS = 5,
    HEARD_MAX = 8192
};

/* A program. Every line that it hears is kept. */
struct person {
    struct hub_client *client;
    bool takes;
    bool together;  /* it takes batches */
    size_t batches; /* that it was given */
    char *heard[HEARD_MAX];
    size_t count, rooms, losses;
    unsigned calls_left; /* until it leaves, from inside the call; 0: it stays */
    enum hub_answer refused;
    uint64_t subscribers; /* of its last publication */
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

/* ---- what a person hears ---- */

/* As a page whose program can't be written to any more. */
static void may_leave(struct person *p)
{
    if (p->calls_left == 0 || --p->calls_left > 0)
        return;
    hub_client_leave(p->client);
    p->client = NULL;
}

/* Nobody calls out to a client that has left. */
static struct person *person_of(struct hub_client *c)
{
    struct person *p = hub_client_owner(c);
    assert_ptr_equal(p->client, c);
    return p;
}

static void keep_line(struct person *p, struct slice lead, struct slice a, struct slice b)
{
    char *line;
    assert_true(p->count < HEARD_MAX);
    int len = asprintf(&line, "%.*s%.*s%.*s", SLICE_ARG(lead), SLICE_ARG(a), SLICE_ARG(b));
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
    if (whole) {
        assert_int_equal(whole->len, begin.len + rest.len);
        assert_memory_equal(whole->bytes + begin.len, rest.ptr, rest.len);
    }
    struct person *p = person_of(c);
    keep_line(p, begin, rest, SLICE_NONE);
    may_leave(p);
}

static void on_page_event(struct hub_client *c, struct slice name, struct slice data)
{
    struct person *p = person_of(c);
    keep_line(p, SLICE_LITERAL("page "), name, data);
    may_leave(p);
}

static bool on_page_events(struct hub_client *c, struct hub_batch *batch)
{
    struct person *p = person_of(c);
    if (!p->together || !p->takes)
        return false;
    p->batches++;
    for (unsigned i = 0; i < batch->count; i++)
        keep_line(p, SLICE_LITERAL("page "), batch->events[i]->name, batch->events[i]->data);
    may_leave(p);
    return true;
}

static void on_answer(struct hub_client *c, const struct hub_request *r)
{
    struct person *p = person_of(c);
    p->refused = r->answer;
    if (r->kind == HUB_PUBLISH)
        p->subscribers = r->subscribers;
    if (r->kind == HUB_JOIN && (r->answer == HUB_DONE || r->answer == HUB_PRESENCE_FULL)) {
        char seq[24];
        int len = snprintf(seq, sizeof(seq), " %llu", (unsigned long long)r->seq);
        keep_line(p, SLICE_LITERAL(".subscribed "), r->topic, slice_make(seq, (size_t)len));
    }
    may_leave(p);
}

static void on_room(struct hub_client *c)
{
    struct person *p = person_of(c);
    assert_false(hub_client_busy(c));
    p->rooms++;
    may_leave(p);
}

static void on_loss(struct hub_client *c, struct slice topic)
{
    (void)topic;
    struct person *p = person_of(c);
    p->losses++;
    may_leave(p);
}

static const struct hub_client_ops ops = {takes,   on_line, on_page_event, on_answer,
                                          on_room, on_loss, on_page_events};

/* ---- the fixture ---- */

static int begin(void **state)
{
    (void)state;
    now_ms = 1000;
    config = (struct hub_config){
        .topics_max = 100,
        .subscriptions_max = 10,
        .history_max = 4,
        .history_bytes_max = 100000,
        .linger_ms = 1000,
        .message_max = 1000,
        .ahead_max = 3000,
        .presence_max = 10,
        .presence_data_max = 100,
        .presence_grace_ms = 500,
    };
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
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i] = (struct person){.takes = true};
        people[i].client = hub_client_new(&hubs[i % HUBS], &ops, &people[i]);
        hub_client_connected(people[i].client, true);
    }
    return 0;
}

static void turn(size_t i)
{
    assert_int_equal(loop_turn(loops[i], 0), 0);
}

static void settle(void)
{
    for (int round = 0; round < 12; round++)
        for (size_t i = 0; i < HUBS; i++)
            turn(i);
}

/* Time goes by, for all. */
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

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++) {
        hub_client_leave(people[i].client);
        people[i].client = NULL;
        forget_heard(&people[i]);
    }
    for (size_t i = 0; i < HUBS; i++)
        hub_stop(&hubs[i]);
    for (uint16_t i = 0; i < HUBS; i++) {
        turn(i);
        hub_threads_forget(threads, i);
        hub_done(&hubs[i]);
        loop_free(loops[i]);
    }
    hub_threads_free(threads);
    return 0;
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

static enum hub_answer publish(struct person *p, const char *topic, const char *data,
                               enum topic_keep keep)
{
    struct topic_publication what = {
        .topic = wanted(topic).topic, .event_len = 1, .event = "e", .data = slice_of(data)};
    what.keep = keep;
    return hub_publish(p->client, &what, false, NULL);
}

static void assert_heard(struct person *p, size_t i, const char *part)
{
    assert_true(i < p->count);
    if (!strstr(p->heard[i], part))
        fail_msg("`%s` is not in `%s`", part, p->heard[i]);
}

/* A topic whose home is not `hub`. */
static const char *topic_not_at(uint16_t hub)
{
    static char topic[8];
    for (int i = 0;; i++) {
        snprintf(topic, sizeof(topic), "far%d", i);
        if (hash_bytes(slice_of(topic)) % HUBS != hub)
            return topic;
    }
}

static uint64_t count_all(size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < HUBS; i++)
        sum += *(uint64_t *)((char *)&hubs[i].counts + offset);
    return sum;
}
#define COUNT_ALL(field) count_all(offsetof(struct hub_counts, field))

/* ---- order ---- */

static unsigned long long number_of(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* The events of one topic as a person has heard them are without gap, and each is the one that the
 * others have heard under this number. */
static void check_order(const char *topic, char *first_heard[], size_t max)
{
    char is[64], subscribed[64];
    snprintf(is, sizeof(is), "\"topic\":\"%s\",", topic);
    snprintf(subscribed, sizeof(subscribed), ".subscribed %s ", topic);
    for (struct person *p = people; p < people + PEOPLE; p++) {
        unsigned long long next = 0;
        for (size_t i = 0; i < p->count; i++) {
            const char *line = p->heard[i];
            if (slice_starts_with(slice_of(line), slice_of(subscribed)))
                next = number_of(line, subscribed) + 1;
            if (!strstr(line, is))
                continue;
            unsigned long long seq = number_of(line, "\"seq\":");
            assert_int_equal(seq, next);
            assert_true(seq < max);
            next = seq + 1;
            char *same = strstr(first_heard[seq] ? first_heard[seq] : line, "\"seq\":");
            assert_string_equal(strstr(line, "\"seq\":"), same);
            first_heard[seq] = p->heard[i];
        }
    }
}

/* What one person has published in a topic (`data` counts up) is in that order. */
static void check_publishers(char *const first_heard[], size_t max)
{
    for (size_t author = 0; author < PEOPLE; author++) {
        char from[64];
        struct slice id = hub_client_id(people[author].client);
        unsigned long long last = 0;
        snprintf(from, sizeof(from), "\"from\":\"%.*s\"", SLICE_ARG(id));
        for (size_t seq = 0; seq < max; seq++) {
            if (!first_heard[seq] || !strstr(first_heard[seq], from))
                continue;
            unsigned long long n = number_of(first_heard[seq], "\"data\":");
            assert_true(n > last);
            last = n;
        }
    }
}

static void do_anything(uint64_t *random, unsigned n)
{
    struct person *p = &people[random_below(random, PEOPLE)];
    char topic[8], data[24];
    snprintf(topic, sizeof(topic), "t%zu", random_below(random, TOPICS));
    snprintf(data, sizeof(data), "%u", n);
    if (hub_client_busy(p->client))
        return; /* as a program whose writes block */
    switch (random_below(random, 8)) {
    case 0:
        assert_int_equal(subscribe(p, topic), HUB_DONE);
        break;
    case 1:
        hub_unsubscribe(p->client, slice_of(topic));
        break;
    default:
        assert_int_equal(publish(p, topic, data, TOPIC_KEEP_AS_IT_IS), HUB_DONE);
    }
}

static void all_see_one_order_however_the_loops_turn(void **state)
{
    (void)state;
    static char *first_heard[HEARD_MAX];
    uint64_t random = 20080623;
    for (unsigned n = 1; n <= 4000; n++) {
        do_anything(&random, n);
        if (random_below(&random, 3) == 0)
            turn(random_below(&random, HUBS));
    }
    settle();
    for (int t = 0; t < TOPICS; t++) {
        char topic[8];
        snprintf(topic, sizeof(topic), "t%d", t);
        memset(first_heard, 0, sizeof(first_heard));
        check_order(topic, first_heard, HEARD_MAX);
        check_publishers(first_heard, HEARD_MAX);
    }
    assert_true(COUNT_ALL(delivered) > 4000);
    assert_int_equal(COUNT_ALL(lost), 0);
}

static void an_end_in_the_middle_frees_everything(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (unsigned n = 1; n <= 500; n++)
        do_anything(&random, n); /* no loop turns: all letters are on their way at the end */
}

static void a_client_may_leave_with_requests_under_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++) {
        assert_int_equal(show(&people[i], "t0", "{}"), HUB_DONE);
        publish(&people[i], "t1", "1", TOPIC_KEEP_AS_IT_IS);
        hub_client_leave(people[i].client);
        people[i].client = NULL;
    }
    pass(100);
    assert_int_equal(COUNT_ALL(subscriptions), 0);
    assert_int_equal(COUNT_ALL(present), 0);
    pass(2000);
    assert_int_equal(COUNT_ALL(topics), 0);
    for (size_t i = 0; i < HUBS; i++)
        assert_true(list_empty(&hubs[i].clients));
}

/* Whatever it is told, in whatever call. */
static void a_client_may_leave_while_it_is_told_something(void **state)
{
    for (unsigned calls = 1; calls <= 40; calls++) {
        struct person *p = &people[calls % PEOPLE];
        uint64_t random = calls;
        struct topic_subscription s = wanted("t0");
        s.watch = true;
        s.history = 4;
        p->calls_left = calls;
        for (unsigned n = 1; n <= 400 && p->client; n++) {
            p->takes = random_below(&random, 4) > 0;
            if (!hub_client_busy(p->client))
                hub_subscribe(p->client, &s);
            if (p->client)
                show(&people[(calls + 1) % PEOPLE], "t0", n % 2 ? "1" : "2");
            publish(&people[(calls + 2) % PEOPLE], "t0", "3", TOPIC_KEEP_AS_IT_IS);
            if (p->client && p->takes)
                hub_client_drained(p->client);
            pass(100);
        }
        assert_null(p->client);
        pass(2000);
        end(state);
        begin(state);
    }
}

static void who_leaves_while_it_subscribes_anew_hears_no_more(void **state)
{
    (void)state;
    struct person *p = &people[1];
    const char *topic = topic_not_at(1);
    struct topic_subscription s = wanted(topic);
    subscribe(p, topic);
    settle();
    forget_heard(p);
    publish(&people[0], topic, "1", TOPIC_KEEP_AS_IT_IS);
    for (int round = 0; round < 2; round++) {
        turn(0);
        turn(2);
    } /* now the event is in the mail to p's worker */
    hub_subscribe(p->client, &s);
    assert_true(hub_client_busy(p->client));
    hub_client_leave(p->client);
    p->client = NULL;
    settle();
    assert_int_equal(p->count, 0);
    publish(&people[0], topic, "2", TOPIC_KEEP_AS_IT_IS);
    settle();
    assert_int_equal(people[0].subscribers, 0);
    assert_int_equal(COUNT_ALL(subscriptions), 0);
}

/* ---- who is fast, who is slow ---- */

static void a_publisher_ahead_of_the_server_waits_until_all_have_it(void **state)
{
    (void)state;
    struct person *p = &people[0];
    char data[900];
    memset(data, '1', sizeof(data) - 1);
    data[sizeof(data) - 1] = '\0';
    for (int i = 0; i < PEOPLE; i++)
        subscribe(&people[i], "t0");
    settle();
    p->rooms = 0;
    int sent = 0;
    while (!hub_client_busy(p->client) && ++sent < 100)
        publish(p, "t0", data, TOPIC_KEEP_AS_IT_IS);
    assert_in_range(sent, 2, 20);
    size_t home = 0;
    for (; home < HUBS && COUNT_ALL(published) == 0; home++)
        turn(home);
    assert_int_equal(p->rooms, 0); /* the home has it, the other workers have not */
    settle();
    assert_int_equal(p->rooms, 1);
    assert_int_equal(p->subscribers, PEOPLE);
}

static void who_takes_no_more_is_told_how_many_it_missed(void **state)
{
    (void)state;
    struct person *slow = &people[0], *other = &people[1];
    subscribe(slow, "t0");
    settle();
    publish(other, "t0", "1", TOPIC_KEEP_AS_IT_IS);
    settle();
    slow->takes = false;
    for (int i = 0; i < 3; i++)
        publish(other, "t0", "2", TOPIC_KEEP_AS_IT_IS);
    settle();
    slow->takes = true;
    publish(other, "t0", "3", TOPIC_KEEP_AS_IT_IS); /* all that waits has not been taken yet */
    settle();
    assert_int_equal(slow->count, 2);
    assert_int_equal(slow->losses, 1);
    hub_client_drained(slow->client);
    publish(other, "t0", "4", TOPIC_KEEP_AS_IT_IS);
    settle();
    assert_heard(slow, 2, ".topic {\"topic\":\"t0\",\"lost\":4}");
    assert_heard(slow, 3, "\"seq\":6,");
    assert_int_equal(COUNT_ALL(lost), 4);
}

/* ---- the past ---- */

static void the_past_is_bounded_by_number_and_bytes(void **state)
{
    (void)state;
    struct person *p = &people[0], *late = &people[2];
    struct topic_subscription s = wanted("t0");
    char data[8];
    for (int i = 1; i <= 6; i++) {
        snprintf(data, sizeof(data), "%d", i);
        publish(p, "t0", data, i == 2 ? TOPIC_KEEP_THIS : TOPIC_KEEP_AS_IT_IS);
    }
    settle();
    s.history = 100;
    s.last = true;
    hub_subscribe(late->client, &s);
    settle();
    assert_int_equal(late->count, 6);
    assert_heard(late, 0, ".subscribed t0 6");
    assert_heard(late, 1, ".topic {\"past\":true,\"topic\":\"t0\",\"seq\":2,");
    assert_heard(late, 2, "\"seq\":3,");
    assert_heard(late, 5, "\"seq\":6,");
    config.history_bytes_max = 300;
    publish(p, "t0", "7", TOPIC_KEEP_NONE);
    settle();
    forget_heard(late);
    hub_subscribe(late->client, &s);
    settle();
    assert_in_range(late->count, 1, 3);
    config.history_bytes_max = 0;
    publish(p, "t0", "8", TOPIC_KEEP_AS_IT_IS);
    settle();
    forget_heard(late);
    hub_subscribe(late->client, &s);
    settle();
    assert_int_equal(late->count, 1);
}

static void a_topic_without_anybody_gives_way_or_ends(void **state)
{
    (void)state;
    struct person *p = &people[0];
    char topic[8];
    config.topics_max = 6;
    for (int i = 0; i < 30; i++) {
        snprintf(topic, sizeof(topic), "x%d", i);
        publish(p, topic, "1", TOPIC_KEEP_AS_IT_IS);
        settle();
    }
    assert_in_range(COUNT_ALL(topics), 1, 6);
    pass(2000);
    assert_int_equal(COUNT_ALL(topics), 0);
    for (int i = 0; i < 6; i++) {
        snprintf(topic, sizeof(topic), "y%d", i);
        subscribe(p, topic);
        settle();
    }
    subscribe(p, "y6");
    settle();
    assert_int_equal(p->refused, HUB_TOPICS_FULL);
    assert_false(hub_client_busy(p->client));
    hub_unsubscribe(p->client, SLICE_LITERAL("y0"));
    settle();
    subscribe(p, "y6");
    settle();
    assert_int_equal(p->refused, HUB_DONE);
}

/* ---- who is there ---- */

static void a_thousand_changes_are_one_line(void **state)
{
    (void)state;
    struct person *watcher = &people[0];
    struct topic_subscription s = wanted("t0");
    s.watch = true;
    hub_subscribe(watcher->client, &s);
    settle();
    for (int i = 1; i <= 5; i++)
        show(&people[i], "t0", "{\"n\":1}");
    settle();
    hub_unsubscribe(people[5].client, SLICE_LITERAL("t0")); /* never heard of */
    pass(100);
    assert_int_equal(watcher->count, 3);
    assert_heard(watcher, 1, ".presence {\"topic\":\"t0\",\"here\":[]}");
    assert_heard(watcher, 2, "\"joined\":[{\"id\":\"");
    size_t ids = 0;
    for (char *at = watcher->heard[2]; (at = strstr(at, "\"id\":")); at++)
        ids++;
    assert_int_equal(ids, 4);
    hub_client_leave(people[1].client);
    people[1].client = NULL;
    pass(100);
    assert_heard(watcher, 3, "{\"topic\":\"t0\",\"left\":[\"");
    assert_int_equal(COUNT_ALL(present), 3);
}

static void a_short_absence_is_not_told(void **state)
{
    (void)state;
    struct person *watcher = &people[0], *p = &people[1];
    struct topic_subscription s = wanted("t0");
    s.watch = true;
    hub_subscribe(watcher->client, &s);
    show(p, "t0", "{}");
    pass(100);
    forget_heard(watcher);
    hub_client_connected(p->client, false);
    pass(400);
    hub_client_connected(p->client, true);
    pass(1000);
    assert_int_equal(watcher->count, 0);
    hub_client_connected(p->client, false);
    pass(600);
    pass(100);
    assert_heard(watcher, 0, "\"left\":[");
    hub_client_connected(p->client, true);
    pass(100);
    assert_heard(watcher, 1, "\"joined\":[");
}

static void a_page_that_goes_while_it_joins_is_not_there(void **state)
{
    (void)state;
    struct person *p = &people[1];
    config.presence_grace_ms = 0;
    show(p, topic_not_at(1), "{}");
    assert_true(hub_client_busy(p->client));
    hub_client_connected(p->client, false);
    now_ms += 10;
    turn(1); /* its grace is over before the answer is back */
    pass(100);
    pass(100);
    assert_int_equal(COUNT_ALL(present), 0);
    hub_client_connected(p->client, true);
    pass(100);
    assert_int_equal(COUNT_ALL(present), 1);
}

static void who_missed_a_change_hears_all_that_are_there(void **state)
{
    (void)state;
    struct person *watcher = &people[0];
    struct topic_subscription s = wanted("t0");
    s.watch = true;
    hub_subscribe(watcher->client, &s);
    settle();
    watcher->takes = false;
    show(&people[1], "t0", "{}");
    pass(100);
    watcher->takes = true;
    forget_heard(watcher);
    hub_client_drained(watcher->client);
    settle();
    assert_int_equal(watcher->count, 1);
    assert_heard(watcher, 0, "\"here\":[{\"id\":");
}

/* ---- options ---- */

static void to_the_page_and_without_the_own(void **state)
{
    (void)state;
    struct topic_subscription s = wanted("t0");
    s.to_page = true;
    hub_subscribe(people[0].client, &s);
    s = wanted("t0");
    s.without_self = true;
    hub_subscribe(people[1].client, &s);
    settle();
    publish(&people[1], "t0", "{\"a\":1}", TOPIC_KEEP_AS_IT_IS);
    publish(&people[0], "t0", "2", TOPIC_KEEP_AS_IT_IS);
    settle();
    assert_int_equal(people[0].count, 3);
    assert_string_equal(strchr(people[0].heard[1], '{') ? people[0].heard[1] : people[0].heard[2],
                        "page e{\"a\":1}");
    assert_int_equal(people[1].count, 2);
    assert_heard(&people[1], 1, "\"data\":2}");
}

static void hears_at_the_page(struct person *p, const char *topic)
{
    struct topic_subscription s = wanted(topic);
    s.to_page = true;
    hub_subscribe(p->client, &s);
}

/* In the home's thread, and in the others. */
static void events_that_come_together_are_given_together_and_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < HUBS; i++) {
        people[i].together = i < HUBS - 1;
        hears_at_the_page(&people[i], "t0");
    }
    settle();
    for (int n = 1; n <= 5; n++)
        publish(&people[HUBS], "t0", (char[]){(char)('0' + n), 0}, TOPIC_KEEP_AS_IT_IS);
    settle();
    for (size_t i = 0; i < HUBS; i++) {
        assert_int_equal(people[i].batches, people[i].together);
        assert_int_equal(people[i].count, 6);
        assert_string_equal(people[i].heard[1], "page e1");
        assert_string_equal(people[i].heard[5], "page e5");
    }
    assert_int_equal(COUNT_ALL(delivered), HUBS * 5);
}

static const char *topic_at(uint16_t hub)
{
    static char topic[8];
    for (int i = 0;; i++) {
        snprintf(topic, sizeof(topic), "near%d", i);
        if (hash_bytes(slice_of(topic)) % HUBS == hub)
            return topic;
    }
}

/* The loop has not turned in between. */
static void what_was_published_before_a_subscription_changes_is_heard_as_before(void **state)
{
    (void)state;
    struct person *p = &people[0];
    const char *topic = topic_at(0);
    struct topic_subscription with_past = wanted(topic);
    with_past.history = 4;
    p->together = true;
    hears_at_the_page(p, topic);
    forget_heard(p);
    publish(p, topic, "1", TOPIC_KEEP_AS_IT_IS);
    hub_unsubscribe(p->client, slice_of(topic));
    publish(p, topic, "2", TOPIC_KEEP_AS_IT_IS);
    hub_subscribe(p->client, &with_past);
    publish(p, topic, "3", TOPIC_KEEP_AS_IT_IS);
    publish(p, "t0", "4", TOPIC_KEEP_AS_IT_IS);
    hub_client_leave(p->client);
    p->client = NULL;
    settle();
    assert_heard(p, 0, "page e1");
    assert_heard(p, 1, ".subscribed near");
    assert_heard(p, p->count - 1, "\"data\":3}");
    assert_int_equal(p->count, 5); /* with 1 and 2, of the past */
}

/* The join waits in the mail of the home when somebody of the home's thread publishes, who may know
 * of it: its thread has said so to others. */
static void who_subscribes_from_another_thread_hears_what_the_home_publishes_then(void **state)
{
    (void)state;
    const char *topic = topic_at(0);
    struct person *far = &people[1], *near = &people[HUBS];
    subscribe(far, topic);
    publish(&people[0], topic, "1", TOPIC_KEEP_AS_IT_IS);
    subscribe(near, topic);
    publish(near, topic, "2", TOPIC_KEEP_AS_IT_IS);
    settle();
    publish(near, topic, "3", TOPIC_KEEP_AS_IT_IS);
    settle();
    assert_heard(far, 0, ".subscribed near");
    assert_heard(far, 1, "\"data\":1}");
    assert_heard(far, 2, "\"data\":2}");
    assert_heard(far, 3, "\"data\":3}");
    assert_heard(near, 0, ".subscribed near");
    assert_heard(near, 1, "\"data\":2}");
    assert_heard(near, 2, "\"data\":3}");
    assert_int_equal(people[0].subscribers, 1);
}

static void publish_two(struct mail *mail)
{
    (void)mail;
    publish(&people[0], topic_at(0), "2", TOPIC_KEEP_AS_IT_IS);
}

/* The box is empty, while the letters that were taken out of it are read. */
static void a_request_does_not_overtake_one_that_waits_in_the_mail(void **state)
{
    (void)state;
    struct mail mail;
    struct person *listener = &people[HUBS];
    hears_at_the_page(listener, topic_at(0));
    loop_post(loops[0], &mail, publish_two);
    publish(&people[0], topic_at(0), "1", TOPIC_KEEP_AS_IT_IS);
    settle();
    publish(&people[0], topic_at(0), "3", TOPIC_KEEP_AS_IT_IS);
    assert_false(loop_has_mail(loops[0])); /* nothing was in its way */
    settle();
    assert_string_equal(listener->heard[1], "page e1");
    assert_string_equal(listener->heard[2], "page e2");
    assert_string_equal(listener->heard[3], "page e3");
}

static void limits_of_one_client(void **state)
{
    (void)state;
    struct person *p = &people[0];
    struct topic_publication what = {.topic = wanted("t").topic, .event_len = 1, .event = "e"};
    char data[1000] = {0}, presence[102] = "{}";
    what.data = slice_make(data, 1000);
    assert_int_equal(hub_publish(p->client, &what, false, NULL), HUB_TOO_LONG);
    memset(presence + 2, ' ', 99);
    assert_int_equal(show(p, "t", presence), HUB_PRESENCE_TOO_LONG);
    config.subscriptions_max = 1;
    assert_int_equal(subscribe(p, "a"), HUB_DONE);
    settle();
    assert_int_equal(subscribe(p, "b"), HUB_SUBSCRIPTIONS_FULL);
    assert_int_equal(subscribe(p, "a"), HUB_DONE);
    settle();
    assert_int_equal(hub_unsubscribe(p->client, SLICE_LITERAL("b")), HUB_NOT_SUBSCRIBED);
    config.presence_max = 0;
    show(p, "a", "{}");
    settle();
    assert_int_equal(p->refused, HUB_PRESENCE_FULL);
    publish(p, "a", "1", TOPIC_KEEP_AS_IT_IS);
    settle();
    assert_heard(p, p->count - 1, ".topic {\"self\":true,\"topic\":\"a\"");
    assert_int_equal(COUNT_ALL(subscriptions), 1);
    assert_int_equal(COUNT_ALL(present), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_see_one_order_however_the_loops_turn),
        TEST(an_end_in_the_middle_frees_everything),
        TEST(a_client_may_leave_with_requests_under_way),
        TEST(a_client_may_leave_while_it_is_told_something),
        TEST(who_leaves_while_it_subscribes_anew_hears_no_more),
        TEST(a_publisher_ahead_of_the_server_waits_until_all_have_it),
        TEST(who_takes_no_more_is_told_how_many_it_missed),
        TEST(the_past_is_bounded_by_number_and_bytes),
        TEST(a_topic_without_anybody_gives_way_or_ends),
        TEST(a_thousand_changes_are_one_line),
        TEST(a_short_absence_is_not_told),
        TEST(a_page_that_goes_while_it_joins_is_not_there),
        TEST(who_missed_a_change_hears_all_that_are_there),
        TEST(to_the_page_and_without_the_own),
        TEST(events_that_come_together_are_given_together_and_in_order),
        TEST(what_was_published_before_a_subscription_changes_is_heard_as_before),
        TEST(who_subscribes_from_another_thread_hears_what_the_home_publishes_then),
        TEST(a_request_does_not_overtake_one_that_waits_in_the_mail),
        TEST(limits_of_one_client),
    };
    return run_on_every_backend("hub", tests);
}
