/* SPDX-License-Identifier: MIT */
#include "ws/buffer.h"

#include <stdlib.h>

static size_t room_for(size_t room, size_t need, uint64_t expected)
{
    size_t doubled = room * 2 > need ? room * 2 : need;
    return expected < doubled - need ? need + (size_t)expected : doubled;
}

bool buffer_append(struct ws_buffer **b, struct slice data, uint64_t expected)
{
    size_t len = buffer_len(*b), room = *b ? (*b)->room : 0;
    if (len + data.len > room) {
        room = room_for(room, len + data.len, expected);
        struct ws_buffer *grown = realloc(*b, sizeof(**b) + room);
        if (!grown)
            return false;
        grown->len = len;
        grown->room = room;
        *b = grown;
    }
    if (data.len)
        memcpy((*b)->bytes + len, data.ptr, data.len);
    if (*b)
        (*b)->len = len + data.len;
    return true;
}
