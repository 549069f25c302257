/* SPDX-License-Identifier: MIT */
#include "hub/presence.h"

#include "base/log.h"
#include "base/pack.h"

#include <stdlib.h>

struct member {
    struct list node; /* presence.members */
    enum {
        MEMBER_NEW,
        MEMBER_TOLD,
        MEMBER_CHANGED,
        MEMBER_GONE
    } state;
    bool named; /* since presence_begin() */
    char id[HUB_ID_LEN];
    uint64_t owner;
    size_t len;
    char data[];
};

void presence_init(struct presence *presence)
{
    *presence = (struct presence){0};
    list_init(&presence->members);
}

static struct member *member_of(struct list *node)
{
    return container_of(node, struct member, node);
}

static void forget(struct member *m)
{
    list_remove(&m->node);
    free(m);
}

void presence_clear(struct presence *presence)
{
    while (!list_empty(&presence->members))
        forget(member_of(presence->members.next));
    presence->count = 0;
}

static struct member *find(struct presence *presence, const char id[HUB_ID_LEN])
{
    for (struct list *node = presence->members.next; node != &presence->members; node = node->next)
        if (!memcmp(member_of(node)->id, id, HUB_ID_LEN))
            return member_of(node);
    return NULL;
}

static struct member *member_new(uint64_t owner, const char id[HUB_ID_LEN], struct slice data)
{
    struct member *m = log_needed(malloc(sizeof(*m) + data.len));
    if (!m)
        return NULL;
    *m = (struct member){.state = MEMBER_NEW, .named = true, .owner = owner, .len = data.len};
    memcpy(m->id, id, HUB_ID_LEN);
    memcpy(m->data, data.ptr, data.len);
    return m;
}

static bool has_data(const struct member *m, struct slice data)
{
    return slice_equal(slice_make(m->data, m->len), data);
}

enum presence_result presence_show(struct presence *presence, uint64_t owner,
                                   const char id[HUB_ID_LEN], struct slice data, uint32_t count_max)
{
    struct member *old = find(presence, id);
    bool there = old && old->state != MEMBER_GONE;
    if (there && owner != old->owner && old->owner == PRESENCE_OWN)
        return PRESENCE_SAME;
    if (there && owner == old->owner && has_data(old, data)) {
        old->named = true;
        return PRESENCE_SAME;
    }
    if (!there && presence->count >= count_max)
        return PRESENCE_FULL;
    struct member *m = member_new(owner, id, data);
    if (!m)
        return PRESENCE_NO_MEMORY;
    if (old && old->state != MEMBER_NEW)
        m->state = MEMBER_CHANGED;
    if (old)
        forget(old);
    presence->count += !there;
    list_append(&presence->members, &m->node);
    return PRESENCE_CHANGED;
}

/* The member may be forgotten. */
static enum presence_result hide(struct presence *presence, struct member *m)
{
    presence->count--;
    if (m->state == MEMBER_NEW) {
        forget(m);
        return PRESENCE_UNTOLD;
    }
    m->state = MEMBER_GONE;
    return PRESENCE_CHANGED;
}

enum presence_result presence_hide(struct presence *presence, uint64_t owner,
                                   const char id[HUB_ID_LEN])
{
    struct member *m = find(presence, id);
    if (!m || m->state == MEMBER_GONE || m->owner != owner)
        return PRESENCE_SAME;
    return hide(presence, m);
}

/* ---- members of other servers ---- */

static bool is_of(const struct member *m, uint64_t owner)
{
    return m->owner == owner;
}

static bool is_missing(const struct member *m, uint64_t owner)
{
    (void)owner;
    return m->owner != PRESENCE_OWN && !m->named;
}

static enum presence_result hide_all(struct presence *presence,
                                     bool (*which)(const struct member *m, uint64_t owner),
                                     uint64_t owner)
{
    enum presence_result result = PRESENCE_SAME;
    struct list *next;
    for (struct list *node = presence->members.next; node != &presence->members; node = next) {
        struct member *m = member_of(node);
        next = node->next;
        if (m->state != MEMBER_GONE && which(m, owner) && hide(presence, m) == PRESENCE_CHANGED)
            result = PRESENCE_CHANGED;
    }
    return result;
}

enum presence_result presence_owner_gone(struct presence *presence, uint64_t owner)
{
    return hide_all(presence, is_of, owner);
}

void presence_begin(struct presence *presence)
{
    for (struct list *node = presence->members.next; node != &presence->members; node = node->next)
        member_of(node)->named = false;
}

enum presence_result presence_end(struct presence *presence)
{
    return hide_all(presence, is_missing, PRESENCE_OWN);
}

