/* SPDX-License-Identifier: MIT */
#include "cluster/greeting.h"

#include <stdio.h>

static void next_step(struct greeting *g);

static void send_words(struct greeting *g, const struct slice *words, size_t count)
{
    struct redis_words part = {words, count};
    redis_send(g->redis, &g->call, &part, 1);
}

#define SEND(g, ...)                                                                               \
    send_words(g, (struct slice[]){__VA_ARGS__},                                                   \
               sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice))

/* ---- what INFO says ---- */

/* The value of a line `NAME:VALUE`; empty if there is none. */
static void find_info(const redisReply *info, const char *name, char ret[GREETING_TEXT_SIZE])
{
    struct slice rest = redis_is_text(info) ? redis_text(info) : SLICE_NONE;
    size_t len = strlen(name);
    ret[0] = '\0';
    while (rest.len) {
        size_t end = slice_find(rest, '\n');
        struct slice line = slice_first(rest, end);
        rest = slice_skip(rest, end < rest.len ? end + 1 : end);
        if (line.len <= len || memcmp(line.ptr, name, len) || line.ptr[len] != ':')
            continue;
        struct slice value = slice_skip(line, len + 1);
        if (value.len && value.ptr[value.len - 1] == '\r')
            value.len--;
        snprintf(ret, GREETING_TEXT_SIZE, "%.*s", SLICE_ARG(slice_first(value, 63)));
        return;
    }
}

static const char *wrong_mode(const char *mode)
{
    if (strcmp(mode, "sentinel") == 0)
        return "it is a Sentinel: redis-sentinel://...#MASTER finds the broker by it";
    if (strcmp(mode, "cluster") == 0)
        return "it is of a Redis Cluster: a broker is one server, or a pair with Sentinels";
    return NULL;
}

static const char *judge_server(struct greeting *g, const redisReply *reply)
{
    char mode[GREETING_TEXT_SIZE];
    find_info(reply, "redis_mode", mode);
    if (!*mode)
        find_info(reply, "server_mode", mode); /* of Valkey */
    find_info(reply, "run_id", g->run_id);
    find_info(reply, "valkey_version", g->version);
    if (!*g->version)
        find_info(reply, "redis_version", g->version);
    return *g->run_id ? wrong_mode(mode) : "INFO server names no run_id";
}

/* ---- the steps ---- */

/* False: there is nothing to say. */
typedef bool say_fn(struct greeting *g);

static bool say_password(struct greeting *g)
{
    const struct broker_url *url = g->config->url;
    if (!url->password)
        return false;
    if (url->user)
        SEND(g, SLICE_LITERAL("AUTH"), slice_of(url->user), slice_of(url->password));
    else
        SEND(g, SLICE_LITERAL("AUTH"), slice_of(url->password));
    return true;
}

static bool say_name(struct greeting *g)
{
    SEND(g, SLICE_LITERAL("CLIENT"), SLICE_LITERAL("SETNAME"), SLICE_LITERAL("httpsocket"));
    return true;
}

static bool say_server(struct greeting *g)
{
    SEND(g, SLICE_LITERAL("INFO"), SLICE_LITERAL("server"));
    return true;
}

static bool say_role(struct greeting *g)
{
    SEND(g, SLICE_LITERAL("INFO"), SLICE_LITERAL("replication"));
    return true;
}

static bool say_database(struct greeting *g)
{
    char number[16];
    if (!g->for_calls || g->config->url->db == 0)
        return false;
    snprintf(number, sizeof(number), "%u", g->config->url->db);
    SEND(g, SLICE_LITERAL("SELECT"), slice_of(number));
    return true;
}

static bool say_ping(struct greeting *g)
{
    if (g->for_calls)
        SEND(g, SLICE_LITERAL("PING"));
    return g->for_calls;
}

static bool say_script(struct greeting *g)
{
    const struct broker_script *s = g->for_calls ? g->config->scripts[g->script] : NULL;
    if (s)
        SEND(g, SLICE_LITERAL("SCRIPT"), SLICE_LITERAL("LOAD"), s->text);
    return s;
}

/* NULL, or what is wrong with an answer that is no error; then the link tries again. */
typedef const char *judge_fn(struct greeting *g, const redisReply *reply);

static const char *judge_nothing(struct greeting *g, const redisReply *reply)
{
    (void)g;
    (void)reply;
    return NULL;
}

static const char *judge_role(struct greeting *g, const redisReply *reply)
{
    (void)g;
    char role[GREETING_TEXT_SIZE];
    find_info(reply, "role", role);
    return strcmp(role, "master") ? "it is no master" : NULL;
}

static const char *judge_script(struct greeting *g, const redisReply *reply)
{
    const struct broker_script *s = g->config->scripts[g->script++];
    g->step--; /* the next script, if there is one */
    return redis_is_text(reply) && slice_equal(redis_text(reply), slice_of(s->sha1))
               ? NULL
               : "SCRIPT LOAD gave another name to a script";
}

static const struct step {
    say_fn *say;
    judge_fn *judge;
    bool refuses;  /* what is wrong with an answer stays wrong */
    bool may_fail; /* an error is none: rights may forbid it */
} steps[] = {
    {say_password, judge_nothing, false, false}, {say_name, judge_nothing, false, true},
    {say_server, judge_server, true, false},     {say_role, judge_role, false, false},
    {say_database, judge_nothing, false, false}, {say_ping, judge_nothing, false, false},
    {say_script, judge_script, true, false},
};

#define STEP_COUNT (sizeof(steps) / sizeof(*steps))

static bool is_refusal(const redisReply *error)
{
    struct slice text = redis_text(error);
    return !broker_error_passes(error) && !slice_starts_with(text, SLICE_LITERAL("LOADING")) &&
           !slice_starts_with(text, SLICE_LITERAL("MASTERDOWN"));
}

static void on_reply(struct broker_call *call, const redisReply *reply)
{
    struct greeting *g = container_of(call, struct greeting, call);
    const struct step *step = &steps[g->step++];
    bool error = reply->type == REDIS_REPLY_ERROR;
    if (error && !step->may_fail) {
        g->ops->on_failed(g, reply->str, is_refusal(reply));
        return;
    }
    const char *wrong = error ? NULL : step->judge(g, reply);
    if (wrong)
        g->ops->on_failed(g, wrong, step->refuses);
    else
        next_step(g);
}

static void next_step(struct greeting *g)
{
    while (g->step < STEP_COUNT && !steps[g->step].say(g))
        g->step++;
    if (g->step < STEP_COUNT)
        return;
    g->done = true;
    g->ops->on_done(g);
}

void greeting_start(struct greeting *g, struct redis *redis, const struct broker_config *config,
                    bool for_calls, const struct greeting_ops *ops)
{
    *g = (struct greeting){
        .ops = ops,
        .redis = redis,
        .config = config,
        .for_calls = for_calls,
        .call.on_reply = on_reply,
    };
    list_init(&g->call.node);
    next_step(g); /* which says its name at least */
}

void greeting_stop(struct greeting *g)
{
    if (g->call.on_reply)
        list_remove(&g->call.node);
}
