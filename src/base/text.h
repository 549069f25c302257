/* SPDX-License-Identifier: MIT */
/* text.h - text that grows on the heap, for what is put together off the
 * hot path: metrics, JSON, messages.
 *
 * Running out of memory is remembered (`failed`) and looked at once, at the end.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"

struct text {
    char *ptr; /* owned, unless `fixed` */
    size_t len, room;
    bool failed;
    bool fixed; /* ptr is a buffer of the caller's: what has no room there fails */
};

/* A text in an array, which costs no memory; no need for text_done(). */
#define TEXT_IN(array) ((struct text){.ptr = (array), .room = sizeof(array), .fixed = true})

void text_put(struct text *t, struct slice s);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *t, const char *format, ...);
void text_done(struct text *t);

static inline struct slice text_slice(const struct text *t)
{
    return (struct slice){t->ptr, t->len};
}

#endif
