/* SPDX-License-Identifier: MIT */
/* relay.c - one TCPConnection from its making to its end: counted, told, logged, freed. */
#include "gateway/parts.h"

#include "base/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LINGER_MS = 60000 /* for a target that is slow to take the rest */
};

void relay_count(struct relay *r)
{
    memory_hold(&r->account, &r->counted, r->stream ? stream_held(r->stream) : 0);
}

static void let_go(struct memory_account *a, enum memory_cause cause)
{
    relay_end_as(container_of(a, struct relay, account), TCP_END_OVERLOAD,
                 cause == MEMORY_CLIENT ? "this client holds too much of the server's memory"
                                        : "the server has no memory left");
}

static void recount(struct memory_account *a)
{
    relay_count(container_of(a, struct relay, account));
}

static const struct memory_ops relay_memory_ops = {"tcp", let_go, recount};

struct relay *relay_make(struct gateway *g, struct slice origin, struct slice client,
                         struct slice target, const struct net_client_key *key)
{
    struct relay *r = log_needed(calloc(1, sizeof(*r) + origin.len + client.len + target.len));
    if (!r)
        return NULL;
    char *at = r->text;
    r->gateway = g;
    r->began_ms = loop_now_ms(g->loop);
    r->origin = slice_copy(&at, origin);
    r->client = slice_copy(&at, client);
    r->client_key = *key;
    r->target = slice_copy(&at, target);
    memory_open(&r->account, g->memory, &relay_memory_ops, key);
    r->state = GATEWAY_CHECKING;
    g->counts.now[r->state]++;
    list_append(&g->relays, &r->node);
    return r;
}

struct relay *relay_new(struct gateway *g, struct channel *c, const struct tcp_request *request,
                        const struct gateway_page *page)
{
    struct relay_setup *setup = log_needed(calloc(1, sizeof(*setup)));
    struct relay *r =
        setup ? relay_make(g, page->origin, page->address, slice_of(request->target), &page->client)
              : NULL;
    if (!r) {
        free(setup);
        return NULL;
    }
    r->channel = c;
    r->setup = setup;
    setup->relay = r;
    setup->request = *request;
    setup->ask_program = page->ask;
    setup->program = page->owner;
    program_question_init(&setup->question);
    return r;
}

void relay_set_state(struct relay *r, enum gateway_state state)
{
    assert(state == r->state + 1);
    r->gateway->counts.now[r->state]--;
    r->gateway->counts.now[state]++;
    r->state = state;
}

static void log_end(const struct relay *r, const struct tcp_ending *ending)
{
    log_at(tcp_end_row(ending->end)->level, "tcp.closed",
           log_cause(net_client_slice(&r->client_key)), log_text("reason", ending->token),
           log_slice("origin", r->origin), log_slice("client", r->client),
           log_slice("target", r->target), log_text("address", r->address),
           log_int("sent", r->to_target), log_int("received", r->to_page),
           log_int("ms", loop_now_ms(r->gateway->loop) - r->began_ms),
           log_text("why", ending->message));
}

static void free_relay(struct reap *reap)
{
    free(container_of(reap, struct relay, reap));
}

/* The target sees a good end as an end, and any other end as a reset. */
static void let_target_go(struct relay *r, enum tcp_end end)
{
    struct stream *stream = r->stream;
    r->stream = NULL;
    if (!stream)
        return;
    if (end == TCP_END_CLOSED)
        stream_finish(stream, LINGER_MS);
    else
        stream_reset(stream);
}

void relay_end(struct relay *r, const struct tcp_ending *ending)
{
    struct gateway *g = r->gateway;
    struct channel *c = r->channel;
    char json[TCP_ENDING_TEXT_MAX];
    r->channel = NULL;
    log_end(r, ending);
    g->counts.ends[ending->end]++;
    g->counts.now[r->state]--;
    relay_start_cancel(r);
    timer_stop(&r->timer);
    grant_end(&r->grant);
    quota_release(g->quota, &r->of_client);
    quota_release_share(g->quota, &r->of_origin);
    quota_release_share(g->quota, &r->of_target);
    memory_close(&r->account);
    let_target_go(r, ending->end);
    list_remove(&r->node);
    loop_reap(g->loop, &r->reap, free_relay);
    if (c && ending->end != TCP_END_CLOSED && ending->end != TCP_END_ABORTED)
        channel_reset(c, tcp_ending_write(ending, json));
}

void relay_end_as(struct relay *r, enum tcp_end end, const char *message)
{
    struct tcp_ending ending = tcp_ending(end, message);
    relay_end(r, &ending);
}
