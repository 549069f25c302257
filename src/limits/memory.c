/* SPDX-License-Identifier: MIT */
/* memory.c - clients and their accounts: what each holds. */
#include "limits/memory_parts.h"

#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>

enum {
    BUCKETS_FIRST = 64,
    PREFIX_BYTES = 6, /* of a /48 */
};

/* ---- clients ---- */

static uint64_t hash_of(const struct net_client_key *key, bool is_prefix)
{
    return hash_bytes(slice_make(key->bytes, sizeof(key->bytes))) + is_prefix;
}

static struct memory_client **place_of(const struct memory *m, const struct net_client_key *key,
                                       bool is_prefix)
{
    struct memory_client **at = &m->buckets[hash_of(key, is_prefix) & (m->bucket_count - 1)];
    while (*at && ((*at)->is_prefix != is_prefix || memcmp(&(*at)->key, key, sizeof(*key)) != 0))
        at = &(*at)->next;
    return at;
}

/* Without memory the table only gets slower. */
static void grow(struct memory *m)
{
    struct memory_client **old = m->buckets;
    size_t count = m->bucket_count;
    struct memory_client **buckets = calloc(2 * count, sizeof(struct memory_client *));
    if (!buckets)
        return;
    m->buckets = buckets;
    m->bucket_count = 2 * count;
    for (size_t i = 0; i < count; i++) {
        for (struct memory_client *c = old[i], *next; c; c = next) {
            next = c->next;
            c->next = NULL;
            *place_of(m, &c->key, c->is_prefix) = c;
        }
    }
    free(old);
}

static bool is_v6(const struct net_client_key *key)
{
    static const uint8_t zero[8];
    return memcmp(key->bytes, zero, sizeof(zero)) != 0;
}

static void client_init(struct memory_client *c)
{
    list_init(&c->accounts);
    list_init(&c->over);
}

static struct memory_client *find_or_make(struct memory *m, const struct net_client_key *key,
                                          bool is_prefix);

static struct memory_client *prefix_of(struct memory *m, const struct net_client_key *key)
{
    struct net_client_key prefix = {{0}};
    memcpy(prefix.bytes, key->bytes, PREFIX_BYTES);
    return find_or_make(m, &prefix, true);
}

/* NULL without memory. */
static struct memory_client *find_or_make(struct memory *m, const struct net_client_key *key,
                                          bool is_prefix)
{
    struct memory_client **at = place_of(m, key, is_prefix);
    if (*at)
        return *at;
    struct memory_client *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    client_init(c);
    c->key = *key;
    c->is_prefix = is_prefix;
    if (!is_prefix && is_v6(key)) {
        c->prefix = prefix_of(m, key);
        if (!c->prefix) {
            free(c);
            return NULL;
        }
        c->prefix->holders++;
    }
    if (m->client_count >= m->bucket_count)
        grow(m);
    at = place_of(m, key, is_prefix); /* the prefix may stand there by now */
    *at = c;
    m->client_count++;
    return c;
}

static void release(struct memory *m, struct memory_client *c)
{
    if (--c->holders > 0 || c == &m->nobody)
        return;
    assert(c->bytes == 0);
    struct memory_client **at = place_of(m, &c->key, c->is_prefix), *prefix = c->prefix;
    *at = c->next;
    m->client_count--;
    list_remove(&c->over);
    free(c);
    if (prefix)
        release(m, prefix);
}

size_t memory_share(const struct memory *m, const struct memory_client *c)
{
    if (c == &m->nobody)
        return SIZE_MAX;
    return c->is_prefix ? m->limits.per_client * MEMORY_PREFIX_SHARE : m->limits.per_client;
}

static bool note_over(struct memory *m, struct memory_client *c)
{
    bool over = c->bytes > memory_share(m, c);
    if (!over)
        list_remove(&c->over);
    else if (list_empty(&c->over))
        list_append(&m->over, &c->over);
    return over;
}

/* True: somebody has to be let go. */
static bool add(struct memory *m, struct memory_client *c, size_t bytes)
{
    size_t all = atomic_fetch_add_explicit(&m->bytes, bytes, memory_order_relaxed) + bytes;
    bool over = all > m->limits.max;
    for (; c; c = c->prefix) {
        c->bytes += bytes;
        over |= note_over(m, c);
    }
    return over;
}

static void subtract(struct memory *m, struct memory_client *c, size_t bytes)
{
    atomic_fetch_sub_explicit(&m->bytes, bytes, memory_order_relaxed);
    m->freed += bytes;
    for (; c; c = c->prefix) {
        c->bytes -= bytes;
        note_over(m, c);
    }
}

/* ---- accounts ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + MEMORY_GRANULE - 1) / MEMORY_GRANULE * MEMORY_GRANULE;
}

/* To be called with the lock, like the rest up to memory_settle(). Nobody pays if there is no
 * memory for one more client. False: nor for the holding. */
