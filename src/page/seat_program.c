/* SPDX-License-Identifier: MIT */
#include "page/seat_program.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/answer.h"
#include "page/hear.h"
#include "page/host.h"
#include "proto/close_code.h"

#include <errno.h>
#include <stdlib.h>

/* ---- its life ---- */

struct seat *seat_program_new(struct page_host *host, const struct seat_wish *wish,
                              enum program_kind kind, const struct seat_ops *ops,
                              const struct program_ops *program_ops)
{
    struct program_spec spec = {
        .host = host->spec.programs,
        .kind = kind,
        .file = wish->found->file,
        .command = wish->command,
        .client = wish->client,
    };
    struct program_seat *s = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->seat.ops = ops;
    s->program = program_new(&spec, program_ops, s);
    if (s->program)
        return &s->seat;
    free(s);
    return NULL;
}

int seat_program_begin(struct seat *s, const struct program_request *request, int body)
{
    struct page *p = s->page;
    struct program *program = seat_program(s);
    memcpy(program->mark, p->mark, sizeof(p->mark));
    int error = program_start(program, request, body);
    if (error == 0)
        log_info("program.started", log_slice("program", page_file(p)),
                 log_int("pid", program->pid), log_text("session", p->mark),
                 log_text("client", page_address(p)));
    return error;
}

static void forget(struct seat *s)
{
    struct program_seat *own = (struct program_seat *)s;
    struct program *program = own->program;
    own->program = NULL;
    seat_text_drop(&own->text);
    if (program)
        program_disown(program);
}

static struct seat_text *text_of(struct seat *s)
{
    return &((struct program_seat *)s)->text;
}

/* It has read nothing for a while: it is not waited for. */
static void on_late(struct timer *timer)
{
    struct seat_text *text = container_of(timer, struct seat_text, timer);
    struct program_seat *s = container_of(text, struct program_seat, text);
    seat_text_drop(text);
    if (!s->program)
        return;
    program_let_go(s->program);
    page_settle(s->seat.page);
}

void seat_program_let_go(struct seat *s)
{
    struct program *program = seat_program(s);
    if (program && program->state == PROGRAM_NEW)
        forget(s);
    else if (program)
        seat_text_let_go(text_of(s), program, on_late);
}

void seat_program_kill(struct seat *s)
{
    struct program *program = seat_program(s);
    seat_text_drop(text_of(s));
    if (program && program->state == PROGRAM_NEW)
        forget(s);
    else if (program)
        program_kill(program);
}

void seat_program_note_reason(struct seat *s, struct slice reason)
{
    (void)s, (void)reason; /* the program learns of the end, not why */
}

void seat_program_settle(struct seat *s, bool answered)
{
    if (seat_program(s) && answered)
        program_answered(seat_program(s));
}

bool seat_program_alive(const struct seat *s)
{
    return seat_program(s) && seat_program(s)->state != PROGRAM_GONE;
}

bool seat_program_silent(const struct seat *s)
{
    return !seat_program(s) || program_is_silent(seat_program(s));
}

enum program_fate seat_program_fate(struct seat *s)
{
    return seat_program(s) ? program_fate(seat_program(s)) : PROGRAM_WILLING;
}

bool seat_program_ended(const struct seat *s, unsigned *ret_code, char text[64],
                        struct slice *ret_reason)
{
    const struct program *program = seat_program(s);
    if (program && !program_has_ended(program))
        return false;
    bool failed = program && program->status != 0;
    *ret_code = failed ? CLOSE_PROGRAM_FAILED : CLOSE_NORMAL;
    *ret_reason = program ? program_end_reason(program, text) : SLICE_LITERAL("program-exit");
    return true;
}

bool seat_program_gone(const struct seat *s)
{
    return !seat_program(s);
}

int seat_program_pid(const struct seat *s)
{
    return seat_program(s) ? (int)seat_program(s)->pid : 0;
}

struct room_place *seat_program_place(struct seat *s)
{
    return seat_program(s) ? &seat_program(s)->place : NULL;
}

void seat_program_free(struct seat *s)
{
    free((struct program_seat *)s);
}

/* ---- to the program ---- */

void seat_program_write(struct seat *s, const struct slice *pieces, int count)
{
    if (seat_text_under_way(text_of(s)))
        seat_text_later(text_of(s), pieces, count);
    else if (seat_program(s))
        program_write(seat_program(s), pieces, count);
}

void seat_program_write_shared(struct seat *s, struct shared_bytes *line)
{
    if (seat_text_under_way(text_of(s)))
        seat_program_write(s, &(struct slice){line->bytes, line->len}, 1);
    else if (seat_program(s))
        program_write_shared(seat_program(s), line);
}

void seat_program_write_long(struct seat *s, struct slice begin, struct shared_bytes *whole,
                             size_t at, size_t len)
{
    struct program *program = seat_program(s);
    struct slice pieces[] = {begin, slice_make(whole->bytes + at, len), SLICE_LITERAL("\n")};
    if (seat_text_under_way(text_of(s))) {
        seat_program_write(s, pieces, 3);
    } else if (program) {
        program_write(program, pieces, 1);
        program_give_part(program, whole, at, len);
        program_write(program, pieces + 2, 1);
    }
}

