/* SPDX-License-Identifier: MIT */
/* library_topics.c - peers as subscribers of topics, and publishing.
 *
 *   peer ── member ──┐
 *                    ├── group ── client of the hub ── hub ──> the topic's home
 *   peer ── member ──┘     a topic of one thread
 *
 * The hub has one subscriber for each topic of a thread, however many peers listen: what is
 * published is read once, and sent to each.
 *
 * A topic carries JSON, since page programs share it. A text is a string of the event `message`,
 * bytes are a string of the event `bytes`, in base64url.
 */
#include "serve/library.h"

#include "base/base64url.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/utf8.h"
#include "proto/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define PUBLISHING_MAX (4u << 20) /* bytes under way, of one server */
#define TEXT           SLICE_LITERAL("message")
#define BYTES          SLICE_LITERAL("bytes")

struct group {
    struct name_entry entry; /* thread.groups */
    struct library_thread *thread;
    struct hub_client *client;
    struct list members;
    bool joining, refused; /* in hub_subscribe(); which has been refused meanwhile */
    char name[];
};

struct member {
    struct list of_peer, of_group;
    struct httpsocket_peer *peer;
    struct group *group; /* NULL: it is gone, and the peer is about to be told */
};

/* ---- leaving ---- */

static void free_group(struct group *g)
{
    name_table_remove(&g->thread->groups, &g->entry);
    hub_client_leave(g->client);
    free(g);
}

static void leave(struct member *m)
{
    struct group *g = m->group;
    list_remove(&m->of_peer);
    list_remove(&m->of_group);
    m->peer->topic_count--;
    free(m);
    if (g && list_empty(&g->members))
        free_group(g);
}

void library_topics_leave(struct httpsocket_peer *p)
{
    while (!list_empty(&p->topics))
        leave(container_of(p->topics.next, struct member, of_peer));
}

/* ---- what is published ---- */

static void send_to_all(struct group *g, struct slice data, enum ws_op op)
{
    for (struct list *next, *node = g->members.next; node != &g->members; node = next) {
        next = node->next;
        library_peer_publish(container_of(node, struct member, of_group)->peer, data, op);
    }
}

static bool send_bytes(struct group *g, struct slice letters)
{
    uint8_t *out = log_needed(malloc(letters.len + 1));
    ssize_t len = out ? base64url_decode(letters, out) : -1;
    if (len >= 0)
        send_to_all(g, slice_make((const char *)out, (size_t)len), WS_OP_BINARY);
    free(out);
    return len >= 0;
}

/* A string is sent as its text; other JSON, which page programs publish, as it is. */
static void send_text(struct group *g, struct slice json)
{
    size_t len;
    char *out = *json.ptr == '"' ? log_needed(malloc(json.len)) : NULL;
    if (out && json_unquote_valid(json, out, &len))
        send_to_all(g, slice_make(out, len), WS_OP_TEXT);
    else
        send_to_all(g, json, WS_OP_TEXT);
    free(out);
}

static void on_page_event(struct hub_client *c, struct slice name, struct slice data)
{
    struct group *g = hub_client_owner(c);
    struct slice text;
    if (!data.len)
        data = SLICE_LITERAL("null");
    if (!json_plain_text(data, &text))
        send_text(g, data);
    else if (!slice_equal(name, BYTES) || !send_bytes(g, text))
        send_to_all(g, text, WS_OP_TEXT);
}

/* The one line of a client whose events go to its page: so many are lost. takes() is always true:
 * it is the broker that has lost them. */
static void on_line(struct hub_client *c, struct slice begin, struct slice rest,
                    struct shared_bytes *whole)
{
    struct group *g = hub_client_owner(c);
    (void)begin, (void)rest, (void)whole;
    for (struct list *next, *node = g->members.next; node != &g->members; node = next) {
        next = node->next;
        library_peer_missed(container_of(node, struct member, of_group)->peer);
    }
}

/* The home had no room for the topic: all who wait for it are told. */
static void on_answer(struct hub_client *c, const struct hub_request *request)
{
    struct group *g = hub_client_owner(c);
    if (request->kind != HUB_JOIN || request->answer == HUB_DONE)
        return;
    if (g->joining) {
        g->refused = true;
        return;
    }
    struct list refused;
    list_init(&refused);
    list_splice(&refused, &g->members);
    for (struct list *node = refused.next; node != &refused; node = node->next)
        container_of(node, struct member, of_group)->group = NULL;
    char *name = log_needed(slice_to_string(g->entry.name));
    free_group(g);
    while (!list_empty(&refused)) {
        struct member *m = container_of(refused.next, struct member, of_group);
        struct httpsocket_peer *p = m->peer;
        leave(m);
        library_peer_lost_topic(p, name ? name : "");
    }
    free(name);
}

