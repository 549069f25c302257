/* SPDX-License-Identifier: MIT */
/* way_parts.h - between the files of a way: way.c (its life), way_streams.c, way_input.c. */
#ifndef CLUSTER_WAY_PARTS_H
#define CLUSTER_WAY_PARTS_H

#include "cluster/way.h"

enum {
    WAY_PLACE_BITS = 16
};

static inline uint32_t way_place_of(uint32_t number)
{
    return number & ((1u << WAY_PLACE_BITS) - 1);
}

/* ---- way_streams.c ---- */

void way_say(struct way *way, enum way_frame type, uint32_t stream, struct slice body);
void way_say_hello(struct way *way, uint32_t expected);
/* So much waits that no stream may send. */
bool way_is_full(const struct way *way);
/* There is room again. */
void way_drained(struct way *way);
/* Room for so many streams. False without memory. */
bool way_grow(struct way *way, uint32_t places);
/* NULL: it is over. */
struct way_stream *way_find(const struct way *way, uint32_t number);
/* From here on the owner has it. */
void way_detach(struct way_stream *s);
void way_reset_all(struct way *way);

/* ---- way_input.c ---- */

void way_receive(struct way *way, struct slice in);

#endif
