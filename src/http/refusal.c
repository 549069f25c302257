/* SPDX-License-Identifier: MIT */
/* refusal.c - answers of the connection itself: to input that is no request, too large, or too
 * late. */
#include "http/connection.h"

#include "base/log.h"

#include <stdlib.h>

static void write_refusal(struct connection *c, int status, struct slice why,
                          const struct http_header *extra)
{
    struct http_header headers[] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/plain; charset=utf-8")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
        {SLICE_NONE, SLICE_NONE},
    };
    if (extra != NULL)
        headers[2] = *extra;
    struct response_room room;
    struct slice head = response_head(c->server,
                                      &(struct response){.status = status,
                                                         .headers = headers,
                                                         .header_count = extra ? 3 : 2,
                                                         .framing = FRAMING_LENGTH,
                                                         .length = why.len + 1,
                                                         .close = true},
                                      &room);
    struct iovec pieces[] = {{(void *)head.ptr, head.len}, {(void *)why.ptr, why.len}, {"\n", 1}};
    connection_write(c, pieces, 3);
    free(room.heap);
    server_count_status(c->server, status);
}

/* A request that was read is logged as an exchange (exchange_abort). */
static void log_refusal(struct connection *c, int status, const char *why)
{
    struct access_log *access_log = c->server->access_log;
    struct net_address address;
    char text[NET_ADDRESS_TEXT_MAX] = "unknown";
    size_t len = sizeof("unknown") - 1;
    bool known = (access_log || LOG_INFO >= log_threshold) && connection_peer(c, &address) == 0;
    if (access_log && c->exchange == NULL)
        access_log_write(access_log, &(struct access_log_entry){.client = known ? &address : NULL,
                                                                .status = status});
    struct net_client_key client = {{0}};
    if (known) {
        len = net_address_print(&address, text);
        client = net_client_key_of(&address);
    }
    log_info("http.refused", log_cause(net_client_slice(&client)),
             log_slice("address", slice_make(text, len)), log_int("status", status),
             log_text("reason", why));
}

void connection_refuse(struct connection *c, int status, const char *why)
{
    bool too_late = c->exchange != NULL && c->exchange->responded;
    too_late |= c->state == CONNECTION_DRAIN;
    log_refusal(c, status, why);
    if (c->exchange != NULL) {
        c->exchange->status = too_late ? c->exchange->status : status;
        exchange_abort(c->exchange);
    }
    if (c->state == CONNECTION_GONE)
        return;
    if (status != 408 && status != 503)
        c->server->counts.bad_requests++;
    if (too_late) {
        connection_break(c);
        return;
    }
    write_refusal(c, status, slice_of(why), NULL);
    connection_linger(c);
}

void connection_refuse_full(struct connection *c)
{
    c->refusing = true;
    c->server->refusing++;
    log_refusal(c, 503, "too many connections");
    write_refusal(c, 503, SLICE_LITERAL("too many connections"),
                  &(struct http_header){SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")});
    connection_linger(c);
}