static bool join(struct memory *m, struct memory_account *a)
{
    struct memory_holding *h = calloc(1, sizeof(*h));
    if (!h)
        return false;
    struct memory_client *c = a->has_key ? find_or_make(m, &a->key, false) : NULL;
    *h = (struct memory_holding){
        .account = a,
        .client = c ? c : &m->nobody,
        .age = ++m->ages,
        .moved_seen = a->moved,
        .moved_ms = loop_now_ms(a->desk->loop),
    };
    a->holding = h;
    h->client->holders++;
    list_append(&memory_top(h->client)->accounts, &h->of_client);
    if (list_empty(&a->desk->accounts) && !timer_active(&a->desk->timer))
        timer_start(a->desk->loop, &a->desk->timer, 1000);
    list_append(&a->desk->accounts, &h->of_desk);
    return true;
}

static void part(struct memory *m, struct memory_account *a)
{
    struct memory_holding *h = a->holding;
    a->holding = NULL;
    list_remove(&h->of_client);
    list_remove(&h->of_desk);
    release(m, h->client);
    free(h);
}

static void give_back(struct memory *m, struct memory_account *a, size_t bytes)
{
    subtract(m, a->holding->client, bytes);
    a->reserved -= bytes;
    if (a->reserved == 0)
        part(m, a);
}

void memory_settle(struct memory_account *a)
{
    struct memory_desk *desk = a->desk;
    size_t wanted = a->used > MEMORY_FREE ? round_up(a->used) : 0;
    if (!desk || wanted == a->reserved)
        return;
    struct memory *m = desk->memory;
    bool over = false;
    pthread_mutex_lock(&m->lock);
    if (wanted < a->reserved) {
        give_back(m, a, a->reserved - wanted);
    } else if (a->holding || join(m, a)) {
        over = add(m, a->holding->client, wanted - a->reserved);
        a->reserved = wanted;
    }
    pthread_mutex_unlock(&m->lock);
    if (over)
        memory_ring(desk);
}

void memory_open(struct memory_account *a, struct memory_desk *desk, const struct memory_ops *ops,
                 const struct net_client_key *key)
{
    *a = (struct memory_account){.desk = desk, .ops = ops, .has_key = key != NULL};
    if (key)
        a->key = *key;
}

static void give_all(struct memory_account *a)
{
    if (!a->holding)
        return;
    struct memory *m = a->desk->memory;
    pthread_mutex_lock(&m->lock);
    give_back(m, a, a->reserved);
    pthread_mutex_unlock(&m->lock);
}

void memory_move(struct memory_account *a, const struct net_client_key *key)
{
    if (!a->desk || (a->has_key && memcmp(&a->key, key, sizeof(*key)) == 0))
        return;
    give_all(a);
    a->key = *key;
    a->has_key = true;
    memory_settle(a);
}

void memory_close(struct memory_account *a)
{
    give_all(a);
    a->desk = NULL;
}

/* ---- the whole ---- */

struct memory *memory_new(const struct memory_limits *limits)
{
    struct memory *m = calloc(1, sizeof(*m));
    struct memory_client **buckets = calloc(BUCKETS_FIRST, sizeof(struct memory_client *));
    if (!m || !buckets) {
        free(buckets);
        free(m);
        return NULL;
    }
    m->buckets = buckets;
    m->bucket_count = BUCKETS_FIRST;
    client_init(&m->nobody);
    list_init(&m->desks);
    list_init(&m->over);
    pthread_mutex_init(&m->lock, NULL);
    memory_set(m, limits);
    return m;
}

void memory_set(struct memory *m, const struct memory_limits *limits)
{
    pthread_mutex_lock(&m->lock);
    m->limits = *limits;
    atomic_store_explicit(&m->max, limits->max, memory_order_relaxed);
    list_init(&m->over);
    for (size_t i = 0; i < m->bucket_count; i++) {
        for (struct memory_client *c = m->buckets[i]; c; c = c->next) {
            list_init(&c->over);
            note_over(m, c);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

void memory_free(struct memory *m)
{
    if (!m)
        return;
    assert(m->client_count == 0);
    pthread_mutex_destroy(&m->lock);
    free(m->buckets);
    free(m);
}

size_t memory_bytes(struct memory *m)
{
    return atomic_load_explicit(&m->bytes, memory_order_relaxed);
}

size_t memory_clients(struct memory *m)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->client_count;
    pthread_mutex_unlock(&m->lock);
    return count;
}

uint64_t memory_given_back(struct memory *m)
{
    pthread_mutex_lock(&m->lock);
    uint64_t count = m->given_back;
    pthread_mutex_unlock(&m->lock);
    return count;
}

bool memory_is_short(struct memory *m)
{
    size_t max = atomic_load_explicit(&m->max, memory_order_relaxed);
    return memory_bytes(m) > max - max / 8;
}
