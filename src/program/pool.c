/* SPDX-License-Identifier: MIT */
/* pool.c - the processes of one shared program in one worker: which one gets the next page, when
 * another is started, and in which worker they are.
 *
 * A pool remembers how often its processes have failed at once, one after the
 * other, and starts none for a while then.
 */
#include "program/shared_parts.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/pack.h"

#include <errno.h>
#include <stdlib.h>

/* A process that ends by itself within this time has failed at once. */
#define AT_ONCE_MS      10000
#define HOLD_BACK_MAX_S 30

/* ---- pools ---- */

static struct shared_pool *find_pool(struct program_host *host, const char *file)
{
    for (struct list *node = host->pools.next; node != &host->pools; node = node->next) {
        struct shared_pool *pool = container_of(node, struct shared_pool, node);
        if (!strcmp(pool->file, file))
            return pool;
    }
    return NULL;
}

/* NULL without memory. */
static struct shared_pool *make_pool(struct program_host *host, const char *file)
{
    struct shared_pool *pool = find_pool(host, file);
    size_t len = strlen(file) + 1;
    if (pool)
        return pool;
    pool = log_needed(calloc(1, sizeof(*pool) + len));
    if (!pool)
        return NULL;
    memcpy(pool->file, file, len);
    list_init(&pool->processes);
    list_append(&host->pools, &pool->node);
    return pool;
}

static void free_pool(struct shared_pool *pool)
{
    list_remove(&pool->node);
    free(pool);
}

void program_pools_free(struct program_host *host)
{
    while (!list_empty(&host->pools))
        free_pool(container_of(host->pools.next, struct shared_pool, node));
}

static uint32_t held_back_s(const struct shared_pool *pool, uint64_t now)
{
    return pool && pool->not_before_ms > now ? (uint32_t)((pool->not_before_ms - now + 999) / 1000)
                                             : 0;
}

static void free_if_empty(struct shared_pool *pool, uint64_t now)
{
    if (pool->count == 0 && held_back_s(pool, now) == 0)
        free_pool(pool);
}

/* 1 s, 2 s, 4 s … after one failure after the other. */
static void hold_back(struct shared_pool *pool, uint64_t now)
{
    uint32_t wait_s = pool->failures < 5 ? 1u << pool->failures : HOLD_BACK_MAX_S;
    pool->failures++;
    pool->not_before_ms = now + wait_s * 1000;
    log_warn("program.held_back", log_slice("program", slice_of(pool->file)),
             log_int("seconds", wait_s), log_text("why", "a shared program has ended at once"));
}

/* ---- processes ---- */

static void forget(struct shared_process *s, uint64_t until_ms)
{
    struct program_host *host = s->program->host;
    list_remove(&s->node);
    s->pool->count--;
    host->counts.shared_now--;
    if (s->placed)
        worker_map_leave(host->spec.worker_map, s->pool->file, until_ms);
    shared_process_free(s);
}

static void on_over(struct shared_process *s)
{
    struct shared_pool *pool = s->pool;
    struct program_host *host = s->program->host;
    uint64_t now = loop_now_ms(host->spec.loop);
    bool by_itself = !s->retiring && !host->draining;
    if (by_itself && now - s->started_ms < AT_ONCE_MS)
        hold_back(pool, now);
    else
        pool->failures = 0;
    forget(s, held_back_s(pool, now) > 0 ? pool->not_before_ms + AT_ONCE_MS : 0);
    free_if_empty(pool, now);
}

static void add(struct shared_pool *pool, struct shared_process *s, struct program *p)
{
    s->pool = pool;
    shared_process_own(s, p);
    list_append(&pool->processes, &s->node);
    pool->count++;
    p->host->counts.shared_now++;
}

/* What the settings name needs no entry: it has its place by its name. */
static bool take_place(struct program_host *host, struct shared_process *s)
{
    const char *file = s->pool->file;
    struct worker_span span = {.home = host->spec.worker, .processes = 1};
    if (program_kinds_shared(host->spec.config->kinds, below_root(host, file)) > 0)
        return true;
    s->placed = worker_map_enter(host->spec.worker_map, file, &span, &span);
    return s->placed;
}

