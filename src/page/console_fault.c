/* SPDX-License-Identifier: MIT */
/* console_fault.c - what a developer asks the console to do to a page's connection: latency, or a cut.
 *
 * A request is checked and published in the topic of faults; each worker is subscribed to it, and the
 * one that has the page does it.
 */
#include "page/console.h"

#include "page/dev.h"
#include "page/wire.h"
#include "proto/json_walk.h"

#include <stdlib.h>

#define FAULTS SLICE_LITERAL(" fault")

enum {
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

static struct page *find_page(struct page_host *host, struct slice mark)
{
    for (struct list *node = host->pages.next; node != &host->pages; node = node->next) {
        struct page *p = container_of(node, struct page, node);
        if (slice_equal(slice_of(p->mark), mark))
            return p;
    }
    return NULL;
}

static void cause(struct page *p, const struct fault *fault)
{
    if (fault->latency)
        page_fault_latency(p, (uint32_t)fault->ms);
    else
        page_fault_cut(p, (uint32_t)fault->ms);
}

/* ---- the worker hears of it ---- */

static void on_fault(struct hub_client *client, struct slice name, struct slice data)
{
    struct page_console *c = hub_client_owner(client);
    struct fault fault;
    (void)name;
    struct page *p = read_fault(data, &fault) ? find_page(c->host, fault.session) : NULL;
    if (p)
        cause(p, &fault);
}

static const struct hub_client_ops own_ops = {.on_page_event = on_fault};

/* Not before the first page: by then all workers are there. */
void page_console_begin(struct page_host *host)
{
    struct page_console *c = host->console;
    if (!c || c->client)
        return;
    struct topic_subscription faults = console_subscription(FAULTS);
    faults.to_page = true;
    c->client = hub_client_new(host->hub, &own_ops, c);
    if (c->client)
        hub_subscribe(c->client, &faults);
}

/* ---- a request for one ---- */

struct wish {
    struct page_console *console;
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

void console_take_wish(struct page_console *c, struct exchange *x)
{
    struct wish *wish = malloc(sizeof *wish);
    if (!wish) {
        exchange_answer(x, 503, SLICE_LITERAL("out of memory"), NULL, 0);
        return;
    }
    wish->console = c;
    wish->len = 0;
    x->owner = wish;
    x->ops = &wish_ops;
}