void presence_each_own(const struct presence *presence,
                       void (*visit)(void *arg, const char id[HUB_ID_LEN], struct slice data),
                       void *arg)
{
    const struct list *members = &presence->members;
    for (struct list *node = members->next; node != members; node = node->next) {
        const struct member *m = member_of(node);
        if (m->state != MEMBER_GONE && m->owner == PRESENCE_OWN)
            visit(arg, m->id, slice_make(m->data, m->len));
    }
}

/* ---- what is told ---- */

static void put_member(const struct member *m, struct text *out)
{
    text_printf(out, "{\"id\":\"%.*s\",\"data\":", HUB_ID_LEN, m->id);
    text_put(out, slice_make(m->data, m->len));
    text_put(out, SLICE_LITERAL("},"));
}

static void put_gone(const struct member *m, struct text *out)
{
    text_printf(out, "\"%.*s\",", HUB_ID_LEN, m->id);
}

/* `,"NAME":[…]` of the members in these states; nothing if there is none and `if_any`. */
static void put_list(const struct presence *presence, const char *name, unsigned states,
                     bool if_any, void (*put)(const struct member *, struct text *),
                     struct text *out)
{
    size_t before = out->len;
    text_printf(out, ",\"%s\":[", name);
    size_t begin = out->len;
    const struct list *members = &presence->members;
    for (struct list *node = members->next; node != members; node = node->next)
        if (states >> member_of(node)->state & 1)
            put(member_of(node), out);
    if (out->failed)
        return;
    if (out->len == begin && if_any) {
        out->len = before;
        return;
    }
    out->len -= out->len > begin; /* the last comma */
    text_put(out, SLICE_LITERAL("]"));
}

static void begin_line(struct slice topic, struct text *out)
{
    text_printf(out, ".presence {\"topic\":\"%.*s\"", SLICE_ARG(topic));
}

void presence_here(const struct presence *presence, struct slice topic, struct text *out)
{
    begin_line(topic, out);
    put_list(presence, "here", 1u << MEMBER_TOLD | 1u << MEMBER_CHANGED | 1u << MEMBER_GONE, false,
             put_member, out);
    text_put(out, SLICE_LITERAL("}\n"));
}

void presence_changes(const struct presence *presence, struct slice topic, struct text *out)
{
    size_t before = out->len;
    begin_line(topic, out);
    size_t begin = out->len;
    put_list(presence, "joined", 1u << MEMBER_NEW | 1u << MEMBER_CHANGED, true, put_member, out);
    put_list(presence, "left", 1u << MEMBER_GONE, true, put_gone, out);
    if (out->len == begin)
        out->len = before;
    else
        text_put(out, SLICE_LITERAL("}\n"));
}

void presence_told(struct presence *presence)
{
    struct list *next;
    for (struct list *node = presence->members.next; node != &presence->members; node = next) {
        next = node->next;
        if (member_of(node)->state == MEMBER_GONE)
            forget(member_of(node));
        else
            member_of(node)->state = MEMBER_TOLD;
    }
}

/* ---- for the process that takes over ---- */

enum {
    MEMBER = 1,
    FOREIGN, /* of another owner; who does not know of owners passes over it */
    STATE = 1,
    ID,
    DATA,
    OWNER,
};

void presence_pack(const struct presence *presence, struct pack *p)
{
    const struct list *members = &presence->members;
    for (struct list *node = members->next; node != members; node = node->next) {
        const struct member *m = member_of(node);
        size_t field = pack_begin(p, m->owner == PRESENCE_OWN ? MEMBER : FOREIGN);
        pack_number(p, STATE, m->state);
        pack_slice(p, ID, slice_make(m->id, HUB_ID_LEN));
        pack_slice(p, DATA, slice_make(m->data, m->len));
        pack_number(p, OWNER, m->owner);
        pack_end(p, field);
    }
}

/* NULL: it can't be read, or there is no memory. */
static struct member *unpack_member(const struct packed *field)
{
    struct slice id = packed_slice(field->value, ID), data = packed_slice(field->value, DATA);
    uint64_t state = packed_number(field->value, STATE);
    uint64_t owner = packed_number(field->value, OWNER);
    bool known = field->tag == MEMBER || field->tag == FOREIGN;
    if (!known || id.len != HUB_ID_LEN || !data.len || state > MEMBER_GONE)
        return NULL;
    struct member *m = member_new(owner, id.ptr, data);
    if (m)
        m->state = state;
    return m;
}

bool presence_unpack(struct presence *presence, struct slice in, bool own_only)
{
    bool changed = false;
    for (struct packed field; packed_next(&in, &field);) {
        struct member *m = unpack_member(&field);
        if (!m)
            continue;
        list_append(&presence->members, &m->node);
        presence->count++;
        if (m->state == MEMBER_GONE) {
            presence->count--;
            changed = true;
        } else if (own_only && m->owner != PRESENCE_OWN) {
            changed |= hide(presence, m) == PRESENCE_CHANGED;
        } else {
            changed |= m->state != MEMBER_TOLD;
        }
    }
    return changed;
}
