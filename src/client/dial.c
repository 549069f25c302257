/* SPDX-License-Identifier: MIT */
#include "client/dial.h"

#include "proto/close_code.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    HEAD_MAX = 16384,
    REQUEST_MAX = 16384,
    ADDRESS_MS = 30000,
};

_Static_assert((int)RESOLVE_ADDRESSES_MAX <= (int)RACE_ADDRESSES_MAX,
               "all that are found can be tried");

static void fail(struct dial *d, unsigned code, const char *what)
{
    struct end why = end_make(code, slice_of(what));
    dial_stop(d);
    d->ops->failed(d, &why);
}

/* ---- the handshake ---- */

/* A refusal of this server says why. Another answer is that of a proxy whose server restarts, or of
 * a server that has not read the request: such a failure passes. (503, 504 and 429 have codes that
 * wait by themselves.) */
static unsigned code_of(int status, bool says_why, bool says_when)
{
    bool fails = status >= 500 && status != 501 && status != 505;
    unsigned code = close_code_of_status(status);
    if (says_why || close_code_then(code, false) == THEN_WAIT ||
        !(fails || status == 408 || status == 425))
        return code;
    return says_when ? CLOSE_TRY_AGAIN_LATER : CLOSE_ABNORMAL;
}

struct end dial_refusal(const struct http_response *response)
{
    char text[END_REASON_MAX];
    int status = response->status;
    struct slice token = http_response_once(response, SLICE_LITERAL("script-access-reason"));
    uint64_t seconds;
    if (token.len)
        snprintf(text, sizeof(text), "%.*s", SLICE_ARG(slice_first(token, 100)));
    else
        snprintf(text, sizeof(text), "HTTP %d %.*s", status,
                 SLICE_ARG(slice_first(response->reason, 100)));
    struct slice retry = http_response_once(response, SLICE_LITERAL("retry-after"));
    bool said = slice_to_uint(retry, 999999999, &seconds);
    return end_make_retry(code_of(status, token.len > 0, said), slice_of(text),
                          said ? (int64_t)seconds : -1);
}

/* A Policy-Path that is too long widens no ban. */
static void take_policy_path(struct dial *d, const struct http_response *response)
{
    struct slice path = http_response_once(response, SLICE_LITERAL("access-control-policy-path"));
    if (path.len < sizeof(d->policy_path))
        snprintf(d->policy_path, sizeof(d->policy_path), "%.*s", SLICE_ARG(path));
}

static void judge(struct dial *d, const struct http_response *response)
{
    if (response->status != 101) {
        take_policy_path(d, response);
        struct end why = dial_refusal(response);
        dial_stop(d);
        d->ops->failed(d, &why);
        return;
    }
    const char *refusal = ws_response_refusal(response, d->key, SLICE_LITERAL("httpsocket.v1"));
    if (refusal) {
        fail(d, CLOSE_WIRE_PROTOCOL, refusal);
        return;
    }
    struct stream *stream = d->stream;
    char *head = d->head;
    struct bytes rest = {head + response->size, d->head_len - response->size};
    d->stream = NULL;
    d->head = NULL;
    d->ops->opened(d, stream, rest);
    free(head);
}

static void on_recv(struct stream *s, struct bytes data)
{
    struct dial *d = s->owner;
    char *longer = realloc(d->head, d->head_len + data.len);
    if (!longer) {
        fail(d, CLOSE_ABNORMAL, "no memory");
        return;
    }
    d->head = longer;
    memcpy(d->head + d->head_len, data.ptr, data.len);
    d->head_len += data.len;
    struct http_response response;
    switch (http_response_parse(slice_make(d->head, d->head_len), &response)) {
    case PARSE_OK:
        judge(d, &response);
        return;
    case PARSE_BAD:
        fail(d, CLOSE_WIRE_PROTOCOL, response.why);
        return;
    case PARSE_MORE:
        if (d->head_len > HEAD_MAX)
            fail(d, CLOSE_WIRE_PROTOCOL, "a response with a head above 16 KiB");
        return;
    }
}

static void fail_tls(struct dial *d, const char *why)
{
    char text[END_REASON_MAX];
    snprintf(text, sizeof(text), "TLS: %s", why ? why : "failed");
    fail(d, CLOSE_TLS_HANDSHAKE, text);
}

static void on_end(struct stream *s, int error)
{
    struct dial *d = s->owner;
    if (error == -EPROTO)
        fail_tls(d, stream_tls_error(s));
    else
        fail(d, CLOSE_ABNORMAL,
             error ? strerrordesc_np(-error) : "the server closed before it answered");
}

