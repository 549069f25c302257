/* SPDX-License-Identifier: MIT */
#include "client/bans.h"

#include "limits/bans.h"
#include "proto/close_code.h"
#include "proto/http_head.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BANS = 1024
};

static struct bans *bans; /* NULL without memory: then only the server's own bans hold */

static void make(void)
{
    bans = bans_new(BANS);
}

static struct bans *table(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make);
    return bans;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint32_t check(const struct ban_key *key)
{
    return table() ? bans_check(table(), key, now_ms(), NULL) : 0;
}

static void add(const struct ban_key *key, struct slice policy_path, int64_t retry_s)
{
    uint32_t seconds = retry_s < BAN_SECONDS_MAX ? (uint32_t)retry_s : BAN_SECONDS_MAX;
    if (retry_s > 0 && table())
        bans_add(table(), key, policy_path, seconds, now_ms());
}

/* ---- programs ---- */

/* The path in the server's normal form, so that no spelling escapes a ban; a path that has no such
 * form stays as it is. On the heap; NULL without memory. */
static char *path_of(const struct dial_target *t, size_t *ret_len)
{
    struct slice path, query;
    if (!http_target_split(slice_of(t->path), &path, &query))
        path = slice_of(t->path);
    char *decoded = malloc(path.len + 1);
    if (!decoded || http_path_decode(path, decoded, ret_len))
        return decoded;
    memcpy(decoded, path.ptr, path.len);
    *ret_len = path.len;
    return decoded;
}

static struct ban_key program_key(const struct dial_target *t, char *target, struct slice path)
{
    return (struct ban_key){
        .origin = slice_of(t->declared), .target = origin_write(&t->origin, target), .path = path};
}

uint32_t client_program_ban_s(const struct dial_target *t)
{
    char target[ORIGIN_TEXT_SIZE];
    size_t len;
    char *path = path_of(t, &len);
    if (!path)
        return 0;
    struct ban_key key = program_key(t, target, slice_make(path, len));
    uint32_t seconds = check(&key);
    free(path);
    return seconds;
}

void client_program_ban_add(const struct dial_target *t, const struct end *why,
                            const char *policy_path)
{
    char target[ORIGIN_TEXT_SIZE];
    size_t len;
    bool is_ban = close_code_kept(why->code) == KEEP_BAN;
    char *path = is_ban ? path_of(t, &len) : NULL;
    if (!path)
        return;
    struct ban_key key = program_key(t, target, slice_make(path, len));
    add(&key, slice_of(policy_path), why->retry_s);
    free(path);
}

/* ---- TCP targets ---- */

#define TCP_TARGET_SIZE 300

static struct ban_key tcp_key(const struct dial_target *via, const char *host, uint16_t port,
                              char server[ORIGIN_TEXT_SIZE], char target[TCP_TARGET_SIZE])
{
    int len = snprintf(target, TCP_TARGET_SIZE, "tcp %.256s:%u", host, port);
    for (int i = 0; i < len; i++)
        if (target[i] >= 'A' && target[i] <= 'Z')
            target[i] = (char)(target[i] | 0x20);
    return (struct ban_key){.client = origin_write(&via->origin, server),
                            .origin = slice_of(via->declared),
                            .target = slice_make(target, (size_t)len)};
}

uint32_t client_tcp_ban_s(const struct dial_target *via, const char *host, uint16_t port)
{
    char server[ORIGIN_TEXT_SIZE], target[TCP_TARGET_SIZE];
    struct ban_key key = tcp_key(via, host, port, server, target);
    return check(&key);
}

void client_tcp_ban_add(const struct dial_target *via, const char *host, uint16_t port,
                        int64_t retry_s)
{
    char server[ORIGIN_TEXT_SIZE], target[TCP_TARGET_SIZE];
    struct ban_key key = tcp_key(via, host, port, server, target);
    add(&key, SLICE_NONE, retry_s);
}
