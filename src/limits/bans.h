/* SPDX-License-Identifier: MIT */
/* bans.h - clients that were refused a short while ago, and are refused again without another
 * check.
 *
 * A ban is for one client (IPv6: its /64) with the same credentials, so that it hits nobody else
 * behind that address, one page origin, one target and one path, or with
 * `Access-Control-Policy-Path` for every path from there down. Only a keyed hash of these is
 * stored, so an entry has 16 bytes whatever the peers send. Two keys whose hashes collide (1 in
 * 2^64) would share a ban.
 *
 * Servers that share the key of hashes (hash_shared) share bans by these: what is set here is told
 * by bans_told(), and what others have set comes by bans_put().
 *
 * Memory   Fixed at bans_new(). When a set of 8 is full, the ban that ends first gives way: under a
 *          flood from more clients than fit, the shortest bans are forgotten early.
 * Threads  Any: sets are guarded by striped locks, so that one table serves every worker.
 * Cost     One hash and one cache line for each segment of the path, BAN_SEGMENTS_MAX at most.
 */
#ifndef LIMITS_BANS_H
#define LIMITS_BANS_H

#include "base/slice.h"

struct pack;

#define BAN_SECONDS      60
#define BAN_SECONDS_MAX  86400
#define BAN_SEGMENTS_MAX 16 /* a deeper Policy-Path bans the one path only */

struct bans;

/* Room for at least `entries`. NULL without memory. */
struct bans *bans_new(size_t entries);
void bans_free(struct bans *bans);
size_t bans_bytes(const struct bans *bans);
/* For the process that takes over, which has the same key of hashes. */
void bans_pack(const struct bans *bans, uint32_t tag, struct pack *p);
void bans_unpack(struct bans *bans, struct slice entries);

struct ban_key {
    struct slice client; /* the bytes of a net_client_key */
    struct slice origin; /* as sent; empty without the header */
    struct slice target; /* HOST:PORT, or an origin */
    struct slice path;   /* of a URL, decoded and normalised, so that no spelling escapes; empty for
                            HOST:PORT */
    uint64_t who;        /* a keyed hash of the credentials that came along; 0: none did */
};

/* Bans for `seconds`, at most a day; 0 has no effect. `policy_path` (empty: none) widens the ban if
 * it is an ancestor of the path, or the path itself, by segments; anything else is ignored. */
void bans_add(struct bans *bans, const struct ban_key *key, struct slice policy_path,
              uint32_t seconds, uint64_t now_ms);

/* How many seconds remain, rounded up; 0 if there is no ban. *ret_policy (may be NULL): the
 * Policy-Path of the ban that lasts longest, a part of key->path; empty if it has none. */
uint32_t bans_check(struct bans *bans, const struct ban_key *key, uint64_t now_ms,
                    struct slice *ret_policy);

/* ---- shared with other servers ---- */

/* One ban, as others know it. */
struct ban {
    uint64_t hash;
    uint64_t until_ms;
};

/* `told` is called for each ban that bans_add() sets, in the thread that sets it. To be called
 * before there are such threads, and with NULL after them. */
void bans_told(struct bans *bans, void (*told)(void *owner, const struct ban *ban), void *owner);
/* A ban that another server has set. */
void bans_put(struct bans *bans, const struct ban *ban, uint64_t now_ms);
/* Lifts all. */
void bans_lift(struct bans *bans);
/* Those that have not ended, some at a time: *at is 0 at first. Returns how many, BANS_LOOK at
 * most; *at is 0 again after the last ones. */
enum {
    BANS_LOOK = 512
};
size_t bans_look(struct bans *bans, size_t *at, uint64_t now_ms, struct ban ret[BANS_LOOK]);

/* Whether a Policy-Path counts for a path: an ancestor by segments, without `..`, `%2e`, `%2f`,
 * `\`, `//`. */
bool ban_policy_path_counts(struct slice policy_path, struct slice path);

#endif
