/* SPDX-License-Identifier: MIT */
#include "limits/bans.h"

#include "base/hash.h"
#include "base/lossy.h"
#include "base/pack.h"

#include <stdlib.h>

/* The value of an entry is when its ban ends, in ms. */
struct bans {
    struct lossy table;
    void (*told)(void *owner, const struct ban *ban); /* NULL: nobody hears of them */
    void *told_owner;
};

/* A hash stands for one path, or for a path and all below it. */
enum ban_reach {
    REACH_PATH,
    REACH_BELOW
};

struct bans *bans_new(size_t entries)
{
    struct bans *b = calloc(1, sizeof(*b));
    if (b && lossy_init(&b->table, entries))
        return b;
    free(b);
    return NULL;
}

void bans_free(struct bans *b)
{
    if (!b)
        return;
    lossy_done(&b->table);
    free(b);
}

size_t bans_bytes(const struct bans *b)
{
    return sizeof(*b) + lossy_bytes(&b->table);
}

/* ---- hashing ---- */

static uint64_t hash_key(const struct ban_key *key, enum ban_reach reach, struct slice path)
{
    /* Each part is hashed by itself, so that no length of one part can be confused with another's,
     * and no size of request needs a buffer. */
    uint64_t parts[6] = {
        hash_shared(key->client), hash_shared(key->origin), hash_shared(key->target),
        hash_shared(path),        (uint64_t)reach,          key->who,
    };
    uint64_t hash = hash_shared(slice_make(parts, sizeof(parts)));
    return hash ? hash : 1;
}

static void put(struct bans *b, uint64_t hash, uint64_t until_ms)
{
    struct lossy_hold hold = lossy_claim(&b->table, hash);
    if (hold.entry->hash != hash || hold.entry->value < until_ms)
        *hold.entry = (struct lossy_entry){hash, until_ms};
    lossy_release(hold);
}

static void add(struct bans *b, uint64_t hash, uint64_t until_ms)
{
    put(b, hash, until_ms);
    if (b->told)
        b->told(b->told_owner, &(struct ban){hash, until_ms});
}

/* ---- paths ---- */

static bool has_escaped(struct slice s, char digit)
{
    for (size_t i = 0; i + 2 < s.len; i++)
        if (s.ptr[i] == '%' && s.ptr[i + 1] == '2' && (s.ptr[i + 2] | 0x20) == digit)
            return true;
    return false;
}

static bool has_dots(struct slice path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '/')
            continue;
        struct slice segment = slice_skip(path, i + 1);
        segment.len = slice_find(segment, '/');
        if (slice_equal(segment, SLICE_LITERAL("..")) || slice_equal(segment, SLICE_LITERAL(".")))
            return true;
    }
    return false;
}

bool ban_policy_path_counts(struct slice policy, struct slice path)
{
    if (!slice_starts_with(policy, SLICE_LITERAL("/")) || has_escaped(policy, 'e') ||
        has_escaped(policy, 'f') || slice_find(policy, '\\') < policy.len ||
        memmem(policy.ptr, policy.len, "//", 2) || has_dots(policy))
        return false;
    if (!slice_starts_with(path, policy))
        return false;
    return path.len == policy.len || policy.ptr[policy.len - 1] == '/' ||
           path.ptr[policy.len] == '/';
}

/* The next ancestor of `path` after the one of length `at`, from the root down: `/`, `/chat`, the
 * path itself. Its length, or 0 at the end. */
static size_t next_ancestor(struct slice path, size_t at)
{
    if (at == 0)
        return path.len && path.ptr[0] == '/' ? 1 : 0;
    if (at >= path.len)
        return 0;
    size_t from = at == 1 ? 1 : at + 1;
    return from + slice_find(slice_skip(path, from), '/');
}

/* Without its last slash, the root aside: `/chat/` and `/chat` ban the same. */
static struct slice trim_slash(struct slice path)
{
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    return path;
}

static int depth_of(struct slice path)
{
    int depth = 0;
    for (size_t at = next_ancestor(path, 0); at; at = next_ancestor(path, at))
        depth++;
    return depth;
}

/* ---- from outside ---- */

void bans_add(struct bans *b, const struct ban_key *key, struct slice policy_path, uint32_t seconds,
              uint64_t now_ms)
{
    if (seconds == 0)
        return;
    uint64_t limited = seconds < BAN_SECONDS_MAX ? seconds : BAN_SECONDS_MAX;
    uint64_t until = now_ms + limited * 1000;
    add(b, hash_key(key, REACH_PATH, key->path), until);
    struct slice policy = trim_slash(policy_path);
    if (ban_policy_path_counts(policy_path, key->path) && depth_of(policy) <= BAN_SEGMENTS_MAX)
        add(b, hash_key(key, REACH_BELOW, policy), until);
}

uint32_t bans_check(struct bans *b, const struct ban_key *key, uint64_t now_ms,
                    struct slice *ret_policy)
{
    struct slice policy = SLICE_NONE;
    uint64_t until = lossy_find(&b->table, hash_key(key, REACH_PATH, key->path));
    int depth = 0;
    for (size_t at = next_ancestor(key->path, 0); at && depth < BAN_SEGMENTS_MAX;
         at = next_ancestor(key->path, at), depth++) {
        uint64_t other =
            lossy_find(&b->table, hash_key(key, REACH_BELOW, slice_first(key->path, at)));
        if (other && other >= until) {
            until = other;
            policy = slice_first(key->path, at);
        }
    }
    if (ret_policy)
        *ret_policy = policy;
    return until > now_ms ? (uint32_t)((until - now_ms + 999) / 1000) : 0;
}

/* ---- shared with other servers ---- */

void bans_told(struct bans *b, void (*told)(void *owner, const struct ban *ban), void *owner)
{
    b->told_owner = owner;
    b->told = told;
}

void bans_put(struct bans *b, const struct ban *ban, uint64_t now_ms)
{
    uint64_t latest = now_ms + BAN_SECONDS_MAX * UINT64_C(1000);
    if (ban->hash && ban->until_ms > now_ms)
        put(b, ban->hash, ban->until_ms < latest ? ban->until_ms : latest);
}

void bans_lift(struct bans *b)
{
    lossy_clear(&b->table);
}

size_t bans_look(struct bans *b, size_t *at, uint64_t now_ms, struct ban ret[BANS_LOOK])
{
    size_t count = 0;
    while (*at < b->table.sets && count + LOSSY_SET <= BANS_LOOK) {
        struct lossy_entry set[LOSSY_SET];
        lossy_look(&b->table, (*at)++, set);
        for (int i = 0; i < LOSSY_SET; i++)
            if (set[i].hash && set[i].value > now_ms)
                ret[count++] = (struct ban){set[i].hash, set[i].value};
    }
    if (*at == b->table.sets)
        *at = 0;
    return count;
}

void bans_pack(const struct bans *b, uint32_t tag, struct pack *p)
{
    lossy_pack(&b->table, tag, p);
}

void bans_unpack(struct bans *b, struct slice entries)
{
    lossy_unpack(&b->table, entries);
}
