/* SPDX-License-Identifier: MIT */
#include "supervisor/listening_set.h"

#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static struct listening_place *place_of(struct listening_set *set, enum listening_role role,
                                        uint32_t id)
{
    if (set->count > 0 && set->items[set->count - 1].id == id)
        return &set->items[set->count - 1];
    struct listening_place *items = realloc(set->items, (set->count + 1) * sizeof(*items));
    if (!items)
        return NULL;
    set->items = items;
    items[set->count] = (struct listening_place){.role = role, .id = id};
    return &items[set->count++];
}

static int append(struct listening_place *place, const int *fds, size_t count)
{
    int *room = realloc(place->fds, (place->fd_count + count) * sizeof(*room));
    if (!room)
        return -ENOMEM;
    memcpy(room + place->fd_count, fds, count * sizeof(*room));
    place->fds = room;
    place->fd_count += count;
    return 0;
}

int listening_add(struct listening_set *set, enum listening_role role, uint32_t id, const int *fds,
                  size_t fd_count)
{
    struct listening_place *place = fd_count > 0 ? place_of(set, role, id) : NULL;
    int error = place ? append(place, fds, fd_count) : -ENOMEM;
    if (error) {
        close_all(fds, fd_count);
        return error;
    }
    return listener_name(place->fds[0], &place->address);
}

static int duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

int listening_copy(struct listening_set *set, const struct listeners *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct listening *item = l->items[i];
        for (size_t n = 0; n < item->fd_count; n++) {
            int copy = duplicate(item->fds[n]);
            int error = copy < 0 ? copy : listening_add(set, item->role, item->id, &copy, 1);
            if (error)
                return error;
        }
    }
    return 0;
}

int listening_spread(struct listening_set *set, size_t threads)
{
    for (size_t i = 0; i < set->count; i++) {
        struct listening_place *place = &set->items[i];
        size_t queues = place->fd_count;
        while (place->role != LISTENING_ADMIN && place->fd_count < threads) {
            int copy = duplicate(place->fds[place->fd_count % queues]);
            int error = copy < 0 ? copy : append(place, &copy, 1);
            if (error)
                return error;
        }
    }
    return 0;
}

int listening_take(struct listening_place *place, size_t index)
{
    int fd = place->fds[index];
    place->fds[index] = -1;
    return fd;
}

void listening_done(struct listening_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        close_all(set->items[i].fds, set->items[i].fd_count);
        free(set->items[i].fds);
    }
    free(set->items);
    *set = (struct listening_set){0};
}
