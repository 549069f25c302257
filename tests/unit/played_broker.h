/* SPDX-License-Identifier: MIT */
/* played_broker.h - a broker that a test plays by hand, and one link to it. It answers what a link
 * says first, PING and SUBSCRIBE, unless told otherwise; the rest is the test's. What the link
 * tells is written down in `events`.
 */
#ifndef UNIT_PLAYED_BROKER_H
#define UNIT_PLAYED_BROKER_H

#include "cluster/broker.h"

#include "loop_fixture.h"

#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define SHA1 "7c0f9d5fd6e0a5b2f7d7a0f1c1a6ddc0f0a4a8ab"

enum {
    TIMEOUT_MS = 5000,
    CONNECTIONS_MAX = 256
};

/* One connection, as the broker sees it. */
struct played {
    int fd; /* -1: closed */
    redisReader *reader;
    bool is_news; /* it has subscribed */
};

static struct played_broker {
    int listener;
    struct played connections[CONNECTIONS_MAX];
    int count;
    bool mute;        /* nothing is answered */
    bool keeps_quiet; /* SUBSCRIBE and UNSUBSCRIBE are not answered */
    const char *role;
    const char *run_ids[2]; /* of the first connection of a pair, and of the second */
    const char *ping;
    int commands; /* all that have come */
    char last[256];
} played;

static struct broker_url *url;
static struct broker *broker;
static char events[8192];
static const struct broker_script played_script = {
    .name = "s", .text = SLICE_LITERAL("return 1\n"), .sha1 = SHA1};
static const struct broker_script *const played_scripts[] = {&played_script, NULL};

static inline void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t len = strlen(events);
    vsnprintf(events + len, sizeof(events) - len, format, arguments);
    va_end(arguments);
}

#define expect_events(text)                                                                        \
    do {                                                                                           \
        assert_string_equal(events, text);                                                         \
        events[0] = '\0';                                                                          \
    } while (0)

/* ---- the broker ---- */

