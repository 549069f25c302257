/* SPDX-License-Identifier: MIT */
/* lifecycle.c - the life of one page: made for a request, settled whenever something of it ended,
 * freed once nobody holds it. */
#include "page/lifecycle.h"

#include "base/log.h"
#include "base/pool.h"
#include "page/answer_head.h"
#include "page/grant.h"
#include "page/host.h"
#include "page/retry.h"
#include "page/spool.h"
#include "page/wire.h"
#include "proto/close_code.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local struct pool pages = POOL_OF(struct page);

/* ---- its texts ---- */

/* Copies `s` and a NUL to *at, which moves on. Returns the length. */
static uint32_t keep(char **at, struct slice s)
{
    char *begin = *at;
    if (s.len > 0)
        memcpy(begin, s.ptr, s.len);
    begin[s.len] = '\0';
    *at = begin + s.len + 1;
    return (uint32_t)s.len;
}

static bool keep_texts(struct page *p, const struct page_spec *spec)
{
    size_t len = spec->file.len + spec->script.len + spec->origin.len + spec->key.len + 4;
    char *at = p->text = log_needed(malloc(len));
    if (!at)
        return false;
    p->file_len = keep(&at, spec->file);
    p->script_len = keep(&at, spec->script);
    p->origin_len = keep(&at, spec->origin);
    p->key_len = keep(&at, spec->key);
    p->has_origin = spec->origin.ptr != NULL;
    return true;
}

/* ---- what it holds ---- */

static size_t held_for_client(const struct page *p)
{
    return (p->session ? session_held(p->session) : 0) + (p->plain ? ws_peer_held(p->plain) : 0);
}

static size_t held_for_program(const struct page *p)
{
    size_t bytes = p->seat->ops->held ? p->seat->ops->held(p->seat) : 0;
    return bytes + page_streams_held(p);
}

static void count_now(struct page *p)
{
    size_t answer = p->answer ? p->answer->len : 0;
    size_t spooled = p->spool ? page_spool_held(p->spool) : 0;
    memory_hold(&p->account, &p->counted,
                held_for_client(p) + held_for_program(p) + answer + spooled);
}

/* What came in one callback leaves together, and is counted once. */
static void conclude(struct loop_after *after)
{
    struct page_host *host = container_of(after, struct page_host, count);
    struct list due;
    list_init(&due);
    list_splice(&due, &host->counts_due);
    for (struct list *node; (node = list_pop(&due)) != NULL;) {
        struct page *p = container_of(node, struct page, count);
        if (p->session)
            session_flush(p->session);
        count_now(p);
    }
}

void page_counts_init(struct page_host *host)
{
    list_init(&host->counts_due);
    loop_after_init(&host->count, host->spec.loop, conclude);
}

void page_count_soon(struct page *p)
{
    list_append(&p->host->counts_due, &p->count);
    loop_after(&p->host->count);
}

/* The WebSocket has most of it: without that the session may go on. A plain client has none. */
static bool let_wire_go(struct page *p)
{
    struct page_wire *wire = p->session ? page_wire_of(p) : NULL;
    if (!wire || page_wire_held(wire) < p->account.used / 2)
        return false;
    page_wire_let_go(wire);
    count_now(p);
    return true;
}

/* A close frame would wait behind all that this client does not read. */
static void let_plain_go(struct page *p)
{
    if (!p->plain)
        return;
    if (ws_peer_held(p->plain) > MEMORY_GRANULE)
        p->client->drop(p);
    else
        ws_peer_close(p->plain, CLOSE_MEMORY, SLICE_LITERAL("memory"));
}

static void let_go_of_memory(struct memory_account *a, enum memory_cause cause)
{
    struct page *p = container_of(a, struct page, account);
    struct exchange *x;
    (void)cause;
    if (p->state == PAGE_OVER || let_wire_go(p))
        return;
    x = p->x;
    p->x = NULL;
    if (x)
        exchange_fail(x);
    page_grant_end(&p->grant);
    page_answer_drop(p);
    page_abort(p, CLOSE_MEMORY, SLICE_LITERAL("memory"));
    let_plain_go(p);
    page_let_go(p);
    p->seat->ops->kill(p->seat);
    count_now(p);
    page_settle(p);
}

