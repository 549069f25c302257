/* SPDX-License-Identifier: MIT */
/* seat_shared.c - one page of a shared process (program/shared.h). Its answer is `.answer` lines,
 * its request's body `.body` lines.
 *
 *   made ──begin: `.join`──> joined ──let go, and the answer is complete: `.leave`──> left
 *
 * The process is told `.full` of a page that takes no more, and `.ready` when the page goes on.
 * Lines that the process writes in spite of that are kept for the page, up to shared_page_max; then
 * the page's session ends.
 */
#include "page/seat.h"

#include "base/log.h"
#include "base/pack.h"
#include "base/pool.h"
#include "base/utf8.h"
#include "page/answer.h"
#include "page/answer_head.h"
#include "page/hear.h"
#include "page/host.h"
#include "page/streams.h"
#include "page/topics.h"
#include "program/shared.h"
#include "proto/close_code.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define REASON_MAX 48

static_assert(SHARED_ID_LEN == SESSION_ID_LEN, "a session's id leads its lines");

struct shared_seat {
    struct seat seat;
    struct shared_member member;
    struct shared_process *process; /* borrowed until begin: nothing comes in between */
    struct room_place place;        /* among the pages of its client */
    int pid;
    bool let_go;
    bool full; /* the program was told so */
    bool answer_behind;
    size_t answer_bytes; /* since then */
    char *reason;        /* owned; for `.leave`; NULL: "left" */
};

static_assert(sizeof(struct shared_seat) <= 208, "each page of a shared program has one");

static _Thread_local struct pool seats = POOL_OF(struct shared_seat);

static struct shared_seat *seat_of(struct shared_member *m)
{
    return container_of(m, struct shared_seat, member);
}

static const struct shared_seat *shared(const struct seat *s)
{
    return (const struct shared_seat *)s;
}

static struct program *program_of(const struct seat *s)
{
    struct shared_process *process = shared(s)->member.process;
    return process ? shared_program(process) : NULL;
}

/* ---- to the process ---- */

static void write_pieces(struct seat *s, const struct slice *pieces, int count)
{
    shared_write(&((struct shared_seat *)s)->member, pieces, count);
}

static void say(struct seat *s, const char *line)
{
    write_pieces(s, &(struct slice){line, strlen(line)}, 1);
}

static bool is_open(const struct seat *s)
{
    return !shared(s)->let_go && program_of(s) && program_open(program_of(s));
}

static void write_line(struct seat *s, const struct slice *pieces, int count)
{
    if (is_open(s))
        write_pieces(s, pieces, count);
}

/* It has to be led by the session. */
static void write_shared(struct seat *s, struct shared_bytes *line)
{
    write_line(s, &(struct slice){line->bytes, line->len}, 1);
}

/* Also after let_go: the request's body belongs to its answer. */
static bool body(struct seat *s, struct slice data)
{
    struct message_line line;
    struct message m = {
        .kind = MESSAGE_CONTROL, .binary = true, .head = SLICE_LITERAL(".body"), .body = data};
    message_line_head(&m, &line);
    struct slice pieces[] = {slice_make(line.before, line.before_len), data, SLICE_LITERAL("\n")};
    write_pieces(s, pieces, 3);
    return !page_crowded(s->page);
}

static void body_end(struct seat *s)
{
    const struct exchange *x = s->page->x;
    if (x && x->request->body != HTTP_BODY_NONE)
        say(s, ".body\n");
}

static void body_stop(struct seat *s)
{
    (void)s; /* its program sees that by `.leave` */
}

static size_t queued(const struct seat *s)
{
    const struct program *p = program_of(s);
    return p ? program_queued(p) + shared_pending(&shared(s)->member).len : 0;
}

static size_t held(const struct seat *s)
{
    return shared_pending(&shared(s)->member).len;
}

static bool has_taken(const struct seat *s)
{
    return shared_has_taken(&shared(s)->member);
}

static bool has_read(const struct seat *s)
{
    const struct shared_member *m = &shared(s)->member;
    return program_of(s) && !m->pending && program_has_read(program_of(s));
}

static bool is_waiting(const struct seat *s)
{
    const struct shared_member *m = &shared(s)->member;
    return program_of(s) && !m->pending && program_is_waiting(program_of(s));
}

static bool file_changed(const struct seat *s)
{
    return program_of(s) && program_file_changed(program_of(s));
}

