/* SPDX-License-Identifier: MIT */
#include "cluster/way_frame.h"

enum {
    FLAG_SECURE = 1
};

uint32_t way_number_read(const unsigned char in[4])
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

void way_number_write(uint32_t number, unsigned char out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(number >> (24 - 8 * i));
}

/* ---- the head ---- */

static bool fits(const struct way_head *h)
{
    switch (h->type) {
    case WAY_HELLO:
        return h->stream == 0 && h->len == WAY_HELLO_SIZE;
    case WAY_PING:
        return h->stream == 0 && h->len == 0;
    case WAY_OPEN:
        return h->len == WAY_OPEN_SIZE;
    case WAY_DATA:
        return h->len > 0 && h->len <= WAY_DATA_MAX;
    case WAY_WINDOW:
        return h->len == 4;
    case WAY_END:
    case WAY_RESET:
        return h->len == 0;
    }
    return false;
}

bool way_head_read(const unsigned char in[WAY_HEAD_SIZE], struct way_head *ret)
{
    struct way_head h = {
        .type = (enum way_frame)in[0],
        .stream = way_number_read(in + 1),
        .len = (size_t)in[5] << 16 | (size_t)in[6] << 8 | in[7],
    };
    if (in[0] < WAY_HELLO || in[0] > WAY_PING || !fits(&h))
        return false;
    *ret = h;
    return true;
}

void way_head_write(const struct way_head *head, unsigned char out[WAY_HEAD_SIZE])
{
    out[0] = (unsigned char)head->type;
    way_number_write(head->stream, out + 1);
    for (int i = 0; i < 3; i++)
        out[5 + i] = (unsigned char)(head->len >> (16 - 8 * i));
}

/* ---- HELLO ---- */

bool way_hello_read(const unsigned char in[WAY_HELLO_SIZE], struct way_hello *ret)
{
    struct way_hello hello = {in[0], way_number_read(in + 1), way_number_read(in + 5)};
    if (hello.version == 0 || hello.tag == 0)
        return false;
    *ret = hello;
    return true;
}

void way_hello_write(const struct way_hello *hello, unsigned char out[WAY_HELLO_SIZE])
{
    out[0] = (unsigned char)hello->version;
    way_number_write(hello->tag, out + 1);
    way_number_write(hello->expected, out + 5);
}

/* ---- OPEN ---- */

/* family 1 (4, 6; 0: a Unix socket) | address 16 | port 2 */
static bool read_address(const unsigned char *in, struct net_address *ret)
{
    struct net_address a = {0};
    in_port_t port = htons((uint16_t)(in[17] << 8 | in[18]));
    if (in[0] == 4) {
        a.len = sizeof(a.v4);
        a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&a.v4.sin_addr, in + 1, 4);
    } else if (in[0] == 6) {
        a.len = sizeof(a.v6);
        a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        memcpy(&a.v6.sin6_addr, in + 1, 16);
    } else {
        a.len = sizeof(sa_family_t);
        a.any.sa_family = AF_UNIX;
    }
    *ret = a;
    return in[0] == 0 || in[0] == 4 || in[0] == 6;
}

static void write_address(const struct net_address *a, unsigned char *out)
{
    uint16_t port = net_address_port(a);
    memset(out, 0, WAY_ADDRESS_SIZE);
    if (a->any.sa_family == AF_INET) {
        out[0] = 4;
        memcpy(out + 1, &a->v4.sin_addr, 4);
    } else if (a->any.sa_family == AF_INET6) {
        out[0] = 6;
        memcpy(out + 1, &a->v6.sin6_addr, 16);
    }
    out[17] = (unsigned char)(port >> 8);
    out[18] = (unsigned char)port;
}

bool way_open_read(const unsigned char in[WAY_OPEN_SIZE], struct way_open *ret)
{
    struct way_open open = {
        .secure = in[0] & FLAG_SECURE,
        .worker = (uint16_t)(in[1] << 8 | in[2]),
        .age_ms = way_number_read(in + 3),
    };
    if (in[0] > FLAG_SECURE || !read_address(in + 7, &open.peer) ||
        !read_address(in + 7 + WAY_ADDRESS_SIZE, &open.local))
        return false;
    *ret = open;
    return true;
}

void way_open_write(const struct way_open *open, unsigned char out[WAY_OPEN_SIZE])
{
    out[0] = open->secure ? FLAG_SECURE : 0;
    out[1] = (unsigned char)(open->worker >> 8);
    out[2] = (unsigned char)open->worker;
    way_number_write(open->age_ms, out + 3);
    write_address(&open->peer, out + 7);
    write_address(&open->local, out + 7 + WAY_ADDRESS_SIZE);
}
