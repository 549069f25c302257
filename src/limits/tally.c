/* SPDX-License-Identifier: MIT */
#include "limits/tally.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    SET = 8,
    SETS = TALLY_ROWS / SET,
    LOCKS = 64,
    SHARE_WHOLE = 256, /* what share_of() says of a whole bucket */
    SHARE_CLASSES = SHARE_WHOLE + 1,
    TELL_LEAST = 4 /* rows of each server, however many there are */
};

struct tally {
    pthread_mutex_t locks[LOCKS];
    struct tally_row rows[SETS][SET];
};

struct tally *tally_new(void)
{
    struct tally *t = calloc(1, sizeof(*t));
    for (int i = 0; t && i < LOCKS; i++)
        pthread_mutex_init(&t->locks[i], NULL);
    return t;
}

void tally_free(struct tally *t)
{
    for (int i = 0; t && i < LOCKS; i++)
        pthread_mutex_destroy(&t->locks[i]);
    free(t);
}

static pthread_mutex_t *lock_set(struct tally *t, size_t set)
{
    pthread_mutex_lock(&t->locks[set % LOCKS]);
    return &t->locks[set % LOCKS];
}

/* What part of the bucket was taken, in 256ths. */
static unsigned share_of(const struct tally_row *row)
{
    if (row->taken_us >= row->whole_us)
        return SHARE_WHOLE;
    return (unsigned)(row->taken_us * SHARE_WHOLE / row->whole_us);
}

static struct tally_row *find(struct tally_row set[SET], uint64_t hash)
{
    struct tally_row *least = set;
    for (int i = 0; i < SET; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (!set[i].hash || (least->hash && share_of(&set[i]) < share_of(least)))
            least = &set[i];
    }
    return least;
}

void tally_add(struct tally *t, const struct tally_row *row, uint64_t now_ms)
{
    size_t set = row->hash % SETS;
    pthread_mutex_t *lock = lock_set(t, set);
    struct tally_row *r = find(t->rows[set], row->hash);
    if (r->hash != row->hash)
        *r = (struct tally_row){.hash = row->hash, .since_ms = now_ms};
    r->taken_us += row->taken_us;
    r->whole_us = row->whole_us;
    r->near |= row->near;
    pthread_mutex_unlock(lock);
}

/* ---- collecting ---- */

static bool matters(const struct tally_row *row, uint32_t servers)
{
    return row->near || (uint64_t)share_of(row) * servers * 4 >= SHARE_WHOLE;
}

/* The bucket has gained a quarter meanwhile: more than all servers have taken of it. */
static bool is_over(const struct tally_row *row, uint64_t now_ms)
{
    return now_ms - row->since_ms > row->whole_us / 4000 + 1000;
}

/* Forgets rows that are over, and counts the others that matter by their share. */
static void count(struct tally *t, uint32_t servers, uint64_t now_ms, size_t counts[SHARE_CLASSES])
{
    for (size_t set = 0; set < SETS; set++) {
        pthread_mutex_t *lock = lock_set(t, set);
        for (struct tally_row *r = t->rows[set]; r < t->rows[set] + SET; r++) {
            if (r->hash && matters(r, servers))
                counts[share_of(r)]++;
            else if (r->hash && is_over(r, now_ms))
                *r = (struct tally_row){0};
        }
        pthread_mutex_unlock(lock);
    }
}

/* The least share of which there is room for all rows; of the one below there is for some. */
static unsigned least_share(const size_t counts[SHARE_CLASSES], size_t room)
{
    size_t sum = 0;
    for (unsigned share = SHARE_WHOLE; share > 0; share--) {
        sum += counts[share];
        if (sum >= room)
            return share;
    }
    return 0;
}

static size_t room_for(uint32_t servers)
{
    size_t room = TALLY_TELL_MAX / (servers ? servers : 1);
    return room < TELL_LEAST ? TELL_LEAST : room;
}

size_t tally_collect(struct tally *t, uint32_t servers, uint64_t now_ms,
                     struct tally_row ret[TALLY_TELL_MAX])
{
    size_t counts[SHARE_CLASSES] = {0}, room = room_for(servers), collected = 0;
    count(t, servers, now_ms, counts);
    unsigned least = least_share(counts, room);
    for (size_t set = 0; set < SETS && collected < room; set++) {
        pthread_mutex_t *lock = lock_set(t, set);
        for (struct tally_row *r = t->rows[set]; r < t->rows[set] + SET && collected < room; r++) {
            if (!r->hash || !matters(r, servers) || share_of(r) < least)
                continue;
            ret[collected++] = *r;
            *r = (struct tally_row){0};
        }
        pthread_mutex_unlock(lock);
    }
    return collected;
}
