/* SPDX-License-Identifier: MIT */
/* page_fixture.h - pages of a real server, with real clients and real sessions, over a fake seat
 * that writes down what it is told and does what the test says. Each seat is freed exactly once,
 * each grant is given back once, and each page is over in the end.
 */
#ifndef TESTS_PAGE_FIXTURE_H
#define TESTS_PAGE_FIXTURE_H

#include "http_harness.h"
#include "program_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "page/answer.h"
#include "page/hear.h"
#include "page/lifecycle.h"
#include "proto/close_code.h"
#include "proto/ws_frame.h"

/* ---- the seat ---- */

struct told {
    char notes[4096];
    int begins, let_gos, kills, frees, resumes;
};

struct fake_seat {
    struct seat seat;
    struct told *told; /* outlives the seat */
    bool ended, gone;
    unsigned code;
    const char *reason;
};

#define SEATS_MAX 8
static struct told told[SEATS_MAX];
static struct fake_seat *seats[SEATS_MAX]; /* until they are freed */
static size_t seat_count;
static int begin_error;
static bool refuses;
static enum seat_refusal refusal;

static inline struct fake_seat *fake(const struct seat *s)
{
    return container_of(s, struct fake_seat, seat);
}

#define NOTE(s, ...) note(fake(s)->told->notes, sizeof(told[0].notes), __VA_ARGS__)

static inline int fake_begin(struct seat *s, const struct program_request *request, int body)
{
    assert_int_equal(fake(s)->told->begins++, 0);
    assert_int_equal(fake(s)->told->let_gos, 0);
    NOTE(s, request->connect ? "asked|" : "begin|");
    if (body >= 0) {
        char text[64];
        ssize_t n = read(body, text, sizeof(text));
        NOTE(s, "body %.*s|", (int)n, text);
        close(body);
    }
    fake(s)->gone = begin_error != 0;
    return begin_error;
}

static inline void fake_send(struct seat *s, const struct message *m)
{
    NOTE(s, "send %.*s %.*s|", SLICE_ARG(m->head), SLICE_ARG(m->body));
}

static inline void fake_write(struct seat *s, const struct slice *pieces, int count)
{
    (void)count;
    NOTE(s, "%.*s|", (int)slice_find(pieces[0], ' '), pieces[0].ptr);
}

static inline void fake_write_shared(struct seat *s, struct shared_bytes *line)
{
    (void)line;
    NOTE(s, "shared|");
}

static inline bool fake_open(const struct seat *s)
{
    return !fake(s)->ended && fake(s)->told->let_gos == 0;
}

static inline size_t fake_queued(const struct seat *s)
{
    (void)s;
    return 0;
}

static inline bool fake_has_taken(const struct seat *s)
{
    (void)s;
    return true;
}

static inline void fake_nothing(struct seat *s)
{
    (void)s;
}

static inline void fake_resume(struct seat *s)
{
    fake(s)->told->resumes++;
}

static inline bool fake_body(struct seat *s, struct slice data)
{
    NOTE(s, "body %.*s|", SLICE_ARG(data));
    return true;
}

static inline void fake_body_end(struct seat *s)
{
    NOTE(s, "body-end|");
}

static inline void fake_pause_answer(struct seat *s, bool paused)
{
    (void)s, (void)paused;
}

static inline void fake_shut(struct seat *s)
{
    NOTE(s, "shut|");
}

static inline void fake_note_reason(struct seat *s, struct slice reason)
{
    assert_int_equal(fake(s)->told->let_gos, 0);
    (void)reason;
}

static inline void fake_let_go(struct seat *s)
{
    struct fake_seat *f = fake(s);
    if (f->told->let_gos++ == 0)
        NOTE(s, "let-go|");
    if (f->told->begins == 0)
        f->gone = true;
}

static inline void fake_kill(struct seat *s)
{
    fake(s)->told->kills++;
}