static const struct stream_ops stream_ops = {.on_recv = on_recv, .on_end = on_end};

static size_t write_request(struct dial *d, char out[REQUEST_MAX])
{
    char origin[ORIGIN_TEXT_SIZE];
    struct slice url = origin_write(&d->target->origin, origin);
    struct ws_request request = {
        .target = slice_of(d->target->path),
        .host = slice_skip(url, slice_find(url, ':') + 3),
        .origin = slice_of(d->target->declared),
        .subprotocols = slice_of(d->subprotocols),
    };
    memcpy(request.key, d->key, sizeof(d->key));
    return ws_request_write(&request, out, REQUEST_MAX);
}

static void begin_handshake(struct dial *d, int fd)
{
    const struct dial_target *t = d->target;
    uint8_t nonce[16];
    char request[REQUEST_MAX];
    d->stream =
        t->tls ? stream_new_client(d->loop, fd, t->tls, t->host) : stream_new(d->loop, fd, NULL);
    if (!d->stream || getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce)) {
        fail(d, CLOSE_ABNORMAL, "no memory");
        return;
    }
    stream_own(d->stream, &stream_ops, d);
    ws_key_of(nonce, d->key);
    size_t len = write_request(d, request);
    if (len)
        stream_write_slice(d->stream, slice_make(request, len));
    else
        fail(d, CLOSE_WIRE_PROTOCOL, "a URL that is too long");
}

/* ---- the connection ---- */

static void on_decided(struct race *race, int fd_or_error)
{
    struct dial *d = container_of(race, struct dial, race);
    if (fd_or_error >= 0)
        begin_handshake(d, fd_or_error);
    else
        fail(d, CLOSE_ABNORMAL, strerrordesc_np(-fd_or_error));
}

static void connect_to(struct dial *d, const struct net_address *addresses, int count)
{
    race_start(d->loop, &d->race, addresses, (size_t)count, ADDRESS_MS, on_decided);
}

static void on_answer(struct resolve *l, const struct resolve_answer *answer)
{
    struct dial *d = container_of(l, struct dial, lookup);
    if (answer->count == 0) {
        fail(d, CLOSE_ABNORMAL, answer->error);
        return;
    }
    connect_to(d, answer->addresses, answer->count);
}

/* Not from inside dial_start(). */
static void tell_refused(struct timer *timer)
{
    struct dial *d = container_of(timer, struct dial, later);
    dial_stop(d);
    d->ops->failed(d, &d->refused);
}

void dial_refuse(struct loop *loop, struct dial *d, const struct end *why,
                 const struct dial_ops *ops)
{
    *d = (struct dial){.loop = loop, .ops = ops, .refused = *why};
    timer_init(&d->later, tell_refused);
    timer_start(loop, &d->later, 0);
}

/* Addresses that need no resolver: literals, and the names of RFC 6761, 6.3. Returns how many. */
static int find_known(const struct dial *d, struct net_address ret[2])
{
    const struct authority *a = &d->target->origin.authority;
    char text[AUTHORITY_HOST_MAX + 8];
    const char *why;
    if (a->kind == HOST_NAME && authority_is_loopback(a)) {
        ret[0] = net_address_loopback(AF_INET, a->port);
        ret[1] = net_address_loopback(AF_INET6, a->port);
        return 2;
    }
    if (a->kind == HOST_NAME)
        return 0;
    snprintf(text, sizeof(text), "%s:%u", a->host, a->port);
    return net_address_parse(slice_of(text), &ret[0], &why) == 0;
}

void dial_start(struct loop *loop, struct dial *d, const struct dial_target *target,
                const char *subprotocols, const struct dial_ops *ops)
{
    *d = (struct dial){.loop = loop, .target = target, .ops = ops};
    timer_init(&d->later, tell_refused);
    snprintf(d->subprotocols, sizeof(d->subprotocols), "%s", subprotocols);
    struct net_address known[2];
    int count = find_known(d, known);
    if (count > 0) {
        connect_to(d, known, count);
        return;
    }
    int error =
        resolve_start(loop, &d->lookup, target->host, target->origin.authority.port, on_answer);
    if (error) {
        struct end why = end_make(CLOSE_ABNORMAL, slice_of(strerrordesc_np(-error)));
        dial_refuse(loop, d, &why, ops);
    }
}

void dial_stop(struct dial *d)
{
    if (!d->loop)
        return;
    timer_stop(&d->later);
    race_stop(&d->race);
    resolve_stop(&d->lookup);
    if (d->stream)
        stream_close(d->stream);
    d->stream = NULL;
    free(d->head);
    d->head = NULL;
    d->head_len = 0;
}
