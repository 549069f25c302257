/* SPDX-License-Identifier: MIT */
/* output.h - lines for a descriptor that may not take them yet: a buffer that is written as far as
 * possible without waiting.
 *
 * The descriptor stays blocking, as others may share it: it is written when poll(2) says so, no
 * more than a pipe then takes for sure.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    int fd; /* owned; -1: closed */
    char *bytes;
    size_t at, len, room;
    int error; /* positive errno: later output is thrown away */
};

/* Appends, however much there is already. */
void output_put(struct output *o, const void *data, size_t len);
static inline size_t output_waits(const struct output *o)
{
    return o->len - o->at;
}
/* Writes as much as goes without waiting; with `wait` all of it. */
void output_flush(struct output *o, bool wait);
void output_close(struct output *o);

#endif
