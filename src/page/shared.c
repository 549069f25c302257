/* shared.c - shared programs: one process has many pages (docs/page-programs.md).
 *
 * The process is a struct page without a client: it has descriptors, a log and an end like any other.
 * Its pages are struct page without a process (member.c). The processes of one file in one worker are
 * a *pool*, which also remembers how often they have failed at once.
 *
 * A file is shared because the settings say so, or because its program says `.shared` before anything
 * else. Then the process that was started for one request becomes one for all, and the request its
 * first page: as if it had come a moment later.
 */
#include "page/member.h"

#include "base/hash.h"
#include "base/log.h"
#include "proto/shared_line.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define BUCKETS_FIRST 16
/* A process that ends by itself within this time has failed at once. */
#define AT_ONCE_MS      10000
#define HOLD_BACK_MAX_S 30

struct pool {
    struct list node; /* page_host.pools */
    struct list processes;
    uint32_t count;
    uint32_t failures; /* one after the other */
    uint64_t not_before_ms;
    char file[];
};

struct page_shared {
    struct list node; /* pool.processes */
    struct pool *pool;
    struct page *page;
    struct list members, waiting;
    struct page_member **buckets; /* by id */
    uint32_t bucket_count, count;
    uint64_t started_ms;
    struct timer idle_timer;
    size_t backlog;                 /* of all members when that was last counted */
    size_t since;                   /* written since then */
    const struct page_member *busy; /* whose topics are, perhaps; NULL: nobody's */
    bool placed;                    /* in page_places */
    bool retiring;
};

/* ---- its members ---- */

static uint32_t bucket_of(const struct page_shared *s, struct slice id)
{
    return (uint32_t)hash_bytes(id) & (s->bucket_count - 1);
}

static struct slice id_of(const struct page_member *m)
{
    return slice_make(m->id, SESSION_ID_LEN);
}

static struct page_member *find(const struct page_shared *s, struct slice id)
{
    struct page_member *m = s->buckets[bucket_of(s, id)];
    while (m && !slice_equal(id_of(m), id))
        m = m->next;
    return m;
}

static void link_member(struct page_shared *s, struct page_member *m)
{
    struct page_member **head = &s->buckets[bucket_of(s, id_of(m))];
    m->next = *head;
    *head = m;
}

/* Without memory the table only gets slower. */
static void grow(struct page_shared *s)
{
    struct page_member **buckets = calloc((size_t)s->bucket_count * 2, sizeof *buckets);
    if (!buckets)
        return;
    free(s->buckets);
    s->buckets = buckets;
    s->bucket_count *= 2;
    for (struct list *node = s->members.next; node != &s->members; node = node->next)
        link_member(s, container_of(node, struct page_member, node));
}

/* Only what nothing was read for is read on: we may be in the midst of reading. */
void page_shared_resume(struct page *process)
{
    struct page_shared *s = process->shared;
    if (!s->busy || page_topics_busy(s->busy->page))
        return;
    s->busy = NULL;
    page_events_resume(process);
}

bool page_shared_add(struct page *process, struct page_member *m)
{
    struct page_shared *s = process->shared;
    if (s->count >= s->bucket_count)
        grow(s);
    link_member(s, m);
    list_append(&s->members, &m->node);
    s->count++;
    process->host->counts.shared_pages_now++;
    timer_stop(&s->idle_timer);
    return true;
}

static void look_whether_idle(struct page_shared *s)
{
    struct page *p = s->page;
    if (s->count > 0 || p->let_go)
        return;
    if (s->retiring)
        page_let_go(p);
    else
        timer_start(p->host->loop, &s->idle_timer, p->host->config->shared_idle_ms);
}

void page_shared_remove(struct page *process, struct page_member *m)
{
    struct page_shared *s = process->shared;
    struct page_member **at = &s->buckets[bucket_of(s, id_of(m))];
    while (*at && *at != m)
        at = &(*at)->next;
    if (!*at)
        return; /* it has not come so far */
    *at = m->next;
    list_remove(&m->node);
    list_remove(&m->waiting);
    s->count--;
    if (s->busy == m) {
        s->busy = NULL;
        page_events_resume(process);
    }
    process->host->counts.shared_pages_now--;
    look_whether_idle(s);
}

void page_shared_await(struct page *process, struct page_member *m)
{
    if (list_empty(&m->waiting))
        list_append(&process->shared->waiting, &m->waiting);
}

