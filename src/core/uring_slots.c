/* SPDX-License-Identifier: MIT */
#include "core/uring.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PAGE_SLOTS = 256
};

void slots_init(struct slots *slots)
{
    *slots = (struct slots){.first = -1};
}

void slots_done(struct slots *slots)
{
    for (unsigned i = 0; i < slots->page_count; i++)
        free(slots->pages[i]);
    free(slots->pages);
}

static int make_room(struct slots *slots, unsigned page)
{
    if (page >= slots->page_count) {
        unsigned count = page + 1 > 2 * slots->page_count ? page + 1 : 2 * slots->page_count;
        struct slot **pages = log_needed(realloc(slots->pages, count * sizeof(*pages)));
        if (!pages)
            return -ENOMEM;
        memset(pages + slots->page_count, 0, (count - slots->page_count) * sizeof(*pages));
        slots->pages = pages;
        slots->page_count = count;
    }
    if (!slots->pages[page])
        slots->pages[page] = log_needed(calloc(PAGE_SLOTS, sizeof(struct slot)));
    return slots->pages[page] ? 0 : -ENOMEM;
}

struct slot *slots_at(const struct slots *slots, int fd)
{
    return &slots->pages[(unsigned)fd / PAGE_SLOTS][(unsigned)fd % PAGE_SLOTS];
}

int slots_take(struct slots *slots, int fd, void *object, enum slot_kind kind)
{
    if (fd < 0)
        return -EBADF;
    int error = make_room(slots, (unsigned)fd / PAGE_SLOTS);
    if (error)
        return error;
    struct slot *slot = slots_at(slots, fd);
    slot->object = object;
    slot->kind = (uint8_t)kind;
    slot->flags &= SLOT_LISTED; /* of an earlier object; looking costs nothing */
    slot->small = 0;
    return 0;
}

struct slot *slots_find(const struct slots *slots, int fd, uint32_t generation)
{
    struct slot *slot = slots_at(slots, fd);
    return slot->object && (slot->generation & 0x0fffffff) == generation ? slot : NULL;
}

void slots_list(struct slots *slots, int fd)
{
    struct slot *slot = slots_at(slots, fd);
    if (slot->flags & SLOT_LISTED)
        return;
    slot->flags |= SLOT_LISTED;
    slot->next = slots->first;
    slots->first = fd;
}
