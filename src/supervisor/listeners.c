/* SPDX-License-Identifier: MIT */
#include "supervisor/listeners.h"

#include "base/pack.h"

#include "net/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void close_fds(struct listening *item)
{
    for (size_t i = 0; i < item->fd_count; i++)
        close(item->fds[i]);
    item->fd_count = 0;
}

static void free_item(struct listening *item)
{
    close_fds(item);
    free(item->fds);
    free(item);
}

static struct listening *new_item(struct listeners *l, enum listening_role role, const char *name,
                                  size_t fd_room)
{
    struct listening **items = realloc(l->items, (l->count + 1) * sizeof(*items));
    if (!items)
        return NULL;
    l->items = items;
    struct listening *item = calloc(1, sizeof(*item));
    int *fds = calloc(fd_room, sizeof(*fds));
    if (!item || !fds) {
        free(item);
        free(fds);
        return NULL;
    }
    *item = (struct listening){.role = role, .id = ++l->last_id, .fds = fds};
    snprintf(item->name, sizeof(item->name), "%s", name);
    return item;
}

static void add(struct listeners *l, struct listening *item)
{
    l->items[l->count++] = item;
}

int listeners_pass(struct listeners *l, enum listening_role role, const char *name, int fd)
{
    struct net_address address;
    int error = listener_name(fd, &address);
    struct listening *item = error ? NULL : new_item(l, role, name, 1);
    if (!item) {
        close(fd);
        return error ? error : -ENOMEM;
    }
    item->passed = true;
    item->address = address;
    item->fds[item->fd_count++] = fd;
    add(l, item);
    return 0;
}

/* ---- an offer ---- */

static bool same_address(const struct net_address *a, const struct net_address *b)
{
    char text_a[NET_ADDRESS_TEXT_MAX], text_b[NET_ADDRESS_TEXT_MAX];
    size_t len = net_address_print(a, text_a);
    return len == net_address_print(b, text_b) && !memcmp(text_a, text_b, len);
}

static bool fits(const struct listening *item, const struct listening_wish *wish)
{
    if (item->role != wish->role)
        return false;
    return item->passed ? same_address(&item->address, &wish->address)
                        : !strcmp(item->name, wish->name);
}

static struct listening *find(const struct listeners *l, const struct listening_wish *wish)
{
    for (size_t i = 0; i < l->count; i++)
        if (!l->items[i]->wanted && fits(l->items[i], wish))
            return l->items[i];
    return NULL;
}

static bool has_passed(const struct listeners *l, enum listening_role role)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->items[i]->passed && l->items[i]->role == role)
            return true;
    return false;
}

static int own_file(const struct listening_wish *wish)
{
    bool ours = wish->uid == (uid_t)-1 && wish->gid == (gid_t)-1;
    if (wish->address.any.sa_family != AF_UNIX || ours)
        return 0;
    return lchown(wish->address.un.sun_path, wish->uid, wish->gid) ? -errno : 0;
}

/* A Unix socket has one queue, whatever the number of descriptors. */
static int open_all(struct listening *item, const struct listening_wish *wish)
{
    item->address = wish->address;
    int error = listener_open(&item->address, &item->fds[0]);
    if (error)
        return error;
    item->fd_count = 1;
    size_t wanted = wish->address.any.sa_family == AF_UNIX ? 1 : wish->fd_count;
    while (!error && item->fd_count < wanted) {
        error = listener_open_more(item->fds[0], &item->fds[item->fd_count]);
        if (!error)
            item->fd_count++;
    }
    if (!error)
        error = own_file(wish);
    if (error)
        listener_unlink(&item->address);
    return error;
}

static int open_wish(struct listeners *l, const struct listening_wish *wish)
{
    struct listening *item = new_item(l, wish->role, wish->name, wish->fd_count);
    if (!item)
        return -ENOMEM;
    int error = open_all(item, wish);
    if (error) {
        free_item(item);
        return error;
    }
    item->wanted = item->fresh = true;
    add(l, item);
    return 0;
}

static void begin(struct listeners *l, bool at_start)
{
    for (size_t i = 0; i < l->count; i++) {
        struct listening *item = l->items[i];
        item->fresh = false;
        item->wanted = !at_start && item->role == LISTENING_ADMIN;
    }
}