static void retire(struct seat *s)
{
    if (shared(s)->member.process)
        shared_retire(shared(s)->member.process);
}

static void flush(struct seat *s)
{
    if (program_of(s))
        program_flush(program_of(s));
}

/* ---- who is slower ---- */

static bool takes_more(const struct shared_seat *s)
{
    const struct page *p = s->seat.page;
    if (s->answer_behind || page_streams_hold(p))
        return false;
    return !p->client || p->state >= PAGE_ENDED || p->client->writable(p);
}

static void look(struct shared_seat *s)
{
    bool full = !takes_more(s);
    if (full == s->full || !s->member.process)
        return;
    s->full = full;
    say(&s->seat, full ? ".full\n" : ".ready\n");
}

static void resume(struct seat *s)
{
    struct shared_seat *own = (struct shared_seat *)s;
    look(own);
    if (own->member.process)
        shared_resume(own->member.process);
}

static void pause_answer(struct seat *s, bool paused)
{
    struct shared_seat *own = (struct shared_seat *)s;
    if (own->answer_behind != paused) /* it may be said for each piece */
        own->answer_bytes = 0;
    own->answer_behind = paused;
    look(own);
}

static size_t backlog(const struct shared_member *m)
{
    const struct shared_seat *s = container_of(m, const struct shared_seat, member);
    const struct page *p = s->seat.page;
    return s->answer_bytes + page_streams_held(p) + (p->client ? p->client->backlog(p) : 0);
}

/* ---- leaving ---- */

static void leave(struct shared_seat *s)
{
    char quoted[6 * REASON_MAX + 2];
    struct slice reason = s->reason ? slice_of(s->reason) : SLICE_LITERAL("left");
    if (!s->member.process)
        return;
    shared_write_last(&s->member,
                      (struct slice[]){SLICE_LITERAL(".leave {\"reason\":"),
                                       slice_make(quoted, json_quote(reason, quoted)),
                                       SLICE_LITERAL("}\n")},
                      3);
    shared_leave(&s->member);
    room_release(&s->place);
}

/* The first one counts. */
static void note_reason(struct seat *s, struct slice reason)
{
    struct shared_seat *own = (struct shared_seat *)s;
    struct slice token = utf8_first(reason, REASON_MAX);
    if (!own->reason && token.len)
        own->reason = strndup(token.ptr, token.len);
}

static void let_go(struct seat *s)
{
    ((struct shared_seat *)s)->let_go = true;
}

/* What waits with it is lost. */
static void kill_seat(struct seat *s)
{
    shared_forget_pending(&((struct shared_seat *)s)->member);
    let_go(s);
}

static void shut(struct seat *s)
{
    (void)s; /* the process has other pages */
}

static void settle(struct seat *s, bool answered)
{
    struct shared_seat *own = (struct shared_seat *)s;
    if (own->let_go && answered)
        leave(own);
    else if (own->let_go && own->member.process) /* its topics are left: it is busy no more */
        shared_resume_later(own->member.process);
}

static bool has_joined(const struct seat *s)
{
    return shared(s)->member.process != NULL;
}

static bool has_left(const struct seat *s)
{
    return !has_joined(s);
}

static bool silent(const struct seat *s)
{
    (void)s; /* stderr is of all pages: nothing is waited for */
    return true;
}

static bool ended(const struct seat *s, unsigned *ret_code, char text[64], struct slice *ret_reason)
{
    (void)text;
    if (has_joined(s))
        return false;
    *ret_code = CLOSE_NORMAL;
    *ret_reason = SLICE_LITERAL("program-exit");
    return true;
}

static int pid(const struct seat *s)
{
    return shared(s)->pid;
}

static struct room_place *place(struct seat *s)
{
    return &((struct shared_seat *)s)->place;
}

static void free_seat(struct seat *s)
{
    struct shared_seat *own = (struct shared_seat *)s;
    room_release(&own->place);
    free(own->reason);
    pool_give(&seats, own);
}

/* ---- from the process: its answer ---- */

static void feed(struct shared_seat *s, struct slice data)
{
    if (s->answer_behind)
        s->answer_bytes += data.len;
    if (data.len > 0)
        page_answer_take(s->seat.page, data);
}

