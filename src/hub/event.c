/* SPDX-License-Identifier: MIT */
#include "hub/event.h"

#include "base/log.h"
#include "base/pack.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* The bytes of a `.topic` line beside topic, event, data and sender: two numbers, keys, quotes. */
#define FRAME_MAX 128

static size_t line_room(const struct hub_event_spec *spec)
{
    return spec->line.len + spec->topic.len + spec->name.len + spec->data.len + HUB_ID_LEN +
           FRAME_MAX + spec->ident.len;
}

static char *put(char *at, struct slice s)
{
    if (s.len)
        memcpy(at, s.ptr, s.len);
    return at + s.len;
}

static struct slice put_kept(char **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.len);
    *at = put(*at, s);
    return kept;
}

/* Behind the line, where there is room for it. */
static void put_ident(struct hub_event *e, struct slice ident)
{
    if (ident.len)
        memcpy((char *)e->line.ptr + e->line.len, ident.ptr, ident.len);
    e->ident_len = (uint8_t)ident.len;
}

static void frame_published(struct hub_event *e, const struct hub_event_spec *spec, char *text)
{
    char *at = put(text, SLICE_LITERAL(".topic {\"topic\":\""));
    e->topic = put_kept(&at, spec->topic);
    at += sprintf(at, "\",\"seq\":%llu,\"time\":%llu,", (unsigned long long)spec->seq,
                  (unsigned long long)spec->time_ms);
    if (spec->from)
        at += sprintf(at, "\"from\":\"%.*s\",", HUB_ID_LEN, spec->from);
    at = put(at, SLICE_LITERAL("\"event\":\""));
    e->name = put_kept(&at, spec->name);
    at = put(at, SLICE_LITERAL("\",\"data\":"));
    e->data = put_kept(&at, spec->data.len ? spec->data : SLICE_LITERAL("null"));
    at = put(at, SLICE_LITERAL("}\n"));
    e->line = slice_make(text, (size_t)(at - text));
    put_ident(e, spec->ident);
}

/* Its line is made. */
static void frame_line(struct hub_event *e, const struct hub_event_spec *spec, char *text)
{
    char *at = text;
    e->line = put_kept(&at, spec->line);
    e->topic = put_kept(&at, spec->topic);
}

struct hub_event *hub_event_new(const struct hub_event_spec *spec)
{
    assert(spec->ident.len <= HUB_IDENT_MAX);
    size_t head = sizeof(struct hub_event) + spec->copies * sizeof(struct hub_copy);
    struct hub_event *e = log_needed(malloc(head + line_room(spec)));
    if (!e)
        return NULL;
    *e = (struct hub_event){
        .kind = spec->kind,
        .hash = spec->hash,
        .seq = spec->seq,
        .copies = (struct hub_copy *)(e + 1),
        .keep = (uint8_t)spec->keep,
    };
    atomic_init(&e->refs, 1);
    atomic_init(&e->undelivered, 1);
    if (spec->from)
        memcpy(e->from, spec->from, HUB_ID_LEN);
    if (spec->kind == HUB_PUBLISHED)
        frame_published(e, spec, (char *)e + head);
    else
        frame_line(e, spec, (char *)e + head);
    return e;
}

void hub_event_ref(struct hub_event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
}

void hub_event_unref(struct hub_event *event)
{
    if (event && atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) == 1)
        free(event);
}

size_t hub_event_cost(const struct hub_event *event)
{
    return sizeof(*event) + event->line.len;
}

struct slice hub_event_rest(const struct hub_event *event)
{
    return slice_skip(event->line, HUB_LINE_BEGIN.len);
}

/* The line is ours: `…TOPIC","seq":N,"time":M,…`. */
uint64_t hub_event_time_ms(const struct hub_event *event)
{
    const struct slice key = SLICE_LITERAL("\"time\":");
    struct slice at = slice_skip(event->line, (size_t)(event->topic.ptr - event->line.ptr));
    uint64_t time_ms = 0;
    at = slice_skip(at, event->topic.len);
    for (size_t comma; (comma = slice_find(at, ',')) < at.len;) {
        at = slice_skip(at, comma + 1);
        if (!slice_starts_with(at, key))
            continue;
        at = slice_skip(at, key.len);
        slice_to_uint(slice_first(at, slice_find(at, ',')), UINT64_MAX, &time_ms);
        break;
    }
    return time_ms;
}

void hub_event_put_lost(struct slice topic, uint64_t count, struct text *out)
{
    text_printf(out, ".topic {\"topic\":\"%.*s\",\"lost\":%llu}\n", SLICE_ARG(topic),
                (unsigned long long)count);
}

struct slice hub_event_ident(const struct hub_event *event)
{
    return slice_make(event->line.ptr + event->line.len, event->ident_len);
}

/* ---- for the process that takes over ---- */

enum {
    SEQ = 1,
    FROM,
    LINE,
    TOPIC_AT, /* in LINE */
    TOPIC_LEN,
    NAME_AT,
    NAME_LEN,
    DATA_AT,
    DATA_LEN,
    IDENT,
    KEEP,
};

static void pack_part(const struct hub_event *e, struct slice part, uint32_t tag, struct pack *p)
{
    pack_number(p, tag, (uint64_t)(part.ptr - e->line.ptr));
    pack_number(p, tag + 1, part.len);
}

void hub_event_pack(const struct hub_event *e, struct pack *p)
{
    pack_number(p, SEQ, e->seq);
    pack_slice(p, FROM, slice_make(e->from, HUB_ID_LEN));
    pack_slice(p, LINE, e->line);
    pack_part(e, e->topic, TOPIC_AT, p);
    pack_part(e, e->name, NAME_AT, p);
    pack_part(e, e->data, DATA_AT, p);
    if (e->ident_len)
        pack_slice(p, IDENT, hub_event_ident(e));
    pack_number(p, KEEP, e->keep);
}

static bool unpack_part(struct slice line, struct slice in, uint32_t tag, struct slice *ret)
{
    uint64_t at = packed_number(in, tag), len = packed_number(in, tag + 1);
    if (at > line.len || len > line.len - at)
        return false;
    *ret = slice_make(line.ptr + at, (size_t)len);
    return true;
}

struct hub_event *hub_event_unpack(struct slice in, uint64_t hash)
{
    struct slice line = packed_slice(in, LINE), from = packed_slice(in, FROM);
    struct slice ident = slice_first(packed_slice(in, IDENT), HUB_IDENT_MAX);
    struct hub_event *e = log_needed(malloc(sizeof(*e) + line.len + ident.len));
    if (!e)
        return NULL;
    *e = (struct hub_event){.kind = HUB_PUBLISHED,
                            .hash = hash,
                            .seq = packed_number(in, SEQ),
                            .copies = (struct hub_copy *)(e + 1),
                            .keep = (uint8_t)packed_number(in, KEEP)};
    atomic_init(&e->refs, 1);
    atomic_init(&e->undelivered, 1);
    if (from.len == HUB_ID_LEN)
        memcpy(e->from, from.ptr, HUB_ID_LEN);
    char *at = (char *)(e + 1);
    e->line = put_kept(&at, line);
    put_ident(e, ident);
    if (unpack_part(e->line, in, TOPIC_AT, &e->topic) &&
        unpack_part(e->line, in, NAME_AT, &e->name) && unpack_part(e->line, in, DATA_AT, &e->data))
        return e;
    free(e);
    return NULL;
}
