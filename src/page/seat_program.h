/* SPDX-License-Identifier: MIT */
/* seat_program.h - what seats with a process of their own have in common. */
#ifndef PAGE_SEAT_PROGRAM_H
#define PAGE_SEAT_PROGRAM_H

#include "page/seat.h"
#include "page/seat_text.h"
#include "program/program.h"

struct program_seat {
    struct seat seat;
    struct program *program; /* NULL: it is over, or another's now */
    struct seat_text text;
};

/* NULL: a limit, or no memory. */
struct seat *seat_program_new(struct page_host *host, const struct seat_wish *wish,
                              enum program_kind kind, const struct seat_ops *ops,
                              const struct program_ops *program_ops);

/* For the process that takes over. */
void seat_program_pack(const struct seat *s, struct pack *p);
struct seat *seat_program_unpack(struct page_host *host, struct slice in,
                                 const struct seat_ops *ops, const struct program_ops *program_ops);

static inline struct program *seat_program(const struct seat *s)
{
    return ((const struct program_seat *)s)->program;
}
static inline struct page *page_of_program(const struct program *p)
{
    return ((struct seat *)p->owner)->page;
}

/* Operations of a seat. */
int seat_program_begin(struct seat *s, const struct program_request *request, int body);
void seat_program_write(struct seat *s, const struct slice *pieces, int count);
void seat_program_write_long(struct seat *s, struct slice begin, struct shared_bytes *whole,
                             size_t at, size_t len);
void seat_program_write_text(struct seat *s, const struct message *m);
size_t seat_program_held(const struct seat *s);
bool seat_program_speaking(const struct seat *s);
void seat_program_write_shared(struct seat *s, struct shared_bytes *line);
bool seat_program_open(const struct seat *s);
size_t seat_program_queued(const struct seat *s);
bool seat_program_has_taken(const struct seat *s);
bool seat_program_has_read(const struct seat *s);
bool seat_program_is_waiting(const struct seat *s);
bool seat_program_file_changed(const struct seat *s);
void seat_program_flush(struct seat *s);
bool seat_program_body(struct seat *s, struct slice data);
void seat_program_body_end(struct seat *s);
void seat_program_body_stop(struct seat *s);
void seat_program_resume(struct seat *s);
void seat_program_pause_answer(struct seat *s, bool paused);
void seat_program_shut(struct seat *s);
void seat_program_note_reason(struct seat *s, struct slice reason);
void seat_program_let_go(struct seat *s);
void seat_program_kill(struct seat *s);
void seat_program_settle(struct seat *s, bool answered);
bool seat_program_alive(const struct seat *s);
bool seat_program_silent(const struct seat *s);
enum program_fate seat_program_fate(struct seat *s);
bool seat_program_ended(const struct seat *s, unsigned *ret_code, char text[64],
                        struct slice *ret_reason);
bool seat_program_gone(const struct seat *s);
int seat_program_pid(const struct seat *s);
struct room_place *seat_program_place(struct seat *s);
void seat_program_free(struct seat *s);
#define SEAT_PROGRAM_OPS                                                                           \
    .held = seat_program_held, .speaking = seat_program_speaking, .begin = seat_program_begin,     \
    .open = seat_program_open, .queued = seat_program_queued, .has_taken = seat_program_has_taken, \
    .flush = seat_program_flush, .body = seat_program_body, .body_end = seat_program_body_end,     \
    .body_stop = seat_program_body_stop, .resume = seat_program_resume,                            \
    .pause_answer = seat_program_pause_answer, .shut = seat_program_shut,                          \
    .note_reason = seat_program_note_reason, .let_go = seat_program_let_go,                        \
    .kill = seat_program_kill, .settle = seat_program_settle, .alive = seat_program_alive,         \
    .silent = seat_program_silent, .fate = seat_program_fate, .ended = seat_program_ended,         \
    .gone = seat_program_gone, .pid = seat_program_pid, .place = seat_program_place,               \
    .free = seat_program_free, .has_read = seat_program_has_read,                                  \
    .is_waiting = seat_program_is_waiting, .file_changed = seat_program_file_changed

/* Operations of the program's owner. */
enum program_reading seat_program_reading(const struct program *p);
void seat_program_on_fault(struct program *p, int error);
void seat_program_on_output(struct program *p, struct slice data);
void seat_program_on_output_end(struct program *p);
void seat_program_on_stderr(struct program *p, struct slice line);
void seat_program_on_drain(struct program *p);
void seat_program_on_body_drain(struct program *p);
void seat_program_on_settle(struct program *p);
void seat_program_on_over(struct program *p);
#define SEAT_PROGRAM_OWNER_OPS                                                                     \
    .reading = seat_program_reading, .on_fault = seat_program_on_fault,                            \
    .on_output = seat_program_on_output, .on_output_end = seat_program_on_output_end,              \
    .on_stderr = seat_program_on_stderr, .on_drain = seat_program_on_drain,                        \
    .on_body_drain = seat_program_on_body_drain, .on_settle = seat_program_on_settle,              \
    .on_over = seat_program_on_over

#endif
