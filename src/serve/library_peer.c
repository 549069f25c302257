/* SPDX-License-Identifier: MIT */
/* library_peer.c - one WebSocket of an endpoint, and the endpoint itself.
 *
 * A peer is made before its request is answered, so that nothing can fail once the program has
 * accepted. Its memory goes at the end of the turn in which on_close was called.
 */
#include "serve/library.h"

#include "base/log.h"
#include "base/utf8.h"
#include "page/wire.h"
#include "proto/close_code.h"
#include "proto/http_chars.h"
#include "proto/topic.h"
#include "proto/ws_handshake.h"
#include "serve/worker_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REASON_MAX 123
#define RETRY_S    1

/* ---- endpoints ---- */

/* "a b" becomes "a\0b\0\0". */
static int read_subprotocols(const char *words, char **ret)
{
    size_t len = strlen(words);
    char *copy = log_needed(calloc(1, len + 2)), *at = copy;
    if (!copy)
        return -ENOMEM;
    for (struct slice rest = slice_of(words); rest.len;) {
        size_t end = slice_find(rest, ' ');
        struct slice word = slice_first(rest, end);
        rest = slice_skip(rest, end < rest.len ? end + 1 : end);
        if (!word.len)
            continue;
        if (http_skip_token(word.ptr, word.ptr + word.len) != word.ptr + word.len) {
            free(copy);
            return -EINVAL;
        }
        slice_copy(&at, word);
        *at++ = '\0';
    }
    *ret = copy;
    return 0;
}

static int read_topic(const char *topic, char **ret)
{
    if (!topic_name_valid(slice_of(topic)))
        return -EINVAL;
    *ret = log_needed(strdup(topic));
    return *ret ? 0 : -ENOMEM;
}

int library_endpoint_new(const struct httpsocket_server *s,
                         const struct httpsocket_endpoint *options, struct library_endpoint **ret)
{
    const struct config *config = s->server.config;
    if (options->size < offsetof(struct httpsocket_endpoint, subprotocols))
        return -EINVAL;
    struct library_endpoint *e = log_needed(calloc(1, sizeof(*e)));
    if (!e)
        return -ENOMEM;
    size_t known = options->size < sizeof(e->options) ? options->size : sizeof(e->options);
    memcpy(&e->options, options, known);
    int error = 0;
    if (e->options.subprotocols)
        error = read_subprotocols(e->options.subprotocols, &e->subprotocols);
    if (!error && e->options.topic)
        error = read_topic(e->options.topic, &e->topic);
    e->options.subprotocols = e->options.topic = NULL;
    if (!e->options.queue_max)
        e->options.queue_max = (size_t)config->buffer_max;
    e->ws_config = worker_ws_config(config);
    e->ws_config.queue_max = 0; /* we refuse before that */
    if (e->options.message_max)
        e->ws_config.message_max = e->options.message_max;
    if (error)
        library_endpoint_free(e);
    else
        *ret = e;
    return error;
}

void library_endpoint_free(struct library_endpoint *e)
{
    if (!e)
        return;
    free(e->subprotocols);
    free(e->topic);
    free(e);
}

/* ---- the end of a peer ---- */

static void free_peer(struct reap *reap)
{
    free(container_of(reap, struct httpsocket_peer, reap));
}

static void end_grant(struct httpsocket_peer *p)
{
    if (p->grant)
        p->grant->on_over(p->grant);
    p->grant = NULL;
}

/* The connection is over, or never came to be. */
static void finish(struct httpsocket_peer *p, unsigned code, struct slice reason)
{
    struct library_thread *t = p->thread;
    p->ws = NULL;
    p->closing = true;
    list_remove(&p->node);
    t->peer_count--;
    library_topics_leave(p);
    memory_close(&p->account);
    quota_release(t->server->server.quota, &p->hold);
    end_grant(p);
    if (p->endpoint->options.on_close)
        p->endpoint->options.on_close(p, code, reason.ptr ? reason.ptr : "", reason.len);
    loop_reap(library_loop(t), &p->reap, free_peer);
}

static void drop(struct httpsocket_peer *p, unsigned code, const char *reason)
{
    ws_peer_drop(p->ws);
    finish(p, code, slice_of(reason));
}

/* ---- memory ---- */

static void count(struct httpsocket_peer *p)
{
    memory_hold(&p->account, &p->held, p->ws ? ws_peer_held(p->ws) : 0);
}

static void recount(struct memory_account *a)
{
    count(container_of(a, struct httpsocket_peer, account));
}

static void let_go(struct memory_account *a, enum memory_cause cause)
{
    (void)cause;
    drop(container_of(a, struct httpsocket_peer, account), CLOSE_ABNORMAL, "memory");
}

static const struct memory_ops memory_ops = {"peer", let_go, recount};

