/* SPDX-License-Identifier: MIT */
#include "cluster/servers_told.h"

#include "base/log.h"
#include "cluster/way.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    FRESH_MS = 3500, /* since it was told */
    KEPT_MS = 15000  /* while its link is down, and another one is not */
};

/* ---- a record ---- */

static struct slice next_field(struct slice *rest)
{
    size_t end = slice_find(*rest, '\t');
    struct slice field = slice_first(*rest, end);
    *rest = slice_skip(*rest, end < rest->len ? end + 1 : end);
    return field;
}

static void copy_text(char *to, size_t max, struct slice from)
{
    from = slice_first(from, max);
    memcpy(to, from.ptr ? from.ptr : "", from.len);
    to[from.len] = '\0';
}

/* False: not one of ours. */
static bool read_record(struct slice tag, struct slice record, struct server_info *ret)
{
    struct server_info info = {0};
    const char *why;
    char text[WAY_TAG_TEXT];
    if (tag.len != WAY_TAG_TEXT - 1 || record.len <= SERVERS_INSTANCE_LEN)
        return false;
    copy_text(text, sizeof(text) - 1, tag);
    info.tag = (uint32_t)strtoul(text, NULL, 16);
    record = slice_skip(record, SERVERS_INSTANCE_LEN + 1);
    struct slice address = next_field(&record), since = next_field(&record);
    info.draining = slice_equal(next_field(&record), SLICE_LITERAL("d"));
    if (address.len && net_address_parse(address, &info.address, &why) < 0)
        return false;
    slice_to_uint(since, UINT64_MAX, &info.since_ms);
    copy_text(info.version, SERVERS_VERSION_MAX, next_field(&record));
    copy_text(info.name, SERVERS_NAME_MAX, record);
    *ret = info;
    return info.tag != 0;
}

/* ---- what a broker tells ---- */

static struct slice text_of(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_STRING ? slice_make(r->str, (size_t)r->len) : SLICE_NONE;
}

static void take_all(struct servers_told *told, const struct redisReply *all)
{
    struct server_info *infos = log_needed(calloc(all->elements / 2 + 1, sizeof(*infos)));
    if (!infos) {
        told->version[0] = '\0';
        return;
    }
    free(told->infos);
    told->infos = infos;
    told->count = 0;
    for (size_t i = 0; i + 1 < all->elements; i += 2)
        told->count += read_record(text_of(all->element[i]), text_of(all->element[i + 1]),
                                   &infos[told->count]);
}

static void take_late(struct servers_told *told, const struct redisReply *late)
{
    char tag[WAY_TAG_TEXT];
    for (size_t n = 0; n < told->count; n++) {
        struct server_info *info = &told->infos[n];
        way_tag_print(info->tag, tag);
        info->late = false;
        for (size_t i = 0; i < late->elements; i++)
            info->late |= slice_equal(text_of(late->element[i]), slice_of(tag));
    }
}

static bool is_answer(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_ARRAY && r->elements == 5 &&
           r->element[1]->type == REDIS_REPLY_STRING &&
           r->element[2]->type == REDIS_REPLY_INTEGER && r->element[3]->type == REDIS_REPLY_ARRAY;
}

bool servers_told_take(struct servers_told *told, const struct redisReply *r, uint64_t now_ms)
{
    if (!is_answer(r))
        return false;
    copy_text(told->version, sizeof(told->version) - 1, text_of(r->element[1]));
    told->young = r->element[2]->integer != 0;
    told->told_ms = now_ms;
    if (r->element[4]->type == REDIS_REPLY_ARRAY)
        take_all(told, r->element[4]);
    take_late(told, r->element[3]);
    return true;
}

void servers_told_done(struct servers_told *told)
{
    free(told->infos);
    *told = (struct servers_told){0};
}

/* ---- the view ---- */

static bool is_fresh(const struct servers_told *told, uint64_t now)
{
    return told->up && told->told_ms && !told->young && now - told->told_ms < FRESH_MS;
}

static bool counts(const struct servers_told *told, bool nobody, uint64_t now)
{
    return told->told_ms && (told->up || nobody || now - told->told_ms < KEPT_MS);
}

static int by_tag(const void *a, const void *b)
{
    const struct server_info *x = a, *y = b;
    return x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* Known from several brokers: late only if all say so. */
static size_t without_doubles(struct server_info *infos, size_t count)
{
    size_t kept = 0;
    qsort(infos, count, sizeof(*infos), by_tag);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && infos[kept - 1].tag == infos[i].tag) {
            infos[kept - 1].late &= infos[i].late;
            infos[kept - 1].draining |= infos[i].draining;
        } else {
            infos[kept++] = infos[i];
        }
    }
    return kept;
}

static bool nobody_is_up(const struct servers_told *const *all, size_t count)
{
    bool up = false;
    for (size_t i = 0; i < count; i++)
        up |= all[i]->up;
    return !up;
}

struct servers_view *servers_told_view(const struct servers_told *const *all, size_t count,
                                       uint64_t now)
{
    bool nobody = nobody_is_up(all, count);
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        most += all[i]->count;
    struct servers_view *view =
        log_needed(calloc(1, sizeof(*view) + most * sizeof(*view->servers)));
    if (!view)
        return NULL;
    atomic_init(&view->refs, 1);
    for (size_t i = 0; i < count; i++) {
        const struct servers_told *told = all[i];
        view->fresh |= is_fresh(told, now);
        for (size_t n = 0; counts(told, nobody, now) && n < told->count; n++) {
            view->servers[view->count] = told->infos[n];
            view->servers[view->count++].late |= !told->up;
        }
    }
    view->count = without_doubles(view->servers, view->count);
    return view;
}
