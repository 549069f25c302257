/* SPDX-License-Identifier: MIT */
/* pool.c - the processes of one shared program in one worker: which one gets the next page, when
 * another is started, and in which worker they are.
 *
 * A pool remembers how often its processes have failed at once, one after the other, and starts none
 * for a while then.
 */
#include "page/shared.h"

#include "base/hash.h"
#include "base/log.h"
#include "page/member.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_FIRST 16 /* a power of two */
/* A process that ends by itself within this time has failed at once. */
#define AT_ONCE_MS      10000
#define HOLD_BACK_MAX_S 30

/* ---- pools ---- */

static struct page_pool *find_pool(struct page_host *host, const char *file)
{
    for (struct list *node = host->pools.next; node != &host->pools; node = node->next) {
        struct page_pool *pool = container_of(node, struct page_pool, node);
        if (!strcmp(pool->file, file))
            return pool;
    }
    return NULL;
}

struct page_pool *page_pool_make(struct page_host *host, const char *file)
{
    struct page_pool *pool = find_pool(host, file);
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

static void free_pool(struct page_pool *pool)
{
    list_remove(&pool->node);
    free(pool);
}

void page_pools_free(struct page_host *host)
{
    while (!list_empty(&host->pools))
        free_pool(container_of(host->pools.next, struct page_pool, node));
}

static uint32_t held_back_s(const struct page_pool *pool, uint64_t now)
{
    return pool && pool->not_before_ms > now ? (uint32_t)((pool->not_before_ms - now + 999) / 1000)
                                             : 0;
}

/* 1 s, 2 s, 4 s … after one failure after the other. */
static void hold_back(struct page *p, struct page_pool *pool)
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

bool page_pool_add(struct page_pool *pool, struct page *p)
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
    struct page_pool *pool = s->pool;
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
    page_shared_idle(s);
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
                                  struct page_pool *pool, int *ret_error)
{
    struct page *p =
        page_new(&(struct page_spec){.host = host, .found = found, .kind = PAGE_SHARED});
    *ret_error = -EAGAIN;
    if (!p)
        return NULL;
    *ret_error = page_pool_add(pool, p) && take_place(p) ? page_start(p) : -ENOMEM;
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

struct page *page_pool_pick(const struct page_pool *pool, uint32_t *ret_running)
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
    struct page_pool *pool = page_pool_make(host, found->file);
    *ret_wait_s = 0;
    *ret_error = -ENOMEM;
    if (!pool)
        return NULL;
    struct page *best = page_pool_pick(pool, &running);
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
