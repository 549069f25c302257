/* SPDX-License-Identifier: MIT */
/* pack.c - programs, for the process that takes over: the same children, with the descriptors that
 * they have the other ends of, and what has been read of them and not been taken. */
#include "program/parts.h"

#include "base/log.h"
#include "base/pack.h"

#include <stdlib.h>

enum {
    KIND = 1,
    STATE,
    FILE_NAME,
    MARK,
    PLACE,
    PID,
    PROCESS,
    STATUS,
    EXITED,
    DYING,
    LET_GO,
    ANSWERING,
    END_DUE_MS,
    POLL_DUE_MS,
    POLL_MS,
    KILLS,
    BODY,
    OUTPUT,
    LINES,
    ERR,
    LINE,
    LINE_SEEN,
    SHUT,
    ERR_LINE,
    ERR_REST,
    ERR_DUE_MS,
    ERR_BUDGET,
    VERSION,
    /* of a descriptor */
    PIPE_IO = 1,
    PIPE_LAST,
    PIPE_LEFT,
};

static void pack_pipe(const struct program_pipe *pipe, uint32_t tag, struct pack *p)
{
    if (pipe->state != PIPE_OPEN)
        return;
    size_t field = pack_begin(p, tag), io = pack_begin(p, PIPE_IO);
    io_pack(&pipe->io, p);
    pack_end(p, io);
    pack_number(p, PIPE_LAST, pipe->last);
    pack_number(p, PIPE_LEFT, pipe->left);
    pack_end(p, field);
}

static void pack_end_of(const struct program *program, struct pack *p)
{
    pack_number(p, STATUS, (uint64_t)(uint32_t)program->status);
    pack_number(p, EXITED, program->exited);
    pack_number(p, DYING, program->dying);
    pack_number(p, LET_GO, program->let_go);
    pack_number(p, ANSWERING, program->answering);
    pack_number(p, END_DUE_MS, timer_due_ms(&program->end_timer));
    pack_number(p, POLL_DUE_MS, timer_due_ms(&program->poll_timer));
    pack_number(p, POLL_MS, program->poll_ms);
    pack_number(p, KILLS, (uint64_t)program->kills);
}

static void pack_read(const struct program *program, struct pack *p)
{
    pack_slice(p, LINE, slice_make(program->line, program->line_len));
    pack_number(p, LINE_SEEN, program->line_seen);
    pack_number(p, SHUT, program->shut);
    pack_slice(p, ERR_LINE, slice_make(program->err_line, program->err_len));
    pack_slice(p, ERR_REST, text_slice(&program->err_rest));
    pack_number(p, ERR_DUE_MS, timer_due_ms(&program->err_timer));
    pack_number(p, ERR_BUDGET, program->err_budget);
}

void program_pack(const struct program *program, struct pack *p)
{
    pack_number(p, KIND, program->kind);
    pack_number(p, STATE, program->state);
    pack_slice(p, FILE_NAME, program->file);
    pack_slice(p, MARK, slice_of(program->mark));
    size_t place = pack_begin(p, PLACE);
    room_pack(&program->place, p);
    pack_end(p, place);
    pack_number(p, PID, (uint64_t)program->pid);
    size_t process = pack_begin(p, PROCESS);
    process_pack(&program->process, p);
    pack_end(p, process);
    pack_end_of(program, p);
    pack_pipe(&program->body, BODY, p);
    pack_pipe(&program->output, OUTPUT, p);
    pack_pipe(&program->lines, LINES, p);
    pack_pipe(&program->err, ERR, p);
    pack_read(program, p);
    pack_slice(p, VERSION, slice_make((const char *)&program->version, sizeof(program->version)));
}

/* ---- read ---- */

static bool unpack_pipe(struct program *program, struct program_pipe *pipe, struct slice in,
                        const struct io_ops *ops)
{
    if (!in.len)
        return true;
    int error = io_unpack(program->host->spec.loop, &pipe->io, packed_slice(in, PIPE_IO), ops);
    if (error) {
        log_lack("take over a descriptor", error);
        return false;
    }
    pipe->state = PIPE_OPEN;
    pipe->last = packed_number(in, PIPE_LAST);
    pipe->left = (size_t)packed_number(in, PIPE_LEFT);
    return true;
}

