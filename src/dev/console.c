/* SPDX-License-Identifier: MIT */
/* console.c - records of all that happens, and the clients that look at them. */
#include "dev/console.h"

#include "base/utf8.h"

#include <stdlib.h>

#define RECORDS SLICE_LITERAL(" console")

enum {
    CONSOLE_HISTORY = 100,
    DATA_MAX = 160
};

/* Who looks: a client of the hub whose lines go into an answer that does not end. */
struct watcher {
    struct list node; /* console.watchers */
    struct console *console;
    struct hub_client *client;
    struct exchange *x;
    bool full;
    struct reap reap;
};

struct topic_subscription console_subscription(struct slice topic)
{
    struct topic_subscription s = {.topic = {.len = (uint8_t)topic.len}};
    memcpy(s.topic.text, topic.ptr, topic.len);
    return s;
}

struct topic_publication console_publication(struct slice topic, struct slice event,
                                             struct slice data)
{
    struct topic_publication p = {.event_len = (uint8_t)event.len, .data = data};
    p.topic = console_subscription(topic).topic;
    memcpy(p.event, event.ptr, event.len);
    return p;
}

/* ---- records ---- */

static void put_json(struct text *out, struct slice text)
{
    char quoted[6 * DATA_MAX + 2];
    if (!utf8_valid(text))
        text = SLICE_LITERAL("(bytes)");
    text_put(out, slice_make(quoted, json_quote(utf8_first(text, DATA_MAX), quoted)));
}

/* Of whom a record is. */
struct subject {
    const char *mark;
    int pid;
    const char *file;
};

static void record(struct console *c, const struct subject *who, struct slice kind,
                   struct slice from, struct slice head, struct slice data)
{
    struct text json = {0};
    if (!c || !c->client)
        return;
    if (hub_client_busy(c->client)) {
        c->left_out++;
        return;
    }
    text_printf(&json, "{\"session\":\"%s\",\"pid\":%d,\"program\":", who->mark, who->pid);
    put_json(&json, slice_of(program_host_below_root(c->dev->programs, who->file)));
    text_printf(&json,
                ",\"from\":\"%.*s\",\"bytes\":%zu,\"leftOut\":%llu,\"head\":", SLICE_ARG(from),
                data.len, (unsigned long long)c->left_out);
    put_json(&json, head);
    text_put(&json, SLICE_LITERAL(",\"data\":"));
    put_json(&json, data);
    text_put(&json, SLICE_LITERAL("}"));
    c->left_out = 0;
    struct topic_publication what = console_publication(RECORDS, kind, text_slice(&json));
    if (json.failed || hub_publish(c->client, &what, true, NULL) != HUB_DONE)
        c->left_out++;
    text_done(&json);
}

static struct subject page_subject(struct page *p)
{
    return (struct subject){page_mark(p), page_pid(p), page_file(p).ptr};
}

void console_message(struct console *c, struct page *p, bool from_program, const struct message *m)
{
    struct subject who = page_subject(p);
    record(c, &who, SLICE_LITERAL("message"),
           from_program ? SLICE_LITERAL("program") : SLICE_LITERAL("page"), m->head, m->body);
}

void console_note(struct console *c, struct page *p, const char *what, struct slice text)
{
    struct subject who = page_subject(p);
    record(c, &who, SLICE_LITERAL("note"), SLICE_LITERAL("server"), slice_of(what), text);
}

void console_stderr(struct console *c, const struct program *p, struct slice line)
{
    struct subject who = {p->mark, (int)p->pid, p->file.ptr};
    record(c, &who, SLICE_LITERAL("stderr"), SLICE_LITERAL("program"), SLICE_NONE, line);
}

/* ---- who looks ---- */

static bool watcher_takes(struct hub_client *client, bool to_page)
{
    struct watcher *w = hub_client_owner(client);
    (void)to_page;
    return !w->full;
}

/* The line `.topic {…}` as an event of the stream. */
static void watcher_line(struct hub_client *client, struct slice begin, struct slice rest,
                         struct shared_bytes *whole)
{
    struct watcher *w = hub_client_owner(client);
    struct slice lead = SLICE_LITERAL(".topic ");
    struct text event = {0};
    (void)whole;
    if (!slice_starts_with(begin, lead))
        return;
    text_put(&event, SLICE_LITERAL("data: "));
    text_put(&event, slice_skip(begin, lead.len));
    text_put(&event, rest);
    text_put(&event, SLICE_LITERAL("\n"));
    if (!event.failed)
        w->full = !exchange_write(w->x, text_slice(&event));
    text_done(&event);
}

static const struct hub_client_ops watcher_ops = {.takes = watcher_takes, .on_line = watcher_line};

static void free_watcher(struct reap *reap)
{
    free(container_of(reap, struct watcher, reap));
}

static void release(struct watcher *w)
{
    hub_client_leave(w->client);
    list_remove(&w->node);
    w->console->watcher_count--;
    loop_reap(w->console->dev->loop, &w->reap, free_watcher);
}

static void ignore_body(struct exchange *x, struct slice data)
{
    (void)x, (void)data;
}

static void ignore_event(struct exchange *x)
{
    (void)x;
}

static void on_writable(struct exchange *x)
{
    struct watcher *w = x->owner;
    w->full = false;
    hub_client_drained(w->client);
}

static void on_watcher_gone(struct exchange *x)
{
    struct watcher *w = x->owner;
    w->full = true; /* what comes last is not written any more */
    release(w);
}

static const struct exchange_ops stream_ops = {ignore_body, ignore_event, on_writable,
                                               on_watcher_gone};

static void begin_stream(struct exchange *x)
{
    struct http_header headers[] = {
        {SLICE_LITERAL("Content-Type"), SLICE_LITERAL("text/event-stream")},
        {SLICE_LITERAL("Cache-Control"), SLICE_LITERAL("no-store")},
    };
    exchange_respond(x, 200, SLICE_NONE, headers, 2, EXCHANGE_LENGTH_UNKNOWN);
    exchange_write(x, SLICE_LITERAL(": the console\n\n"));
}

void console_watch(struct console *c, struct exchange *x)
{
    struct topic_subscription records = console_subscription(RECORDS);
    struct watcher *w = calloc(1, sizeof(*w));
    records.history = CONSOLE_HISTORY;
    if (w)
        w->client = hub_client_new(c->dev->hub, &watcher_ops, w);
    if (!w || !w->client) {
        free(w);
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return;
    }
    w->console = c;
    w->x = x;
    x->owner = w;
    x->ops = &stream_ops;
    list_append(&c->watchers, &w->node);
    c->watcher_count++;
    begin_stream(x);
    hub_subscribe(w->client, &records);
}

/* ---- life ---- */

struct console *console_new(struct dev *dev)
{
    struct console *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->dev = dev;
    list_init(&c->watchers);
    return c;
}

void console_drop(struct console *c)
{
    while (c && !list_empty(&c->watchers)) {
        struct watcher *w = container_of(c->watchers.next, struct watcher, node);
        struct exchange *x = w->x;
        release(w);
        exchange_end(x);
    }
}

void console_free(struct console *c)
{
    if (!c)
        return;
    hub_client_leave(c->client);
    free(c);
}
