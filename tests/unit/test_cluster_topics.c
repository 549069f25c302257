/* SPDX-License-Identifier: MIT */
/* Topics of several servers in one process, over a real Redis: one order for all, and links that
 * break, a broker that forgets, a server that dies. */
#include "base/hash.h"
#include "cluster/scripts.h"
#include "cluster/topics.h"
#include "hub/threads.h"

#include "random.h"

#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include <cmocka.h>

extern char **environ;

enum {
    SERVERS = 3,
    PEOPLE = 9,
    HEARD_MAX = 4096,
    PATIENCE_MS = 60000
};

/* ---- Redis ---- */

static char folder[] = "/tmp/httpsocket-topics-XXXXXX";
static char socket_path[sizeof(folder) + 16], url_text[sizeof(folder) + 32];
static struct broker_url *url;
static pid_t redis_pid;

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void *ask(const char *command)
{
    redisContext *c = redisConnectUnix(socket_path);
    redisReply *reply = c && !c->err ? redisCommand(c, command) : NULL;
    redisFree(c);
    return reply;
}

static bool redis_answers(void)
{
    redisReply *reply = ask("PING");
    bool good = reply && reply->type == REDIS_REPLY_STATUS;
    if (reply)
        freeReplyObject(reply);
    return good;
}

static void start_redis(void)
{
    char *argv[] = {"setpriv",
                    "--pdeathsig",
                    "KILL",
                    "redis-server",
                    "--port",
                    "0",
                    "--unixsocket",
                    socket_path,
                    "--save",
                    "",
                    "--dir",
                    folder,
                    "--loglevel",
                    "warning",
                    "--daemonize",
                    "no",
                    NULL};
    assert_int_equal(posix_spawnp(&redis_pid, argv[0], NULL, NULL, argv, environ), 0);
    for (int i = 0; i < PATIENCE_MS / 10 && !redis_answers(); i++)
        pause_ms(10);
    assert_true(redis_answers());
}

/* All that it knew is gone. */
static void kill_redis(void)
{
    kill(redis_pid, SIGKILL);
    waitpid(redis_pid, NULL, 0);
    unlink(socket_path);
}

static void cut_links(void)
{
    freeReplyObject(ask("CLIENT KILL TYPE normal SKIPME yes"));
    freeReplyObject(ask("CLIENT KILL TYPE pubsub"));
}

/* ---- servers ---- */

struct server {
    struct loop *loop;
    struct hub hub;
    struct hub_threads *threads;
    struct cluster_topics *topics;
    bool there, paused;
};

struct person {
    struct server *server;
    struct hub_client *client;
    char *heard[HEARD_MAX];
    size_t count;
    enum hub_answer answer;
    size_t published, asked;
};

static struct server servers[SERVERS];
static struct person people[PEOPLE];
static struct hub_config config;
static struct cluster_topics_config topics_config;
static struct broker_config broker;
static unsigned instances;

static void start_server(struct server *s)
{
    char instance[OUTPOST_INSTANCE + 1];
    snprintf(instance, sizeof(instance), "instance%04u", instances++ % 10000);
    *s = (struct server){.loop = loop_new(), .threads = hub_threads_new(1), .there = true};
    s->hub = (struct hub){
        .route = &hub_threads_route, .route_end = s->threads, .loop = s->loop, .config = &config};
    hub_init(&s->hub);
    hub_threads_add(s->threads, 0, &s->hub);
    s->topics = cluster_topics_new(&(struct cluster_topics_spec){
        .loop = s->loop,
        .home = &s->threads->homes[0],
        .config = &topics_config,
        .brokers = &broker,
        .instance = instance,
    });
    assert_non_null(s->topics);
}

/* As one that is killed: it says nothing. */
static void end_server(struct server *s)
{
    hub_stop(&s->hub);
    loop_turn(s->loop, 0);
    cluster_topics_free(s->topics);
    hub_threads_forget(s->threads, 0);
    hub_done(&s->hub);
    loop_free(s->loop);
    hub_threads_free(s->threads);
    s->there = false;
}