/* ---- what comes ---- */

static void on_message(struct ws_peer *ws, enum ws_op op, struct bytes data)
{
    struct httpsocket_peer *p = ws_peer_owner(ws);
    if (p->endpoint->options.on_message)
        p->endpoint->options.on_message(p, data.ptr ? data.ptr : "", data.len, op == WS_OP_TEXT);
}

static void on_drain(struct ws_peer *ws)
{
    struct httpsocket_peer *p = ws_peer_owner(ws);
    count(p);
    if (!p->waits)
        return;
    p->waits = false;
    if (p->endpoint->options.on_drain)
        p->endpoint->options.on_drain(p);
}

static void on_end(struct ws_peer *ws, unsigned code, struct slice reason)
{
    finish(ws_peer_owner(ws), code, reason);
}

static const struct ws_peer_ops peer_ops = {
    .on_message = on_message, .on_drain = on_drain, .on_end = on_end};

/* ---- the beginning ---- */

static void on_revoke(struct page_grant *grant, unsigned code, struct slice reason)
{
    struct httpsocket_peer *p = grant->holder;
    p->closing = true;
    ws_peer_close(p->ws, code, reason);
}

/* The endpoint's preferred one of those that the client offers; NULL: none. */
static const char *choose_subprotocol(const struct library_endpoint *e, const struct exchange *x)
{
    for (const char *mine = e->subprotocols; mine && *mine; mine += strlen(mine) + 1) {
        size_t at = 0;
        struct slice rest = SLICE_NONE, offered;
        while (ws_subprotocol_next(x->request, &at, &rest, &offered))
            if (slice_equal(offered, slice_of(mine)))
                return mine;
    }
    return NULL;
}

/* NULL: there is no room for one more, or no memory. */
static struct httpsocket_peer *make(struct httpsocket_request *r)
{
    struct library_thread *t = r->thread;
    struct net_address address;
    char text[NET_ADDRESS_TEXT_MAX];
    if (exchange_peer(r->x, &address) < 0 || t->peer_count >= t->server->peers_max)
        return NULL;
    struct net_client_key key = net_client_key_of(&address);
    size_t len = net_address_print_host(&address, text);
    struct httpsocket_peer *p = log_needed(malloc(sizeof(*p) + len + 1));
    if (!p)
        return NULL;
    *p = (struct httpsocket_peer){.thread = t, .endpoint = r->route->endpoint};
    memcpy(p->address, text, len);
    p->address[len] = '\0';
    list_init(&p->topics);
    if (!quota_take(t->server->server.quota, LIMIT_PEERS, net_client_slice(&key),
                    t->server->options.peers_per_client, &p->hold)) {
        free(p);
        return NULL;
    }
    memory_open(&p->account, &t->worker->memory, &memory_ops, &key);
    return p;
}

/* Of one that has not been accepted. */
static void unmake(struct httpsocket_peer *p)
{
    memory_close(&p->account);
    quota_release(p->thread->server->server.quota, &p->hold);
    free(p);
}

