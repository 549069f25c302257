/* SPDX-License-Identifier: MIT */
/* text.h - text that grows on the heap, for output that is assembled off the hot path: metrics,
 * JSON, messages.
 *
 * A failed allocation sets `failed`, which the caller checks once, at the end.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"

struct text {
    char *ptr; /* owned, unless `fixed` */
    size_t len, room;
    bool failed;
    bool fixed; /* ptr is the caller's buffer: text that does not fit sets `failed` */
};

/* A text in an array, without memory from the heap; text_done() is not needed. */
#define TEXT_IN(array) ((struct text){.ptr = (array), .room = sizeof(array), .fixed = true})

void text_put(struct text *t, struct slice s);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *t, const char *format, ...);
void text_done(struct text *t);

static inline struct slice text_slice(const struct text *t)
{
    return (struct slice){t->ptr, t->len};
}

#endif
