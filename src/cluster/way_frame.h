/* SPDX-License-Identifier: MIT */
/* way_frame.h - what two servers say to each other on a way (way.h): pure reading and writing.
 *
 *   head       type 1 | stream 4 | length 3, then `length` bytes; numbers are big-endian
 *
 *   HELLO   1  stream 0: version 1 | tag of the sender 4 | tag that it looks for 4 (0: any). The
 *              first frame of each side; both then speak the lower of the two versions
 *   OPEN    2  a connection, as struct way_open; only from the side that has connected
 *   DATA    3  its bytes
 *   WINDOW  4  so many bytes more may be sent on it: 4
 *   END     5  the sender sends nothing more on it
 *   RESET   6  it is over
 *   PING    7  stream 0: for a side that has nothing else to say
 *
 * The number of a stream is a place, its low 16 bits, and how often the place was used before. A
 * frame for a stream that is over is on its way still, and is passed over.
 */
#ifndef CLUSTER_WAY_FRAME_H
#define CLUSTER_WAY_FRAME_H

#include "http/server.h"

enum way_frame {
    WAY_HELLO = 1,
    WAY_OPEN,
    WAY_DATA,
    WAY_WINDOW,
    WAY_END,
    WAY_RESET,
    WAY_PING
};

enum {
    WAY_VERSION = 1,
    WAY_HEAD_SIZE = 8,
    WAY_HELLO_SIZE = 9,
    WAY_ADDRESS_SIZE = 19,
    WAY_OPEN_SIZE = 7 + 2 * WAY_ADDRESS_SIZE,
    WAY_SMALL_MAX = WAY_OPEN_SIZE, /* the body of any frame but DATA */
    WAY_DATA_MAX = 16384 - WAY_HEAD_SIZE,
    WAY_NO_WORKER = 0xffff
};

struct way_head {
    enum way_frame type;
    uint32_t stream;
    size_t len;
};

struct way_hello {
    unsigned version;
    uint32_t tag, expected;
};

/* A client's connection, as the server that passes it on knows it. */
struct way_open {
    struct net_address peer, local; /* family AF_UNIX: of a Unix socket */
    bool secure;
    uint32_t age_ms; /* since its last bytes have come */
    uint16_t worker; /* that has its session; WAY_NO_WORKER: any */
};

/* False: no such type, a length that the type can't have, or a stream where there is none. */
bool way_head_read(const unsigned char in[WAY_HEAD_SIZE], struct way_head *ret);
void way_head_write(const struct way_head *head, unsigned char out[WAY_HEAD_SIZE]);
/* False: a version that nobody speaks, or no tag. */
bool way_hello_read(const unsigned char in[WAY_HELLO_SIZE], struct way_hello *ret);
void way_hello_write(const struct way_hello *hello, unsigned char out[WAY_HELLO_SIZE]);
/* False: an address of no family that is known, or a flag that is not. */
bool way_open_read(const unsigned char in[WAY_OPEN_SIZE], struct way_open *ret);
void way_open_write(const struct way_open *open, unsigned char out[WAY_OPEN_SIZE]);
uint32_t way_number_read(const unsigned char in[4]);
void way_number_write(uint32_t number, unsigned char out[4]);

#endif
