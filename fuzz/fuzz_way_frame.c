/* SPDX-License-Identifier: MIT */
/* Frames between servers: what is accepted is in its bounds, and is what its fields write. */
#include "fuzz.h"

#include "cluster/way_frame.h"

static void check_hello(const unsigned char *body)
{
    unsigned char again[WAY_HELLO_SIZE];
    struct way_hello hello;
    if (!way_hello_read(body, &hello))
        return;
    way_hello_write(&hello, again);
    FUZZ_CHECK(memcmp(again, body, sizeof(again)) == 0);
}

static void check_open(const unsigned char *body)
{
    unsigned char once[WAY_OPEN_SIZE], twice[WAY_OPEN_SIZE];
    char text[NET_ADDRESS_TEXT_MAX];
    struct way_open open;
    if (!way_open_read(body, &open))
        return;
    net_address_print(&open.peer, text);
    net_address_print(&open.local, text);
    way_open_write(&open, once);
    FUZZ_CHECK(way_open_read(once, &open));
    way_open_write(&open, twice);
    FUZZ_CHECK(memcmp(once, twice, sizeof(once)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct way_head head;
    unsigned char again[WAY_HEAD_SIZE];
    if (size < WAY_HEAD_SIZE || !way_head_read(data, &head))
        return 0;
    way_head_write(&head, again);
    FUZZ_CHECK(memcmp(again, data, WAY_HEAD_SIZE) == 0);
    FUZZ_CHECK(head.len <= (head.type == WAY_DATA ? WAY_DATA_MAX : WAY_SMALL_MAX));
    if (size - WAY_HEAD_SIZE < head.len)
        return 0;
    if (head.type == WAY_HELLO)
        check_hello(data + WAY_HEAD_SIZE);
    else if (head.type == WAY_OPEN)
        check_open(data + WAY_HEAD_SIZE);
    return 0;
}