static inline void fake_settle(struct seat *s, bool answered)
{
    (void)s, (void)answered;
}

static inline bool fake_alive(const struct seat *s)
{
    return !fake(s)->ended;
}

static inline bool fake_silent(const struct seat *s)
{
    return fake(s)->ended;
}

static inline bool fake_ended(const struct seat *s, unsigned *ret_code, char text[64],
                              struct slice *ret_reason)
{
    (void)text;
    if (!fake(s)->ended)
        return false;
    *ret_code = fake(s)->code;
    *ret_reason = slice_of(fake(s)->reason);
    return true;
}

static inline bool fake_gone(const struct seat *s)
{
    return fake(s)->gone;
}

static inline int fake_pid(const struct seat *s)
{
    (void)s;
    return 1;
}

static inline void fake_free(struct seat *s)
{
    assert_int_equal(fake(s)->told->frees++, 0);
    for (size_t i = 0; i < seat_count; i++)
        seats[i] = seats[i] == fake(s) ? NULL : seats[i];
    free(fake(s));
}

#define FAKE_OPS                                                                                   \
    .begin = fake_begin, .send = fake_send, .write = fake_write,                                   \
    .write_shared = fake_write_shared, .open = fake_open, .queued = fake_queued,                   \
    .has_taken = fake_has_taken, .flush = fake_nothing, .body = fake_body,                         \
    .body_end = fake_body_end, .body_stop = fake_nothing, .resume = fake_resume,                   \
    .pause_answer = fake_pause_answer, .shut = fake_shut, .note_reason = fake_note_reason,         \
    .let_go = fake_let_go, .kill = fake_kill, .settle = fake_settle, .alive = fake_alive,          \
    .silent = fake_silent, .ended = fake_ended, .gone = fake_gone, .pid = fake_pid,                \
    .free = fake_free

static const struct seat_ops page_program_ops = {.whole_body = true, FAKE_OPS};
static const struct seat_ops lines_program_ops = {.only_messages = true, FAKE_OPS};
static const struct seat_ops *seat_ops;

static inline struct seat *find_seat(struct seat_source *source, struct page_host *host,
                                     const struct seat_wish *wish, enum seat_refusal *ret_refusal,
                                     uint32_t *ret_wait_s)
{
    (void)source, (void)host, (void)wish;
    *ret_refusal = refusal;
    *ret_wait_s = refusal == SEAT_HELD_BACK ? 7 : 0;
    if (refuses)
        return NULL;
    assert_true(seat_count < SEATS_MAX);
    struct fake_seat *f = calloc(1, sizeof(*f));
    f->seat.ops = seat_ops;
    f->told = &told[seat_count];
    seats[seat_count++] = f;
    return &f->seat;
}

/* ---- the pages ---- */

static struct page_config page_config;
static struct session_config session_config;
static struct ws_config ws_config;
static struct session_table *sessions;
static struct hub hub;
static struct page_host *pages;
static struct seat_source seat_source = {find_seat};
static struct site_found found;
static int grants, grant_overs;
static struct page_grant grant[SEATS_MAX];

static inline void on_grant_over(struct page_grant *g)
{
    (void)g;
    grant_overs++;
}

/* Every request is for the one program. */
static inline void handle_page(struct exchange *x)
{
    seen.x = NULL;
    if (!http_head_find(x->request, SLICE_LITERAL("upgrade")).ptr) {
        page_open(pages, x, &found, SLICE_LITERAL("http://a"));
        return;
    }
    assert_true(grants < SEATS_MAX);
    grant[grants] = (struct page_grant){.on_over = on_grant_over};
    struct page_visitor visitor = {
        .origin = SLICE_LITERAL("http://a"), .same_origin = true, .grant = &grant[grants++]};
    page_connect(pages, x, &found, &visitor);
}