static void feed_string(struct shared_seat *s, const struct message *m)
{
    char *text = log_needed(malloc(m->body.len));
    size_t len;
    if (!text)
        page_answer_fail(s->seat.page, 503, "out of memory");
    else if (json_unquote_valid(m->body, text, &len))
        feed(s, slice_make(text, len));
    else
        page_refuse_command(s->seat.page, m, "expected .answer with a string or bytes");
    free(text);
}

/* An empty answer accepts a waiting client; a page needs its header block. */
static void finish(struct page *p)
{
    if (page_waits(p) && page_answer_unbegun(p))
        page_answer_accept(p, NULL);
    else
        page_answer_end(p);
}

static void take_answer(struct shared_seat *s, const struct message *m)
{
    if (m->binary)
        feed(s, m->body);
    else if (m->body.len > 0)
        feed_string(s, m);
    else
        finish(s->seat.page);
}

/* ---- from the process: everything else ---- */

static bool is_answer(const struct message *m)
{
    return m->kind == MESSAGE_CONTROL && slice_equal(m->name, SLICE_LITERAL("answer"));
}

static void on_message(struct shared_member *m, const struct message *message)
{
    struct shared_seat *s = seat_of(m);
    struct page *p = s->seat.page;
    size_t max = program_host_config(p->host->spec.programs)->shared_page_max;
    if (!is_answer(message) && page_unheard(p))
        return; /* it was on its way when the session ended */
    if (s->full && backlog(m) >= max)
        shared_overflow(m);
    else if (is_answer(message))
        take_answer(s, message);
    else if (p->kind == PAGE_PLAIN && page_waits(p))
        page_breach(p, "it comes before the client is let in", message->head);
    else
        page_hear(p, message);
    if (!takes_more(s))
        look(s);
    page_settle(p);
}

static void on_bad_line(struct shared_member *m, const char *why, struct slice line)
{
    struct page *p = seat_of(m)->seat.page;
    page_breach(p, why, line);
    page_settle(p);
}

static bool is_plain(const struct shared_member *m)
{
    return container_of(m, const struct shared_seat, member)->seat.page->kind == PAGE_PLAIN;
}

static bool busy(const struct shared_member *m)
{
    return page_topics_busy(container_of(m, const struct shared_seat, member)->seat.page);
}

static void on_overflow(struct shared_member *m)
{
    struct shared_seat *s = seat_of(m);
    struct page *p = s->seat.page;
    log_warn("program.overflow", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", s->pid), log_text("session", p->mark), log_int("bytes", backlog(m)),
             log_text("why", "the program went on writing to a page that was .full"));
    page_abort(p, CLOSE_PROGRAM_FAILED, SLICE_LITERAL("program-failed reason=overflow"));
    if (p->x && p->answer)
        page_answer_fail(p, 502, "the program's answer came faster than it was taken");
    page_let_go(p);
    leave(s);
    page_settle(p);
}

static void on_drain(struct shared_member *m)
{
    struct page *p = seat_of(m)->seat.page;
    page_seat_drained(p);
    page_body_drained(p);
    page_settle(p);
}

static void on_stderr(struct shared_member *m, struct slice line)
{
    page_seat_stderr(seat_of(m)->seat.page, line);
}

static void on_end(struct shared_member *m, unsigned code, struct slice reason)
{
    struct shared_seat *s = seat_of(m);
    struct page *p = s->seat.page;
    page_end(p, code, reason);
    if (p->x && p->answer)
        page_answer_fail(p, 502, "the program ended before its answer did");
    page_let_go(p);
    leave(s);
    page_settle(p);
}

static const struct shared_member_ops member_ops = {
    .on_message = on_message,
    .on_bad_line = on_bad_line,
    .plain = is_plain,
    .busy = busy,
    .backlog = backlog,
    .on_overflow = on_overflow,
    .on_drain = on_drain,
    .on_stderr = on_stderr,
    .on_end = on_end,
};

/* ---- made ---- */

static int begin(struct seat *s, const struct program_request *request, int spooled)
{
    struct shared_seat *own = (struct shared_seat *)s;
    struct page *p = s->page;
    struct text line = {0};
    assert(spooled < 0);
    text_put(&line, SLICE_LITERAL(".join "));
    program_request_json(request, &line);
    text_put(&line, SLICE_LITERAL("\n"));
    if (!line.failed && !shared_join(own->process, &own->member, &member_ops, request->session))
        line.failed = true;
    if (!line.failed)
        write_pieces(s, &(struct slice){line.ptr, line.len}, 1);
    bool joined = !line.failed;
    text_done(&line);
    if (!joined) {
        log_needed(NULL);
        return -ENOMEM;
    }
    own->pid = (int)program_of(s)->pid;
    log_info("program.joined", page_cause(p), log_slice("program", page_file(p)),
             log_int("pid", own->pid), log_text("session", p->mark),
             log_text("client", page_address(p)));
    return 0;
}