static bool unpack_pipes(struct program *program, struct slice in)
{
    return unpack_pipe(program, &program->body, packed_slice(in, BODY), &program_body_io_ops) &&
           unpack_pipe(program, &program->output, packed_slice(in, OUTPUT),
                       &program_output_io_ops) &&
           unpack_pipe(program, &program->lines, packed_slice(in, LINES), &program_lines_io_ops) &&
           unpack_pipe(program, &program->err, packed_slice(in, ERR), &program_stderr_io_ops);
}

/* A copy on the heap; NULL: empty, or no memory, which is noted in *good. */
static char *copy(struct slice bytes, bool *good)
{
    char *copied = bytes.len ? log_needed(malloc(bytes.len)) : NULL;
    if (copied)
        memcpy(copied, bytes.ptr, bytes.len);
    *good = *good && (copied || !bytes.len);
    return copied;
}

static bool unpack_read(struct program *program, struct slice in)
{
    bool good = true;
    struct slice line = packed_slice(in, LINE);
    program->line = copy(line, &good);
    if (program->line)
        program->line_len = program->line_size = program->line_most = line.len;
    program->line_seen = (size_t)packed_number(in, LINE_SEEN);
    program->shut = packed_number(in, SHUT);
    text_put(&program->err_rest, packed_slice(in, ERR_REST));
    program_stderr_keep(program, packed_slice(in, ERR_LINE));
    program->err_budget = (size_t)packed_number(in, ERR_BUDGET);
    return good && program->line_seen <= program->line_len && !program->err_rest.failed;
}

static void unpack_end(struct program *program, struct slice in)
{
    struct loop *loop = program->host->spec.loop;
    program->status = (int)(uint32_t)packed_number(in, STATUS);
    program->exited = packed_number(in, EXITED);
    program->dying = packed_number(in, DYING);
    program->let_go = packed_number(in, LET_GO);
    program->answering = packed_number(in, ANSWERING);
    program->poll_ms = (uint32_t)packed_number(in, POLL_MS);
    program->kills = (int)packed_number(in, KILLS);
    struct slice version = packed_slice(in, VERSION); /* of its file */
    if (version.len == sizeof(program->version))
        memcpy(&program->version, version.ptr, version.len);
    timer_start_at(loop, &program->end_timer, packed_number(in, END_DUE_MS));
    timer_start_at(loop, &program->poll_timer, packed_number(in, POLL_DUE_MS));
    timer_start_at(loop, &program->err_timer, packed_number(in, ERR_DUE_MS));
}

static bool unpack_process(struct program *program, struct slice in)
{
    struct program_host *host = program->host;
    program->pid = (pid_t)packed_number(in, PID);
    if (program->pid == 0)
        return false; /* it had not been started */
    int error = process_unpack(host->spec.loop, &program->process, packed_slice(in, PROCESS),
                               host->spec.cgroup, program_exited);
    if (error)
        log_lack("take over a process", error);
    return !error;
}

struct program *program_unpack(struct program_host *host, struct slice in,
                               const struct program_ops *ops, void *owner)
{
    struct slice mark = slice_first(packed_slice(in, MARK), PROGRAM_MARK_MAX - 1);
    uint64_t kind = packed_number(in, KIND), state = packed_number(in, STATE);
    if (kind > PROGRAM_LINES || state > PROGRAM_GONE || state == PROGRAM_NEW)
        return NULL;
    struct program *program =
        program_make(host, (enum program_kind)kind, packed_slice(in, FILE_NAME), ops, owner);
    if (!program)
        return NULL;
    room_unpack(&host->room, &program->place, packed_slice(in, PLACE));
    memcpy(program->mark, mark.ptr ? mark.ptr : "", mark.len);
    program->state = (enum program_state)state;
    bool good =
        unpack_process(program, in) && unpack_pipes(program, in) && unpack_read(program, in);
    unpack_end(program, in);
    if (good)
        return program;
    program_disown(program); /* its process ends as that of a page that nobody wants */
    return NULL;
}