static void recount(struct memory_account *a)
{
    count_now(container_of(a, struct page, account));
}

static const struct memory_ops memory_ops = {"page", let_go_of_memory, recount};

/* ---- made ---- */

static void forget_address(struct page *p)
{
    if (p->address_long)
        free(p->long_address);
    p->address_long = false;
    p->address[0] = '\0';
}

void page_set_address(struct page *p, struct slice address)
{
    char *copy = NULL;
    if (address.len >= PAGE_ADDRESS_SHORT)
        copy = log_needed(slice_to_string(address));
    forget_address(p);
    if (copy) {
        p->long_address = copy;
        p->address_long = true;
    } else if (address.len > 0 && address.len < PAGE_ADDRESS_SHORT) {
        memcpy(p->address, address.ptr, address.len);
        p->address[address.len] = '\0';
    }
}

void page_name_client(struct page *p, struct exchange *x)
{
    struct net_address peer = {0};
    p->client_who = exchange_credentials(x);
    if (exchange_peer(x, &peer) < 0)
        return; /* gone already: on_abort follows */
    p->client_key = net_client_key_of(&peer);
    memory_move(&p->account, &p->client_key);
    char text[NET_HOST_TEXT_MAX];
    page_set_address(p, slice_make(text, net_address_print_host(&peer, text)));
}

static void on_leave(struct timer *timer)
{
    struct page *p = container_of(timer, struct page, leave_timer);
    if (!p->attached) {
        page_stop(p, CLOSE_NORMAL, SLICE_LITERAL("page-left"));
        page_answer_drop(p);
    }
    page_settle(p);
}

struct page *page_make(const struct page_spec *spec)
{
    struct page *p = log_needed(pool_take(&pages));
    if (!p)
        return NULL;
    *p = (struct page){.host = spec->host};
    if (!keep_texts(p, spec)) {
        pool_give(&pages, p);
        return NULL;
    }
    p->kind = spec->kind;
    p->seat = spec->seat;
    p->seat->page = p;
    p->script_end = spec->script_len;
    p->restores = spec->restores;
    p->excess = spec->restores; /* its page is there already: what the program prints is no fault */
    timer_init(&p->leave_timer, on_leave);
    list_init(&p->tcp_questions);
    list_init(&p->waiting);
    list_init(&p->restarting);
    list_init(&p->count);
    list_append(&p->host->pages, &p->node);
    memory_open(&p->account, p->host->spec.memory, &memory_ops, NULL);
    return p;
}

struct page *page_new(const struct page_spec *spec)
{
    struct page *p = page_make(spec);
    if (!p)
        return NULL;
    p->x = spec->x;
    p->x->owner = p;
    p->x->ops = spec->ops;
    page_name_client(p, p->x);
    return p;
}

/* ---- its place ---- */

void page_give_up(struct page *p)
{
    log_info("session.given_up", log_slice("program", page_file(p)), log_int("pid", page_pid(p)),
             log_text("session", p->mark), log_text("client", page_address(p)),
             log_text("why", p->claim == PAGE_LEFT ? "its page is gone" : "its page did nothing"));
    p->host->counts.sessions.given_up++;
    page_answer_drop(p);
    page_abort(p, CLOSE_SESSION_GONE, SLICE_LITERAL("given-up"));
    page_let_go(p);
    page_settle(p);
}

static void give_up(void *owner)
{
    page_give_up(owner);
}

static enum page_claim claim_of(const struct page *p)
{
    bool may_come = !p->x && (page_answered(p) || page_waits(p));
    if (!p->session || p->state >= PAGE_ENDED || !may_come || session_attached(p->session))
        return PAGE_CLAIMED;
    return session_was_used(p->session) ? PAGE_LEFT : PAGE_UNUSED;
}

void page_note_claim(struct page *p)
{
    struct room_place *place = p->seat->ops->place ? p->seat->ops->place(p->seat) : NULL;
    enum page_claim now = claim_of(p);
    if (now == p->claim)
        return;
    p->claim = now;
    if (!place)
        return;
    room_busy(place);
    if (now != PAGE_CLAIMED)
        room_idle(place, now == PAGE_LEFT ? ROOM_USED : ROOM_UNUSED, give_up, p);
}

