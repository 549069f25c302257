/* SPDX-License-Identifier: MIT */
/* shared_command.c - `.shared`: a program that was started for one page says, before anything else,
 * that it takes many. The process becomes one for all, and the request that it was started for its
 * first page: as if that had come a moment later.
 */
#include "page/shared.h"

#include "base/log.h"
#include "page/answer.h"
#include "page/events.h"
#include "page/member.h"
#include "proto/close_code.h"

#include <jansson.h>

static bool read_processes(const struct message *m, uint32_t *ret)
{
    json_t *value = m->body.len > 0 ? json_loadb(m->body.ptr, m->body.len, 0, NULL) : json_object();
    json_t *processes = json_object_get(value, "processes");
    json_int_t number = processes ? json_integer_value(processes) : 1;
    bool good = json_is_object(value) && number >= 1 && number <= PAGE_PROCESSES_MAX;
    *ret = (uint32_t)number;
    json_decref(value);
    return good;
}

static void forget(struct session *s)
{
    (void)s;
}

static const struct session_ops nobodys_ops = {.on_over = forget};

/* The request that it was started for goes its own way: what was made for it is undone. NULL: its
 * client has broken off. */
static struct exchange *part_with_request(struct page *p)
{
    struct exchange *x = p->x;
    p->x = NULL;
    p->grant = NULL;
    list_remove(&p->connecting);
    timer_stop(&p->answer_timer);
    timer_stop(&p->leave_timer);
    page_answer_free(p);
    page_body_stop(p);
    if (p->session) {
        session_own(p->session, &nobodys_ops, NULL);
        session_abort(p->session, CLOSE_NORMAL, SLICE_LITERAL("shared"));
    }
    p->session = NULL;
    p->mark[0] = '\0';
    p->kind = PAGE_SHARED;
    return x;
}

/* What the request was, for it to come again. */
struct again {
    struct site_found found;
    struct page_client client;
    bool is_handshake;
};

static void note_request(const struct page *p, struct again *ret)
{
    *ret = (struct again){
        .found = {.kind = SITE_PROGRAM, .fd = -1, .script_len = p->script_len},
        .client = {.origin = p->origin, .same_origin = p->same_origin, .grant = p->grant},
        .is_handshake = p->kind != PAGE_ORDINARY,
    };
    memcpy(ret->found.file, p->file.ptr, p->file.len + 1);
}

static void request_again(struct page_host *host, struct exchange *x, struct again *again)
{
    static const struct http_header retry = {SLICE_LITERAL("Retry-After"), SLICE_LITERAL("1")};
    uint32_t worker = host->worker;
    page_worker_for(host, &again->found, again->is_handshake ? page_connect_key(x) : SLICE_NONE,
                    &worker);
    if (x->request->body != HTTP_BODY_NONE) { /* it has begun to go to stdin */
        exchange_answer(x, 503, SLICE_LITERAL("the program has only just started"), &retry, 1);
    } else if (worker != host->worker) {
        page_grant_end(&again->client.grant);
        host->hand_over(host, x, worker);
    } else if (again->is_handshake) {
        page_connect(host, x, &again->found, &again->client);
    } else {
        page_open(host, x, &again->found, again->client.origin);
    }
}

/* It is one too many, if there are as many as there should be by now. */
static bool become_shared(struct page *p, uint32_t processes)
{
    uint32_t running;
    struct page_host *host = p->host;
    struct page_place place, wanted = {.home = host->worker, .processes = processes};
    struct page_pool *pool = page_pool_make(host, p->file.ptr);
    if (!pool || !page_places_enter(host->places, p->file.ptr, &wanted, &place))
        return false;
    page_pool_pick(pool, &running);
    if (running < page_place_share(&place, host->worker, host->workers) && page_pool_add(pool, p)) {
        p->shared->placed = true;
        return true;
    }
    page_places_leave(host->places, p->file.ptr, 0);
    return false;
}

bool page_shared_is_command(const struct message *m)
{
    return m->kind == MESSAGE_CONTROL && slice_equal(m->name, SLICE_LITERAL("shared"));
}

void page_shared_command(struct page *p, const struct message *m)
{
    uint32_t processes;
    struct again again;
    if (!read_processes(m, &processes)) {
        page_command_refuse(p, m, "expected .shared {\"processes\":N} with N from 1 to 256");
        return;
    }
    if (p->shared) /* as the settings say, or once more */
        return;
    if (p->member || p->said || page_answered(p) || p->kind == PAGE_HEAD ||
        !page_answer_unbegun(p)) {
        page_command_refuse(p, m, "comes before anything else of the program");
        return;
    }
    note_request(p, &again);
    struct exchange *x = part_with_request(p);
    bool shared = become_shared(p, processes);
    log_info("program.shared", log_quoted("program", p->file), log_int("pid", p->process.pid),
             log_text("stays", shared ? "yes" : "no"));
    if (!shared)
        page_let_go(p);
    if (x)
        request_again(p->host, x, &again);
    if (p->shared)
        page_shared_idle(p->shared);
}
