/* SPDX-License-Identifier: MIT */
#include "page/pack.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/host.h"
#include "page/restart.h"
#include "page/retry.h"
#include "page/state.h"
#include "page/streams.h"
#include "page/tcp_session.h"
#include "page/topics.h"
#include "page/waiting.h"
#include "page/wire.h"
#include "proto/close_code.h"
#include "session/pack.h"

#include <stdio.h>

enum {
    PAGE = 1,
    TCP_SESSION,
    WIRES,
    /* of a page */
    KIND = 1,
    STATE,
    HEARD,
    SEAT_TYPE,
    SEAT,
    FILE_NAME,
    ORIGIN,
    KEY,
    ADDRESS,
    CLIENT_KEY,
    CLIENT_WHO,
    SCRIPT_LEN,
    SAME_ORIGIN,
    EXCESS,
    ATTACHED,
    TOLD,
    UNTAKEN,
    PROBLEMS,
    LEAVE_MS,
    WAITS,
    ANSWER_HEAD_BYTES,
    ANSWER_MS,
    TCP_MODE,
    TCP_RETRY_S,
    TCP_LAST_ID,
    SESSION,
    WIRE,
    PLAIN,
    STREAMS,
    TOPICS,
    MARK,
    RESTORES,
    HEARD_BY_PROGRAM,
    SAVING,
    DONE_BY_PROGRAM,
    SCRIPT,
    RESTARTS,
    RESTARTING,
};

/* ---- before ---- */