static void turn(void)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (servers[i].there && !servers[i].paused)
            assert_int_equal(loop_turn(servers[i].loop, i == 0 ? 1 : 0), 0);
}

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define wait_until(condition)                                                                      \
    do {                                                                                           \
        uint64_t end_ms = clock_ms() + PATIENCE_MS;                                                \
        while (!(condition)) {                                                                     \
            turn();                                                                                \
            if (clock_ms() > end_ms)                                                               \
                fail_msg("not in time: %s", #condition);                                           \
        }                                                                                          \
    } while (0)

/* ---- people ---- */

static void on_line(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole)
{
    struct person *p = hub_client_owner(c);
    (void)whole;
    assert_true(p->count < HEARD_MAX);
    assert_true(asprintf(&p->heard[p->count++], "%.*s%.*s", SLICE_ARG(begin), SLICE_ARG(rest)) > 0);
}

static void on_answer(struct hub_client *c, const struct hub_request *r)
{
    struct person *p = hub_client_owner(c);
    p->answer = r->answer;
    p->published += r->kind == HUB_PUBLISH && r->answer == HUB_DONE;
    if (r->kind == HUB_JOIN)
        assert_true(asprintf(&p->heard[p->count++], ".subscribed %.*s %llu", SLICE_ARG(r->topic),
                             (unsigned long long)r->seq) > 0);
}

static const struct hub_client_ops ops = {.on_line = on_line, .on_answer = on_answer};

static void come(struct person *p, struct server *s)
{
    p->server = s;
    p->client = hub_client_new(&s->hub, &ops, p);
    hub_client_connected(p->client, true);
}

static void forget_heard(struct person *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->heard[i]);
    p->count = 0;
}

static struct topic_subscription wanted(const char *topic)
{
    struct topic_subscription s = {.topic = {.len = (uint8_t)strlen(topic)}};
    memcpy(s.topic.text, topic, s.topic.len);
    return s;
}

static size_t count_heard(const struct person *p, const char *part)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += strstr(p->heard[i], part) != NULL;
    return count;
}

static void subscribe(struct person *p, const char *topic, uint32_t history, const char *presence)
{
    struct topic_subscription s = wanted(topic);
    size_t before = count_heard(p, ".subscribed ");
    s.history = history;
    s.presence = presence ? slice_of(presence) : SLICE_NONE;
    assert_int_equal(hub_subscribe(p->client, &s), HUB_DONE);
    wait_until(count_heard(p, ".subscribed ") == before + 1);
    assert_int_equal(p->answer, HUB_DONE);
}

static void publish(struct person *p, const char *topic, unsigned number)
{
    char data[16];
    snprintf(data, sizeof(data), "%u", number);
    struct topic_publication what = {
        .topic = wanted(topic).topic, .event_len = 1, .event = "e", .data = slice_of(data)};
    assert_int_equal(hub_publish(p->client, &what, false, NULL), HUB_DONE);
}