/* ---- its states ---- */

void page_set_state(struct page *p, enum page_state state)
{
    static const char *const names[] = {"spooling", "open", "leaving", "ended", "over"};
    static const bool legal[][PAGE_OVER + 1] = {
        [PAGE_SPOOLING] = {[PAGE_OPEN] = true, [PAGE_LEAVING] = true, [PAGE_ENDED] = true},
        [PAGE_OPEN] = {[PAGE_LEAVING] = true, [PAGE_ENDED] = true},
        [PAGE_LEAVING] = {[PAGE_ENDED] = true},
        [PAGE_ENDED] = {[PAGE_OVER] = true},
        [PAGE_OVER] = {false},
    };
    assert(legal[p->state][state]);
    log_debug("page.state", log_slice("program", page_file(p)), log_text("session", p->mark),
              log_text("state", names[state]));
    p->state = state;
    page_note_claim(p);
}

static void leave_topics(struct page *p)
{
    hub_client_leave(p->topics);
    p->topics = NULL;
}

/* Would anybody come to hear of this end? Not of a session whose id was told to nobody. An ordinary
 * CGI program leaves none behind; while we drain, nobody can come. */
static bool end_matters(const struct page *p, unsigned code)
{
    if (code == CLOSE_SERVICE_RESTART)
        return p->client->present(p);
    if (p->session && !p->told)
        return false;
    return code != CLOSE_NORMAL || p->attached || p->heard == PAGE_HEARD_MESSAGE;
}

void page_end(struct page *p, unsigned code, struct slice reason)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    if (p->state >= PAGE_ENDED)
        return;
    if (watcher)
        watcher->ops->on_end(watcher, p, code, reason);
    leave_topics(p);
    page_set_state(p, PAGE_ENDED);
    list_remove(&p->waiting);
    list_remove(&p->restarting);
    p->seat->ops->note_reason(p->seat, reason);
    if (p->client)
        p->client->end(p, code, reason, end_matters(p, code));
}

void page_end_restarted(struct page *p)
{
    char reason[32];
    p->host->counts.restarts++;
    if (p->session && session_keeps_state(p->session)) {
        page_end(p, CLOSE_NORMAL, SLICE_LITERAL("restart"));
        return;
    }
    int len = snprintf(reason, sizeof(reason), "restart retry=%u", page_retry_s(p->host));
    page_end(p, CLOSE_SERVICE_RESTART, slice_make(reason, (size_t)len));
}

void page_abort(struct page *p, unsigned code, struct slice reason)
{
    page_end(p, code, reason);
    if (p->client)
        p->client->abort(p, code, reason);
}

void page_let_go(struct page *p)
{
    if (p->state < PAGE_LEAVING)
        page_set_state(p, PAGE_LEAVING);
    p->seat->ops->let_go(p->seat);
}

void page_fail(struct page *p, struct slice reason)
{
    page_end(p, CLOSE_PROGRAM_FAILED, reason);
    page_let_go(p);
}

void page_fault(struct page *p)
{
    page_end(p, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("server-failed"));
    page_let_go(p);
}

void page_write_text(struct page *p, struct text *line)
{
    if (!line->failed) {
        page_write_line(p, text_slice(line));
    } else {
        log_needed(NULL);
        page_fault(p);
    }
    text_done(line);
}

void page_breach(struct page *p, const char *why, struct slice line)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    char text[160];
    program_host_counts(p->host->spec.programs)->protocol_errors++;
    line = slice_first(line, 80);
    log_error("program.protocol_error", page_cause(p), log_slice("program", page_file(p)),
              log_int("pid", page_pid(p)), log_text("session", p->mark), log_text("why", why),
              log_slice("line", line));
    int len = snprintf(text, sizeof(text), "(descriptor 3: %s: %.*s)", why, SLICE_ARG(line));
    if (watcher)
        watcher->ops->on_line(watcher, p,
                              slice_first(slice_make(text, (size_t)len), sizeof(text) - 1));
    page_fail(p, SLICE_LITERAL("program-failed reason=protocol"));
}