static const struct hub_client_ops group_ops = {
    .on_line = on_line, .on_page_event = on_page_event, .on_answer = on_answer};

/* ---- subscribing ---- */

static bool read_name(const char *topic, struct topic_name *ret)
{
    struct slice name = topic ? slice_of(topic) : SLICE_NONE;
    if (!topic_name_valid(name))
        return false;
    ret->len = (uint8_t)name.len;
    memcpy(ret->text, name.ptr, name.len);
    return true;
}

static struct group *find_group(const struct library_thread *t, struct slice name)
{
    struct name_entry *entry = name_table_find(&t->groups, name, hash_bytes(name));
    return entry ? container_of(entry, struct group, entry) : NULL;
}

static int make_group(struct library_thread *t, struct slice name, struct group **ret)
{
    struct group *g = log_needed(calloc(1, sizeof(*g) + name.len));
    if (!g)
        return -ENOMEM;
    memcpy(g->name, name.ptr, name.len);
    g->thread = t;
    list_init(&g->members);
    g->entry.name = slice_make(g->name, name.len);
    g->entry.hash = hash_bytes(name);
    g->client = hub_client_new(&t->worker->hub, &group_ops, g);
    if (!g->client || !name_table_add(&t->groups, &g->entry)) {
        hub_client_leave(g->client);
        free(g);
        return -ENOMEM;
    }
    *ret = g;
    return 0;
}

/* The first member has been added. on_answer may come from inside. */
static int join(struct group *g)
{
    struct topic_subscription wanted = {.to_page = true};
    wanted.topic.len = (uint8_t)g->entry.name.len;
    memcpy(wanted.topic.text, g->name, g->entry.name.len);
    g->joining = true;
    enum hub_answer answer = hub_subscribe(g->client, &wanted);
    g->joining = false;
    return answer == HUB_NO_MEMORY ? -ENOMEM : answer != HUB_DONE || g->refused ? -ENOSPC : 0;
}

static struct member *find_member(const struct httpsocket_peer *p, const struct group *g)
{
    for (struct list *node = p->topics.next; node != &p->topics; node = node->next) {
        struct member *m = container_of(node, struct member, of_peer);
        if (m->group == g)
            return m;
    }
    return NULL;
}

static struct member *add_member(struct httpsocket_peer *p, struct group *g)
{
    struct member *m = log_needed(malloc(sizeof(*m)));
    if (!m)
        return NULL;
    *m = (struct member){.peer = p, .group = g};
    list_append(&p->topics, &m->of_peer);
    list_append(&g->members, &m->of_group);
    p->topic_count++;
    return m;
}

int httpsocket_peer_subscribe(struct httpsocket_peer *p, const char *topic)
{
    struct library_thread *t = p->thread;
    struct topic_name name;
    int error = 0;
    if (!read_name(topic, &name))
        return -EINVAL;
    if (p->closing)
        return -EPIPE;
    struct group *g = find_group(t, topic_name_slice(&name));
    if (g && find_member(p, g))
        return 0;
    if (p->topic_count >= t->worker->hub_config.subscriptions_max)
        return -ENOSPC;
    bool fresh = !g;
    if (fresh)
        error = make_group(t, topic_name_slice(&name), &g);
    if (error)
        return error;
    struct member *m = add_member(p, g);
    if (!m && fresh)
        free_group(g);
    if (!m)
        return -ENOMEM;
    if (fresh)
        error = join(g);
    if (error)
        leave(m);
    library_wake(t);
    return error;
}

int httpsocket_peer_unsubscribe(struct httpsocket_peer *p, const char *topic)
{
    struct topic_name name;
    if (!read_name(topic, &name))
        return -EINVAL;
    struct group *g = find_group(p->thread, topic_name_slice(&name));
    struct member *m = g ? find_member(p, g) : NULL;
    if (m)
        leave(m);
    library_wake(p->thread);
    return 0;
}

/* ---- publishing ---- */

static void on_published(struct hub_client *c, const struct hub_request *request)
{
    struct library_thread *t = hub_client_owner(c);
    if (request->kind != HUB_PUBLISH)
        return;
    atomic_fetch_sub(&t->server->publishing, (size_t)(uintptr_t)request->tag);
    if (request->answer != HUB_DONE)
        log_error("topic.lost", log_slice("topic", request->topic),
                  log_slice("reason", hub_answer_token(request->answer)));
}

static const struct hub_client_ops publisher_ops = {.on_answer = on_published};

