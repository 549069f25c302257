/* SPDX-License-Identifier: MIT */
/* Pages: a real server, real clients and real sessions, over a seat that writes down what it is told
 * and does what the test says. Each seat is freed exactly once, and each page is over in the end.
 */
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
    int begins, let_gos, kills, frees;
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

static struct fake_seat *fake(const struct seat *s)
{
    return container_of(s, struct fake_seat, seat);
}

#define NOTE(s, ...) note(fake(s)->told->notes, sizeof(told[0].notes), __VA_ARGS__)

static int fake_begin(struct seat *s, const struct program_request *request, int body)
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

static void fake_send(struct seat *s, const struct message *m)
{
    NOTE(s, "send %.*s %.*s|", SLICE_ARG(m->head), SLICE_ARG(m->body));
}

static void fake_write(struct seat *s, const struct slice *pieces, int count)
{
    (void)count;
    NOTE(s, "%.*s|", (int)slice_find(pieces[0], ' '), pieces[0].ptr);
}

static void fake_write_shared(struct seat *s, struct shared_bytes *line)
{
    (void)line;
    NOTE(s, "shared|");
}

static bool fake_open(const struct seat *s)
{
    return !fake(s)->ended && fake(s)->told->let_gos == 0;
}

static size_t fake_queued(const struct seat *s)
{
    (void)s;
    return 0;
}

static bool fake_has_taken(const struct seat *s)
{
    (void)s;
    return true;
}

static void fake_nothing(struct seat *s)
{
    (void)s;
}

static bool fake_body(struct seat *s, struct slice data)
{
    NOTE(s, "body %.*s|", SLICE_ARG(data));
    return true;
}

static void fake_body_end(struct seat *s)
{
    NOTE(s, "body-end|");
}

static void fake_pause_answer(struct seat *s, bool paused)
{
    (void)s, (void)paused;
}

static void fake_shut(struct seat *s)
{
    NOTE(s, "shut|");
}

static void fake_note_reason(struct seat *s, struct slice reason)
{
    assert_int_equal(fake(s)->told->let_gos, 0);
    (void)reason;
}

static void fake_let_go(struct seat *s)
{
    struct fake_seat *f = fake(s);
    if (f->told->let_gos++ == 0)
        NOTE(s, "let-go|");
    if (f->told->begins == 0)
        f->gone = true;
}

static void fake_kill(struct seat *s)
{
    fake(s)->told->kills++;
}

static void fake_settle(struct seat *s, bool answered)
{
    (void)s, (void)answered;
}

static bool fake_alive(const struct seat *s)
{
    return !fake(s)->ended;
}

static bool fake_silent(const struct seat *s)
{
    return fake(s)->ended;
}

static bool fake_ended(const struct seat *s, unsigned *ret_code, char text[64],
                       struct slice *ret_reason)
{
    (void)text;
    if (!fake(s)->ended)
        return false;
    *ret_code = fake(s)->code;
    *ret_reason = slice_of(fake(s)->reason);
    return true;
}

static bool fake_gone(const struct seat *s)
{
    return fake(s)->gone;
}

static int fake_pid(const struct seat *s)
{
    (void)s;
    return 1;
}

static void fake_free(struct seat *s)
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
    .body_end = fake_body_end, .body_stop = fake_nothing, .resume = fake_nothing,                  \
    .pause_answer = fake_pause_answer, .shut = fake_shut, .note_reason = fake_note_reason,         \
    .let_go = fake_let_go, .kill = fake_kill, .settle = fake_settle, .alive = fake_alive,          \
    .silent = fake_silent, .ended = fake_ended, .gone = fake_gone, .pid = fake_pid,                \
    .free = fake_free

static const struct seat_ops page_program_ops = {.whole_body = true, FAKE_OPS};
static const struct seat_ops lines_program_ops = {.only_messages = true, FAKE_OPS};
static const struct seat_ops *seat_ops;