void page_shared_each(struct page *p, void (*each)(struct page *member, void *arg), void *arg)
{
    struct list *next;
    for (struct list *node = p->shared->members.next; node != &p->shared->members; node = next) {
        next = node->next;
        each(container_of(node, struct page_member, node)->page, arg);
    }
}

struct end {
    unsigned code;
    struct slice reason;
};

static void end_member(struct page *member, void *arg)
{
    const struct end *end = arg;
    page_end_session(member, end->code, end->reason);
    page_member_orphan(member->member);
}

void page_shared_end(struct page *p, unsigned code, struct slice reason)
{
    page_shared_each(p, end_member, &(struct end){code, reason});
}

/* What waited for the process goes on; those that wait again, at the next time. */
void page_shared_drained(struct page *p)
{
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &p->shared->waiting);
    for (struct list *node; (node = list_pop(&todo));) {
        struct page *member = container_of(node, struct page_member, waiting)->page;
        page_events_taken(member);
        page_streams_taken(member);
        page_topics_drained(member);
        if (member->plain)
            ws_peer_resume(member->plain);
        if (member->x)
            exchange_resume(member->x);
        page_settle(member);
    }
}

/* ---- what they have not taken ---- */

static struct page_member *count_backlog(struct page_shared *s)
{
    struct page_member *most = NULL;
    size_t most_bytes = 0;
    s->backlog = s->since = 0;
    for (struct list *node = s->members.next; node != &s->members; node = node->next) {
        struct page_member *m = container_of(node, struct page_member, node);
        size_t bytes = page_member_backlog(m);
        s->backlog += bytes;
        if (bytes <= most_bytes)
            continue;
        most = m;
        most_bytes = bytes;
    }
    return most;
}

/* Those with most of it make room, until a quarter is free: so the count is worth its while. */
static void bound_backlog(struct page_shared *s)
{
    size_t max = s->page->host->config->shared_max;
    if (s->backlog + s->since <= max)
        return;
    struct page_member *most = count_backlog(s);
    if (s->backlog <= max)
        return;
    while (most && s->backlog > max / 4 * 3) {
        page_member_overflow(most);
        most = count_backlog(s);
    }
}

/* ---- lines ---- */

/* Without the session's id, which is in no log. */
static struct slice without_session(struct slice line)
{
    size_t len = 0;
    if (!slice_starts_with(line, SLICE_LITERAL("@")))
        return line;
    while (len < line.len && line.ptr[len] != ' ')
        len++;
    return slice_skip(line, len);
}

static void deliver(struct page *p, const struct shared_line *line, size_t len)
{
    struct page_shared *s = p->shared;
    struct page_member *m = find(s, line->session);
    if (!m) { /* its end and this line have crossed */
        p->host->counts.shared_late_lines++;
        return;
    }
    s->busy = NULL;
    s->since += len;
    page_member_deliver(m, &line->m);
    bound_backlog(s);
    if (page_topics_busy(m->page))
        s->busy = m;
}

bool page_shared_busy(const struct page *p)
{
    const struct page_member *m = p->shared->busy;
    return m && page_topics_busy(m->page);
}

/* The wrong line of one page: the others go on. */
static void blame(struct page *p, const struct shared_line *line, struct slice text)
{
    struct page_member *m = find(p->shared, line->session);
    if (!m) {
        p->host->counts.shared_late_lines++;
        return;
    }
    page_events_fail(m->page, line->m.why, without_session(text));
    page_settle(m->page);
}

enum parse_status page_shared_take(struct page *p, struct slice in, size_t *used)
{
    struct shared_line line;
    size_t want;
    enum parse_status status =
        shared_line_parse(in, p->line_seen, p->host->config->line_max, used, &want, &line);
    struct slice text = slice_first(in, slice_find(in, '\n'));
    if (status == PARSE_MORE)
        return PARSE_MORE;
    if (status == PARSE_BAD && (*used == 0 || line.session.len == 0)) {
        page_events_fail(p, line.m.why, without_session(text));
        return PARSE_BAD;
    }
    if (status == PARSE_BAD)
        blame(p, &line, text);
    else if (line.session.len > 0)
        deliver(p, &line, *used);
    else
        page_events_deliver(p, &line.m);
    return PARSE_OK;
}

/* ---- pools ---- */