static unsigned long long number_of(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* What a person has heard of a topic has no gap but those that were told, and no event twice. */
static void check_numbers(const struct person *p, const char *topic)
{
    char is[64], subscribed[64];
    unsigned long long next = 0;
    snprintf(is, sizeof(is), "\"topic\":\"%s\",", topic);
    snprintf(subscribed, sizeof(subscribed), ".subscribed %s ", topic);
    for (size_t i = 0; i < p->count; i++) {
        const char *line = p->heard[i];
        if (strstr(line, subscribed))
            next = number_of(line, subscribed) + 1;
        else if (!strstr(line, is) || strstr(line, "\"past\":true") || strstr(line, ".presence"))
            continue;
        else if (strstr(line, "\"lost\":"))
            next += number_of(line, "\"lost\":");
        else if (number_of(line, "\"seq\":") != next)
            fail_msg("`%s` came where %llu was next", line, next);
        else
            next++;
    }
}

/* The same events in one order, from the first that both have heard. */
static void assert_same(const struct person *a, const struct person *b)
{
    for (size_t i = 0; i < a->count; i++) {
        const char *event = strstr(a->heard[i], "\"seq\":");
        if (!event || strstr(a->heard[i], "\"past\""))
            continue;
        bool found = false;
        for (size_t n = 0; n < b->count && !found; n++)
            found = strstr(b->heard[n], event) != NULL;
        if (!found)
            fail_msg("one has heard `%s`, and another has not", a->heard[i]);
    }
}

/* ---- the fixture ---- */

static int begin(void **state)
{
    (void)state;
    config = (struct hub_config){
        .topics_max = 100,
        .subscriptions_max = 10,
        .history_max = 8,
        .history_bytes_max = 100000,
        .linger_ms = 60000,
        .message_max = 1000,
        .ahead_max = 1000000,
        .presence_max = 50,
        .presence_data_max = 100,
        .presence_grace_ms = 500,
    };
    topics_config = (struct cluster_topics_config){
        .name = "test",
        .history_max = 8,
        .history_bytes_max = 100000,
        .linger_ms = 60000,
        .backlog_max = 1 << 20,
        .brokers = 1,
    };
    broker = (struct broker_config){.url = url, .timeout_ms = 5000, .scripts = broker_scripts};
    start_redis();
    for (size_t i = 0; i < SERVERS; i++)
        start_server(&servers[i]);
    for (size_t i = 0; i < PEOPLE; i++) {
        people[i] = (struct person){0};
        come(&people[i], &servers[i % SERVERS]);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (size_t i = 0; i < PEOPLE; i++) {
        if (people[i].server->there)
            hub_client_leave(people[i].client);
        forget_heard(&people[i]);
    }
    for (size_t i = 0; i < SERVERS; i++)
        if (servers[i].there)
            end_server(&servers[i]);
    kill_redis();
    return 0;
}

static int begin_all(void **state)
{
    (void)state;
    struct text why = {0};
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    snprintf(socket_path, sizeof(socket_path), "%s/redis", folder);
    snprintf(url_text, sizeof(url_text), "unix:%s", socket_path);
    url = broker_url_parse(slice_of(url_text), &why);
    text_done(&why);
    return url ? 0 : -1;
}

static int end_all(void **state)
{
    (void)state;
    broker_url_free(url);
    return rmdir(folder);
}

/* ---- the tests ---- */

static void all_servers_hear_one_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        subscribe(&people[i], "room", 0, NULL);
    for (unsigned i = 0; i < 60; i++)
        publish(&people[i % 3], "room", i);
    for (size_t i = 0; i < 3; i++)
        wait_until(count_heard(&people[i], "\"seq\":") == 60);
    for (size_t i = 0; i < 3; i++) {
        check_numbers(&people[i], "room");
        assert_same(&people[i], &people[(i + 1) % 3]);
        wait_until(people[i].published == 20);
    }
}

static void who_comes_later_gets_the_past(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, NULL);
    for (unsigned i = 0; i < 12; i++)
        publish(&people[0], "room", i);
    wait_until(people[0].published == 12);
    subscribe(&people[1], "room", 5, NULL);
    wait_until(count_heard(&people[1], "\"past\":true") == 5);
    assert_int_equal(count_heard(&people[1], ".subscribed room 12"), 1);
    assert_int_equal(count_heard(&people[1], "\"data\":11}"), 1);
    publish(&people[0], "room", 99);
    wait_until(count_heard(&people[1], "\"data\":99}") == 1);
    check_numbers(&people[1], "room");
}

static void cut_links_lose_and_double_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        subscribe(&people[i], "room", 0, NULL);
    for (unsigned i = 0; i < 300; i++) {
        publish(&people[i % 3], "room", i);
        if (i % 50 == 25)
            cut_links();
        turn();
    }
    for (size_t i = 0; i < 3; i++) {
        wait_until(people[i].published == 100);
        wait_until(count_heard(&people[i], "\"seq\":") +
                       number_of(people[i].heard[people[i].count - 1], "\"lost\":") >=
                   1);
    }
    for (size_t i = 0; i < 3; i++) {
        wait_until(strstr(people[i].heard[people[i].count - 1], "\"seq\":300,"));
        check_numbers(&people[i], "room");
    }
}

static void what_the_broker_has_forgotten_is_given_back(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, NULL);
    subscribe(&people[1], "room", 0, NULL);
    for (unsigned i = 0; i < 5; i++)
        publish(&people[0], "room", i);
    wait_until(count_heard(&people[1], "\"seq\":") == 5);
    kill_redis();
    publish(&people[1], "room", 5);
    for (int i = 0; i < 50; i++)
        turn();
    start_redis();
    wait_until(count_heard(&people[0], "\"seq\":6,") == 1);
    wait_until(count_heard(&people[1], "\"seq\":6,") == 1);
    subscribe(&people[2], "room", 10, NULL);
    wait_until(count_heard(&people[2], "\"past\":true") == 6);
    for (size_t i = 0; i < 2; i++)
        check_numbers(&people[i], "room");
}

