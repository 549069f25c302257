/* SPDX-License-Identifier: MIT */
/* relay_start.c - from the request to OPENED: limits, script access and the page's program, the
 * connection, TLS.
 *
 * One timer at a time: while the program is asked, and from the verdict on until it is open.
 */
#include "gateway/parts.h"

#include "proto/json_text.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

/* ---- the limits ---- */

/* False: it is over. */
static bool pass(struct relay *r, enum gateway_limit limit, bool taken)
{
    static const char *const messages[] = {
        [GATEWAY_PER_CLIENT] = "too many connections of this client (tcp-per-client)",
        [GATEWAY_PER_ORIGIN] = "too many connections of this origin (tcp-per-origin)",
        [GATEWAY_PER_TARGET] = "too many connections to this target (tcp-per-target)",
    };
    if (taken)
        return true;
    r->gateway->counts.limited[limit]++;
    relay_end_as(r, TCP_END_OVERLOAD, messages[limit]);
    return false;
}

static bool count_client_in(struct relay *r)
{
    struct gateway *g = r->gateway;
    return pass(r, GATEWAY_PER_CLIENT,
                quota_take(g->quota, LIMIT_TCP_OF_CLIENT, net_client_slice(&r->client_key),
                           g->config->per_client, &r->of_client));
}

static bool count_origin_in(struct relay *r)
{
    struct gateway *g = r->gateway;
    return pass(r, GATEWAY_PER_ORIGIN,
                quota_take_share(g->quota, LIMIT_TCP_OF_ORIGIN, r->origin,
                                 net_client_slice(&r->client_key), g->config->per_origin,
                                 &r->of_origin));
}

static bool count_target_in(struct relay *r)
{
    struct gateway *g = r->gateway;
    char text[TARGET_TEXT_SIZE];
    return pass(
        r, GATEWAY_PER_TARGET,
        quota_take_share(g->quota, LIMIT_TCP_OF_TARGET, target_write(&r->setup->target, text),
                         net_client_slice(&r->client_key), g->config->per_target, &r->of_target));
}

/* ---- open ---- */