int listeners_offer(struct listeners *l, const struct listening_wish *wishes, size_t count,
                    bool at_start, const struct listening_wish **ret_failed)
{
    begin(l, at_start);
    for (size_t i = 0; i < count; i++) {
        const struct listening_wish *wish = &wishes[i];
        bool stays = !at_start && wish->role == LISTENING_ADMIN;
        if (stays || (wish->only_by_default && has_passed(l, wish->role)))
            continue;
        struct listening *item = find(l, wish);
        if (item) {
            item->wanted = true;
            continue;
        }
        int error = open_wish(l, wish);
        if (error) {
            listeners_undo(l);
            *ret_failed = wish;
            return error;
        }
    }
    for (size_t i = 0; i < l->count; i++)
        l->items[i]->wanted |= l->items[i]->passed;
    return 0;
}

/* ---- its end ---- */

static void drop(struct listeners *l, bool (*is_over)(const struct listening *))
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct listening *item = l->items[i];
        if (!is_over(item)) {
            l->items[kept++] = item;
            continue;
        }
        listener_unlink(&item->address);
        free_item(item);
    }
    l->count = kept;
}

static bool is_unwanted(const struct listening *item)
{
    return !item->wanted && !item->passed;
}

static bool is_fresh(const struct listening *item)
{
    return item->fresh;
}

static void all_stay(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        l->items[i]->wanted = true;
        l->items[i]->fresh = false;
    }
}

void listeners_keep(struct listeners *l)
{
    drop(l, is_unwanted);
    all_stay(l);
}

void listeners_undo(struct listeners *l)
{
    drop(l, is_fresh);
    all_stay(l);
}

void listeners_close(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++)
        close_fds(l->items[i]);
}

void listeners_done(struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (!l->items[i]->passed)
            listener_unlink(&l->items[i]->address);
        free_item(l->items[i]);
    }
    free(l->items);
    *l = (struct listeners){0};
}

/* ---- for the process that takes over ---- */

enum {
    LAST_ID = 1,
    ITEM,
    /* of one of them */
    ROLE = 1,
    ID,
    NAME,
    ADDRESS,
    PASSED,
    FD, /* one after the other */
};

static void pack_item(const struct listening *item, struct pack *p)
{
    pack_number(p, ROLE, item->role);
    pack_number(p, ID, item->id);
    pack_slice(p, NAME, slice_of(item->name));
    pack_slice(p, ADDRESS, slice_make((const char *)&item->address.un, item->address.len));
    pack_number(p, PASSED, item->passed);
    for (size_t i = 0; i < item->fd_count; i++)
        pack_fd(p, FD, item->fds[i]);
}

void listeners_pack(const struct listeners *l, struct pack *p)
{
    pack_number(p, LAST_ID, l->last_id);
    for (size_t i = 0; i < l->count; i++) {
        size_t field = pack_begin(p, ITEM);
        pack_item(l->items[i], p);
        pack_end(p, field);
    }
}

static bool unpack_item(struct listeners *l, struct slice in)
{
    char name[IPC_NAME_MAX];
    struct slice address = packed_slice(in, ADDRESS), rest = in;
    size_t room = 0;
    snprintf(name, sizeof(name), "%.*s", SLICE_ARG(packed_slice(in, NAME)));
    for (struct packed field; packed_next(&rest, &field);)
        room += field.tag == FD;
    struct listening *item =
        new_item(l, (enum listening_role)packed_number(in, ROLE), name, room + 1);
    if (!item)
        return false;
    item->id = (uint32_t)packed_number(in, ID);
    item->passed = packed_number(in, PASSED);
    item->wanted = true;
    if (address.len <= sizeof(item->address.un)) {
        memcpy(&item->address.un, address.ptr ? address.ptr : "", address.len);
        item->address.len = (socklen_t)address.len;
    }
    for (struct packed field; packed_next(&in, &field);)
        if (field.tag == FD)
            item->fds[item->fd_count++] = (int)packed_value(field.value);
    add(l, item);
    return true;
}

bool listeners_unpack(struct listeners *l, struct slice in)
{
    struct slice rest = in;
    for (struct packed field; packed_next(&rest, &field);)
        if (field.tag == ITEM && !unpack_item(l, field.value))
            return false;
    l->last_id = (uint32_t)packed_number(in, LAST_ID);
    return true;
}