static void a_broker_that_is_emptied_while_it_runs_is_told_again(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, "{\"name\":\"a\"}");
    subscribe(&people[1], "room", 0, "{\"name\":\"b\"}");
    for (unsigned i = 0; i < 5; i++)
        publish(&people[0], "room", i);
    wait_until(count_heard(&people[1], "\"seq\":5,") == 1);
    freeReplyObject(ask("FLUSHALL"));
    publish(&people[2], "room", 5); /* its server knows nothing of the topic */
    wait_until(count_heard(&people[0], "\"seq\":6,") == 1);
    wait_until(count_heard(&people[1], "\"seq\":6,") == 1);
    subscribe(&people[2], "room", 10, "{\"name\":\"c\"}");
    wait_until(count_heard(&people[2], "\"past\":true") == 6);
    wait_until(count_heard(&people[2], "{\"name\":\"a\"}") >= 1);
    for (size_t i = 0; i < 2; i++)
        check_numbers(&people[i], "room");
}

static void what_nobody_has_any_more_is_told_as_lost(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, NULL);
    subscribe(&people[1], "room", 0, NULL);
    servers[1].paused = true;
    cut_links();
    for (unsigned i = 0; i < 20; i++)
        publish(&people[0], "room", i);
    wait_until(people[0].published == 20);
    servers[1].paused = false;
    wait_until(count_heard(&people[1], "\"seq\":20,") == 1);
    assert_int_equal(count_heard(&people[1], "\"lost\":12}"), 1);
    check_numbers(&people[1], "room");
}

static void a_publisher_waits_for_a_broker_that_is_away(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, NULL);
    kill_redis();
    for (int i = 0; i < 20; i++)
        turn();
    publish(&people[0], "room", 1);
    struct topic_publication what = {
        .topic = wanted("room").topic, .event_len = 1, .event = "e", .data = SLICE_LITERAL("2")};
    wait_until(people[0].answer == HUB_DONE &&
               hub_publish(people[0].client, &what, true, NULL) == HUB_DONE &&
               (turn(), people[0].answer == HUB_AWAY));
    assert_int_equal(people[0].published, 0);
    start_redis();
    wait_until(people[0].published == 1);
    wait_until(count_heard(&people[0], "\"seq\":1,") == 1);
}

static void a_broker_that_refuses_to_wait_is_asked_once_a_second(void **state)
{
    (void)state;
    const struct cluster_topics_counts *counts = cluster_topics_counts(servers[0].topics);
    topics_config.replicas = 1;
    freeReplyObject(ask("ACL SETUSER default -wait"));
    subscribe(&people[0], "room", 0, NULL);
    publish(&people[0], "room", 1);
    wait_until(counts->refused > 0);
    for (int i = 0; i < 300; i++)
        turn();
    assert_in_range(counts->refused, 1, 3);
    assert_int_equal(people[0].published, 0);
    freeReplyObject(ask("ACL SETUSER default +wait"));
    topics_config.replicas = 0;
    wait_until(people[0].published == 1);
}

static void who_is_there_is_known_in_all_servers(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, "{\"name\":\"a\"}");
    subscribe(&people[1], "room", 0, "{\"name\":\"b\"}");
    wait_until(count_heard(&people[0], "{\"name\":\"b\"}") >= 1);
    wait_until(count_heard(&people[1], "{\"name\":\"a\"}") >= 1);
    hub_client_leave(people[1].client);
    wait_until(count_heard(&people[0], "\"left\":[") == 1);
    come(&people[1], &servers[1]);
}

static void the_clients_of_a_server_that_dies_have_left(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, "{\"name\":\"a\"}");
    subscribe(&people[1], "room", 0, "{\"name\":\"b\"}");
    subscribe(&people[2], "other", 0, "{\"name\":\"c\"}");
    wait_until(count_heard(&people[0], "{\"name\":\"b\"}") >= 1);
    cluster_topics_free(servers[1].topics);
    servers[1].topics = NULL;
    end_server(&servers[1]);
    wait_until(count_heard(&people[0], "\"left\":[") == 1);
    assert_int_equal(count_heard(&people[2], "\"left\":["), 0);
}

