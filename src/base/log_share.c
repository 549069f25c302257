/* SPDX-License-Identifier: MIT */
#include "base/log_share.h"

#include "base/bucket.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/lossy.h"

#include <pthread.h>
#include <time.h>

enum {
    SHARES = 8192,
    EVENTS_MAX = 128, /* with a cause; more events than that share the last row */
};

static struct lossy shares; /* hash of event and cause: a bucket */
static bool started;

/* The lines that were left out, by event. */
static struct {
    pthread_mutex_t lock;
    struct {
        const char *event; /* NULL: free */
        uint64_t lines;
    } rows[EVENTS_MAX];
    uint64_t all;
} left_out = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_share_start(void)
{
    if (!started)
        started = lossy_init(&shares, SHARES);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool take(uint64_t hash, uint64_t per_second, uint64_t burst)
{
    struct lossy_hold hold = lossy_claim(&shares, hash + !hash);
    if (hold.entry->hash != hash + !hash)
        *hold.entry = (struct lossy_entry){.hash = hash + !hash};
    bool taken = bucket_take(&hold.entry->value, 1000000 / per_second, burst, now_us()) == 0;
    lossy_release(hold);
    return taken;
}

static void leave_out(const char *event)
{
    pthread_mutex_lock(&left_out.lock);
    size_t row = 0;
    while (row < EVENTS_MAX - 1 && left_out.rows[row].event &&
           strcmp(left_out.rows[row].event, event) != 0)
        row++;
    if (!left_out.rows[row].event)
        left_out.rows[row].event = event;
    left_out.rows[row].lines++;
    left_out.all++;
    pthread_mutex_unlock(&left_out.lock);
}

bool log_share_take(const char *event, struct slice cause)
{
    if (!started)
        return true;
    uint64_t parts[2] = {hash_bytes(slice_of(event)), hash_bytes(cause)};
    if (take(hash_bytes(slice_make(parts, sizeof(parts))), LOG_SHARE_PER_SECOND, LOG_SHARE_BURST) &&
        take(parts[0], LOG_SHARE_ALL_PER_SECOND, LOG_SHARE_ALL_BURST))
        return true;
    leave_out(event);
    return false;
}

void log_share_tell(void)
{
    for (size_t row = 0; row < EVENTS_MAX; row++) {
        pthread_mutex_lock(&left_out.lock);
        const char *event = left_out.rows[row].event;
        uint64_t lines = left_out.rows[row].lines;
        left_out.rows[row].lines = 0;
        pthread_mutex_unlock(&left_out.lock);
        if (!event)
            return;
        if (lines)
            log_warn("log.left_out", log_text("event", event), log_int("lines", lines));
    }
}

uint64_t log_share_left_out(void)
{
    pthread_mutex_lock(&left_out.lock);
    uint64_t all = left_out.all;
    pthread_mutex_unlock(&left_out.lock);
    return all;
}