static void refuse(struct httpsocket_request *r, int status, const char *why)
{
    static const struct http_header retry = {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")};
    struct exchange *x = library_request_release(r);
    exchange_answer(x, status >= 400 && status <= 599 ? status : 500, slice_of(why), &retry,
                    status == 503);
}

/* From here on the peer hears on_close, whatever happens. */
static void let_in(struct httpsocket_request *r, struct httpsocket_peer *p)
{
    struct library_thread *t = p->thread;
    struct bytes rest = {0};
    struct page_welcome welcome = {0};
    p->subprotocol = choose_subprotocol(p->endpoint, r->x);
    if (p->subprotocol)
        welcome.subprotocol = slice_of(p->subprotocol);
    p->grant = r->grant;
    r->grant = NULL;
    if (p->grant) {
        p->grant->on_revoke = on_revoke;
        p->grant->holder = p;
    }
    list_append(&t->peers, &p->node);
    t->peer_count++;
    struct exchange *x = library_request_release(r);
    p->ws =
        page_upgrade(t->worker->pages, x, &p->endpoint->ws_config, &welcome, &peer_ops, p, &rest);
    if (!p->ws) {
        finish(p, CLOSE_ABNORMAL, SLICE_LITERAL("lost"));
        return;
    }
    ws_peer_pay(p->ws, &p->account);
    bool has_topic = !p->endpoint->topic || !httpsocket_peer_subscribe(p, p->endpoint->topic);
    if (p->endpoint->options.on_open)
        p->endpoint->options.on_open(p);
    if (!has_topic)
        library_peer_lost_topic(p, p->endpoint->topic);
    ws_peer_begin(p->ws, rest);
}

void library_peer_open(struct httpsocket_request *r)
{
    const struct httpsocket_endpoint *options = &r->route->endpoint->options;
    struct httpsocket_peer *p = make(r);
    int status = 0;
    if (!p) {
        refuse(r, 503, "too many connections");
        return;
    }
    r->read_only = true;
    if (options->on_request)
        status = options->on_request(r, options->user, &p->user);
    if (status == 0) {
        let_in(r, p);
        return;
    }
    unmake(p);
    refuse(r, status, "refused");
}

/* ---- all of them ---- */

void library_peers_drain(struct library_thread *t)
{
    for (struct list *next, *node = t->peers.next; node != &t->peers; node = next) {
        struct httpsocket_peer *p = container_of(node, struct httpsocket_peer, node);
        next = node->next;
        p->closing = true;
        ws_peer_close(p->ws, CLOSE_GOING_AWAY, SLICE_LITERAL("the server stops"));
    }
}

void library_peers_stop(struct library_thread *t)
{
    while (!list_empty(&t->peers))
        drop(container_of(t->peers.next, struct httpsocket_peer, node), CLOSE_GOING_AWAY,
             "the server stops");
}

/* ---- what the program does ---- */

static enum httpsocket_sent send_one(struct httpsocket_peer *p, struct slice data, enum ws_op op)
{
    size_t queued = p->ws ? ws_peer_queued(p->ws) : 0;
    if (p->closing)
        return HTTPSOCKET_REFUSED;
    if (queued > LIBRARY_WAITS_MAX && queued + data.len > p->endpoint->options.queue_max) {
        p->waits = true;
        return HTTPSOCKET_REFUSED;
    }
    ws_peer_send(p->ws, op, &data, 1);
    count(p);
    if (ws_peer_queued(p->ws) <= LIBRARY_WAITS_MAX)
        return HTTPSOCKET_SENT;
    p->waits = true;
    return HTTPSOCKET_QUEUED;
}

enum httpsocket_sent httpsocket_peer_send(struct httpsocket_peer *p, const void *data, size_t size,
                                          bool text)
{
    enum httpsocket_sent sent =
        send_one(p, slice_make(data, size), text ? WS_OP_TEXT : WS_OP_BINARY);
    library_wake(p->thread);
    return sent;
}

void library_peer_publish(struct httpsocket_peer *p, struct slice data, enum ws_op op)
{
    bool waited = p->waits;
    if (send_one(p, data, op) != HTTPSOCKET_REFUSED || p->closing || p->endpoint->options.lossy)
        return;
    p->waits = waited;
    httpsocket_peer_close(p, CLOSE_TRY_AGAIN_LATER, "too-slow");
}

void library_peer_missed(struct httpsocket_peer *p)
{
    if (!p->closing && !p->endpoint->options.lossy)
        httpsocket_peer_close(p, CLOSE_TRY_AGAIN_LATER, "topic-lost");
}

void library_peer_lost_topic(struct httpsocket_peer *p, const char *topic)
{
    const struct library_endpoint *e = p->endpoint;
    if (e->options.on_unsubscribed)
        e->options.on_unsubscribed(p, topic);
    else if (e->topic && strcmp(topic, e->topic) == 0)
        httpsocket_peer_close(p, CLOSE_TRY_AGAIN_LATER, "too-many-topics");
}

size_t httpsocket_peer_queued(const struct httpsocket_peer *p)
{
    return p->ws ? ws_peer_queued(p->ws) : 0;
}

void httpsocket_peer_pause(struct httpsocket_peer *p)
{
    if (p->ws)
        ws_peer_pause(p->ws);
}

void httpsocket_peer_resume(struct httpsocket_peer *p)
{
    if (p->ws)
        ws_peer_resume(p->ws);
    library_wake(p->thread);
}

int httpsocket_peer_close(struct httpsocket_peer *p, unsigned code, const char *reason)
{
    struct slice text = slice_of(reason ? reason : "");
    if (!ws_close_code_valid(code) || text.len > REASON_MAX || !utf8_valid(text))
        return -EINVAL;
    if (p->closing)
        return 0;
    p->closing = true;
    ws_peer_close(p->ws, code, text);
    library_wake(p->thread);
    return 0;
}

/* ---- what it is ---- */

void *httpsocket_peer_user(const struct httpsocket_peer *p)
{
    return p->user;
}

void httpsocket_peer_set_user(struct httpsocket_peer *p, void *user)
{
    p->user = user;
}

void *httpsocket_peer_endpoint_user(const struct httpsocket_peer *p)
{
    return p->endpoint->options.user;
}

struct httpsocket_server *httpsocket_peer_server(const struct httpsocket_peer *p)
{
    return p->thread->server;
}

const char *httpsocket_peer_subprotocol(const struct httpsocket_peer *p)
{
    return p->subprotocol;
}

size_t httpsocket_peer_address(const struct httpsocket_peer *p, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "%s", p->address);
}