static struct seat *find_seat(struct seat_source *source, struct page_host *host,
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

static void on_grant_over(struct page_grant *g)
{
    (void)g;
    grant_overs++;
}

/* Every request is for the one program. */
static void handle_page(struct exchange *x)
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

static void make_pages(void)
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

static void answers(struct fake_seat *s, const char *text)
{
    struct page *p = s->seat.page;
    page_answer_take(p, slice_of(text));
    page_settle(p);
    turn_while_busy();
}

static void ends_its_answer(struct fake_seat *s)
{
    struct page *p = s->seat.page;
    page_answer_end(p);
    page_answer_settle(p);
    page_settle(p);
    turn_while_busy();
}

/* Its process is gone: in the order of a real one. */
static void ends(struct fake_seat *s, unsigned code, const char *reason)
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

static void says(struct fake_seat *s, const char *line)
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

static enum page_state state_of(const struct fake_seat *s)
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
static const char *hears(struct client *c)
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

static void sends(struct client *c, int first, const char *text)
{
    static const uint8_t mask[4] = {1, 2, 3, 4};
    char frame[200];
    struct ws_head h = {
        .fin = true, .op = (enum ws_op)first, .masked = true, .length = strlen(text)};
    memcpy(h.mask, mask, 4);
    size_t len = ws_head_write_full(frame, &h);
    memcpy(frame + len, text, strlen(text));
    ws_mask_plain(frame + len, strlen(text), mask, 0);
    send(c->fd, frame, len + strlen(text), MSG_NOSIGNAL);
    turn_while_busy();
}

/* A client on a TCP connection of its own: one that can be reset. */
static struct client *connect_client(void)
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
    http_accept(&server, s);
    return c;
}

/* Its end is noticed at once: a mere end of its side could be one that still listens. */
static void hangs_up(struct client *c)
{
    struct linger at_once = {.l_onoff = 1};
    if (c->fd < 0)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(c->fd);
    c->fd = -1;
    turn_while_busy();
}

static void asks(struct client *c, const char *request)
{
    client_send(c, slice_of(request));
}

/* With the session that the answer names. */
static void connects(struct client *page, struct client *c)
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

static int begin(void **state)
{
    http_begin(state);
    make_programs();
    make_pages();
    client = connect_client();
    second = connect_client();
    third = connect_client();
    return 0;
}

/* Whatever the test has left comes to its end: clients, then programs, then time. */
static void let_all_end(void)
{
    hangs_up(client);
    hangs_up(second);
    hangs_up(third);
    pass_time(1000 * 3600);
    for (size_t i = 0; i < seat_count; i++) {
        if (!seats[i])
            continue;
        assert_true(told[i].let_gos > 0 || seats[i]->ended);
        ends(seats[i], CLOSE_NORMAL, "program-exit");
    }
    pass_time(1000 * 3600);
}

static int finish(void **state)
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
static void is_over_in_time(size_t i)
{
    pass_time(session_config.attach_timeout_ms);
    assert_int_equal(told[i].frees, 1);
}

/* ---- a request and its page ---- */

#define HTML "Content-Type: text/html\n\n<html><head></head>hello"

static void opens_a_page(void)
{
    asks(client, GET("/app"));
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    answers(seats[0], HTML);
    ends_its_answer(seats[0]);
    hear(client);
    assert_status(client->text, 200);
    connects(client, second);
}