void page_refuse_command(struct page *p, const struct message *m, const char *why)
{
    program_host_counts(p->host->spec.programs)->protocol_errors++;
    log_error("program.protocol_error", page_cause(p), log_slice("program", page_file(p)),
              log_int("pid", page_pid(p)), log_text("session", p->mark),
              log_slice("command", m->name), log_text("why", why));
    page_fail(p, SLICE_LITERAL("program-failed reason=protocol"));
}

bool page_crowded(const struct page *p)
{
    if (p->seat->ops->speaking && p->seat->ops->speaking(p->seat))
        return true;
    return io_is_crowded(p->seat->ops->queued(p->seat), p->host->spec.config->out_max);
}

/* ---- its end ---- */

static void free_memory(struct reap *reap)
{
    struct page *p = container_of(reap, struct page, reap);
    p->seat->ops->free(p->seat);
    free(p->streams);
    free(p->text);
    forget_address(p);
    pool_give(&pages, p);
}

static void drop_saving(struct page *p)
{
    if (p->saving)
        timer_stop(&p->saving->quiet);
    free(p->saving);
    p->saving = NULL;
}

static void release(struct page *p)
{
    struct page_watcher *watcher = p->host->spec.watcher;
    page_set_state(p, PAGE_OVER);
    leave_topics(p);
    list_remove(&p->restarting);
    list_remove(&p->node);
    list_remove(&p->waiting);
    timer_stop(&p->leave_timer);
    page_answer_free(p);
    drop_saving(p);
    page_grant_end(&p->grant);
    memory_close(&p->account);
    list_remove(&p->count);
    if (watcher)
        watcher->ops->on_over(watcher, p);
    page_spool_free(p->spool);
    loop_reap(p->host->spec.loop, &p->reap, free_memory);
}

static bool held(const struct page *p)
{
    return p->x || p->session || p->plain || !p->seat->ops->gone(p->seat);
}

/* The program that had the body as its stdin has ended. */
static void note_gone(struct page *p)
{
    if (!p->spool || p->state == PAGE_SPOOLING || !p->seat->ops->gone(p->seat))
        return;
    page_spool_free(p->spool);
    p->spool = NULL;
    page_count(p);
}

void page_settle(struct page *p)
{
    unsigned code;
    char text[64];
    struct slice reason;
    if (p->state == PAGE_OVER)
        return;
    page_note_claim(p);
    p->seat->ops->settle(p->seat, page_answered(p));
    if (p->state < PAGE_ENDED && page_answered(p) &&
        p->seat->ops->ended(p->seat, &code, text, &reason)) {
        if (p->restarts)
            page_end_restarted(p);
        else
            page_end(p, code, reason);
    }
    note_gone(p);
    if (p->state == PAGE_ENDED && !held(p))
        release(p);
}

/* ---- for the watcher ---- */

void **page_watched(struct page *p)
{
    return &p->watched;
}

struct page_host *page_host_of(const struct page *p)
{
    return p->host;
}

struct slice page_file(const struct page *p)
{
    return slice_make(p->text, p->file_len);
}

const char *page_mark(const struct page *p)
{
    return p->mark;
}

int page_pid(const struct page *p)
{
    return p->seat->ops->pid(p->seat);
}

bool page_has_ended(const struct page *p)
{
    return p->state >= PAGE_ENDED;
}

bool page_present(const struct page *p)
{
    return p->client && p->client->present(p);
}

bool page_tell(struct page *p, struct slice text)
{
    return p->session && session_tell(p->session, text);
}

void page_stop(struct page *p, unsigned code, struct slice reason)
{
    page_end(p, code, reason);
    page_let_go(p);
}

struct page *page_find(struct page_host *host, struct slice mark)
{
    for (struct list *node = host->pages.next; node != &host->pages; node = node->next) {
        struct page *p = container_of(node, struct page, node);
        if (slice_equal(slice_of(p->mark), mark))
            return p;
    }
    return NULL;
}
