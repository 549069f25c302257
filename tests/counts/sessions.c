/* SPDX-License-Identifier: MIT */
/* sessions.c - rows: an event of a session on its way to a program and back. The program sends back
 * each line as it is; what came in one callback leaves together.
 */
#include "crowd.h"

#include <errno.h>
#include <unistd.h>

/* ---- a session's events, to the program and back ---- */

static void on_message(struct session *s, const struct message *m)
{
    struct line *line = session_owner(s);
    struct message_line head;
    message_line_head(m, &head);
    size_t len = head.before_len + m->body.len + 1;
    char *room = io_claim(&line->io, len);
    if (!room)
        counts_fail("no room");
    memcpy(room, head.before, head.before_len);
    memcpy(room + head.before_len, m->body.ptr, m->body.len);
    room[len - 1] = '\n';
    session_taken(s);
}

static void send_queued(struct loop_after *after)
{
    struct line *line = container_of(after, struct line, after);
    session_flush(line->session);
}

static void on_lines(struct io *io, struct bytes data)
{
    struct line *line = container_of(io, struct line, io);
    struct slice in = slice_from_bytes(data);
    while (in.len) {
        struct message m;
        size_t used, want;
        if (message_parse_line(in, 0, 1 << 20, &used, &want, &m) != PARSE_OK)
            counts_fail("a line that is cut");
        session_queue(line->session, &m);
        in = slice_skip(in, used);
    }
    loop_after(&line->after);
}

static void on_lines_end(struct io *io, int error)
{
    (void)io;
    errno = -error;
    counts_fail("the program's end");
}

static const struct io_ops program_ops = {.on_recv = on_lines, .on_end = on_lines_end};

/* ---- both ends ---- */

static void say(struct line *line)
{
    static char out[CROWD_BUFFER];
    size_t at = 0;
    for (unsigned i = 0; i < line->crowd->depth; i++)
        at += crowd_frame(out + at, SLICE_LITERAL("e " CROWD_DATA));
    crowd_write(line->fd, out, at);
}

static void run_program(struct line *line)
{
    static char in[CROWD_BUFFER];
    ssize_t n = read(line->program, in, sizeof(in));
    if (n <= 0)
        counts_fail("no line");
    crowd_write(line->program, in, (size_t)n);
}

static void open_program(struct crowd *s, struct line *line)
{
    int fd;
    counts_pair(&fd, &line->program);
    if (io_open(s->loop, &line->io, fd, &program_ops, false))
        counts_fail("io_open");
    loop_after_init(&line->after, s->loop, send_queued);
}

/* ---- the rows ---- */

static unsigned run_session(unsigned lines, unsigned depth, unsigned rounds)
{
    struct crowd *s = crowd_open(lines, depth, false, on_message);
    for (unsigned i = 0; i < lines; i++)
        open_program(s, &s->lines[i]);
    crowd_turn(s);
    crowd_each(s, crowd_begin);
    for (unsigned i = 0; i < CROWD_BEFORE + rounds; i++) {
        crowd_each(s, say);
        counted(i >= CROWD_BEFORE, crowd_turn, s);
        crowd_each(s, run_program);
        counted(i >= CROWD_BEFORE, crowd_turn, s);
        crowd_each(s, crowd_hear);
        crowd_has_heard(s, (i + 1) * depth);
        crowd_each(s, crowd_acknowledge);
    }
    return rounds * lines * depth;
}

#define ROW(name, call)                                                                            \
    static unsigned name(void)                                                                     \
    {                                                                                              \
        return call;                                                                               \
    }

ROW(one, run_session(16, 1, 128))
ROW(sixteen, run_session(16, 16, 16))
ROW(many, run_session(4, 256, 8))

const struct counts_row session_rows[] = {
    {"session-20-1", one},
    {"session-20-16", sixteen},
    {"session-20-256", many},
    {0},
};