static struct shared_process *start_process(struct program_host *host, struct shared_pool *pool,
                                            int *ret_error)
{
    struct program_spec spec = {.host = host, .kind = PROGRAM_SHARED, .file = pool->file};
    *ret_error = -EAGAIN;
    struct program *p = program_new(&spec, NULL, NULL);
    if (!p)
        return NULL;
    struct shared_process *s = shared_process_new(on_over);
    *ret_error = -ENOMEM;
    if (!s) {
        program_disown(p);
        return NULL;
    }
    add(pool, s, p);
    if (take_place(host, s))
        *ret_error = program_start(p, NULL, -1);
    if (*ret_error == 0) {
        log_info("program.started", log_slice("program", p->file), log_int("pid", p->pid));
        return s;
    }
    forget(s, 0);
    program_disown(p);
    return NULL;
}

static bool is_open(const struct shared_process *s)
{
    return !s->retiring && !s->program->let_go && !s->ended;
}

/* The process with the fewest pages, of those that take more; NULL: there is none. */
static struct shared_process *find_best(const struct shared_pool *pool, uint32_t *ret_running)
{
    struct shared_process *best = NULL;
    *ret_running = 0;
    for (struct list *node = pool->processes.next; node != &pool->processes; node = node->next) {
        struct shared_process *s = container_of(node, struct shared_process, node);
        if (!is_open(s))
            continue;
        ++*ret_running;
        if (!best || s->members.count < best->members.count)
            best = s;
    }
    return best;
}

struct shared_process *shared_pick(struct program_host *host, const char *file, uint32_t share,
                                   uint32_t *ret_wait_s, int *ret_error)
{
    uint32_t running;
    struct shared_pool *pool = make_pool(host, file);
    *ret_wait_s = 0;
    *ret_error = -ENOMEM;
    if (!pool)
        return NULL;
    struct shared_process *best = find_best(pool, &running);
    *ret_wait_s = held_back_s(pool, loop_now_ms(host->spec.loop));
    if (running >= share || (best && *ret_wait_s > 0))
        return best;
    if (*ret_wait_s > 0) {
        host->counts.shared_held_back++;
        return NULL;
    }
    struct shared_process *started = start_process(host, pool, ret_error);
    free_if_empty(pool, loop_now_ms(host->spec.loop));
    return started ? started : best;
}

bool shared_adopt(struct program *p, uint32_t processes)
{
    uint32_t running;
    struct program_host *host = p->host;
    const struct program_host_spec *spec = &host->spec;
    struct worker_span span, wanted = {.home = spec->worker, .processes = processes};
    struct shared_pool *pool = make_pool(host, p->file.ptr);
    struct shared_process *s = pool ? shared_process_new(on_over) : NULL;
    bool entered = s && worker_map_enter(spec->worker_map, pool->file, &wanted, &span);
    if (entered) {
        find_best(pool, &running);
        if (running < worker_span_share(&span, spec->worker, spec->workers)) {
            s->placed = true;
            add(pool, s, p);
            return true;
        }
        worker_map_leave(spec->worker_map, pool->file, 0);
    }
    if (s)
        shared_process_free(s);
    if (pool)
        free_if_empty(pool, loop_now_ms(spec->loop));
    return false;
}

void program_pools_retire(struct program_host *host)
{
    for (struct list *at = host->pools.next; at != &host->pools; at = at->next) {
        struct shared_pool *pool = container_of(at, struct shared_pool, node);
        for (struct list *node = pool->processes.next; node != &pool->processes; node = node->next)
            shared_retire(container_of(node, struct shared_process, node));
    }
}

/* ---- where ---- */

/* False: the file is not shared. */
static bool find_span(struct program_host *host, const char *file, struct worker_span *ret)
{
    const struct program_host_spec *spec = &host->spec;
    ret->processes = program_kinds_shared(spec->config->kinds, below_root(host, file));
    ret->home = (uint32_t)(hash_bytes(slice_of(file)) % spec->workers);
    return ret->processes > 0 ||
           worker_map_find(spec->worker_map, file, loop_now_ms(spec->loop), ret);
}

uint32_t shared_share(struct program_host *host, const char *file)
{
    struct worker_span span;
    if (!find_span(host, file, &span))
        return held_back_s(find_pool(host, file), loop_now_ms(host->spec.loop)) > 0;
    return worker_span_share(&span, host->spec.worker, host->spec.workers);
}

bool shared_any(const struct program_host *host)
{
    return program_kinds_any_shared(host->spec.config->kinds) ||
           worker_map_any(host->spec.worker_map);
}

bool shared_worker(struct program_host *host, const char *file, struct slice key, uint32_t *ret)
{
    struct worker_span span;
    const struct program_host_spec *spec = &host->spec;
    if (!find_span(host, file, &span))
        return false;
    if (key.ptr)
        *ret = worker_span_at(&span, hash_bytes(key), spec->workers);
    else if (worker_span_share(&span, spec->worker, spec->workers) > 0)
        *ret = spec->worker;
    else
        *ret = worker_span_at(&span, host->dealt++, spec->workers);
    return true;
}