static struct pool *find_pool(struct page_host *host, const char *file)
{
    for (struct list *node = host->pools.next; node != &host->pools; node = node->next) {
        struct pool *pool = container_of(node, struct pool, node);
        if (!strcmp(pool->file, file))
            return pool;
    }
    return NULL;
}

static struct pool *make_pool(struct page_host *host, const char *file)
{
    struct pool *pool = find_pool(host, file);
    size_t len = strlen(file) + 1;
    if (pool)
        return pool;
    pool = calloc(1, sizeof *pool + len);
    if (!pool)
        return NULL;
    memcpy(pool->file, file, len);
    list_init(&pool->processes);
    list_append(&host->pools, &pool->node);
    return pool;
}

static void free_pool(struct pool *pool)
{
    list_remove(&pool->node);
    free(pool);
}

void page_pools_free(struct page_host *host)
{
    while (!list_empty(&host->pools))
        free_pool(container_of(host->pools.next, struct pool, node));
}

static uint32_t held_back_s(const struct pool *pool, uint64_t now)
{
    return pool && pool->not_before_ms > now ? (uint32_t)((pool->not_before_ms - now + 999) / 1000)
                                             : 0;
}

/* 1 s, 2 s, 4 s … after one failure after the other. */
static void hold_back(struct page *p, struct pool *pool)
{
    uint32_t wait_s = pool->failures < 5 ? 1u << pool->failures : HOLD_BACK_MAX_S;
    pool->failures++;
    pool->not_before_ms = loop_now_ms(p->host->loop) + wait_s * 1000;
    log_warn("program.held_back", log_quoted("program", p->file), log_int("seconds", wait_s),
             log_text("why", "a shared program has ended at once"));
}

/* ---- processes ---- */

static void on_idle(struct timer *timer)
{
    struct page *p = container_of(timer, struct page_shared, idle_timer)->page;
    page_shared_retire(p);
    page_settle(p);
}

static bool make_shared(struct page *p, struct pool *pool)
{
    struct page_shared *s = calloc(1, sizeof *s);
    if (!s)
        return false;
    *s = (struct page_shared){
        .page = p,
        .pool = pool,
        .buckets = calloc(BUCKETS_FIRST, sizeof *s->buckets),
        .bucket_count = BUCKETS_FIRST,
        .started_ms = loop_now_ms(p->host->loop),
    };
    if (!s->buckets) {
        free(s);
        return false;
    }
    list_init(&s->members);
    list_init(&s->waiting);
    timer_init(&s->idle_timer, on_idle);
    list_append(&pool->processes, &s->node);
    pool->count++;
    p->shared = s;
    p->host->counts.shared_now++;
    return true;
}

void page_shared_gone(struct page *p)
{
    struct page_shared *s = p->shared;
    struct pool *pool = s->pool;
    uint64_t now = loop_now_ms(p->host->loop);
    bool by_itself = !s->retiring && !p->host->draining;
    timer_stop(&s->idle_timer);
    list_remove(&s->node);
    pool->count--;
    p->host->counts.shared_now--;
    if (by_itself && now - s->started_ms < AT_ONCE_MS)
        hold_back(p, pool);
    else
        pool->failures = 0;
    if (s->placed)
        page_places_leave(p->host->places, pool->file,
                          held_back_s(pool, now) ? pool->not_before_ms + AT_ONCE_MS : 0);
    if (pool->count == 0 && held_back_s(pool, now) == 0)
        free_pool(pool);
    free(s->buckets);
    free(s);
    p->shared = NULL;
}

static bool is_open(const struct page_shared *s)
{
    return !s->retiring && !s->page->let_go && !s->page->session_done;
}

void page_shared_retire(struct page *p)
{
    struct page_shared *s = p->shared;
    if (!s->retiring)
        log_info("program.retired", log_quoted("program", p->file), log_int("pid", p->process.pid),
                 log_int("pages", s->count));
    s->retiring = true;
    look_whether_idle(s);
}

/* What the settings name needs no entry: it has its place by its name. */
static bool take_place(struct page *p)
{
    struct page_host *host = p->host;
    struct page_place place = {.home = host->worker, .processes = 1};
    if (page_programs_shared(host->config->programs, page_below_root(host, p->file.ptr)) > 0)
        return true;
    p->shared->placed = page_places_enter(host->places, p->file.ptr, &place, &place);
    return p->shared->placed;
}

