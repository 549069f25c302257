/* SPDX-License-Identifier: MIT */
/* seat_process.c - a process of the page's own, with descriptor 3.
 *
 * It may say `.shared` before anything else: then the process becomes one for many pages, and the
 * request that it was started for is answered as if it came only now.
 */
#include "page/seat_program.h"

#include "base/log.h"
#include "base/pack.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/hear.h"
#include "page/host.h"
#include "page/waiting.h"
#include "program/command.h"
#include "program/shared.h"
#include "proto/close_code.h"

/* ---- `.shared` ---- */

static void forget_session(struct session *s)
{
    (void)s;
}

static const struct session_ops nobodys_ops = {.on_over = forget_session};

/* The request goes its own way, without this page: all that was made for the request is undone. */
static void dissolve(struct page *p)
{
    p->grant = NULL;
    timer_stop(&p->leave_timer);
    page_answer_drop(p);
    if (p->session) {
        session_own(p->session, &nobodys_ops, NULL);
        session_abort(p->session, CLOSE_NORMAL, SLICE_LITERAL("shared"));
    }
    p->session = NULL;
    p->client = NULL;
    page_set_state(p, PAGE_ENDED);
}

/* The seat loses its process: to the pool, or for good if the process is one too many. */
static void give_away(struct seat *s, uint32_t processes)
{
    struct program *program = seat_program(s);
    bool stays = shared_adopt(program, processes);
    log_info("program.shared", log_slice("program", program->file), log_int("pid", program->pid),
             log_text("stays", stays ? "yes" : "no"));
    ((struct program_seat *)s)->program = NULL;
    if (!stays)
        program_disown(program);
}

static void become_shared(struct seat *s, uint32_t processes)
{
    struct page *p = s->page;
    struct page_host *host = p->host;
    struct page_visitor visitor = {page_origin(p), p->same_origin, p->grant};
    struct site_found found = {.kind = SITE_PROGRAM, .fd = -1, .script_len = p->script_end};
    bool is_handshake = page_waits(p);
    memcpy(found.file, page_file(p).ptr, p->file_len + 1);
    struct exchange *x = page_take_exchange(p);
    dissolve(p);
    give_away(s, processes);
    if (x) /* else its client has broken off */
        host->request_again(host, x, &found, &visitor, is_handshake);
    page_settle(p);
}

static void hear_shared(struct seat *s, const struct message *m)
{
    uint32_t processes;
    struct page *p = s->page;
    if (!command_read_shared(m, &processes))
        page_refuse_command(p, m, COMMAND_SHARED_EXPECTED);
    else if (p->heard != PAGE_HEARD_NOTHING || page_answered(p) || p->kind == PAGE_HEAD ||
             !page_answer_unbegun(p))
        page_refuse_command(p, m, "comes before anything else of the program");
    else
        become_shared(s, processes);
}

/* ---- from the program ---- */

static enum parse_status on_line(struct program *program, struct slice in, size_t seen,
                                 size_t *used)
{
    struct message m;
    size_t want;
    struct seat *s = program->owner;
    struct page *p = s->page;
    size_t max = program_host_config(program->host)->line_max;
    enum parse_status status = p->kind == PAGE_PLAIN
                                   ? message_parse_line_escaped(in, seen, max, used, &want, &m)
                                   : message_parse_line(in, seen, max, used, &want, &m);
    if (status == PARSE_MORE)
        return PARSE_MORE;
    if (page_waits(p) && (status == PARSE_BAD || !command_is_shared(&m))) {
        p->heard = PAGE_HEARD_COMMAND; /* it is read when the client has been let in */
        *used = 0;
        return PARSE_OK;
    }
    if (status == PARSE_BAD)
        page_breach(p, m.why, slice_first(in, slice_find(in, '\n')));
    else if (command_is_shared(&m))
        hear_shared(s, &m);
    else
        page_hear(p, &m);
    return status;
}

static void on_last_line(struct program *program, struct slice line)
{
    page_breach(page_of_program(program), "the last line is not complete", line);
}

static const struct program_ops program_ops = {
    SEAT_PROGRAM_OWNER_OPS,
    .on_line = on_line,
    .on_last_line = on_last_line,
};

static enum seat_kind pack(const struct seat *s, struct pack *p)
{
    seat_program_pack(s, p);
    return SEAT_PROCESS;
}

static const struct seat_ops seat_ops = {
    SEAT_PROGRAM_OPS,
    .pack = pack,
    .whole_body = true, /* CGI */
    .send = seat_send_message,
    .write = seat_program_write,
    .write_long = seat_program_write_long,
    .write_text = seat_program_write_text,
    .write_shared = seat_program_write_shared,
};

struct seat *seat_process_new(struct page_host *host, const struct seat_wish *wish)
{
    return seat_program_new(host, wish, PROGRAM_PAGE, &seat_ops, &program_ops);
}

struct seat *seat_process_unpack(struct page_host *host, struct slice in)
{
    return seat_program_unpack(host, in, &seat_ops, &program_ops);
}