static void a_server_that_was_taken_for_dead_is_seen_again(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, "{\"name\":\"a\"}");
    subscribe(&people[1], "room", 0, "{\"name\":\"b\"}");
    wait_until(count_heard(&people[0], "{\"name\":\"b\"}") >= 1);
    servers[1].paused = true;
    wait_until(count_heard(&people[0], "\"left\":[") == 1);
    forget_heard(&people[0]);
    servers[1].paused = false;
    wait_until(count_heard(&people[0], "{\"name\":\"b\"}") >= 1);
}

static void a_broker_that_forgets_is_told_who_is_there(void **state)
{
    (void)state;
    subscribe(&people[0], "room", 0, "{\"name\":\"a\"}");
    subscribe(&people[1], "room", 0, "{\"name\":\"b\"}");
    wait_until(count_heard(&people[0], "{\"name\":\"b\"}") >= 1);
    kill_redis();
    start_redis();
    subscribe(&people[2], "room", 0, "{\"name\":\"c\"}");
    wait_until(count_heard(&people[2], "{\"name\":\"a\"}") >= 1);
    wait_until(count_heard(&people[2], "{\"name\":\"b\"}") >= 1);
    assert_int_equal(count_heard(&people[0], "\"left\":["), 0);
}

/* A page's own events don't wait for the broker: nor does its program for a topic. */
static void a_join_waits_for_the_broker_and_makes_nobody_busy(void **state)
{
    (void)state;
    kill_redis();
    struct topic_subscription s = wanted("room");
    assert_int_equal(hub_subscribe(people[0].client, &s), HUB_DONE);
    for (int i = 0; i < 20; i++)
        turn();
    assert_false(hub_client_busy(people[0].client));
    assert_int_equal(people[0].count, 0);
    start_redis();
    wait_until(count_heard(&people[0], ".subscribed room 0") == 1);
}

/* ---- at random ---- */

static const char *const rooms[] = {"one", "two", "three"};

struct told {
    char ids[PEOPLE * 8][HUB_ID_LEN + 1];
    size_t count;
};

static void put_in(struct told *t, const char *id)
{
    for (size_t i = 0; i < t->count; i++)
        if (!memcmp(t->ids[i], id, HUB_ID_LEN))
            return;
    memcpy(t->ids[t->count++], id, HUB_ID_LEN);
}

static void take_out(struct told *t, const char *id)
{
    for (size_t i = 0; i < t->count; i++)
        if (!memcmp(t->ids[i], id, HUB_ID_LEN))
            memcpy(t->ids[i], t->ids[--t->count], sizeof(t->ids[i]));
}

/* Who is there as this person was told, line after line. */
static void who_is_there(const struct person *p, const char *topic, struct told *ret)
{
    char is[64];
    snprintf(is, sizeof(is), ".presence {\"topic\":\"%s\"", topic);
    *ret = (struct told){0};
    for (size_t i = 0; i < p->count; i++) {
        const char *line = p->heard[i];
        if (strncmp(line, is, strlen(is)) != 0)
            continue;
        if (strstr(line, "\"here\":["))
            ret->count = 0;
        for (const char *at = line; (at = strstr(at, "{\"id\":\"")); at += 7)
            put_in(ret, at + 7);
        const char *left = strstr(line, "\"left\":[");
        for (const char *at = left ? left + 7 : NULL; at && *at != ']'; at += HUB_ID_LEN + 3)
            take_out(ret, at + 2);
    }
}

static bool knows_all(const struct person *p, size_t room)
{
    struct told told;
    size_t there = 0;
    who_is_there(p, rooms[room], &told);
    for (size_t i = 0; i < PEOPLE; i++)
        there += i % 3 != room;
    if (told.count != there)
        return false;
    for (size_t i = 0; i < PEOPLE; i++) {
        bool found = false;
        for (size_t n = 0; n < told.count; n++)
            found |= !memcmp(told.ids[n], hub_client_id(people[i].client).ptr, HUB_ID_LEN);
        if (found != (i % 3 != room))
            return false;
    }
    return true;
}