static inline void say(struct played *c, const char *text)
{
    if (c->fd >= 0)
        assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void cut(struct played *c)
{
    if (c->fd < 0)
        return;
    close(c->fd);
    redisReaderFree(c->reader);
    c->fd = -1;
}

static inline void say_info(struct played *c, const char *name, const char *value)
{
    char text[256], reply[300];
    int len =
        snprintf(text, sizeof(text), "# X\r\nredis_mode:standalone\r\n%s:%s\r\n", name, value);
    snprintf(reply, sizeof(reply), "$%d\r\n%s\r\n", len, text);
    say(c, reply);
}

static inline void confirm(struct played *c, const redisReply *command)
{
    char reply[256];
    const char *kind = command->element[0]->str[0] == 'S' ? "subscribe" : "unsubscribe";
    for (size_t i = 1; i < command->elements; i++) {
        snprintf(reply, sizeof(reply), "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:1\r\n", strlen(kind),
                 kind, command->element[i]->len, command->element[i]->str);
        say(c, reply);
    }
}

static inline void answer(struct played *c, const redisReply *command)
{
    const char *word = command->element[0]->str;
    const char *second = command->elements > 1 ? command->element[1]->str : "";
    int index = (int)(c - played.connections);
    snprintf(played.last, sizeof(played.last), "%s %s", word, second);
    played.commands++;
    if (played.mute)
        return;
    if (!strcmp(word, "CLIENT") || !strcmp(word, "SELECT") || !strcmp(word, "AUTH"))
        say(c, "+OK\r\n");
    else if (!strcmp(second, "server"))
        say_info(c, "run_id", played.run_ids[index % 2]);
    else if (!strcmp(second, "replication"))
        say_info(c, "role", played.role);
    else if (!strcmp(word, "PING"))
        say(c, c->is_news ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : played.ping);
    else if (!strcmp(word, "SCRIPT"))
        say(c, "$40\r\n" SHA1 "\r\n");
    else if (strstr(word, "SUBSCRIBE")) {
        c->is_news = true;
        if (!played.keeps_quiet)
            confirm(c, command);
    }
}

static inline void hear(struct played *c)
{
    char data[65536];
    void *reply;
    ssize_t n = c->fd < 0 ? -1 : recv(c->fd, data, sizeof(data), MSG_DONTWAIT);
    if (n == 0)
        cut(c);
    if (n <= 0)
        return;
    redisReaderFeed(c->reader, data, (size_t)n);
    while (c->fd >= 0 && redisReaderGetReply(c->reader, &reply) == REDIS_OK && reply) {
        answer(c, reply);
        freeReplyObject(reply);
    }
}

static inline void play(void)
{
    int fd = accept4(played.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        assert_true(played.count < CONNECTIONS_MAX);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        played.connections[played.count++] =
            (struct played){.fd = fd, .reader = redisReaderCreate()};
    }
    for (int i = 0; i < played.count; i++)
        hear(&played.connections[i]);
}

static inline struct played *calls_line(void)
{
    return &played.connections[played.count - 2];
}

static inline struct played *news_line(void)
{
    return &played.connections[played.count - 1];
}

/* ---- the link ---- */

static inline void on_up(void *owner)
{
    (void)owner;
    note("up %.*s|", SLICE_ARG(broker_run_id(broker)));
}

static inline void on_down(void *owner)
{
    (void)owner;
    assert_false(broker_is_up(broker));
    note("down|");
}

static inline void on_message(void *owner, struct slice channel, struct slice payload)
{
    (void)owner;
    note("%.*s: %.*s|", SLICE_ARG(channel), SLICE_ARG(payload));
}

static inline void on_subscribed(void *owner, struct slice channel)
{
    (void)owner;
    note("subscribed %.*s|", SLICE_ARG(channel));
}

static const struct broker_ops noting = {on_up, on_down, on_message, on_subscribed};

struct noted_call {
    struct broker_call call;
    const char *name;
};

static inline void on_reply(struct broker_call *call, const struct redisReply *reply)
{
    struct noted_call *c = container_of(call, struct noted_call, call);
    if (reply)
        note("%s=%s|", c->name, reply->str);
    else
        note("%s broken|", c->name);
    call->on_reply = NULL; /* once */
}

static inline void call(struct noted_call *c, const char *name)
{
    struct slice words[] = {SLICE_LITERAL("GET"), slice_of(name)};
    *c = (struct noted_call){.call.on_reply = on_reply, .name = name};
    broker_call(broker, &c->call, words, 2);
}

/* ---- both ---- */

#define TURN_BOTH_UNTIL(condition)                                                                 \
    do {                                                                                           \
        uint64_t until_deadline = real_ms() + 20000;                                               \
        for (play(); !(condition); play()) {                                                       \
            if (real_ms() > until_deadline)                                                        \
                fail_msg("never: %s; events: %s", #condition, events);                             \
            assert_int_equal(loop_turn(loop, 2), 0);                                               \
        }                                                                                          \
    } while (0)

/* All that has been said has been heard. */
static inline void settle(void)
{
    for (int idle = 0; idle < 4; idle++) {
        const struct loop_counts *counts = loop_counts(loop);
        uint64_t before = counts->receives + counts->sends + counts->timers_fired;
        turn_and_send(1);
        play();
        if (counts->receives + counts->sends + counts->timers_fired != before)
            idle = 0;
    }
}

/* The clock of the link goes on. */
static inline void pass_ms(uint64_t ms)
{
    for (; ms > 0; ms -= ms < 500 ? ms : 500) {
        fake_ms += ms < 500 ? ms : 500;
        settle();
    }
}

static inline void make_broker(const struct broker_ops *ops)
{
    struct broker_config config = {.url = url, .timeout_ms = TIMEOUT_MS, .scripts = played_scripts};
    broker = broker_new(loop, &config, ops, NULL);
}

static inline int begin_link(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct text why = {0};
    char text[64];
    make_loop(state);
    events[0] = '\0';
    played = (struct played_broker){.role = "master", .run_ids = {"aa", "aa"}, .ping = "+PONG\r\n"};
    played.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bind(played.listener, (struct sockaddr *)&a, sizeof(a));
    listen(played.listener, 8);
    getsockname(played.listener, (struct sockaddr *)&a, &(socklen_t){sizeof(a)});
    snprintf(text, sizeof(text), "redis://127.0.0.1:%u", ntohs(a.sin_port));
    url = broker_url_parse(slice_of(text), &why);
    make_broker(&noting);
    return 0;
}

static inline int end_link(void **state)
{
    broker_free(broker);
    broker = NULL;
    for (int i = 0; i < played.count; i++)
        cut(&played.connections[i]);
    close(played.listener);
    broker_url_free(url);
    return end_loop(state);
}

#define link_test(f) cmocka_unit_test_setup_teardown(f, begin_link, end_link)

#endif