/* Its handler ends with this process; its client comes again, and finds one in the next. */
static void part_handler(struct page *page)
{
    char reason[32];
    int len = snprintf(reason, sizeof(reason), "draining retry=%u", page_retry_s(page->host));
    struct exchange *x = page_take_exchange(page);
    if (x)
        exchange_fail(x);
    page_answer_drop(page);
    page_abort(page, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
    page_let_go(page);
    page_settle(page);
}

static void part(struct page *page)
{
    if (!page->seat->ops->pack) {
        part_handler(page);
        return;
    }
    if (page->session)
        page_wire_part(page->session);
    if (!page->plain || (!page->grant && ws_peer_may_pack(page->plain)))
        return;
    page_stop(page, CLOSE_SERVICE_RESTART, SLICE_LITERAL("server-replaced"));
    page_settle(page);
}

void page_host_part(struct page_host *host)
{
    struct list *next;
    for (struct list *node = host->pages.next; node != &host->pages; node = next) {
        next = node->next;
        part(container_of(node, struct page, node));
    }
    tcp_sessions_part(host);
}

/* ---- written ---- */

static void pack_texts(const struct page *page, struct pack *p)
{
    pack_slice(p, MARK, slice_of(page->mark));
    pack_slice(p, FILE_NAME, page_file(page));
    pack_slice(p, SCRIPT, page_script(page));
    pack_slice(p, ORIGIN, page_origin(page));
    pack_slice(p, KEY, page_key(page));
    pack_slice(p, ADDRESS, slice_of(page_address(page)));
    pack_slice(p, CLIENT_KEY, slice_make(page->client_key.bytes, sizeof(page->client_key.bytes)));
}

static void pack_numbers(const struct page *page, struct pack *p)
{
    pack_number(p, KIND, page->kind);
    pack_number(p, STATE, page->state);
    pack_number(p, HEARD, page->heard);
    pack_number(p, CLIENT_WHO, page->client_who);
    pack_number(p, SCRIPT_LEN, page->script_end);
    pack_number(p, SAME_ORIGIN, page->same_origin);
    pack_number(p, EXCESS, page->excess);
    pack_number(p, ATTACHED, page->attached);
    pack_number(p, TOLD, page->told);
    pack_number(p, UNTAKEN, page->untaken);
    pack_number(p, PROBLEMS, page->problems);
    pack_number(p, RESTORES, page->restores);
    pack_number(p, RESTARTS, page->restarts);
    pack_number(p, RESTARTING, !list_empty(&page->restarting));
    pack_number(p, HEARD_BY_PROGRAM, page->heard_by_program);
    pack_number(p, DONE_BY_PROGRAM, page->done_by_program);
    pack_number(p, LEAVE_MS, timer_due_ms(&page->leave_timer));
    pack_number(p, TCP_MODE, page->tcp_mode);
    pack_number(p, TCP_RETRY_S, page->tcp_retry_s);
    pack_number(p, TCP_LAST_ID, page->tcp_last_id);
}

/* A client that has broken off before it was let in: the program's word is for its next connection.
 */
static void pack_waiting(const struct page *page, struct pack *p)
{
    pack_number(p, WAITS, !list_empty(&page->waiting));
    if (!page->answer || page->answer->part != ANSWER_HEAD)
        return;
    pack_slice(p, ANSWER_HEAD_BYTES, slice_make(page->answer->head, page->answer->len));
    pack_number(p, ANSWER_MS, timer_due_ms(&page->answer->timer));
}

static void pack_client(const struct page *page, struct pack *p)
{
    if (page->session) {
        size_t session = pack_begin(p, SESSION);
        session_pack(page->session, p);
        pack_end(p, session);
        page_wire_pack(page->session, WIRE, p);
    }
    if (page->plain && !page->grant && ws_peer_may_pack(page->plain)) {
        size_t plain = pack_begin(p, PLAIN);
        ws_peer_pack(page->plain, p);
        pack_end(p, plain);
    }
}

static void pack_page(const struct page *page, struct pack *p)
{
    pack_numbers(page, p);
    pack_texts(page, p);
    pack_waiting(page, p);
    size_t seat = pack_begin(p, SEAT);
    enum seat_kind kind = page->seat->ops->pack(page->seat, p);
    pack_end(p, seat);
    pack_number(p, SEAT_TYPE, kind);
    pack_client(page, p);
    size_t streams = pack_begin(p, STREAMS);
    page_streams_pack(page, p);
    pack_end(p, streams);
    size_t saving = pack_begin(p, SAVING);
    page_state_pack(page, p);
    pack_end(p, saving);
    size_t topics = pack_begin(p, TOPICS);
    page_topics_pack(page, p);
    pack_end(p, topics);
}

void page_host_pack(const struct page_host *host, struct pack *p)
{
    const struct list *pages = &host->pages;
    for (const struct list *node = pages->next; node != pages; node = node->next) {
        const struct page *page = container_of(node, const struct page, node);
        if (!page->seat->ops->pack)
            continue;
        size_t field = pack_begin(p, PAGE);
        pack_page(page, p);
        pack_end(p, field);
    }
    tcp_sessions_pack(host, TCP_SESSION, p);
    size_t wires = pack_begin(p, WIRES);
    page_wires_pack(host, p);
    pack_end(p, wires);
}

/* ---- read ---- */

static void unpack_numbers(struct page *page, struct slice in)
{
    struct loop *loop = page->host->spec.loop;
    page->heard = (enum page_heard)packed_number(in, HEARD);
    page->client_who = packed_number(in, CLIENT_WHO);
    page->same_origin = packed_number(in, SAME_ORIGIN);
    page->excess = packed_number(in, EXCESS);
    page->restores = packed_number(in, RESTORES);
    page->restarts = packed_number(in, RESTARTS);
    if (packed_number(in, RESTARTING))
        list_append(&page->host->restarting, &page->restarting);
    page->heard_by_program = packed_number(in, HEARD_BY_PROGRAM);
    page->done_by_program = packed_number(in, DONE_BY_PROGRAM);
    page->attached = packed_number(in, ATTACHED);
    page->told = packed_number(in, TOLD);
    page->untaken = (uint32_t)packed_number(in, UNTAKEN);
    page->problems = (uint32_t)packed_number(in, PROBLEMS);
    timer_start_at(loop, &page->leave_timer, packed_number(in, LEAVE_MS));
    page->tcp_mode = (enum page_tcp_mode)packed_number(in, TCP_MODE);
    page->tcp_retry_s = (uint32_t)packed_number(in, TCP_RETRY_S);
    page->tcp_last_id = packed_number(in, TCP_LAST_ID);
}

static void unpack_client_name(struct page *page, struct slice in)
{
    struct slice key = packed_slice(in, CLIENT_KEY), mark = packed_slice(in, MARK);
    struct slice address = slice_first(packed_slice(in, ADDRESS), NET_HOST_TEXT_MAX - 1);
    mark = slice_first(mark, SESSION_LOG_ID_LEN);
    page_set_address(page, address);
    if (mark.len)
        memcpy(page->mark, mark.ptr, mark.len);
    if (key.len != sizeof(page->client_key.bytes))
        return;
    memcpy(page->client_key.bytes, key.ptr, key.len);
    memory_move(&page->account, &page->client_key);
}

static bool unpack_waiting(struct page *page, struct slice in)
{
    struct slice head = packed_slice(in, ANSWER_HEAD_BYTES);
    if (!packed_number(in, WAITS))
        return true;
    page_wait(page);
    if (!packed_number(in, ANSWER_MS))
        return true; /* the program has let it in */
    if (!page_answer_begin(page) || !page_answer_gather(page->answer, head))
        return false;
    timer_start_at(page->host->spec.loop, &page->answer->timer, packed_number(in, ANSWER_MS));
    return true;
}

static bool unpack_client(struct page *page, struct slice in)
{
    struct slice session = packed_slice(in, SESSION), plain = packed_slice(in, PLAIN);
    if (session.len && !page_unpack_session(page, session))
        return false;
    if (session.len)
        page_wire_unpack(page->host, page->session, page->host->spec.ws_config, &page->account,
                         packed_slice(in, WIRE));
    if (plain.len && !page_unpack_plain(page, plain))
        return false;
    return true;
}

static bool unpack_parts(struct page *page, struct slice in)
{
    return unpack_waiting(page, in) && unpack_client(page, in) &&
           page_state_unpack(page, packed_slice(in, SAVING));
}

static struct page *make(struct page_host *host, struct seat *seat, struct slice in)
{
    struct slice none = SLICE_NONE;
    struct slice origin = packed_slice(in, ORIGIN), key = packed_slice(in, KEY);
    return page_make(&(struct page_spec){
        .host = host,
        .kind = (enum page_kind)packed_number(in, KIND),
        .seat = seat,
        .file = packed_slice(in, FILE_NAME),
        .script = packed_slice(in, SCRIPT),
        .script_len = (size_t)packed_number(in, SCRIPT_LEN),
        .origin = origin.len ? origin : none,
        .key = key.len ? key : none,
    });
}

/* What can't be taken over of it, for want of memory, ends it as any such want does. */
static void unpack_page(struct page_host *host, struct slice in)
{
    uint64_t state = packed_number(in, STATE), kind = packed_number(in, SEAT_TYPE);
    struct seat *seat = seat_unpack(host, (enum seat_kind)kind, packed_slice(in, SEAT));
    struct page *page = seat && state < PAGE_OVER ? make(host, seat, in) : NULL;
    if (!page) {
        log_error("takeover.page_lost", log_slice("program", packed_slice(in, FILE_NAME)));
        if (!seat)
            return;
        seat->ops->kill(seat);
        seat->ops->free(seat);
        return;
    }
    unpack_client_name(page, in);
    unpack_numbers(page, in);
    if (state == PAGE_SPOOLING)
        page->state = PAGE_OPEN;
    else
        page->state = (enum page_state)state;
    if (!unpack_parts(page, in))
        page_stop(page, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("server-failed"));
    page_streams_unpack(page, packed_slice(in, STREAMS));
    page_topics_unpack(page, packed_slice(in, TOPICS));
}

void page_host_unpack(struct page_host *host, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);) {
        if (field.tag == PAGE)
            unpack_page(host, field.value);
        else if (field.tag == TCP_SESSION)
            tcp_session_unpack(host, field.value);
        else if (field.tag == WIRES)
            page_wires_unpack(host, field.value);
    }
}

/* ---- then ---- */

/* The client of the plain form is gone with its connection: the page ends as after any other loss.
 */
static bool lost_client(const struct page *page)
{
    return page->state < PAGE_ENDED && !page->client && list_empty(&page->waiting);
}

static void go_on(struct page *page)
{
    if (page->session) {
        session_reset_unclaimed(page->session, PAGE_REPLACED);
        session_miss_wire(page->session, "server-replaced");
    }
    if (lost_client(page))
        page_stop(page, CLOSE_NORMAL, SLICE_LITERAL("left"));
    page_resume(page);
    page_count(page);
    page_settle(page);
}

void page_host_go_on(struct page_host *host)
{
    struct list *next;
    for (struct list *node = host->pages.next; node != &host->pages; node = next) {
        next = node->next;
        go_on(container_of(node, struct page, node));
    }
    tcp_sessions_go_on(host);
    page_restarts_go_on(host);
}

size_t page_host_count(const struct page_host *host)
{
    size_t count = 0;
    for (const struct list *node = host->pages.next; node != &host->pages; node = node->next)
        count++;
    return count;
}