static void a_page_is_answered_and_talks(void **state)
{
    (void)state;
    opens_a_page();
    assert_has(client->text, "<meta name=\"httpsocket-session\"");
    assert_string_equal(hears(second), ".welcome|");
    says(seats[0], "hi 1\n");
    assert_string_equal(hears(second), "hi 1|");
    sends(second, WS_OP_TEXT, "yo 2");
    assert_string_equal(told[0].notes, "begin|body-end|.attach|send yo 2|");
    sends(second, WS_OP_TEXT, ".close");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_ends_first_ends_its_session(void **state)
{
    (void)state;
    opens_a_page();
    hears(second);
    ends(seats[0], CLOSE_PROGRAM_FAILED, "program-failed status=1");
    assert_string_equal(hears(second),
                        ".close {\"code\":4500,\"reason\":\"program-failed status=1\"}|"
                        "close 4500 program-failed status=1|");
}

static void what_is_no_page_has_no_session(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], "Status: 404\nContent-Type: text/plain\n\nno");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], " more");
    ends_its_answer(seats[0]);
    hear(client);
    assert_status(client->text, 404);
    assert_has_not(client->text, "Session-ID");
    assert_has(client->text, "more");
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_head_is_answered_and_has_no_lines(void **state)
{
    (void)state;
    asks(client, "HEAD /app HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(told[0].notes, "begin|shut|body-end|");
    assert_int_equal(page_reading(seats[0]->seat.page), PROGRAM_DROP);
    answers(seats[0], HTML);
    hear(client);
    assert_status(client->text, 200);
    assert_has_not(client->text, "hello");
}

static void a_body_of_unknown_length_is_gathered_first(void **state)
{
    (void)state;
    asks(client, CHUNKED);
    assert_int_equal(state_of(seats[0]), PAGE_SPOOLING);
    assert_int_equal(told[0].begins, 0);
    asks(client, "2\r\nde\r\n0\r\n\r\n");
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    assert_string_equal(told[0].notes, "begin|body abcde|");
}

static void who_breaks_off_its_body_has_begun_nothing(void **state)
{
    (void)state;
    asks(client, CHUNKED);
    hangs_up(client);
    assert_string_equal(told[0].notes, "let-go|");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_does_not_start_is_answered(void **state)
{
    static const struct {
        int error, status;
    } rows[] = {{-ENOENT, 500}, {-EACCES, 500}, {-EAGAIN, 503}, {-ENOMEM, 503}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        begin_error = rows[i].error;
        say(client, GET("/app"));
        assert_status(client->text, rows[i].status);
        assert_int_equal(told[i].frees, 1);
        assert_true(told[i].let_gos > 0);
    }
    say(client, "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert_status(client->text, 503);
}

static void a_handshake_whose_program_does_not_start_is_refused(void **state)
{
    (void)state;
    begin_error = -ENOENT;
    asks(client, DIRECT);
    assert_string_equal(hears(client), "close 4502 program-answer|");
    begin_error = -EAGAIN;
    asks(second, PLAIN);
    hear(second);
    assert_status(second->text, 503);
}

static void without_a_seat_there_is_no_page(void **state)
{
    static const struct {
        enum seat_refusal why;
        int status;
    } rows[] = {{SEAT_FULL, 503}, {SEAT_BROKEN, 500}, {SEAT_HELD_BACK, 503}};
    (void)state;
    refuses = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        refusal = rows[i].why;
        say(client, GET("/app"));
        assert_status(client->text, rows[i].status);
    }
    assert_has(client->text, "Retry-After: 7");
    asks(second, DIRECT);
    assert_string_equal(hears(second), "close 1013 overload retry=7|");
}

static void a_program_without_an_answer_is_answered_for(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    hear(client);
    assert_status(client->text, 502);
    is_over_in_time(0);
}

static void an_answer_that_comes_too_late_is_dropped(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    pass_time(page_config.answer_timeout_ms);
    hear(client);
    assert_status(client->text, 504);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], HTML);
    ends_its_answer(seats[0]);
    assert_int_equal(told[0].frees, 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    is_over_in_time(0);
}

static void an_answer_that_nobody_waits_for_is_dropped(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], HTML);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void an_answer_that_fails_in_its_midst_breaks_off(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    struct page *p = seats[0]->seat.page;
    page_answer_fail(p, 502, "it fails");
    page_settle(p);
    hear(client);
    assert_true(client->eof);
    assert_has_not(client->text, "\r\n0\r\n");
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    answers(seats[0], "more");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    is_over_in_time(0);
}

static void a_client_that_breaks_off_its_answer_may_still_come(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    hear(client);
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    pass_time(session_config.goodbye_timeout_ms - 1);
    connects(client, second);
    assert_string_equal(hears(second), ".welcome|");
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(state_of(seats[0]), PAGE_OPEN);
    assert_int_equal(told[0].let_gos, 0);
}

