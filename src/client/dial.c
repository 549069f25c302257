#include "client/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    HEAD_MAX = 16384,
    REQUEST_MAX = 16384,
    STAGGER_MS = 250,
    ADDRESS_MS = 30000,
};

static void fail(struct dial *d, unsigned code, const char *what)
{
    struct end why = end_make(code, slice_of(what));
    dial_stop(d);
    d->ops->failed(d, &why);
}

/* ---- the handshake ---- */

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
    struct end end = end_make(status == 503 ? 1013 : 4000 + (unsigned)status, slice_of(text));
    end.retry_s = -1;
    if (slice_to_uint(http_response_once(response, SLICE_LITERAL("retry-after")), 999999999,
                      &seconds))
        end.retry_s = (int64_t)seconds;
    return end;
}

static void judge(struct dial *d, const struct http_response *response)
{
    if (response->status != 101) {
        struct end why = dial_refusal(response);
        dial_stop(d);
        d->ops->failed(d, &why);
        return;
    }
    const char *refusal = ws_response_refusal(response, d->key, SLICE_LITERAL("httpsocket.v1"));
    if (refusal) {
        fail(d, 4400, refusal);
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
        fail(d, 1006, "no memory");
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
        fail(d, 4400, response.why);
        return;
    case PARSE_MORE:
        if (d->head_len > HEAD_MAX)
            fail(d, 4400, "a response with a head above 16 KiB");
        return;
    }
}

static void fail_tls(struct dial *d, const char *why)
{
    char text[END_REASON_MAX];
    snprintf(text, sizeof(text), "TLS: %s", why ? why : "failed");
    fail(d, 1015, text);
}

static void on_end(struct stream *s, int error)
{
    struct dial *d = s->owner;
    if (error == -EPROTO)
        fail_tls(d, stream_tls_error(s));
    else
        fail(d, 1006, error ? strerrordesc_np(-error) : "the server closed before it answered");
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
        fail(d, 1006, "no memory");
        return;
    }
    stream_own(d->stream, &stream_ops, d);
    ws_key_of(nonce, d->key);
    size_t len = write_request(d, request);
    if (len)
        stream_write_slice(d->stream, slice_make(request, len));
    else
        fail(d, 4400, "a URL that is too long");
}

/* ---- the connection ---- */

static void stop_attempts(struct dial *d)
{
    timer_stop(&d->stagger);
    for (int i = 0; i < d->begun; i++)
        connector_cancel(&d->attempts[i].connector);
}

static void try_next(struct dial *d);

static void on_connected(struct connector *c, int fd_or_error)
{
    struct dial *d = container_of(c, struct dial_attempt, connector)->dial;
    if (fd_or_error >= 0) {
        stop_attempts(d);
        begin_handshake(d, fd_or_error);
        return;
    }
    d->failed++;
    d->error = fd_or_error;
    if (d->begun < d->found.count)
        try_next(d);
    else if (d->failed == d->found.count)
        fail(d, 1006, strerrordesc_np(-d->error));
}

static void try_next(struct dial *d)
{
    struct dial_attempt *a = &d->attempts[d->begun];
    a->dial = d;
    connector_start(d->loop, &a->connector, &d->found.addresses[d->begun], ADDRESS_MS,
                    on_connected);
    d->begun++;
    timer_stop(&d->stagger);
    if (d->begun < d->found.count)
        timer_start(d->loop, &d->stagger, STAGGER_MS);
}

static void staggered(struct timer *timer)
{
    try_next(container_of(timer, struct dial, stagger));
}

static void on_answer(struct resolve *l, const struct resolve_answer *answer)
{
    struct dial *d = container_of(l, struct dial, lookup);
    if (answer->count == 0) {
        fail(d, 1006, answer->error);
        return;
    }
    d->found = *answer;
    try_next(d);
}

/* Not from inside dial_start(). */
static void lookup_failed(struct timer *timer)
{
    struct dial *d = container_of(timer, struct dial, stagger);
    fail(d, 1006, strerrordesc_np(-d->error));
}

static struct net_address loopback(int family, uint16_t port)
{
    struct net_address a = {0};
    if (family == AF_INET) {
        a.len = sizeof(a.v4);
        a.v4 = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    } else {
        a.len = sizeof(a.v6);
        a.v6 = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    }
    return a;
}

/* Addresses that nobody has to be asked for: literals, and the names of RFC 6761, 6.3. */
static void find_known(struct dial *d)
{
    const struct authority *a = &d->target->origin.authority;
    char text[AUTHORITY_HOST_MAX + 8];
    const char *why;
    if (a->kind == HOST_NAME && authority_is_loopback(a)) {
        d->found.count = 2;
        d->found.addresses[0] = loopback(AF_INET, a->port);
        d->found.addresses[1] = loopback(AF_INET6, a->port);
    } else if (a->kind != HOST_NAME) {
        snprintf(text, sizeof(text), "%s:%u", a->host, a->port);
        d->found.count = net_address_parse(slice_of(text), &d->found.addresses[0], &why) == 0;
    }
}

void dial_start(struct loop *loop, struct dial *d, const struct dial_target *target,
                const char *subprotocols, const struct dial_ops *ops)
{
    *d = (struct dial){.loop = loop, .target = target, .ops = ops};
    snprintf(d->subprotocols, sizeof(d->subprotocols), "%s", subprotocols);
    timer_init(&d->stagger, staggered);
    find_known(d);
    if (d->found.count) {
        try_next(d);
        return;
    }
    d->error =
        resolve_start(loop, &d->lookup, target->host, target->origin.authority.port, on_answer);
    if (!d->error)
        return;
    timer_init(&d->stagger, lookup_failed);
    timer_start(loop, &d->stagger, 0);
}

void dial_stop(struct dial *d)
{
    if (!d->loop)
        return;
    stop_attempts(d);
    resolve_stop(&d->lookup);
    if (d->stream)
        stream_close(d->stream);
    d->stream = NULL;
    free(d->head);
    d->head = NULL;
    d->head_len = 0;
}
