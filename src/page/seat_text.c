/* SPDX-License-Identifier: MIT */
#include "page/seat_text.h"

#include "base/heap.h"
#include "base/pack.h"
#include "proto/json.h"

#define PIECE      8192
#define QUEUED_MAX 131072 /* of the pieces, in the program's queue */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* A piece that ends between two characters. */
static struct slice next_piece(const struct seat_text *t)
{
    size_t len = t->end - t->at < PIECE ? t->end - t->at : PIECE;
    const char *bytes = t->text->bytes + t->at;
    while (t->at + len < t->end && len > PIECE - 4 && continues(bytes[len]))
        len--;
    return slice_make(bytes, len);
}

static void write_piece(struct program *p, struct slice text)
{
    char quoted[JSON_QUOTED_MAX(PIECE)];
    size_t len = json_quote(text, quoted);
    struct slice inside = slice_make(quoted + 1, len - 2);
    program_write(p, &inside, 1);
}

static void finish(struct seat_text *t, struct program *p)
{
    struct slice pieces[] = {SLICE_LITERAL("\"\n"), text_slice(&t->later)};
    program_write(p, pieces, t->later.len ? 2 : 1);
    seat_text_drop(t);
    if (t->let_go)
        program_let_go(p);
}

void seat_text_go_on(struct seat_text *t, struct program *p)
{
    if (!t->text)
        return;
    if (!program_open(p)) {
        seat_text_drop(t);
        return;
    }
    while (t->at < t->end && program_queued(p) <= QUEUED_MAX) {
        struct slice piece = next_piece(t);
        write_piece(p, piece);
        t->at += piece.len;
    }
    if (t->at == t->end)
        finish(t, p);
    else if (t->let_go)
        timer_start(program_host_loop(p->host), &t->timer,
                    program_host_config(p->host)->eof_grace_ms);
}

/* A text that lies in the loop's buffer is copied. */
bool seat_text_begin(struct seat_text *t, struct program *p, const struct message *m)
{
    struct shared_bytes *text = m->whole ? m->whole : shared_new(m->body.len);
    if (!text)
        return false;
    if (m->whole) {
        text->refs++;
        t->at = (size_t)(m->body.ptr - text->bytes);
    } else {
        memcpy(text->bytes, m->body.ptr, m->body.len);
        t->at = 0;
    }
    t->text = text;
    t->end = t->at + m->body.len;
    program_write(p, (struct slice[]){m->head, SLICE_LITERAL(" \"")}, 2);
    seat_text_go_on(t, p);
    return true;
}

void seat_text_later(struct seat_text *t, const struct slice *pieces, int count)
{
    for (int i = 0; i < count; i++)
        text_put(&t->later, pieces[i]);
}

void seat_text_let_go(struct seat_text *t, struct program *p, void (*late)(struct timer *timer))
{
    if (!t->text) {
        program_let_go(p);
        return;
    }
    if (t->let_go)
        return;
    t->let_go = true;
    timer_init(&t->timer, late);
    timer_start(program_host_loop(p->host), &t->timer, program_host_config(p->host)->eof_grace_ms);
}

void seat_text_drop(struct seat_text *t)
{
    if (t->text)
        shared_unref(t->text);
    t->text = NULL;
    text_done(&t->later);
    if (t->let_go)
        timer_stop(&t->timer);
}

size_t seat_text_held(const struct seat_text *t)
{
    return (t->text ? heap_cost(t->text->room, t->end) : 0) +
           heap_cost(t->later.room, t->later.len);
}

/* ---- for the process that takes over ---- */

enum {
    REST = 1,
    LATER,
    LET_GO,
};

void seat_text_pack(const struct seat_text *t, struct pack *p)
{
    if (!t->text)
        return;
    pack_slice(p, REST, slice_make(t->text->bytes + t->at, t->end - t->at));
    pack_slice(p, LATER, text_slice(&t->later));
    pack_number(p, LET_GO, t->let_go);
}

bool seat_text_unpack(struct seat_text *t, struct slice in, struct program *p,
                      void (*late)(struct timer *timer))
{
    struct slice rest = packed_slice(in, REST);
    if (!rest.len || !p)
        return true;
    t->text = shared_new(rest.len);
    if (!t->text)
        return false;
    memcpy(t->text->bytes, rest.ptr, rest.len);
    t->end = rest.len;
    text_put(&t->later, packed_slice(in, LATER));
    if (packed_number(in, LET_GO))
        seat_text_let_go(t, p, late);
    return !t->later.failed;
}
