/* SPDX-License-Identifier: MIT */
/* hear.c - the program's messages to its client, and the client's to the program. */
#include "page/hear.h"

#include "base/log.h"
#include "base/utf8.h"
#include "page/host.h"
#include "page/state.h"
#include "page/streams.h"
#include "page/topics.h"

#define QUOTED_MAX 300

/* ---- from the program ---- */

/* While its client waits to be let in, one line is looked at: it may be `.shared`. */
enum program_reading page_reading(const struct page *p)
{
    if (page_unheard(p))
        return PROGRAM_DROP;
    if (page_waits(p))
        return p->heard == PAGE_HEARD_NOTHING ? PROGRAM_READ : PROGRAM_WAIT;
    if (page_topics_busy(p) || (p->restores && page_restoring(p)))
        return PROGRAM_WAIT;
    if (!page_streams_hold(p) && p->client->writable(p))
        return PROGRAM_READ;
    /* What one that is gone had written is bounded. */
    return p->seat->ops->alive(p->seat) ? PROGRAM_WAIT : PROGRAM_READ;
}

static void note(struct page *p, bool from_program, const struct message *m)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    if (watcher)
        watcher->ops->on_message(watcher, p, from_program, m);
}

void page_hear(struct page *p, const struct message *m)
{
    note(p, true, m);
    page_state_busy(p);
    if (m->kind == MESSAGE_CONTROL) {
        page_command(p, m);
        if (p->heard < PAGE_HEARD_COMMAND)
            p->heard = PAGE_HEARD_COMMAND;
        return;
    }
    p->heard = PAGE_HEARD_MESSAGE;
    if (m->kind == MESSAGE_COMMAND)
        page_command(p, m);
    else
        p->client->send(p, m);
}

void page_acknowledge(struct page *p)
{
    while (p->untaken > 0 && p->session && p->seat->ops->has_taken(p->seat)) {
        p->untaken--;
        session_taken(p->session);
    }
    if (p->streams)
        page_streams_taken(p);
}

void page_seat_drained(struct page *p)
{
    page_acknowledge(p);
    page_count(p);
    if (p->client)
        p->client->program_drained(p);
    page_topics_drained(p);
}

void page_body_drained(struct page *p)
{
    page_count(p);
    if (p->x)
        exchange_resume(p->x);
}

void page_seat_stderr(struct page *p, struct slice line)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    if (watcher)
        watcher->ops->on_line(watcher, p, line);
}

/* ---- from the client ---- */

bool page_hear_client(struct page *p, const struct message *m)
{
    if (!page_program_open(p))
        return false;
    note(p, false, m);
    page_state_telling(p);
    page_state_heard(p, m); /* before: a handler may say at once what it is done with */
    page_send_program(p, m);
    return true;
}

static struct slice quote(struct slice text, char out[6 * QUOTED_MAX + 2])
{
    if (!text.ptr)
        return SLICE_LITERAL("null");
    return slice_make(out, json_quote(utf8_first(text, QUOTED_MAX), out));
}

static void tell_program(struct page *p, struct text *line)
{
    text_put(line, SLICE_LITERAL("}\n"));
    page_write_text(p, line);
}

static void tell_watcher(struct page *p, enum page_event event, struct slice text)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    if (watcher)
        watcher->ops->on_event(watcher, p, event, text);
}

void page_client_attached(struct page *p, bool resumed)
{
    char quoted[6 * QUOTED_MAX + 2];
    struct text line = {0};
    p->attached = p->told = true;
    timer_stop(&p->leave_timer);
    text_printf(&line, ".attach {\"resumed\":%s,\"origin\":", resumed ? "true" : "false");
    text_put(&line, quote(page_origin(p), quoted));
    text_put(&line, SLICE_LITERAL(",\"address\":"));
    text_put(&line, quote(slice_of(page_address(p)), quoted));
    if (p->restores && !resumed)
        text_put(&line, SLICE_LITERAL(",\"restored\":true"));
    tell_program(p, &line);
    page_topics_connected(p, true);
    page_count(p);
    tell_watcher(p, resumed ? PAGE_RESUMED : PAGE_CONNECTED, slice_of(page_address(p)));
}

void page_client_detached(struct page *p, struct slice reason)
{
    char quoted[6 * QUOTED_MAX + 2];
    struct text line = {0};
    text_put(&line, SLICE_LITERAL(".detach {\"reason\":"));
    text_put(&line, quote(reason, quoted));
    tell_program(p, &line);
    page_topics_connected(p, false);
    tell_watcher(p, PAGE_DISCONNECTED, reason);
}

void page_client_writable(struct page *p)
{
    page_topics_drained(p);
    page_resume(p);
}
