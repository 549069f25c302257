/* SPDX-License-Identifier: MIT */
#include "gateway/parts.h"

#include <assert.h>

void gateway_init(struct gateway *g)
{
    list_init(&g->relays);
}

void gateway_done(struct gateway *g)
{
    assert(list_empty(&g->relays));
    if (g->spare)
        shared_unref(g->spare);
    g->spare = NULL;
    tls_context_unref(g->trust);
}

void gateway_trust(struct gateway *g, struct tls_context *trust)
{
    tls_context_ref(trust);
    tls_context_unref(g->trust);
    g->trust = trust;
}

/* Refuses a channel for which there is no relay: only the end is counted. */
static void refuse(struct gateway *g, struct channel *c, enum tcp_end end, const char *message,
                   const struct gateway_page *page)
{
    struct tcp_ending ending = tcp_ending(end, message);
    char json[TCP_ENDING_TEXT_MAX];
    g->counts.ends[end]++;
    log_at(tcp_end_row(end)->level, "tcp.closed", log_cause(net_client_slice(&page->client)),
           log_text("reason", ending.token), log_slice("origin", page->origin),
           log_slice("client", page->address), log_text("why", ending.message));
    channel_reset(c, tcp_ending_write(&ending, json));
}

void gateway_open(struct gateway *g, struct channel *c, struct slice json,
                  const struct gateway_page *page)
{
    struct tcp_request request;
    const char *fault = tcp_request_parse(json, &request);
    struct relay *r;
    if (fault)
        refuse(g, c, TCP_END_TARGET_SYNTAX, fault, page);
    else if (g->draining)
        refuse(g, c, TCP_END_DRAINING, NULL, page);
    else if (!(r = relay_new(g, c, &request, page)))
        refuse(g, c, TCP_END_OVERLOAD, "out of memory", page);
    else
        relay_start(r, page);
}

void gateway_review(struct gateway *g)
{
    for (struct list *node = g->relays.next; node != &g->relays; node = node->next) {
        struct relay *r = container_of(node, struct relay, node);
        if (r->grant.source)
            grant_review(&r->grant);
    }
}

void gateway_drain(struct gateway *g)
{
    g->draining = true;
    while (!list_empty(&g->relays))
        relay_end_as(container_of(g->relays.next, struct relay, node), TCP_END_DRAINING, NULL);
}