static struct page *start_process(struct page_host *host, const struct site_found *found,
                                  struct pool *pool, int *ret_error)
{
    struct page *p =
        page_new(&(struct page_spec){.host = host, .found = found, .kind = PAGE_SHARED});
    *ret_error = -EAGAIN;
    if (!p)
        return NULL;
    *ret_error = make_shared(p, pool) && take_place(p) ? page_start(p) : -ENOMEM;
    if (*ret_error == 0)
        return p;
    if (p->shared) {
        p->shared->retiring = true;
        page_shared_gone(p);
    }
    page_set_state(p, PAGE_GONE);
    page_settle(p);
    return NULL;
}

/* The one with the fewest pages, of those that take more. */
static struct page *pick_running(const struct pool *pool, uint32_t *ret_running)
{
    struct page_shared *best = NULL;
    *ret_running = 0;
    for (struct list *node = pool->processes.next; node != &pool->processes; node = node->next) {
        struct page_shared *s = container_of(node, struct page_shared, node);
        if (!is_open(s))
            continue;
        ++*ret_running;
        if (!best || s->count < best->count)
            best = s;
    }
    return best ? best->page : NULL;
}

struct page *page_shared_pick(struct page_host *host, const struct site_found *found,
                              uint32_t share, uint32_t *ret_wait_s, int *ret_error)
{
    uint32_t running;
    struct pool *pool = make_pool(host, found->file);
    *ret_wait_s = 0;
    *ret_error = -ENOMEM;
    if (!pool)
        return NULL;
    struct page *best = pick_running(pool, &running);
    *ret_wait_s = held_back_s(pool, loop_now_ms(host->loop));
    if (running >= share || (best && *ret_wait_s > 0))
        return best;
    if (*ret_wait_s > 0) {
        host->counts.shared_held_back++;
        return NULL;
    }
    struct page *started = start_process(host, found, pool, ret_error);
    return started ? started : best;
}

/* ---- where ---- */

/* False: the file is not shared. */
static bool find_place(struct page_host *host, const char *file, struct page_place *ret)
{
    ret->processes = page_programs_shared(host->config->programs, page_below_root(host, file));
    ret->home = (uint32_t)(hash_bytes(slice_of(file)) % host->workers);
    return ret->processes > 0 || page_places_find(host->places, file, loop_now_ms(host->loop), ret);
}

uint32_t page_shared_share(struct page_host *host, const char *file)
{
    struct page_place place;
    if (!find_place(host, file, &place))
        return held_back_s(find_pool(host, file), loop_now_ms(host->loop)) > 0;
    return page_place_share(&place, host->worker, host->workers);
}

bool page_any_shared(const struct page_host *host)
{
    return page_programs_any_shared(host->config->programs) || page_places_any(host->places);
}

bool page_worker_for(struct page_host *host, const struct site_found *found, struct slice key,
                     uint32_t *ret)
{
    struct page_place place;
    if (found->kind != SITE_PROGRAM || !find_place(host, found->file, &place))
        return false;
    if (key.ptr) /* a client that comes again with its key is looked for there */
        *ret = page_place_worker(&place, hash_bytes(key), host->workers);
    else if (page_place_share(&place, host->worker, host->workers) > 0)
        *ret = host->worker;
    else
        *ret = page_place_worker(&place, host->dealt++, host->workers);
    return true;
}

/* ---- `.shared` ---- */

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

/* The request that it was started for goes its own way: what was made for it is undone. */
static struct exchange *part_with_request(struct page *p)
{
    struct exchange *x = p->x;
    p->x = NULL;
    p->permit = NULL;
    list_remove(&p->connecting);
    timer_stop(&p->answer_timer);
    page_answer_free(p);
    page_body_stop(p);
    if (p->session) {
        session_own(p->session, &nobodys_ops, NULL);
        session_abort(p->session, 1000, SLICE_LITERAL("shared"));
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
        .client = {.origin = p->origin, .same_origin = p->same_origin, .permit = p->permit},
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
        page_permit_end(&again->client.permit);
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
    struct pool *pool = make_pool(host, p->file.ptr);
    if (!pool || !page_places_enter(host->places, p->file.ptr, &wanted, &place))
        return false;
    pick_running(pool, &running);
    if (running < page_place_share(&place, host->worker, host->workers) && make_shared(p, pool)) {
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
    if (p->member || p->said || !p->x || p->kind == PAGE_HEAD || !page_answer_unbegun(p)) {
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
    request_again(p->host, x, &again);
}
