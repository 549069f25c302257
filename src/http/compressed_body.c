/* SPDX-License-Identifier: MIT */
/* compressed_body.c - a compressed copy on its way to one client. It is not copied: of the part
 * that the client has not taken, no more is in the connection's queue than of other answers. */
#include "http/file_answer.h"

#include "base/log.h"

#include <stdlib.h>

#define STEP 32768

struct compressed_body {
    struct compressor *compressor; /* borrowed: it outlives all exchanges */
    struct compressed *copy;       /* owned */
    struct slice rest;
};

static void drop(struct compressed_body *b)
{
    compressor_give_back(b->compressor, b->copy);
    free(b);
}

/* True if all has been written; the queue takes as much as it wants. */
static bool write_some(struct exchange *x, struct slice *rest)
{
    bool more = true;
    while (rest->len > 0 && more) {
        struct slice step = slice_first(*rest, STEP);
        more = exchange_write(x, step);
        *rest = slice_skip(*rest, step.len);
    }
    return rest->len == 0;
}

static void on_body(struct exchange *x, struct slice data)
{
    (void)x;
    (void)data;
}

static void on_body_end(struct exchange *x)
{
    (void)x;
}

static void on_writable(struct exchange *x)
{
    struct compressed_body *b = x->owner;
    if (write_some(x, &b->rest)) {
        drop(b);
        exchange_end(x);
    }
}

static void on_abort(struct exchange *x)
{
    drop(x->owner);
}

static const struct exchange_ops ops = {on_body, on_body_end, on_writable, on_abort};

void compressed_body_send(struct exchange *x, struct compressor *compressor,
                          struct compressed *copy, struct slice part)
{
    if (write_some(x, &part)) {
        compressor_give_back(compressor, copy);
        exchange_end(x);
        return;
    }
    struct compressed_body *b = log_needed(malloc(sizeof(*b)));
    if (!b) {
        compressor_give_back(compressor, copy);
        exchange_fail(x);
        return;
    }
    *b = (struct compressed_body){compressor, copy, part};
    x->ops = &ops;
    x->owner = b;
}