static void a_client_that_breaks_off_its_answer_and_never_comes_has_left(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    answers(seats[0], HTML);
    hangs_up(client);
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
}

/* ---- a client without a page ---- */

static void a_client_waits_until_the_program_lets_it_in(void **state)
{
    (void)state;
    asks(client, DIRECT);
    assert_string_equal(told[0].notes, "asked|body-end|");
    hear(client);
    assert_int_equal(client->len, 0);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), ".welcome|");
    says(seats[0], "hi 1\n");
    assert_string_equal(hears(client), "hi 1|");
    sends(client, WS_OP_TEXT, "yo 2");
    assert_string_equal(told[0].notes, "asked|body-end|.attach|send yo 2|");
}

static void a_client_that_the_program_refuses_hears_why(void **state)
{
    (void)state;
    asks(client, DIRECT);
    answers(seats[0], "Status: 403\n\n");
    assert_string_equal(hears(client), "close 4403 script-denied|");
    assert_true(told[0].let_gos > 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

/* The first of the crashes that two ordinary clients could make. */
static void a_client_that_broke_off_comes_again_before_the_answer(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    assert_int_equal(told[0].let_gos, 0);
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    answers(seats[0], "\n");
    assert_string_equal(hears(second), ".welcome|");
    pass_time(session_config.goodbye_timeout_ms);
    assert_int_equal(told[0].let_gos, 0);
}

static void a_client_that_broke_off_comes_again_after_the_answer(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "\n");
    asks(second, DIRECT);
    assert_string_equal(hears(second), ".welcome|");
    assert_int_equal(seat_count, 1);
}

static void a_client_that_broke_off_comes_again_after_a_refusal(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "Status: 403\n\n");
    assert_true(told[0].let_gos > 0);
    asks(second, DIRECT); /* another program is asked */
    assert_int_equal(seat_count, 2);
    answers(seats[1], "\n");
    assert_string_equal(hears(second), ".welcome|");
}

static void a_client_that_broke_off_comes_after_its_program_has_ended(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    assert_string_equal(hears(second),
                        ".welcome|.close {\"code\":1000,\"reason\":\"program-exit\"}|"
                        "close 1000 program-exit|");
}

static void a_client_that_broke_off_and_never_comes_has_left(void **state)
{
    (void)state;
    asks(client, DIRECT);
    hangs_up(client);
    pass_time(session_config.goodbye_timeout_ms);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_second_connection_with_the_same_key_replaces_the_first(void **state)
{
    (void)state;
    asks(client, DIRECT);
    asks(second, DIRECT);
    assert_int_equal(seat_count, 1);
    assert_string_equal(hears(client), "close 4000 replaced|");
    asks(third, DIRECT);
    assert_string_equal(hears(second), "close 4000 replaced|");
    answers(seats[0], "\n");
    assert_string_equal(hears(third), ".welcome|");
}

static void an_answer_after_the_end_of_the_session_lets_nobody_in(void **state)
{
    (void)state;
    page_config.answer_timeout_ms = 10 * session_config.attach_timeout_ms;
    asks(client, DIRECT);
    pass_time(session_config.attach_timeout_ms);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), "close 4504 program-timeout|");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_ends_without_a_word_refuses_its_client(void **state)
{
    (void)state;
    asks(client, DIRECT);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_string_equal(hears(client), "close 4502 program-answer|");
    asks(second, PLAIN);
    ends(seats[1], CLOSE_NORMAL, "program-exit");
    hear(second);
    assert_status(second->text, 502);
}

/* ---- a client without our subprotocol ---- */

