/* SPDX-License-Identifier: MIT */
/* memory_desk.c - a desk looks at its accounts: once a second while one of them holds something,
 * and at once when a bound was passed. It recounts them, and lets go of those that have to go. */
#include "limits/memory_parts.h"

#include "base/log.h"

#include <malloc.h>

enum {
    LOOK_MS = 1000,
    LINES_PER_SECOND = 10,
    GIVEN_BACK_AT_LEAST = 4 * 1024 * 1024,
};

/* ---- who has to go: all with the lock ---- */

static bool is_leaving(const struct memory_holding *h, uint64_t now)
{
    return h->leaving_ms && now < h->leaving_ms + MEMORY_REST_MS;
}

static bool is_larger(const struct memory_account *a, const struct memory_account *than)
{
    if (!than || a->reserved != than->reserved)
        return !than || a->reserved > than->reserved;
    return a->holding->age < than->holding->age;
}

static struct memory_account *next_of(const struct memory_client *c, struct list **at, uint64_t now)
{
    struct list *all = &((struct memory_client *)c)->accounts;
    if (c->prefix)
        all = &c->prefix->accounts;
    for (struct list *node = *at ? (*at)->next : all->next; node != all; node = node->next) {
        struct memory_holding *h = container_of(node, struct memory_holding, of_client);
        *at = node;
        if ((c->is_prefix || h->client == c) && h->account->ops->let_go && !is_leaving(h, now))
            return h->account;
    }
    return NULL;
}

static bool may_be_spared(const struct memory *m, const struct memory_account *a, uint64_t now)
{
    const struct memory_holding *h = a->holding;
    bool moves = now < h->moved_ms + MEMORY_REST_MS;
    bool long_enough =
        h->spared_ms && m->limits.spared_ms && now >= h->spared_ms + m->limits.spared_ms;
    return moves && !long_enough && a->reserved <= m->limits.per_client * MEMORY_SPARED;
}

/* The account that may stay although its client holds too much: the largest of those that move. */
static struct memory_account *find_spared(const struct memory *m, const struct memory_client *c,
                                          uint64_t now)
{
    struct memory_account *spared = NULL, *a;
    for (struct list *at = NULL; (a = next_of(c, &at, now));)
        if (may_be_spared(m, a, now) && is_larger(a, spared))
            spared = a;
    if (spared && !spared->holding->spared_ms)
        spared->holding->spared_ms = now;
    return spared;
}

/* The sum of those that don't leave; *ret is the largest of them but for `spared`. */
static size_t sum_up(const struct memory_client *c, const struct memory_account *spared,
                     uint64_t now, struct memory_account **ret)
{
    size_t sum = 0;
    struct memory_account *a;
    *ret = NULL;
    for (struct list *at = NULL; (a = next_of(c, &at, now));) {
        if (a == spared)
            continue;
        sum += a->reserved;
        if (is_larger(a, *ret))
            *ret = a;
    }
    return sum;
}

static struct memory_account *choose_of_client(const struct memory *m,
                                               const struct memory_client *c, uint64_t now)
{
    struct memory_account *largest;
    size_t sum = sum_up(c, find_spared(m, c, now), now, &largest);
    return sum > memory_share(m, c) ? largest : NULL;
}

/* Adds the client's sum to *sum; *ret is the largest account of the client that holds most. */
static void weigh(const struct memory_client *c, uint64_t now, size_t *sum, size_t *most,
                  struct memory_account **ret)
{
    struct memory_account *largest;
    size_t bytes = sum_up(c, NULL, now, &largest);
    *sum += bytes;
    if (!largest || bytes <= *most)
        return;
    *most = bytes;
    *ret = largest;
}

static struct memory_account *choose_of_all(const struct memory *m, uint64_t now)
{
    size_t sum = 0, most = 0;
    struct memory_account *chosen = NULL, *of_over = NULL;
    for (const struct list *node = m->over.next; node != &m->over; node = node->next)
        weigh(container_of(node, struct memory_client, over), now, &sum, &most, &of_over);
    sum = most = 0;
    weigh(&m->nobody, now, &sum, &most, &chosen);
    for (size_t i = 0; i < m->bucket_count; i++)
        for (const struct memory_client *c = m->buckets[i]; c; c = c->next)
            if (!c->prefix)
                weigh(c, now, &sum, &most, &chosen);
    if (sum <= m->limits.max)
        return NULL;
    return of_over ? of_over : chosen;
}

static struct memory_account *choose(struct memory *m, uint64_t now, enum memory_cause *ret)
{
    *ret = MEMORY_CLIENT;
    for (const struct list *node = m->over.next; node != &m->over; node = node->next) {
        struct memory_account *a =
            choose_of_client(m, container_of(node, struct memory_client, over), now);
        if (a)
            return a;
    }
    *ret = MEMORY_WHOLE;
    return memory_bytes(m) > m->limits.max ? choose_of_all(m, now) : NULL;
}

/* ---- they go ---- */

static void log_let_go(struct memory_desk *desk, const struct memory_account *a,
                       enum memory_cause cause, uint64_t now)
{
    struct net_address address = {.len = sizeof(address.v6)};
    char text[NET_HOST_TEXT_MAX] = "";
    if (a->has_key) {
        address.v6.sin6_family = AF_INET6;
        memcpy(&address.v6.sin6_addr, a->key.bytes, sizeof(a->key.bytes));
        text[net_address_print_host(&address, text)] = '\0';
    }
    if (now >= desk->log_second_ms + 1000) {
        desk->log_second_ms = now;
        desk->log_count = 0;
    }
    if (desk->log_count++ < LINES_PER_SECOND)
        log_warn("memory.let_go", log_text("what", a->ops->what), log_text("client", text),
                 log_int("bytes", a->reserved),
                 log_text("why", cause == MEMORY_CLIENT ? "its client is above memory-per-client"
                                                        : "all together are above memory-max"));
}