void seat_program_write_text(struct seat *s, const struct message *m)
{
    if (!seat_program(s) || !program_open(seat_program(s)))
        return;
    if (!seat_text_begin(text_of(s), seat_program(s), m))
        page_stop(s->page, CLOSE_INTERNAL_ERROR, SLICE_LITERAL("out of memory"));
}

size_t seat_program_held(const struct seat *s)
{
    return (seat_program(s) ? program_held(seat_program(s)) : 0) +
           seat_text_held(&((const struct program_seat *)s)->text);
}

bool seat_program_speaking(const struct seat *s)
{
    return seat_text_under_way(&((const struct program_seat *)s)->text);
}

bool seat_program_open(const struct seat *s)
{
    return seat_program(s) && program_open(seat_program(s));
}

size_t seat_program_queued(const struct seat *s)
{
    return (seat_program(s) ? program_queued(seat_program(s)) : 0) +
           seat_text_held(&((const struct program_seat *)s)->text);
}

bool seat_program_has_taken(const struct seat *s)
{
    return seat_program(s) && !seat_program_speaking(s) && program_has_taken(seat_program(s));
}

bool seat_program_has_read(const struct seat *s)
{
    return seat_program(s) && !seat_program_speaking(s) && program_has_read(seat_program(s));
}

bool seat_program_is_waiting(const struct seat *s)
{
    return seat_program(s) && !seat_program_speaking(s) && program_is_waiting(seat_program(s));
}

bool seat_program_file_changed(const struct seat *s)
{
    return seat_program(s) && program_file_changed(seat_program(s));
}

void seat_program_flush(struct seat *s)
{
    if (seat_program(s))
        program_flush(seat_program(s));
}

bool seat_program_body(struct seat *s, struct slice data)
{
    return !seat_program(s) || program_body(seat_program(s), data);
}

void seat_program_body_end(struct seat *s)
{
    if (seat_program(s))
        program_body_end(seat_program(s));
}

void seat_program_body_stop(struct seat *s)
{
    if (seat_program(s))
        program_body_stop(seat_program(s));
}

void seat_program_resume(struct seat *s)
{
    if (seat_program(s))
        program_resume(seat_program(s));
}

void seat_program_pause_answer(struct seat *s, bool paused)
{
    if (seat_program(s))
        program_output_pause(seat_program(s), paused);
}

void seat_program_shut(struct seat *s)
{
    if (seat_program(s))
        program_shut(seat_program(s)); /* nothing is under way: the page has no client yet */
}

/* ---- from the program ---- */

enum program_reading seat_program_reading(const struct program *p)
{
    return page_reading(page_of_program(p));
}

void seat_program_on_fault(struct program *p, int error)
{
    program_log_fault(p, error);
    page_answer_fault(page_of_program(p));
}

void seat_program_on_output(struct program *p, struct slice data)
{
    page_answer_take(page_of_program(p), data);
}

void seat_program_on_output_end(struct program *p)
{
    page_answer_end(page_of_program(p));
}

void seat_program_on_stderr(struct program *p, struct slice line)
{
    page_seat_stderr(page_of_program(p), line);
}

void seat_program_on_drain(struct program *p)
{
    struct program_seat *s = p->owner;
    seat_text_go_on(&s->text, p);
    if (!seat_text_under_way(&s->text))
        page_seat_drained(page_of_program(p));
}

void seat_program_on_body_drain(struct program *p)
{
    page_body_drained(page_of_program(p));
}

void seat_program_on_settle(struct program *p)
{
    struct page *page = page_of_program(p);
    page_count(page); /* its stderr, for one */
    page_answer_settle(page);
    page_settle(page);
}

void seat_program_on_over(struct program *p)
{
    struct program_seat *s = p->owner;
    s->program = NULL;
    seat_text_drop(&s->text);
    page_settle(s->seat.page);
}

/* ---- for the process that takes over ---- */

enum {
    PROGRAM = 1,
    TEXT,
};

void seat_program_pack(const struct seat *s, struct pack *p)
{
    const struct program *program = seat_program(s);
    if (program) {
        size_t field = pack_begin(p, PROGRAM);
        program_pack(program, p);
        pack_end(p, field);
    }
    size_t text = pack_begin(p, TEXT);
    seat_text_pack(&((const struct program_seat *)s)->text, p);
    pack_end(p, text);
}

struct seat *seat_program_unpack(struct page_host *host, struct slice in,
                                 const struct seat_ops *ops, const struct program_ops *program_ops)
{
    struct slice program = packed_slice(in, PROGRAM);
    struct program_seat *s = log_needed(calloc(1, sizeof(*s)));
    if (!s)
        return NULL;
    s->seat.ops = ops;
    if (program.len)
        s->program = program_unpack(host->spec.programs, program, program_ops, s);
    if ((program.len && !s->program) ||
        !seat_text_unpack(&s->text, packed_slice(in, TEXT), s->program, on_late)) {
        forget(&s->seat);
        free(s);
        return NULL;
    }
    return &s->seat;
}
