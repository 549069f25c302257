/* SPDX-License-Identifier: MIT */
/* fault.c - what a developer asks the console to do to a page's connection: latency, or a cut.
 *
 * A request is checked and published in the topic of faults; each worker is subscribed to it, and
 * the one that has the page does it.
 */
#include "dev/console.h"

#include "dev/delay.h"
#include "proto/json_walk.h"

#include <stdlib.h>

#define FAULTS SLICE_LITERAL(" fault")

enum {
    CONSOLE_WATCHERS_MAX = 16,
    FAULT_MAX = 1024, /* the body of a request for one */
    FAULT_MS_MAX = 60000
};

/* ---- a fault ---- */

struct fault {
    struct slice session;
    bool latency, cut;
    uint64_t ms;
};

/* {"session":"MARK","latency":MS} or {"session":"MARK","cut":MS}; nothing else. */
static bool read_fault(struct slice json, struct fault *ret)
{
    struct slice rest;
    struct json_member m;
    *ret = (struct fault){0};
    if (!json_walk_object(json, &rest))
        return false;
    while (json_next_member(&rest, &m)) {
        bool ms = slice_to_uint(m.value, FAULT_MS_MAX, &ret->ms);
        if (json_key_is(m.key, SLICE_LITERAL("session")) && m.value.len > 2 && *m.value.ptr == '"')
            ret->session = slice_make(m.value.ptr + 1, m.value.len - 2);
        else if (json_key_is(m.key, SLICE_LITERAL("latency")) && ms)
            ret->latency = true;
        else if (json_key_is(m.key, SLICE_LITERAL("cut")) && ms)
            ret->cut = true;
        else
            return false;
    }
    return ret->session.len && ret->latency != ret->cut;
}

/* ---- latency ---- */

/* Lives until its connection is gone; fault_delay() changes it. */
struct wire_delay {
    struct page_wire_filter filter;
    struct dev_delay delay;
    struct page_wire *wire; /* borrowed; NULL: the connection is gone */
    struct reap reap;
};

static bool deliver(struct dev_delay *delay, bool to_page, bool binary, struct bytes data)
{
    struct wire_delay *d = container_of(delay, struct wire_delay, delay);
    page_wire_pass(d->wire, to_page, binary, data);
    return d->wire != NULL;
}

static bool take(struct page_wire_filter *f, bool to_page, bool binary, const struct slice *pieces,
                 size_t count)
{
    struct wire_delay *d = container_of(f, struct wire_delay, filter);
    return dev_delay_take(&d->delay, to_page, binary, pieces, count);
}

static void hurry(struct page_wire_filter *f)
{
    dev_delay_hurry(&container_of(f, struct wire_delay, filter)->delay);
}

static void free_delay(struct reap *reap)
{
    free(container_of(reap, struct wire_delay, reap));
}

static void drop(struct page_wire_filter *f)
{
    struct wire_delay *d = container_of(f, struct wire_delay, filter);
    d->wire = NULL;
    dev_delay_drop(&d->delay);
    loop_reap(d->delay.loop, &d->reap, free_delay);
}

void fault_delay(struct loop *loop, struct page_wire *wire, uint32_t latency_ms)
{
    struct page_wire_filter *filter = page_wire_filter(wire);
    struct wire_delay *d = filter ? container_of(filter, struct wire_delay, filter) : NULL;
    if (!d) {
        d = calloc(1, sizeof(*d));
        if (!d)
            return;
        d->filter = (struct page_wire_filter){take, hurry, drop};
        d->wire = wire;
        dev_delay_init(&d->delay, loop, deliver);
        page_wire_set_filter(wire, &d->filter);
    }
    d->delay.latency_ms = latency_ms;
}

static void cause(struct dev *dev, struct page *p, const struct fault *fault)
{
    struct dev_page *d = dev_page_of(p);
    struct page_wire *wire = page_wire_of(p);
    if (!d)
        return;
    if (fault->cut) {
        d->cut_until_ms = loop_now_ms(dev->loop) + fault->ms;
        page_cut(p);
        return;
    }
    d->latency_ms = (uint32_t)fault->ms;
    if (wire)
        fault_delay(dev->loop, wire, d->latency_ms);
}

/* ---- the worker hears of it ---- */

static void on_fault(struct hub_client *client, struct slice name, struct slice data)
{
    struct console *c = hub_client_owner(client);
    struct fault fault;
    (void)name;
    struct page *p = read_fault(data, &fault) ? page_find(c->dev->pages, fault.session) : NULL;
    if (p)
        cause(c->dev, p, &fault);
}

static const struct hub_client_ops own_ops = {.on_page_event = on_fault};

void console_begin(struct console *c)
{
    if (c->client)
        return;
    struct topic_subscription faults = console_subscription(FAULTS);
    faults.to_page = true;
    c->client = hub_client_new(c->dev->hub, &own_ops, c);
    if (c->client)
        hub_subscribe(c->client, &faults);
}

/* ---- a request for one ---- */

struct wish {
    struct console *console;
    size_t len;
    char body[FAULT_MAX];
};

static void on_wish_body(struct exchange *x, struct slice data)
{
    struct wish *wish = x->owner;
    struct slice taken = slice_first(data, FAULT_MAX - wish->len);
    memcpy(wish->body + wish->len, taken.ptr, taken.len);
    wish->len += taken.len; /* what is cut off is no JSON any more */
}

static void on_wish_end(struct exchange *x)
{
    struct wish *wish = x->owner;
    struct slice json = slice_make(wish->body, wish->len);
    struct fault fault;
    struct topic_publication what = console_publication(FAULTS, SLICE_LITERAL("fault"), json);
    if (!json.len || !json_valid(json, 1) || !read_fault(json, &fault))
        exchange_answer(x, 400,
                        SLICE_LITERAL("expected {\"session\":MARK,\"latency\":MS} or "
                                      "{\"session\":MARK,\"cut\":MS}"),
                        NULL, 0);
    else if (hub_publish(wish->console->client, &what, true, NULL) != HUB_DONE)
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
    else
        exchange_answer(x, 202, SLICE_LITERAL("it is passed on"), NULL, 0);
    free(wish);
}

static void on_wish_gone(struct exchange *x)
{
    free(x->owner);
}

static void ignore_writable(struct exchange *x)
{
    (void)x; /* the answer is short */
}

static const struct exchange_ops wish_ops = {on_wish_body, on_wish_end, ignore_writable,
                                             on_wish_gone};

static void take_wish(struct console *c, struct exchange *x)
{
    struct wish *wish = malloc(sizeof(*wish));
    if (!wish) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return;
    }
    wish->console = c;
    wish->len = 0;
    x->owner = wish;
    x->ops = &wish_ops;
}

bool console_request(struct console *c, struct exchange *x, struct slice name)
{
    bool events = slice_equal(name, SLICE_LITERAL("console/events"));
    struct slice method = events ? SLICE_LITERAL("GET") : SLICE_LITERAL("POST");
    bool full = events && c->watcher_count == CONSOLE_WATCHERS_MAX;
    if (!events && !slice_equal(name, SLICE_LITERAL("console/fault")))
        return false;
    console_begin(c);
    if (!c->client || c->dev->draining || full)
        exchange_answer(x, 503, SLICE_LITERAL("nobody can look here now"), NULL, 0);
    else if (!slice_equal(x->request->method, method))
        exchange_answer(x, 405, events ? SLICE_LITERAL("only GET") : SLICE_LITERAL("only POST"),
                        NULL, 0);
    else if (events)
        console_watch(c, x);
    else
        take_wish(c, x);
    return true;
}