/* ---- for the process that takes over ---- */

enum {
    POOL = 1,
    FILE_NAME = 1,
    FAILURES,
    NOT_BEFORE_MS,
    PROCESS,
    /* of a process */
    PROGRAM = 1,
    STARTED_MS,
    PLACED,
    HOME,
    PROCESSES,
    RETIRING,
    ENDED,
    EXCESS,
};

static void pack_process(const struct shared_process *s, struct pack *p)
{
    struct worker_span span = {0};
    const struct program_host *host = s->program->host;
    if (s->placed)
        worker_map_find(host->spec.worker_map, s->pool->file, loop_now_ms(host->spec.loop), &span);
    size_t program = pack_begin(p, PROGRAM);
    program_pack(s->program, p);
    pack_end(p, program);
    pack_number(p, STARTED_MS, s->started_ms);
    pack_number(p, PLACED, s->placed);
    pack_number(p, HOME, span.home);
    pack_number(p, PROCESSES, span.processes);
    pack_number(p, RETIRING, s->retiring);
    pack_number(p, ENDED, s->ended);
    pack_number(p, EXCESS, s->excess);
}

static void pack_pool(const struct shared_pool *pool, struct pack *p)
{
    pack_slice(p, FILE_NAME, slice_of(pool->file));
    pack_number(p, FAILURES, pool->failures);
    pack_number(p, NOT_BEFORE_MS, pool->not_before_ms);
    for (struct list *node = pool->processes.next; node != &pool->processes; node = node->next) {
        size_t field = pack_begin(p, PROCESS);
        pack_process(container_of(node, struct shared_process, node), p);
        pack_end(p, field);
    }
}

void program_host_pack(const struct program_host *host, struct pack *p)
{
    for (struct list *at = host->pools.next; at != &host->pools; at = at->next) {
        size_t field = pack_begin(p, POOL);
        pack_pool(container_of(at, struct shared_pool, node), p);
        pack_end(p, field);
    }
}

static void unpack_process(struct program_host *host, struct shared_pool *pool, struct slice in)
{
    struct worker_span span = {.home = (uint32_t)packed_number(in, HOME),
                               .processes = (uint32_t)packed_number(in, PROCESSES)};
    struct shared_process *s = shared_process_new(on_over);
    struct program *program =
        s ? program_unpack(host, packed_slice(in, PROGRAM), &shared_program_ops, s) : NULL;
    if (!program) {
        if (s)
            shared_process_free(s);
        return;
    }
    add(pool, s, program);
    s->started_ms = packed_number(in, STARTED_MS);
    s->placed = packed_number(in, PLACED) && span.processes > 0 &&
                worker_map_enter(host->spec.worker_map, pool->file, &span, &span);
    s->retiring = packed_number(in, RETIRING);
    s->ended = packed_number(in, ENDED);
    s->excess = packed_number(in, EXCESS);
}

static void unpack_pool(struct program_host *host, struct slice in)
{
    char *file = log_needed(slice_to_string(packed_slice(in, FILE_NAME)));
    struct shared_pool *pool = file ? make_pool(host, file) : NULL;
    free(file);
    if (!pool)
        return;
    pool->failures = (uint32_t)packed_number(in, FAILURES);
    pool->not_before_ms = packed_number(in, NOT_BEFORE_MS);
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == PROCESS)
            unpack_process(host, pool, field.value);
    free_if_empty(pool, loop_now_ms(host->spec.loop));
}

void program_host_unpack(struct program_host *host, struct slice in)
{
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == POOL)
            unpack_pool(host, field.value);
}

static void each_process(struct program_host *host, void (*each)(struct shared_process *s))
{
    for (struct list *at = host->pools.next; at != &host->pools; at = at->next) {
        struct list *all = &container_of(at, struct shared_pool, node)->processes;
        for (struct list *node = all->next; node != all; node = node->next)
            each(container_of(node, struct shared_process, node));
    }
}

void program_host_go_on(struct program_host *host)
{
    each_process(host, shared_process_go_on);
}

struct shared_process *shared_find(const struct program_host *host, pid_t pid)
{
    for (struct list *at = host->pools.next; at != &host->pools; at = at->next) {
        struct list *all = &container_of(at, struct shared_pool, node)->processes;
        for (struct list *node = all->next; node != all; node = node->next) {
            struct shared_process *s = container_of(node, struct shared_process, node);
            if (s->program->pid == pid)
                return s;
        }
    }
    return NULL;
}