static void set_options(const struct relay *r, int fd)
{
    const struct tcp_request *request = &r->setup->request;
    int on = 1, idle_s = (int)request->keep_alive_s, no_delay = request->no_delay;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
    if (idle_s == 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
}

static void accept_channel(struct relay *r)
{
    char buffer[2 * NET_ADDRESS_TEXT_MAX + 128], local_host[NET_ADDRESS_TEXT_MAX];
    struct text json = TEXT_IN(buffer);
    struct net_address peer = {0}, local = {0};
    if (stream_peer(r->stream, &peer) < 0 || stream_local(r->stream, &local) < 0) {
        relay_end_as(r, TCP_END_CONNECTION_RESET, NULL);
        return;
    }
    net_address_print_host(&peer, r->address);
    net_address_print_host(&local, local_host);
    json_text_begin(&json);
    json_text_string(&json, "remoteAddress", slice_of(r->address));
    json_text_number(&json, "remotePort", net_address_port(&peer));
    json_text_string(&json, "localAddress", slice_of(local_host));
    json_text_number(&json, "localPort", net_address_port(&local));
    json_text_end(&json);
    assert(!json.failed);
    relay_start_cancel(r);
    relay_set_state(r, GATEWAY_OPEN);
    r->gateway->counts.opened++;
    log_debug("tcp.opened", log_slice("origin", r->origin), log_slice("target", r->target),
              log_text("address", r->address));
    channel_accept(r->channel, text_slice(&json));
    relay_flow(r);
}

/* ---- TLS ---- */

static void on_secure(struct stream *s)
{
    accept_channel(s->owner);
}

/* No byte gets through before the handshake is done. */
static void on_recv(struct stream *s, struct bytes data)
{
    (void)s, (void)data;
}

static void on_end(struct stream *s, int error)
{
    const char *why = stream_tls_error(s);
    relay_end_as(s->owner, TCP_END_TLS_FAILED,
                 why     ? why
                 : error ? strerrordesc_np(-error)
                         : "the target closed before the handshake was done");
}

static void on_grown(struct stream *s)
{
    relay_count(s->owner);
}

static const struct stream_ops securing_ops = {
    .on_recv = on_recv, .on_end = on_end, .on_secure = on_secure, .on_grown = on_grown};

/* ---- the connection ---- */

static void use_socket(struct relay *r, int fd)
{
    struct gateway *g = r->gateway;
    bool secure = r->setup->request.secure;
    set_options(r, fd);
    r->stream = secure ? stream_new_client(g->loop, fd, g->trust, r->setup->target.host)
                       : stream_new(g->loop, fd, NULL);
    if (!r->stream) {
        relay_end_as(r, TCP_END_OVERLOAD, "out of memory");
        return;
    }
    stream_pause(r->stream); /* TLS shakes hands all the same */
    stream_own(r->stream, secure ? &securing_ops : &relay_stream_ops, r);
    if (!secure)
        accept_channel(r);
}

static void on_decided(struct race *race, int fd_or_error)
{
    struct relay *r = container_of(race, struct relay_setup, race)->relay;
    switch (fd_or_error) {
    case -ETIMEDOUT:
        relay_end_as(r, TCP_END_CONNECT_TIMEOUT, NULL);
        return;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -ENOBUFS:
        relay_end_as(r, TCP_END_OVERLOAD, strerrordesc_np(-fd_or_error));
        return;
    }
    if (fd_or_error < 0)
        relay_end_as(r, TCP_END_TARGET_REFUSED, strerrordesc_np(-fd_or_error));
    else
        use_socket(r, fd_or_error);
}

static void on_connect_timeout(struct timer *timer)
{
    relay_end_as(container_of(timer, struct relay, timer), TCP_END_CONNECT_TIMEOUT, NULL);
}

static size_t list_addresses(const struct access_result *result, struct net_address *ret)
{
    if (result->local) {
        ret[0] = net_address_loopback(AF_INET, result->target.port);
        ret[1] = net_address_loopback(AF_INET6, result->target.port);
        return 2;
    }
    for (size_t i = 0; i < result->count; i++) {
        struct sockaddr_storage address;
        ret[i] = (struct net_address){
            .len = ip_to_sockaddr(&result->addresses[i], result->target.port, &address)};
        memcpy(&ret[i].any, &address, ret[i].len);
    }
    return result->count;
}

_Static_assert((int)LOOKUP_ADDRESSES_MAX <= (int)RACE_ADDRESSES_MAX,
               "all that are allowed are tried");

static void connect_to(struct relay *r, const struct access_result *result)
{
    struct gateway *g = r->gateway;
    struct net_address addresses[LOOKUP_ADDRESSES_MAX];
    size_t count = list_addresses(result, addresses);
    relay_set_state(r, GATEWAY_CONNECTING);
    timer_init(&r->timer, on_connect_timeout);
    timer_start(g->loop, &r->timer, g->config->connect_timeout_ms);
    race_start(g->loop, &r->setup->race, addresses, count, g->config->connect_timeout_ms,
               on_decided);
}

/* ---- script access ---- */

static void on_revoked(struct grant *grant, enum access_reason because)
{
    struct relay *r = container_of(grant, struct relay, grant);
    relay_end_as(r, TCP_END_REVOKED, access_reason_row(because)->text);
}

void relay_let_in_again(struct relay *r, const struct access_request *request)
{
    r->grant.revoked = on_revoked;
    grant_resume(&r->grant, r->gateway->access, request);
}

static void refuse(struct relay *r, const struct access_result *result)
{
    const struct access_reason_row *row = access_reason_row(result->reason);
    relay_end(r, &(struct tcp_ending){TCP_END_REFUSED, row->token, row->text, result->retry_s});
}

static void on_verdict(struct access_check *check, const struct access_result *result)
{
    struct relay_setup *setup = container_of(check, struct relay_setup, check);
    struct relay *r = setup->relay;
    struct gateway *g = r->gateway;
    setup->checking = false;
    timer_stop(&r->timer);
    if (access_reason_row(result->reason)->verdict != ACCESS_ALLOW) {
        refuse(r, result);
        return;
    }
    setup->target = result->target;
    r->grant.revoked = on_revoked;
    grant_start(&r->grant, g->access, setup->access, check, &check->request);
    setup->access = NULL;
    if (count_target_in(r))
        connect_to(r, result);
}

/* ---- the program ---- */

static void on_answered(struct program_question *question, bool allowed, uint32_t retry_s)
{
    struct relay_setup *setup = container_of(question, struct relay_setup, question);
    timer_stop(&setup->relay->timer);
    access_program_answer(setup->access, &setup->check, allowed, retry_s, SLICE_NONE);
}

static void on_answer_timeout(struct timer *timer)
{
    relay_end_as(container_of(timer, struct relay, timer), TCP_END_PROGRAM_TIMEOUT, NULL);
}

static void ask_program(struct access_check *check)
{
    struct relay_setup *setup = container_of(check, struct relay_setup, check);
    const struct tcp_request *request = &setup->request;
    struct gateway *g = setup->relay->gateway;
    setup->question.host = slice_make(request->target, request->host_len);
    setup->question.port = request->port;
    setup->question.secure = request->secure;
    setup->question.answered = on_answered;
    timer_start(g->loop, &setup->relay->timer, g->config->answer_timeout_ms);
    setup->ask_program(setup->program, &setup->question);
}

/* ---- from outside ---- */

static struct access_request request_of(const struct relay *r, const struct gateway_page *page)
{
    return (struct access_request){
        .path = ACCESS_PATH_TCP,
        .client = page->client,
        .who = page->who,
        .origin = r->origin,
        .target = r->target,
        .here_known = page->here_known,
        .here = page->here,
    };
}

void relay_start(struct relay *r, const struct gateway_page *page)
{
    struct gateway *g = r->gateway;
    struct relay_setup *setup = r->setup;
    timer_init(&r->timer, on_answer_timeout);
    if (!count_client_in(r) || !count_origin_in(r))
        return;
    channel_own(r->channel, &relay_channel_ops, r);
    setup->access = g->access->get(g->access);
    setup->checking = true;
    setup->check.request = request_of(r, page);
    setup->check.ask_program = setup->ask_program ? ask_program : NULL;
    setup->check.on_verdict = on_verdict;
    access_check(setup->access, &setup->check, loop_now_ms(g->loop));
}

static void free_setup(struct reap *reap)
{
    free(container_of(reap, struct relay_setup, reap));
}

void relay_start_cancel(struct relay *r)
{
    struct relay_setup *setup = r->setup;
    if (!setup)
        return;
    r->setup = NULL;
    program_question_cancel(&setup->question);
    race_stop(&setup->race);
    if (setup->checking)
        access_cancel(setup->access, &setup->check);
    if (setup->access)
        r->gateway->access->put(r->gateway->access, setup->access);
    loop_reap(r->gateway->loop, &setup->reap, free_setup);
}