static void settle_in(struct person *p)
{
    for (size_t n = 0; n < 3; n++)
        if ((size_t)(p - people) % 3 != n)
            subscribe(p, rooms[n], 0, "{\"is\":\"there\"}");
}

static void unsubscribe(struct person *p, const char *topic)
{
    hub_unsubscribe(p->client, slice_of(topic));
    for (size_t i = 0; i < p->count; i++) /* it begins anew */
        if (strstr(p->heard[i], topic))
            p->heard[i][0] = '\0';
}

static void kill_server(struct server *s)
{
    end_server(s);
    start_server(s);
    for (size_t i = 0; i < PEOPLE; i++) {
        if (people[i].server != s)
            continue;
        forget_heard(&people[i]);
        people[i].published = people[i].asked = 0;
        come(&people[i], s);
    }
    for (size_t i = 0; i < PEOPLE; i++)
        if (people[i].server == s)
            settle_in(&people[i]);
}

/* All servers are there to give back what is lost. */
static void broker_forgets(size_t how)
{
    if (how > 1)
        return;
    for (size_t i = 0; i < SERVERS; i++)
        servers[i].paused = false;
    if (how == 0) {
        kill_redis();
        start_redis();
    } else {
        freeReplyObject(ask("FLUSHALL"));
    }
}

static void something_happens(uint64_t *seed)
{
    struct person *p = &people[random_below(seed, PEOPLE)];
    size_t room = ((size_t)(p - people) + 1 + random_below(seed, 2)) % 3;
    switch (random_below(seed, 60)) {
    case 0:
    case 1:
        cut_links();
        break;
    case 2:
        servers[random_below(seed, SERVERS)].paused ^= true;
        break;
    case 3:
        broker_forgets(random_below(seed, 6));
        break;
    case 4:
    case 5:
        if (p->server->paused)
            break;
        unsubscribe(p, rooms[room]);
        subscribe(p, rooms[room], (uint32_t)random_below(seed, 8), "{\"is\":\"back\"}");
        break;
    case 6:
        if (random_below(seed, 3) == 0 && !p->server->paused)
            kill_server(p->server);
        break;
    }
}

static void random_events(unsigned steps, uint64_t seed)
{
    for (size_t i = 0; i < PEOPLE; i++)
        settle_in(&people[i]);
    for (unsigned i = 0; i < steps; i++) {
        struct person *p = &people[random_below(&seed, PEOPLE)];
        publish(p, rooms[random_below(&seed, 3)], i);
        p->asked++;
        something_happens(&seed);
        for (size_t n = random_below(&seed, 4); n > 0; n--)
            turn();
    }
    for (size_t i = 0; i < SERVERS; i++)
        servers[i].paused = false;
    for (size_t i = 0; i < PEOPLE; i++)
        wait_until(people[i].published == people[i].asked);
    for (size_t n = 0; n < 3; n++)
        publish(&people[0], rooms[n], 1000000);
    for (size_t i = 0; i < PEOPLE; i++) {
        wait_until(count_heard(&people[i], "\"data\":1000000}") == 2);
        for (size_t n = 0; n < 3; n++) {
            check_numbers(&people[i], rooms[n]);
            if (i % 3 != n)
                wait_until(knows_all(&people[i], n));
        }
    }
}

static void at_random_every_event_comes_once_or_is_told_as_lost(void **state)
{
    (void)state;
    const char *seed = getenv("SEED");
    random_events(400, seed ? strtoull(seed, NULL, 10) : 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
        test(all_servers_hear_one_order),
        test(who_comes_later_gets_the_past),
        test(cut_links_lose_and_double_nothing),
        test(what_the_broker_has_forgotten_is_given_back),
        test(a_broker_that_is_emptied_while_it_runs_is_told_again),
        test(what_nobody_has_any_more_is_told_as_lost),
        test(a_publisher_waits_for_a_broker_that_is_away),
        test(a_broker_that_refuses_to_wait_is_asked_once_a_second),
        test(who_is_there_is_known_in_all_servers),
        test(the_clients_of_a_server_that_dies_have_left),
        test(a_server_that_was_taken_for_dead_is_seen_again),
        test(a_broker_that_forgets_is_told_who_is_there),
        test(a_join_waits_for_the_broker_and_makes_nobody_busy),
        test(at_random_every_event_comes_once_or_is_told_as_lost),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