static inline void make_pages(void)
{
    page_config = (struct page_config){.answer_timeout_ms = 20000, .out_max = 65536};
    session_config = (struct session_config){
        .buffer_max = 10000,
        .window = 10000,
        .message_max = 5000,
        .attach_timeout_ms = 30000,
        .detach_timeout_ms = 600000,
        .goodbye_timeout_ms = 5000,
        .ping_ms = 20000,
    };
    ws_config = (struct ws_config){.message_max = 5000, .close_timeout_ms = 1000};
    sessions = session_table_new(0, 100);
    pages = page_host_new(&(struct page_host_spec){
        .loop = loop,
        .config = &page_config,
        .session_config = &session_config,
        .ws_config = &ws_config,
        .tcp_session_config = &session_config,
        .tcp_ws_config = &ws_config,
        .programs = programs,
        .sessions = sessions,
        .hub = &hub,
        .seats = &seat_source,
    });
    assert_non_null(pages);
    handle = handle_page;
    found = (struct site_found){.kind = SITE_PROGRAM, .fd = -1, .script_len = 4};
    strcpy(found.file, "/www/app");
    memset(told, 0, sizeof(told));
    memset(seats, 0, sizeof(seats));
    seat_count = 0;
    seat_ops = &page_program_ops;
    begin_error = 0;
    refuses = false;
    grants = grant_overs = 0;
}

/* ---- the program ---- */

static inline void answers(struct fake_seat *s, const char *text)
{
    struct page *p = s->seat.page;
    page_answer_take(p, slice_of(text));
    page_settle(p);
    turn_while_busy();
}

static inline void ends_its_answer(struct fake_seat *s)
{
    struct page *p = s->seat.page;
    page_answer_end(p);
    page_answer_settle(p);
    page_settle(p);
    turn_while_busy();
}

/* Its process is gone: in the order of a real one. */
static inline void ends(struct fake_seat *s, unsigned code, const char *reason)
{
    struct page *p = s->seat.page;
    s->ended = true;
    s->code = code;
    s->reason = reason;
    page_answer_end(p);
    page_answer_settle(p);
    page_settle(p);
    s->gone = true;
    page_settle(p);
    turn_while_busy();
}

static inline void says(struct fake_seat *s, const char *line)
{
    struct message m;
    size_t used, want;
    struct page *p = s->seat.page;
    assert_int_equal(message_parse_line(slice_of(line), 0, 1000, &used, &want, &m), PARSE_OK);
    if (page_reading(p) == PROGRAM_READ)
        page_hear(p, &m);
    page_settle(p);
    turn_while_busy();
}

static inline enum page_state state_of(const struct fake_seat *s)
{
    return s->seat.page->state;
}

/* ---- the client ---- */

#define KEY "key.abcdefghijklmnopqrstuv"
#define HANDSHAKE(subprotocols)                                                                    \
    "GET /app HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nUpgrade: websocket\r\n"                   \
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"                                         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" subprotocols "\r\n"
#define DIRECT  HANDSHAKE("Sec-WebSocket-Protocol: httpsocket.v1, " KEY "\r\n")
#define PLAIN   HANDSHAKE("")
#define CHUNKED "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"

/* The texts and the end that came, in place of those before; an answer's head is left out. */
static inline const char *hears(struct client *c)
{
    static char notes[8192];
    struct ws_head head;
    notes[0] = '\0';
    hear(c);
    struct slice rest = slice_make(c->text, c->len);
    if (slice_starts_with(rest, SLICE_LITERAL("HTTP/1.1 101 ")))
        rest = slice_skip(rest, (size_t)(body_of(c->text) - c->text));
    for (; rest.len > 0; rest = slice_skip(rest, head.size + (size_t)head.length)) {
        assert_int_equal(ws_head_parse(rest, &head), PARSE_OK);
        const char *body = rest.ptr + head.size;
        int len = (int)head.length;
        if (head.op == WS_OP_CLOSE)
            note(notes, sizeof(notes), "close %d %.*s|", (uint8_t)body[0] << 8 | (uint8_t)body[1],
                 len - 2, body + 2);
        else if (len >= 8 && memcmp(body, ".welcome", 8) == 0)
            note(notes, sizeof(notes), ".welcome|");
        else
            note(notes, sizeof(notes), "%.*s|", len, body);
    }
    return notes;
}

