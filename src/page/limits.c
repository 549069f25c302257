/* limits.c - how many programs run, in all and by client: one table for all workers, behind a
 * mutex.
 *
 * Open addressing with linear probing, sized for the worst case (every program of another client),
 * so that taking never allocates. A client's entry leaves with its last program.
 */
#include "page/parts.h"

#include "access/rates.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    RATE_KIND_PROGRAMS = 'p' /* beside those of access/access.h */
};

struct client_entry {
    struct net_client_key key;
    uint32_t programs; /* 0: the entry is free */
};

struct page_limits {
    pthread_mutex_t lock;
    uint32_t programs, programs_max, per_client_max;
    uint64_t seed;
    size_t mask;
    struct client_entry *entries;
};

static size_t home_of(const struct page_limits *limits, const struct net_client_key *key)
{
    uint64_t parts[2];
    memcpy(parts, key->bytes, sizeof parts);
    uint64_t h = (parts[0] ^ limits->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32 ^ parts[1]) * 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32) & limits->mask;
}

/* The client's entry, or the free one where it belongs. */
static size_t find(const struct page_limits *limits, const struct net_client_key *key)
{
    size_t i = home_of(limits, key);
    while (limits->entries[i].programs &&
           memcmp(limits->entries[i].key.bytes, key->bytes, sizeof key->bytes) != 0)
        i = (i + 1) & limits->mask;
    return i;
}

/* Moves later entries of the run back over the hole, so that no search stops too early. */
static void close_hole(struct page_limits *limits, size_t hole)
{
    struct client_entry *entries = limits->entries;
    for (size_t i = (hole + 1) & limits->mask; entries[i].programs; i = (i + 1) & limits->mask) {
        size_t from_home = (i - home_of(limits, &entries[i].key)) & limits->mask;
        size_t from_hole = (i - hole) & limits->mask;
        if (from_home < from_hole)
            continue;
        entries[hole] = entries[i];
        entries[i].programs = 0;
        hole = i;
    }
}

static size_t size_for(uint32_t programs_max)
{
    size_t size = 16;
    while (size < 2 * (size_t)programs_max)
        size *= 2;
    return size;
}

/* Makes room for so many; true if there is by now. */
static bool grow(struct page_limits *limits, uint32_t programs_max)
{
    size_t size = size_for(programs_max), old_size = limits->mask + 1;
    struct client_entry *old = limits->entries;
    if (old && size <= old_size)
        return true;
    struct client_entry *entries = calloc(size, sizeof entries[0]);
    if (!entries)
        return false;

    limits->entries = entries;
    limits->mask = size - 1;
    for (size_t i = 0; old && i < old_size; i++) {
        if (old[i].programs)
            entries[find(limits, &old[i].key)] = old[i];
    }
    free(old);
    return true;
}

struct page_limits *page_limits_new(uint32_t programs_max, uint32_t programs_per_client_max)
{
    struct page_limits *limits = calloc(1, sizeof *limits);
    if (!limits)
        return NULL;
    limits->programs_max = programs_max;
    limits->per_client_max = programs_per_client_max;
    if (getrandom(&limits->seed, sizeof limits->seed, 0) != (ssize_t)sizeof limits->seed ||
        !grow(limits, programs_max)) {
        free(limits);
        return NULL;
    }
    pthread_mutex_init(&limits->lock, NULL);
    return limits;
}

void page_limits_set(struct page_limits *limits, uint32_t programs_max,
                     uint32_t programs_per_client_max)
{
    pthread_mutex_lock(&limits->lock);
    if (grow(limits, programs_max))
        limits->programs_max = programs_max;
    limits->per_client_max = programs_per_client_max;
    pthread_mutex_unlock(&limits->lock);
}

void page_limits_free(struct page_limits *limits)
{
    if (!limits)
        return;
    pthread_mutex_destroy(&limits->lock);
    free(limits->entries);
    free(limits);
}

bool page_limits_take(struct page_limits *limits, const struct net_client_key *key)
{
    pthread_mutex_lock(&limits->lock);
    struct client_entry *entry = &limits->entries[find(limits, key)];
    bool allowed =
        limits->programs < limits->programs_max && entry->programs < limits->per_client_max;
    if (allowed) {
        entry->key = *key;
        entry->programs++;
        limits->programs++;
    }
    pthread_mutex_unlock(&limits->lock);
    return allowed;
}

void page_limits_release(struct page_limits *limits, const struct net_client_key *key)
{
    pthread_mutex_lock(&limits->lock);
    size_t i = find(limits, key);
    assert(limits->entries[i].programs > 0);
    limits->programs--;
    if (--limits->entries[i].programs == 0)
        close_hole(limits, i);
    pthread_mutex_unlock(&limits->lock);
}

uint32_t page_rate_wait_s(struct page_host *host, struct exchange *x)
{
    struct net_address peer;
    if (!host->rates || exchange_peer(x, &peer) < 0)
        return 0;
    struct net_client_key client = net_client_key_of(&peer);
    uint32_t wait_s =
        rates_take(host->rates, &host->config->rate_programs, RATE_KIND_PROGRAMS,
                   slice_make(client.bytes, sizeof client.bytes), loop_now_ms(host->loop));
    host->counts.refused_rate += wait_s > 0;
    return wait_s;
}