static void a_plain_client_talks_without_a_session(void **state)
{
    (void)state;
    asks(client, PLAIN);
    answers(seats[0], "\n");
    assert_string_equal(hears(client), "");
    sends(client, WS_OP_TEXT, "yo");
    says(seats[0], "message \"hi\"\n");
    assert_string_equal(hears(client), "hi|");
    assert_string_equal(told[0].notes, "asked|body-end|.attach|send message yo|");
    hangs_up(client);
    assert_int_equal(state_of(seats[0]), PAGE_ENDED);
    assert_true(told[0].let_gos > 0);
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_plain_client_that_breaks_off_does_not_come_again(void **state)
{
    (void)state;
    asks(client, PLAIN);
    hangs_up(client);
    assert_true(told[0].let_gos > 0);
    answers(seats[0], "\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_int_equal(told[0].frees, 1);
}

static void a_program_that_reads_lines_takes_every_client(void **state)
{
    (void)state;
    seat_ops = &lines_program_ops;
    asks(client, PLAIN);
    sends(client, WS_OP_TEXT, "yo");
    asks(second, DIRECT);
    assert_string_equal(hears(second), ".welcome|");
    assert_string_equal(told[0].notes, "asked|.attach|send message yo|");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
    assert_string_equal(hears(client), "close 1000 program-exit|");
}

/* ---- every end in every situation ---- */

static void spooling(void)
{
    asks(client, CHUNKED);
}

static void unanswered(void)
{
    asks(client, GET("/app"));
}

static void in_its_answer(void)
{
    unanswered();
    answers(seats[0], HTML);
}

static void in_what_is_no_page(void)
{
    unanswered();
    answers(seats[0], "Status: 404\n\nno");
}

static void answered(void)
{
    in_its_answer();
    ends_its_answer(seats[0]);
}

static void away(void)
{
    opens_a_page();
    hangs_up(second);
}

static void leaving(void)
{
    opens_a_page();
    sends(second, WS_OP_TEXT, ".close");
}

static void ended_and_untold(void)
{
    opens_a_page();
    says(seats[0], "hi 1\n");
    ends(seats[0], CLOSE_NORMAL, "program-exit");
}

static void direct_unanswered(void)
{
    asks(client, DIRECT);
}

static void direct_unanswered_and_away(void)
{
    asks(client, DIRECT);
    hangs_up(client);
}

static void direct_let_in_and_away(void)
{
    direct_unanswered_and_away();
    answers(seats[0], "\n");
}

static void direct_let_in(void)
{
    asks(client, DIRECT);
    answers(seats[0], "\n");
}

static void plain_unanswered(void)
{
    asks(client, PLAIN);
}

static void plain_let_in(void)
{
    asks(client, PLAIN);
    answers(seats[0], "\n");
}

static void plain_closing(void)
{
    plain_let_in();
    says(seats[0], ".close\n");
}

static const struct {
    void (*bring)(void);
    enum page_state state;
} situations[] = {
    {spooling, PAGE_SPOOLING},
    {unanswered, PAGE_OPEN},
    {in_its_answer, PAGE_OPEN},
    {in_what_is_no_page, PAGE_ENDED},
    {answered, PAGE_OPEN},
    {opens_a_page, PAGE_OPEN},
    {away, PAGE_OPEN},
    {leaving, PAGE_ENDED},
    {ended_and_untold, PAGE_ENDED},
    {direct_unanswered, PAGE_OPEN},
    {direct_unanswered_and_away, PAGE_OPEN},
    {direct_let_in, PAGE_OPEN},
    {direct_let_in_and_away, PAGE_OPEN},
    {plain_unanswered, PAGE_OPEN},
    {plain_let_in, PAGE_OPEN},
    {plain_closing, PAGE_ENDED},
};

static void drains(void)
{
    page_host_drain(pages, 3);
}

static void stops(void)
{
    page_host_stop(pages);
}

static void drains_and_stops(void)
{
    drains();
    turn_while_busy();
    stops();
}

static void stops_twice(void)
{
    stops();
    stops();
}

static void clients_hang_up(void)
{
    hangs_up(client);
    hangs_up(second);
}

static void time_goes_by(void)
{
    for (int i = 0; i < 200; i++)
        pass_time(5000);
}

static void programs_end(void)
{
    if (seats[0] && told[0].begins > 0 && !seats[0]->ended)
        ends(seats[0], CLOSE_NORMAL, "program-exit");
}

static void programs_fail(void)
{
    if (seats[0] && told[0].begins > 0 && !seats[0]->ended)
        ends(seats[0], CLOSE_PROGRAM_FAILED, "program-failed signal=9");
}

static void programs_break_a_rule(void)
{
    if (seats[0] && told[0].begins > 0)
        says(seats[0], ".nonsense\n");
}

static void answers_fail(void)
{
    struct page *p = seats[0] ? seats[0]->seat.page : NULL;
    if (!p || told[0].begins == 0)
        return;
    page_answer_fail(p, 502, "it fails");
    page_settle(p);
}

static void grants_are_taken_back(void)
{
    if (grants > 0 && grant_overs < grants)
        page_grant_revoke(&grant[grants - 1], SLICE_LITERAL("script-denied"), 9);
}

/* The first five also come second. */
enum {
    COME_SECOND = 5
};
static void (*const all_ends[])(void) = {
    clients_hang_up, time_goes_by,          programs_end,          drains,
    stops,           drains_and_stops,      stops_twice,           programs_fail,
    answers_fail,    programs_break_a_rule, grants_are_taken_back,
};

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static void whatever_ends_a_page_in_whatever_situation(void **state)
{
    for (size_t i = 0; i < COUNT(situations) * COUNT(all_ends) * COME_SECOND; i++) {
        size_t situation = i / COME_SECOND / COUNT(all_ends);
        if (i > 0) {
            finish(state);
            begin(state);
        }
        situations[situation].bring();
        assert_int_equal(state_of(seats[0]), situations[situation].state);
        all_ends[i / COME_SECOND % COUNT(all_ends)]();
        turn_while_busy();
        all_ends[i % COME_SECOND]();
    }
}

#define page_test(f) cmocka_unit_test_setup_teardown(f, begin, finish)

int main(void)
{
    const struct CMUnitTest tests[] = {
        page_test(a_page_is_answered_and_talks),
        page_test(a_program_that_ends_first_ends_its_session),
        page_test(what_is_no_page_has_no_session),
        page_test(a_head_is_answered_and_has_no_lines),
        page_test(a_body_of_unknown_length_is_gathered_first),
        page_test(who_breaks_off_its_body_has_begun_nothing),
        page_test(a_program_that_does_not_start_is_answered),
        page_test(a_handshake_whose_program_does_not_start_is_refused),
        page_test(without_a_seat_there_is_no_page),
        page_test(a_program_without_an_answer_is_answered_for),
        page_test(an_answer_that_comes_too_late_is_dropped),
        page_test(an_answer_that_nobody_waits_for_is_dropped),
        page_test(an_answer_that_fails_in_its_midst_breaks_off),
        page_test(a_client_that_breaks_off_its_answer_may_still_come),
        page_test(a_client_that_breaks_off_its_answer_and_never_comes_has_left),
        page_test(a_client_waits_until_the_program_lets_it_in),
        page_test(a_client_that_the_program_refuses_hears_why),
        page_test(a_client_that_broke_off_comes_again_before_the_answer),
        page_test(a_client_that_broke_off_comes_again_after_the_answer),
        page_test(a_client_that_broke_off_comes_again_after_a_refusal),
        page_test(a_client_that_broke_off_comes_after_its_program_has_ended),
        page_test(a_client_that_broke_off_and_never_comes_has_left),
        page_test(a_second_connection_with_the_same_key_replaces_the_first),
        page_test(an_answer_after_the_end_of_the_session_lets_nobody_in),
        page_test(a_program_that_ends_without_a_word_refuses_its_client),
        page_test(a_plain_client_talks_without_a_session),
        page_test(a_plain_client_that_breaks_off_does_not_come_again),
        page_test(a_program_that_reads_lines_takes_every_client),
        page_test(whatever_ends_a_page_in_whatever_situation),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("pages", tests);
}
