/* SPDX-License-Identifier: MIT */
#include "ws/buffer.h"

#include "base/log.h"

#include <stdlib.h>

static size_t room_for(size_t room, size_t need, uint64_t expected)
{
    size_t doubled = room * 2 > need ? room * 2 : need;
    return expected < doubled - need ? need + (size_t)expected : doubled;
}

bool buffer_append(struct shared_bytes **b, struct slice data, uint64_t expected)
{
    size_t len = buffer_len(*b), room = *b ? (*b)->room : 0;
    if (len + data.len > room) {
        room = room_for(room, len + data.len, expected);
        struct shared_bytes *grown =
            room <= UINT32_MAX ? log_needed(realloc(*b, sizeof(**b) + room)) : NULL;
        if (!grown)
            return false;
        grown->refs = 1;
        grown->len = (uint32_t)len;
        grown->room = (uint32_t)room;
        *b = grown;
    }
    if (data.len)
        memcpy((*b)->bytes + len, data.ptr, data.len);
    if (*b)
        (*b)->len = (uint32_t)(len + data.len);
    return true;
}
