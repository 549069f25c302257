/* SPDX-License-Identifier: MIT */
/* seat_lines.c - a program that reads lines and writes lines, as websocketd runs them: a message is
 * a line.
 *
 *   the client's message ──> stdin, and LF          a line of stdout, without its LF ──> a message
 *
 * Such programs know of no descriptor 3, no page and no session. Stdout is a pipe unless the
 * operator wants a terminal (docs/decisions/stdio-pipe.md), in raw mode; stdin is a pipe. A line
 * that is no UTF-8 is bytes, in both forms of the wire.
 */
#include "page/seat_program.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/utf8.h"
#include "page/hear.h"
#include "page/host.h"
#include "proto/close_code.h"

#include <stdlib.h>

/* ---- to the program ---- */

static void write_line(struct seat *s, struct slice line)
{
    program_write(seat_program(s), (struct slice[]){line, SLICE_LITERAL("\n")}, 2);
}

/* A string is its text, any other JSON is itself, nothing at all is an empty line. */
static void write_json(struct seat *s, struct slice json)
{
    struct slice plain;
    if (json_plain_text(json, &plain)) {
        write_line(s, plain);
        return;
    }
    char *text = log_needed(malloc(json.len + 1));
    size_t len;
    if (!text) {
        page_fault(s->page);
        return;
    }
    if (json_unquote_valid(json, text, &len))
        json = slice_make(text, len);
    write_line(s, json);
    free(text);
}

/* A client that takes it for a program with events has to learn of it. */
static void refuse(struct page *p, const struct message *m)
{
    log_warn("program.stdio_event", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", page_pid(p)), log_text("session", p->mark), log_slice("line", m->head),
             log_text("why", "a stdio program takes only events `message`"));
    page_stop(p, CLOSE_WIRE_PROTOCOL,
              SLICE_LITERAL("wire-protocol: this program takes only events `message`"));
}

static void send_message(struct seat *s, const struct message *m)
{
    if (!seat_program(s))
        return;
    if (m->kind != MESSAGE_EVENT || !slice_equal(m->name, SLICE_LITERAL("message")))
        refuse(s->page, m);
    else if (m->binary || m->text)
        write_line(s, m->body);
    else
        write_json(s, m->body);
}

/* Lines of the server's own mean nothing to it. */
static void write_nothing(struct seat *s, const struct slice *pieces, int count)
{
    (void)s, (void)pieces, (void)count;
}

static void write_nothing_shared(struct seat *s, struct shared_bytes *line)
{
    (void)s, (void)line;
}

/* ---- from the program ---- */

static const char *const too_long = "a line that is too long";

static size_t line_max(const struct page *p)
{
    return program_host_config(p->host->spec.programs)->line_max;
}

static void deliver(struct page *p, struct slice line)
{
    bool is_text = utf8_valid(line);
    if (is_text && slice_ends_with(line, SLICE_LITERAL("\r")))
        line.len--;
    struct message m = {
        .kind = MESSAGE_EVENT,
        .binary = !is_text,
        .text = is_text,
        .head = SLICE_LITERAL("message"),
        .name = SLICE_LITERAL("message"),
        .body = line,
    };
    page_hear(p, &m);
}

static enum parse_status on_line(struct program *program, struct slice in, size_t seen,
                                 size_t *used)
{
    struct page *p = page_of_program(program);
    size_t end = seen + slice_find(slice_skip(in, seen), '\n');
    struct slice line = slice_first(in, end);
    size_t max = line_max(p);
    *used = end + 1;
    if (line.len <= max && end == in.len)
        return PARSE_MORE;
    if (line.len > max) {
        page_breach(p, too_long, line);
        return PARSE_BAD;
    }
    deliver(p, line);
    return PARSE_OK;
}

static void on_last_line(struct program *program, struct slice line)
{
    deliver(page_of_program(program), line);
}

static const struct program_ops program_ops = {
    SEAT_PROGRAM_OWNER_OPS,
    .on_line = on_line,
    .on_last_line = on_last_line,
};

static enum seat_kind pack(const struct seat *s, struct pack *p)
{
    seat_program_pack(s, p);
    return SEAT_LINES;
}

static const struct seat_ops seat_ops = {
    SEAT_PROGRAM_OPS,     .pack = pack,           .only_messages = true,
    .send = send_message, .write = write_nothing, .write_shared = write_nothing_shared,
};

struct seat *seat_lines_new(struct page_host *host, const struct seat_wish *wish)
{
    return seat_program_new(host, wish, PROGRAM_LINES, &seat_ops, &program_ops);
}

struct seat *seat_lines_unpack(struct page_host *host, struct slice in)
{
    return seat_program_unpack(host, in, &seat_ops, &program_ops);
}
