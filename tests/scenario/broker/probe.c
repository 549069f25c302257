/* SPDX-License-Identifier: MIT */
/* probe.c - one link to a broker (src/cluster/broker.h), driven by lines: what a scenario says goes
 * to the link, and what the link tells is printed.
 *
 *   probe TIMEOUT_MS [CA [CERT KEY]]        the URL is in $BROKER
 *
 *   call WORD …      ──> reply TEXT, error TEXT or broken, in the order of the calls
 *   many N WORD …        N calls of it
 *   run KEY ARG      ──> the same: {KEY, ARG} by a script
 *   subscribe CHANNEL    unsubscribe CHANNEL
 *   counts           ──> counts ups=N …
 *   free             ──> freed; the program ends
 *
 *   up RUN    down    subscribed CHANNEL    message CHANNEL TEXT
 */
#include "cluster/broker.h"

#include "core/io.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCRIPT "return {KEYS[1], ARGV[1]}\n"
#define SHA1   "0000000000000000000000000000000000000000"

enum {
    WORDS_MAX = 64,
    LINES_MAX = 1 << 20
};

static struct loop *loop;
static struct broker *broker;
static struct io input;
static char lines[LINES_MAX];
static size_t lines_len;

static struct broker_script script = {.name = "probe", .text = SLICE_LITERAL(SCRIPT), .sha1 = SHA1};
static const struct broker_script *const scripts[] = {&script, NULL};

static void print_reply(const struct redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        printf(" %lld", reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements; i++)
            print_reply(reply->element[i]);
        break;
    case REDIS_REPLY_NIL:
        printf(" nil");
        break;
    default:
        printf(" %.*s", (int)(reply->len < 200 ? reply->len : 200), reply->str);
    }
}

static void on_reply(struct broker_call *call, const struct redisReply *reply)
{
    printf(!reply ? "broken" : reply->type == REDIS_REPLY_ERROR ? "error" : "reply");
    if (reply)
        print_reply(reply);
    if (reply && broker_error_passes(reply))
        printf(" (passes)");
    printf("\n");
    free(call);
}

static void on_up(void *owner)
{
    (void)owner;
    printf("up %.*s\n", SLICE_ARG(broker_run_id(broker)));
}

static void on_down(void *owner)
{
    (void)owner;
    printf("down\n");
}

static void on_message(void *owner, struct slice channel, struct slice payload)
{
    (void)owner;
    printf("message %.*s %.*s\n", SLICE_ARG(channel), SLICE_ARG(slice_first(payload, 200)));
}

static void on_subscribed(void *owner, struct slice channel)
{
    (void)owner;
    printf("subscribed %.*s\n", SLICE_ARG(channel));
}

static const struct broker_ops ops = {on_up, on_down, on_message, on_subscribed};

static struct broker_call *new_call(void)
{
    struct broker_call *call = calloc(1, sizeof(*call));
    call->on_reply = on_reply;
    return call;
}

static void print_counts(void)
{
    const struct broker_counts *c = broker_counts(broker);
    printf(
        "counts ups=%llu calls=%llu failed=%llu broken=%llu messages=%llu timed=%llu queued=%zu\n",
        (unsigned long long)c->ups, (unsigned long long)c->calls, (unsigned long long)c->failed,
        (unsigned long long)c->broken, (unsigned long long)c->messages,
        (unsigned long long)c->timed, broker_queued(broker));
}

static void obey(struct slice *words, size_t count)
{
    unsigned times = 1;
    struct slice verb = words[0];
    if (slice_equal(verb, SLICE_LITERAL("many"))) {
        times = (unsigned)atoi(words[1].ptr);
        words++, count--;
        verb = SLICE_LITERAL("call");
    }
    if (slice_equal(verb, SLICE_LITERAL("free")) || slice_equal(verb, SLICE_LITERAL("counts"))) {
        print_counts();
        if (verb.ptr[0] == 'f')
            loop_stop(loop);
    } else if (slice_equal(verb, SLICE_LITERAL("subscribe")))
        broker_subscribe(broker, words[1]);
    else if (slice_equal(verb, SLICE_LITERAL("unsubscribe")))
        broker_unsubscribe(broker, words[1]);
    else if (!broker_is_up(broker))
        printf("not up\n");
    else if (slice_equal(verb, SLICE_LITERAL("run")))
        broker_run(broker, new_call(), &script, &words[1], 1, &words[2], 1);
    else
        while (times-- > 0)
            broker_call(broker, new_call(), words + 1, count - 1);
}

static void obey_line(struct slice line)
{
    struct slice words[WORDS_MAX];
    size_t count = 0;
    while (line.len && count < WORDS_MAX) {
        size_t end = slice_find(line, ' ');
        words[count++] = slice_first(line, end);
        line = slice_skip(line, end < line.len ? end + 1 : end);
    }
    if (count)
        obey(words, count);
}

static void on_recv(struct io *io, struct bytes data)
{
    (void)io;
    memcpy(lines + lines_len, data.ptr, data.len);
    lines_len += data.len;
    struct slice rest = {lines, lines_len};
    for (size_t end; (end = slice_find(rest, '\n')) < rest.len; rest = slice_skip(rest, end + 1))
        obey_line(slice_first(rest, end));
    memmove(lines, rest.ptr, rest.len);
    lines_len = rest.len;
}

static void on_end(struct io *io, int error)
{
    (void)io;
    (void)error;
    loop_stop(loop);
}

static const struct io_ops input_ops = {.on_recv = on_recv, .on_end = on_end};

int main(int argc, char **argv)
{
    struct text why = {0};
    char fault[256];
    struct broker_url *url = broker_url_parse(slice_of(getenv("BROKER")), &why);
    if (!url || argc < 2) {
        fprintf(stderr, "%.*s\n", SLICE_ARG(text_slice(&why)));
        return 1;
    }
    struct tls_context *tls = argc > 2 ? tls_context_new_client(argv[2], false, fault, 256) : NULL;
    if (argc > 4 && !tls_context_identify(tls, argv[3], argv[4], fault, sizeof(fault)))
        return 1;
    struct broker_config config = {url, tls, (uint64_t)atoi(argv[1]), scripts};
    snprintf(script.sha1, sizeof(script.sha1), "%s", getenv("SHA1"));
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    loop = loop_new();
    broker = broker_new(loop, &config, &ops, NULL);
    if (!broker || io_open(loop, &input, STDIN_FILENO, &input_ops, false) < 0)
        return 1;
    loop_run(loop);
    io_close(&input);
    broker_free(broker);
    loop_free(loop);
    tls_context_unref(tls);
    broker_url_free(url);
    text_done(&why);
    printf("freed\n");
    return 0;
}