/* ---- for the process that takes over ---- */

enum {
    PID = 1,
    JOINED,
    ID,
    PENDING,
    PLACE,
    LET_GO,
    FULL,
    ANSWER_BEHIND,
    ANSWER_BYTES,
    REASON,
};

static enum seat_kind pack(const struct seat *seat, struct pack *p)
{
    const struct shared_seat *s = shared(seat);
    pack_number(p, PID, (uint64_t)s->pid);
    pack_number(p, JOINED, has_joined(seat));
    pack_slice(p, ID, slice_make(s->member.id, SHARED_ID_LEN));
    pack_slice(p, PENDING, shared_pending(&s->member));
    size_t place_field = pack_begin(p, PLACE);
    room_pack(&s->place, p);
    pack_end(p, place_field);
    pack_number(p, LET_GO, s->let_go);
    pack_number(p, FULL, s->full);
    pack_number(p, ANSWER_BEHIND, s->answer_behind);
    pack_number(p, ANSWER_BYTES, s->answer_bytes);
    if (s->reason)
        pack_slice(p, REASON, slice_of(s->reason));
    return SEAT_SHARED;
}

static const struct seat_ops seat_ops = {
    .knows_no_drain = true,
    .pack = pack,
    .begin = begin,
    .send = seat_send_message,
    .write = write_line,
    .write_shared = write_shared,
    .open = is_open,
    .queued = queued,
    .held = held,
    .has_taken = has_taken,
    .has_read = has_read,
    .is_waiting = is_waiting,
    .file_changed = file_changed,
    .retire = retire,
    .flush = flush,
    .body = body,
    .body_end = body_end,
    .body_stop = body_stop,
    .resume = resume,
    .pause_answer = pause_answer,
    .shut = shut,
    .note_reason = note_reason,
    .let_go = let_go,
    .kill = kill_seat,
    .settle = settle,
    .alive = has_joined,
    .silent = silent,
    .ended = ended,
    .gone = has_left,
    .pid = pid,
    .place = place,
    .free = free_seat,
};

static struct shared_seat *make(void)
{
    struct shared_seat *s = log_needed(pool_take(&seats));
    if (s)
        *s = (struct shared_seat){.seat.ops = &seat_ops};
    return s;
}

struct seat *seat_shared_new(struct page_host *host, const struct seat_wish *wish,
                             struct shared_process *process)
{
    struct shared_seat *s = make();
    if (!s)
        return NULL;
    s->process = process;
    if (seat_take_place(host, wish, &s->place))
        return &s->seat;
    pool_give(&seats, s);
    return NULL;
}

static bool join_again(struct page_host *host, struct shared_seat *s, struct slice in)
{
    struct slice id = packed_slice(in, ID);
    struct shared_process *process = shared_find(host->spec.programs, (pid_t)s->pid);
    if (!packed_number(in, JOINED))
        return true;
    if (!process || id.len != SHARED_ID_LEN || !shared_join(process, &s->member, &member_ops, id))
        return false;
    shared_restore_pending(&s->member, packed_slice(in, PENDING));
    return true;
}

struct seat *seat_shared_unpack(struct page_host *host, struct slice in)
{
    struct shared_seat *s = make();
    struct slice reason = slice_first(packed_slice(in, REASON), REASON_MAX);
    if (!s)
        return NULL;
    s->pid = (int)packed_number(in, PID);
    s->let_go = packed_number(in, LET_GO);
    s->full = packed_number(in, FULL);
    s->answer_behind = packed_number(in, ANSWER_BEHIND);
    s->answer_bytes = (size_t)packed_number(in, ANSWER_BYTES);
    if (reason.len)
        s->reason = strndup(reason.ptr, reason.len);
    if (!join_again(host, s, in)) {
        free(s->reason);
        pool_give(&seats, s);
        return NULL;
    }
    room_unpack(program_host_room(host->spec.programs), &s->place, packed_slice(in, PLACE));
    return &s->seat;
}