static inline void sends_bytes(struct client *c, int first, struct slice bytes)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    char frame[200];
    struct ws_head h = {.fin = true, .op = (enum ws_op)first, .masked = true, .length = bytes.len};
    memcpy(h.mask, mask, 4);
    size_t len = ws_head_write_full(frame, &h);
    memcpy(frame + len, bytes.ptr, bytes.len);
    ws_mask_plain(frame + len, bytes.len, mask, 0);
    send(c->fd, frame, len + bytes.len, MSG_NOSIGNAL);
    turn_while_busy();
}

static inline void sends(struct client *c, int first, const char *text)
{
    sends_bytes(c, first, slice_of(text));
}

/* A client on a TCP connection of its own: one that can be reset. */
static inline struct client *connect_client(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct client *c = calloc(1, sizeof(*c));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&a, &(socklen_t){sizeof(a)});
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct stream *s = stream_new(loop, accept4(listener, NULL, NULL, SOCK_CLOEXEC), NULL);
    close(listener);
    http_accept(&server, s, NULL);
    return c;
}

/* Its end is noticed at once: a mere end of its side could be one that still listens. */
static inline void hangs_up(struct client *c)
{
    struct linger at_once = {.l_onoff = 1};
    if (c->fd < 0)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(c->fd);
    c->fd = -1;
    turn_while_busy();
}

static inline void asks(struct client *c, const char *request)
{
    client_send(c, slice_of(request));
}

/* With the session that the answer names. */
static inline void connects(struct client *page, struct client *c)
{
    char request[1024], id[SESSION_ID_LEN + 1];
    const char *named = strstr(page->text, "Session-ID: ");
    assert_non_null(named);
    snprintf(id, sizeof(id), "%s", named + strlen("Session-ID: "));
    snprintf(request, sizeof(request),
             HANDSHAKE("Sec-WebSocket-Protocol: httpsocket.v1, session.%s, " KEY "\r\n"), id);
    asks(c, request);
}

/* ---- a fixture of three clients ---- */

static struct client *client, *second, *third;

static inline int begin(void **state)
{
    http_begin(state);
    make_programs();
    make_pages();
    client = connect_client();
    second = connect_client();
    third = connect_client();
    return 0;
}

/* In steps: one jump of the clock is a process that was stopped, and nobody's silence. */
static inline void pass_an_hour(void)
{
    for (int i = 0; i < 3600; i++)
        pass_time(1000);
}

/* Whatever the test has left comes to its end: clients, then programs, then time. */
static inline void let_all_end(void)
{
    hangs_up(client);
    hangs_up(second);
    hangs_up(third);
    pass_an_hour();
    for (size_t i = 0; i < seat_count; i++) {
        if (!seats[i])
            continue;
        assert_true(told[i].let_gos > 0 || seats[i]->ended);
        ends(seats[i], CLOSE_NORMAL, "program-exit");
    }
    pass_an_hour();
}

static inline int finish(void **state)
{
    let_all_end();
    assert_true(page_host_empty(pages));
    assert_int_equal(session_table_count(sessions), 0);
    for (size_t i = 0; i < seat_count; i++)
        assert_int_equal(told[i].frees, 1);
    assert_int_equal(grant_overs, grants);
    client_free(client);
    client_free(second);
    client_free(third);
    page_host_free(pages);
    session_table_free(sessions);
    http_server_stop(&server);
    end_programs();
    return http_finish(state);
}

/* How a session has failed is kept for a client that may still come. */
static inline void is_over_in_time(size_t i)
{
    pass_time(session_config.attach_timeout_ms);
    assert_int_equal(told[i].frees, 1);
}

#endif