static void let_go(struct memory_desk *desk, struct memory_account *a, enum memory_cause cause,
                   uint64_t now)
{
    log_let_go(desk, a, cause, now);
    desk->let_go[cause]++;
    desk->let_go_bytes += a->reserved;
    a->ops->let_go(a, cause);
}

/* The account is another desk's: that one decides by itself. */
static struct memory_account *choose_own(struct memory_desk *desk, uint64_t now,
                                         enum memory_cause *ret_cause)
{
    struct memory *m = desk->memory;
    pthread_mutex_lock(&m->lock);
    struct memory_account *a = choose(m, now, ret_cause);
    if (a && a->desk != desk) {
        memory_ring(a->desk);
        a = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    return a;
}

static void mark_leaving(struct memory_account *a, uint64_t now)
{
    pthread_mutex_lock(&a->desk->memory->lock);
    a->holding->leaving_ms = now + (now == 0);
    pthread_mutex_unlock(&a->desk->memory->lock);
}

/* ---- a look ---- */

static bool is_over(const struct memory_client *c)
{
    return !list_empty(&c->over) || (c->prefix && !list_empty(&c->prefix->over));
}

static void see_moves(struct memory_account *a, uint64_t now)
{
    struct memory_holding *h = a->holding;
    bool moves = a->moved - h->moved_seen >= MEMORY_MOVES;
    if (!moves && !h->spared_ms)
        return;
    pthread_mutex_lock(&a->desk->memory->lock);
    if (moves) {
        h->moved_seen = a->moved;
        h->moved_ms = now;
    }
    if (!is_over(h->client))
        h->spared_ms = 0;
    pthread_mutex_unlock(&a->desk->memory->lock);
}

/* Closes nothing, but may take the account out of the lists: it holds nothing. */
static void recount(struct memory_account *a, uint64_t now)
{
    memory_recount(a);
    if (a->holding)
        see_moves(a, now);
    memory_settle(a);
}

static void recount_all(struct memory_desk *desk, uint64_t now)
{
    struct list *next;
    for (struct list *node = desk->accounts.next; node != &desk->accounts; node = next) {
        next = node->next; /* a recount changes this account alone */
        recount(container_of(node, struct memory_holding, of_desk)->account, now);
    }
}

/* Much was freed, by any desk: each drops its pools, and the heap gives back to the system what it
 * has kept. */
static bool gives_back(struct memory_desk *desk)
{
    struct memory *m = desk->memory;
    pthread_mutex_lock(&m->lock);
    if (m->freed >= GIVEN_BACK_AT_LEAST) {
        m->freed = 0;
        m->given_back++;
    }
    bool due = desk->given_back != m->given_back;
    desk->given_back = m->given_back;
    pthread_mutex_unlock(&m->lock);
    return due;
}

/* Who is to go is recounted before: it may hold less by now. */
static void let_go_who_must(struct memory_desk *desk, uint64_t now)
{
    struct memory_account *a;
    enum memory_cause cause;
    while ((a = choose_own(desk, now, &cause))) {
        size_t reserved = a->reserved;
        recount(a, now);
        if (a->reserved < reserved)
            continue;
        bool stays = a->ops->stays;
        if (!stays)
            mark_leaving(a, now);
        let_go(desk, a, cause, now);
        if (stays)
            memory_settle(a);
        if (stays && a->reserved >= reserved)
            mark_leaving(a, now);
    }
}

static void on_timer(struct timer *timer)
{
    struct memory_desk *desk = container_of(timer, struct memory_desk, timer);
    uint64_t now = loop_now_ms(desk->loop);
    recount_all(desk, now);
    let_go_who_must(desk, now);
    bool idle = list_empty(&desk->accounts), much = gives_back(desk);
    if (idle || much)
        loop_trim(desk->loop);
    if (much)
        malloc_trim(0);
    if (!idle)
        timer_start(desk->loop, timer, LOOK_MS);
}

static void on_urgent(struct loop_urgent *urgent)
{
    struct memory_desk *desk = container_of(urgent, struct memory_desk, urgent);
    if (atomic_exchange(&urgent->due, false))
        let_go_who_must(desk, loop_now_ms(desk->loop));
}

/* For a loop that had nothing else to do. */
static void on_ring(struct mail *mail)
{
    struct memory_desk *desk = container_of(mail, struct memory_desk, mail);
    atomic_store(&desk->rung, false);
    on_urgent(&desk->urgent);
}

void memory_ring(struct memory_desk *desk)
{
    atomic_store(&desk->urgent.due, true);
    if (!atomic_exchange(&desk->rung, true))
        loop_post(desk->loop, &desk->mail, on_ring);
}

void memory_desk_init(struct memory_desk *desk, struct memory *memory, struct loop *loop)
{
    *desk = (struct memory_desk){.memory = memory, .loop = loop};
    list_init(&desk->accounts);
    timer_init(&desk->timer, on_timer);
    desk->urgent.run = on_urgent;
    loop_set_urgent(loop, &desk->urgent);
}

void memory_desk_done(struct memory_desk *desk)
{
    timer_stop(&desk->timer);
    if (desk->loop)
        loop_set_urgent(desk->loop, NULL);
}