static int publish_here(struct library_thread *t, const struct topic_name *topic,
                        struct slice event, struct slice json)
{
    struct topic_publication what = {.topic = *topic, .data = json};
    what.event_len = (uint8_t)event.len;
    memcpy(what.event, event.ptr, event.len);
    if (!t->publisher)
        t->publisher = hub_client_new(&t->worker->hub, &publisher_ops, t);
    void *tag = (void *)(uintptr_t)json.len;
    enum hub_answer answer =
        t->publisher ? hub_publish(t->publisher, &what, true, tag) : HUB_NO_MEMORY;
    if (answer == HUB_DONE)
        return 0;
    atomic_fetch_sub(&t->server->publishing, json.len);
    return answer == HUB_TOO_LONG ? -EMSGSIZE : -ENOMEM;
}

struct publication {
    struct mail mail;
    struct library_thread *thread;
    struct topic_name topic;
    struct slice event; /* TEXT or BYTES */
    size_t len;
    char json[];
};

static void deliver_publication(struct mail *mail)
{
    struct publication *m = container_of(mail, struct publication, mail);
    if (publish_here(m->thread, &m->topic, m->event, slice_make(m->json, m->len)) < 0)
        log_error("topic.lost", log_slice("topic", topic_name_slice(&m->topic)));
    free(m);
}

/* Whoever publishes one topic always goes by the same thread: the order stays. */
static int publish_there(struct httpsocket_server *s, const struct topic_name *topic,
                         struct slice event, struct slice json)
{
    uint64_t hash = hash_bytes(topic_name_slice(topic));
    struct publication *m = malloc(sizeof(*m) + json.len);
    if (!m) {
        atomic_fetch_sub(&s->publishing, json.len);
        return -ENOMEM;
    }
    *m = (struct publication){.thread = &s->threads[hash % s->server.worker_count],
                              .topic = *topic,
                              .event = event,
                              .len = json.len};
    memcpy(m->json, json.ptr, json.len);
    loop_post(library_loop(m->thread), &m->mail, deliver_publication);
    return 0;
}

static bool may_publish(struct httpsocket_server *s, size_t len)
{
    if (atomic_fetch_add(&s->publishing, len) <= PUBLISHING_MAX)
        return true;
    atomic_fetch_sub(&s->publishing, len);
    return false;
}

static int publish(struct httpsocket_server *s, const struct topic_name *topic, struct slice event,
                   struct slice json)
{
    struct library_thread *here = library_here(s);
    if (json.len + event.len > s->server.config->topic_message_max)
        return -EMSGSIZE;
    if (!may_publish(s, json.len))
        return -EAGAIN;
    if (!here)
        return publish_there(s, topic, event, json);
    int error = publish_here(here, topic, event, json);
    library_wake(here);
    return error;
}

static size_t write_json(struct slice event, struct slice data, char *out)
{
    if (slice_equal(event, TEXT))
        return json_quote(data, out);
    size_t len = BASE64URL_LEN(data.len);
    out[0] = out[len + 1] = '"';
    base64url_encode((const uint8_t *)data.ptr, data.len, out + 1);
    return len + 2;
}

/* May be asked of any thread. `json_max`: what the data becomes at most. */
static int publish_data(struct httpsocket_server *s, const char *topic, struct slice event,
                        struct slice data, size_t json_max)
{
    struct topic_name name;
    if (!s || !read_name(topic, &name))
        return -EINVAL;
    if (data.len > s->server.config->topic_message_max)
        return -EMSGSIZE;
    if (s->over)
        return -EPIPE;
    char *json = malloc(json_max);
    if (!json)
        return -ENOMEM;
    size_t len = write_json(event, data, json);
    atomic_fetch_add(&s->calls, 1);
    int error = publish(s, &name, event, slice_make(json, len));
    atomic_fetch_sub(&s->calls, 1);
    free(json);
    return error;
}

int httpsocket_server_publish(struct httpsocket_server *s, const char *topic, const char *text,
                              size_t size)
{
    struct slice plain = slice_make(text, size);
    if (!utf8_valid(plain))
        return -EINVAL;
    return publish_data(s, topic, TEXT, plain, JSON_QUOTED_MAX(size));
}

int httpsocket_server_publish_bytes(struct httpsocket_server *s, const char *topic,
                                    const void *data, size_t size)
{
    return publish_data(s, topic, BYTES, slice_make(data, size), BASE64URL_LEN(size) + 2);
}

/* ---- the end ---- */

void library_topics_done(struct library_thread *t)
{
    hub_client_leave(t->publisher);
    assert(!t->groups.count); /* the peers have gone */
    name_table_done(&t->groups);
}
