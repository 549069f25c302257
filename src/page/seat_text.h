/* SPDX-License-Identifier: MIT */
/* seat_text.h - a long text on its way to a program, as a line with a JSON string. JSON may be six
 * times as long: it is written piece by piece, as the program reads.
 *
 *   none ──seat_text_begin──> under way ──the program has taken so much that all is written──> none
 *
 * Other lines wait meanwhile, and so does the program's end of file, while it reads on.
 */
#ifndef PAGE_SEAT_TEXT_H
#define PAGE_SEAT_TEXT_H

#include "base/text.h"
#include "program/program.h"
#include "proto/message.h"

struct seat_text {
    struct shared_bytes *text; /* a reference; NULL: none is under way */
    size_t at, end;            /* what of it is still to be written */
    struct text later;         /* lines that wait for its end */
    struct timer timer;        /* for a program that is let go: it reads on, or is not waited for */
    bool let_go;
};

static inline bool seat_text_under_way(const struct seat_text *t)
{
    return t->text;
}

/* Begins with `m`, of which all else is done here: none is under way. False without memory. */
bool seat_text_begin(struct seat_text *t, struct program *p, const struct message *m);
/* Lines to be written behind it. */
void seat_text_later(struct seat_text *t, const struct slice *pieces, int count);
/* The program has taken what was written. */
void seat_text_go_on(struct seat_text *t, struct program *p);
/* The program is to be let go: at once if none is under way, or else at its end, or once the
 * program has read nothing for so long. */
void seat_text_let_go(struct seat_text *t, struct program *p, void (*late)(struct timer *timer));
/* Nothing more is written. */
void seat_text_drop(struct seat_text *t);
size_t seat_text_held(const struct seat_text *t);
/* For the process that takes over. False without memory. `late` as of seat_text_let_go(). */
void seat_text_pack(const struct seat_text *t, struct pack *p);
bool seat_text_unpack(struct seat_text *t, struct slice in, struct program *p,
                      void (*late)(struct timer *timer));

#endif
