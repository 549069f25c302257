/* SPDX-License-Identifier: MIT */
/* Pages whose program is a handler in this process, with real clients and real sessions. Each
 * handler that was told of a request is told of its end, once; nothing is told from inside of what
 * a handler calls; and in the end each is freed. */
#include "page_fixture.h"
#include "page_matrix.h"

#include "page/handler.h"
#include "page/handler_parts.h"
#include "page/host.h"
#include "page/pack.h"
#include "page/topics.h"

#include <errno.h>

/* ---- the handlers ---- */

struct kept {
    struct handler *h; /* held */
    char notes[4096];
    int requests, closes, overs;
};

static struct kept kept[SEATS_MAX];
static size_t kept_count;
static struct handler_ops ops;
static int deep; /* callbacks that run */

/* What a test wants done inside of a callback. */
static void (*in_request)(struct handler *h);
static void (*in_event)(struct handler *h, const struct handler_data *data);
static void (*in_anything)(struct handler *h);

static struct kept *kept_of(struct handler *h)
{
    return handler_owner(h);
}

static char *notes(void)
{
    static char all[4096];
    snprintf(all, sizeof(all), "%s", kept[0].notes);
    kept[0].notes[0] = '\0';
    return all;
}

#define SEEN(h, ...) note(kept_of(h)->notes, sizeof(kept[0].notes), __VA_ARGS__)

static void enter(struct handler *h)
{
    assert_int_equal(deep++, 0);
    assert_int_equal(kept_of(h)->overs, 0);
}

static void leave(struct handler *h)
{
    if (in_anything)
        in_anything(h);
    deep--;
}

static void on_request(struct handler *h, const struct program_request *r)
{
    enter(h);
    assert_int_equal(kept_of(h)->requests++, 0);
    SEEN(h, "%.*s %.*s%s|", SLICE_ARG(r->head->method), SLICE_ARG(r->path),
         r->connect ? " connect" : "");
    if (in_request)
        in_request(h);
    leave(h);
}

static void on_body(struct handler *h, struct slice data)
{
    enter(h);
    SEEN(h, "body %.*s|", SLICE_ARG(data));
    leave(h);
}

static void on_body_end(struct handler *h)
{
    enter(h);
    SEEN(h, "body-end|");
    leave(h);
}

static void on_attach(struct handler *h, bool resumed)
{
    enter(h);
    SEEN(h, resumed ? "resume|" : "attach|");
    leave(h);
}

static void on_detach(struct handler *h, struct slice reason)
{
    enter(h);
    SEEN(h, "detach %.*s|", SLICE_ARG(reason));
    leave(h);
}

static const char *form_of(const struct handler_data *data)
{
    return data->form == MESSAGE_BYTES ? "@" : data->form == MESSAGE_TEXT ? "'" : "";
}

static void on_event(struct handler *h, struct slice name, const struct handler_data *data)
{
    enter(h);
    SEEN(h, "%.*s %s%.*s|", SLICE_ARG(name), form_of(data), SLICE_ARG(data->bytes));
    if (in_event)
        in_event(h, data);
    leave(h);
}

static void on_call(struct handler *h, struct slice name, uint64_t call,
                    const struct handler_data *data)
{
    enter(h);
    SEEN(h, "%.*s?%d %.*s|", SLICE_ARG(name), (int)call, SLICE_ARG(data->bytes));
    leave(h);
}

static void on_answer(struct handler *h, uint64_t call, enum message_kind kind,
                      const struct handler_data *data)
{
    enter(h);
    SEEN(h, "%c%d %.*s|",
         kind == MESSAGE_ANSWER ? '='
         : kind == MESSAGE_PART ? '+'
                                : '!',
         (int)call, SLICE_ARG(data->bytes));
    leave(h);
}

static void on_room(struct handler *h)
{
    enter(h);
    SEEN(h, "room|");
    leave(h);
}

static void on_answer_room(struct handler *h)
{
    enter(h);
    SEEN(h, "answer-room|");
    leave(h);
}

static void on_topic(struct handler *h, const struct handler_topic_event *e)
{
    enter(h);
    SEEN(h, "topic %.*s %.*s %.*s%s%s|", SLICE_ARG(e->topic), SLICE_ARG(e->event),
         SLICE_ARG(e->data), e->self ? " self" : "", e->past ? " past" : "");
    leave(h);
}

static void on_stream(struct handler *h, uint32_t number, struct slice name, struct slice json)
{
    enter(h);
    SEEN(h, "stream %u %.*s %.*s|", number, SLICE_ARG(name), SLICE_ARG(json));
    leave(h);
}

static void on_stream_data(struct handler *h, uint32_t number, struct slice data)
{
    enter(h);
    SEEN(h, "bytes %u %.*s|", number, SLICE_ARG(data));
    leave(h);
}

static void on_stream_end(struct handler *h, uint32_t number)
{
    enter(h);
    SEEN(h, "end %u|", number);
    leave(h);
}

static void on_stream_room(struct handler *h, uint32_t number)
{
    enter(h);
    SEEN(h, "stream-room %u|", number);
    leave(h);
}

static void on_stream_reset(struct handler *h, uint32_t number, struct slice reason,
                            struct slice message)
{
    enter(h);
    SEEN(h, "reset %u %.*s %.*s|", number, SLICE_ARG(reason), SLICE_ARG(message));
    leave(h);
}

static void on_command(struct handler *h, struct slice name, struct slice json)
{
    enter(h);
    SEEN(h, ".%.*s %.*s|", SLICE_ARG(name), SLICE_ARG(json));
    leave(h);
}

static void on_close(struct handler *h, struct slice reason)
{
    enter(h);
    assert_int_equal(kept_of(h)->closes++, 0);
    SEEN(h, "close %.*s|", SLICE_ARG(reason));
    leave(h);
}

static void on_over(struct handler *h)
{
    enter(h);
    assert_int_equal(kept_of(h)->closes, 1);
    SEEN(h, "over|");
    assert_false(handler_leave(h)); /* it is over already: nothing is given back twice */
    leave(h);
    kept_of(h)->overs++;
}

static const struct handler_ops all_ops = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_answer_room = on_answer_room,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_event = on_event,
    .on_call = on_call,
    .on_answer = on_answer,
    .on_room = on_room,
    .on_topic = on_topic,
    .on_stream = on_stream,
    .on_stream_data = on_stream_data,
    .on_stream_end = on_stream_end,
    .on_stream_room = on_stream_room,
    .on_stream_reset = on_stream_reset,
    .on_command = on_command,
    .on_close = on_close,
    .on_over = on_over,
};

static struct seat *find_handler(struct seat_source *source, struct page_host *host,
                                 const struct seat_wish *wish, enum seat_refusal *ret_refusal,
                                 uint32_t *ret_wait_s)
{
    (void)source, (void)ret_refusal, (void)ret_wait_s;
    assert_true(kept_count < SEATS_MAX);
    struct kept *k = &kept[kept_count];
    struct seat *seat = seat_handler_new(host, wish, &ops, k);
    if (!seat)
        return NULL;
    kept_count++;
    k->h = handler_of(seat);
    handler_hold(k->h);
    return seat;
}

/* ---- the fixture ---- */

static void keep_request(struct hub *at, struct hub_request *r)
{
    hub_request_return(at, r); /* nobody is home */
}

static const struct hub_route route = {keep_request};
static const struct hub_config hub_config = {.subscriptions_max = 10, .message_max = 1000};

static int begin_handlers(void **state)
{
    begin(state);
    hub = (struct hub){.route = &route, .loop = loop, .config = &hub_config};
    hub_init(&hub);
    page_config.shared_per_client = 100;
    page_config.topic_backlog = 10000;
    page_config.state_max = 1000;
    session_config.streams_max = 4;
    session_config.stream_window = 10;
    seat_source.find = find_handler;
    memset(kept, 0, sizeof(kept));
    kept_count = 0;
    deep = 0;
    ops = all_ops;
    in_request = NULL;
    in_event = NULL;
    in_anything = NULL;
    return 0;
}

static int finish_handlers(void **state)
{
    in_anything = NULL;
    hangs_up(client);
    hangs_up(second);
    hangs_up(third);
    for (size_t i = 0; i < kept_count; i++)
        if (kept[i].h->seat.page)
            handler_leave(kept[i].h);
    turn_while_busy();
    assert_int_equal(pages->handlers.inside, 0);
    assert_true(list_empty(&pages->handlers.due));
    finish(state);
    for (size_t i = 0; i < kept_count; i++) {
        assert_int_equal(kept[i].closes, kept[i].overs);
        assert_null(kept[i].h->seat.page);
        assert_int_equal(kept[i].h->refs, 1);
        assert_int_equal(handler_send(kept[i].h, SLICE_LITERAL("hi"), NULL), -ENOTCONN);
        handler_release(kept[i].h);
    }
    hub_done(&hub);
    return 0;
}

/* ---- words ---- */

#define FIRST (kept[0].h)

static struct handler_data json(const char *text)
{
    return handler_json(slice_of(text));
}

static int sends_to_page(struct handler *h, const char *name, const char *text)
{
    struct handler_data data = json(text);
    return handler_send(h, slice_of(name), &data);
}

static int commands(struct handler *h, const char *head, const char *text)
{
    struct handler_data data = json(text);
    return handler_say(h, slice_of(head), &data);
}

static const struct http_header html_type = {SLICE_LITERAL("Content-Type"),
                                             SLICE_LITERAL("text/html")};

static int answers_with_page(struct handler *h)
{
    return handler_answer(h, 200, &html_type, 1, SLICE_LITERAL("<html><head></head>hello</html>"));
}

static void answer_at_once(struct handler *h)
{
    assert_int_equal(answers_with_page(h), 0);
}

static void opens_a_page(void)
{
    in_request = answer_at_once;
    asks(client, GET("/app"));
    hear(client);
    assert_status(client->text, 200);
    connects(client, second);
    assert_string_equal(hears(second), ".welcome|");
}

/* ---- a page ---- */

static void a_handler_answers_and_talks(void **state)
{
    (void)state;
    opens_a_page();
    assert_has(client->text, "<meta name=\"httpsocket-session\"");
    assert_has(client->text, "hello</html>");
    assert_int_equal(sends_to_page(FIRST, "hi", "1"), HANDLER_SENT);
    turn_while_busy();
    assert_string_equal(hears(second), "hi 1|");
    sends(second, WS_OP_TEXT, "yo 2");
    sends(second, WS_OP_BINARY, "raw\nabc");
    assert_string_equal(notes(), "GET /app|attach|yo 2|raw @abc|");
    sends(second, WS_OP_TEXT, ".close");
    assert_string_equal(notes(), "close client-closed|over|");
    assert_null(FIRST->seat.page);
}

static void echo(struct handler *h, const struct handler_data *data)
{
    assert_int_equal(handler_send(h, SLICE_LITERAL("echo"), data), HANDLER_SENT);
}

static void a_handler_sends_from_inside_of_what_it_hears(void **state)
{
    (void)state;
    opens_a_page();
    in_event = echo;
    sends(second, WS_OP_TEXT, "yo {\"a\":1}");
    sends(second, WS_OP_TEXT, "yo");
    assert_has(hears(second), "echo {\"a\":1}|");
}

static void an_answer_is_streamed_after_the_callback_has_returned(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    assert_string_equal(notes(), "GET /app|");
    assert_int_equal(handler_write(FIRST, SLICE_LITERAL("early")), -EINVAL);
    assert_int_equal(handler_respond(FIRST, 201, &html_type, 1, HANDLER_LENGTH_UNKNOWN), 0);
    assert_int_equal(handler_respond(FIRST, 201, &html_type, 1, HANDLER_LENGTH_UNKNOWN), -EALREADY);
    assert_int_equal(handler_write(FIRST, SLICE_LITERAL("<p>one")), HANDLER_SENT);
    turn_while_busy();
    hear(client);
    assert_status(client->text, 201);
    assert_has(client->text, "one");
    assert_int_equal(handler_write(FIRST, SLICE_LITERAL("two")), HANDLER_SENT);
    assert_int_equal(handler_end(FIRST), 0);
    assert_int_equal(handler_write(FIRST, SLICE_LITERAL("three")), -EPIPE);
    turn_while_busy();
    assert_has(hear(client), "two");
}

static void a_client_of_an_answer_that_does_not_read_makes_the_handler_wait(void **state)
{
    (void)state;
    static const char piece[8192];
    int sent;
    asks(client, GET("/app"));
    assert_int_equal(handler_respond(FIRST, 200, NULL, 0, HANDLER_LENGTH_UNKNOWN), 0);
    while ((sent = handler_write(FIRST, slice_make(piece, sizeof(piece)))) == HANDLER_SENT)
        turn_while_busy();
    while (sent == HANDLER_QUEUED)
        sent = handler_write(FIRST, slice_make(piece, sizeof(piece)));
    assert_int_equal(sent, -EAGAIN);
    notes();
    for (int i = 0; i < 1000 && !strstr(kept[0].notes, "answer-room|"); i++) {
        char rest[65536];
        while (read(client->fd, rest, sizeof(rest)) > 0)
            ;
        turn_while_busy();
    }
    assert_string_equal(notes(), "answer-room|");
}

static void headers_that_are_none_are_refused(void **state)
{
    (void)state;
    static const struct http_header split = {SLICE_LITERAL("X"), SLICE_LITERAL("a\r\nY: b")};
    static const struct http_header name = {SLICE_LITERAL("X Y"), SLICE_LITERAL("a")};
    static const struct http_header nothing = {SLICE_LITERAL(""), SLICE_LITERAL("a")};
    static const struct http_header length = {SLICE_LITERAL("Content-Length"), SLICE_LITERAL("7")};
    asks(client, GET("/app"));
    assert_int_equal(handler_answer(FIRST, 200, &split, 1, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(handler_answer(FIRST, 200, &name, 1, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(handler_answer(FIRST, 200, &nothing, 1, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(handler_answer(FIRST, 200, &length, 1, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(handler_answer(FIRST, 100, NULL, 0, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(handler_answer(FIRST, 600, NULL, 0, SLICE_LITERAL("x")), -EINVAL);
    assert_int_equal(answers_with_page(FIRST), 0);
    turn_while_busy();
    assert_status(hear(client), 200);
}

static void a_body_comes_as_it_comes(void **state)
{
    (void)state;
    asks(client, "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    client_send(client, SLICE_LITERAL("def"));
    assert_string_equal(notes(), "POST /app|body abc|body def|body-end|");
    answer_at_once(FIRST);
    turn_while_busy();
    assert_status(hear(client), 200);
}

static void a_paused_body_waits(void **state)
{
    (void)state;
    asks(client, "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\na");
    notes();
    handler_pause_body(FIRST, true);
    client_send(client, SLICE_LITERAL("bc"));
    client_send(client, SLICE_LITERAL("def"));
    assert_string_equal(notes(), "body bc|"); /* it was on its way */
    handler_pause_body(FIRST, false);
    turn_while_busy();
    assert_string_equal(notes(), "body def|body-end|");
}

static void answer_in_the_midst(struct handler *h)
{
    if (strstr(kept_of(h)->notes, "body"))
        answers_with_page(h);
}

static void an_answer_from_inside_of_the_body_ends_it(void **state)
{
    (void)state;
    asks(client, "POST /app HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n");
    in_anything = answer_in_the_midst;
    handler_pause_body(FIRST, true);
    client_send(client, SLICE_LITERAL("abc"));
    assert_status(hear(client), 200);
}

static void a_head_has_the_same_answer_and_no_conversation(void **state)
{
    (void)state;
    in_request = answer_at_once;
    asks(client, "HEAD /app HTTP/1.1\r\nHost: a\r\n\r\n");
    hear(client);
    assert_status(client->text, 200);
    assert_has_not(client->text, "hello");
    assert_string_equal(notes(), "HEAD /app|close no-page|over|");
}

static void what_is_no_page_has_no_session(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    notes();
    handler_answer(FIRST, 404, NULL, 0, SLICE_LITERAL("no"));
    turn_while_busy();
    assert_status(hear(client), 404);
    assert_string_equal(notes(), "close no-page|over|");
}

static void a_handler_that_does_not_answer_in_time_is_answered_for(void **state)
{
    (void)state;
    asks(client, GET("/app"));
    pass_time(page_config.answer_timeout_ms);
    assert_status(hear(client), 504);
    assert_string_equal(notes(), "GET /app|close program-timeout|over|");
    assert_int_equal(answers_with_page(FIRST), -ENOTCONN);
}

static void a_client_that_goes_before_the_request_is_told_is_never_told_of(void **state)
{
    (void)state;
    pages->handlers.inside++; /* it stays in the desk */
    asks(client, GET("/app"));
    pages->handlers.inside--;
    hangs_up(client);
    notes();
    assert_int_equal(kept[0].closes, kept[0].requests);
}

/* ---- without a page ---- */

static void accept_all(struct handler *h)
{
    assert_int_equal(handler_answer(h, 200, NULL, 0, SLICE_LITERAL("nobody reads this")), 0);
    sends_to_page(h, "hi", "1");
}

static void a_client_without_a_page_is_let_in_by_the_same_answer(void **state)
{
    (void)state;
    in_request = accept_all;
    asks(client, DIRECT);
    assert_string_equal(hears(client), ".welcome|hi 1|");
    assert_string_equal(notes(), "GET /app connect|attach|");
}

static void talk_first(struct handler *h)
{
    assert_int_equal(sends_to_page(h, "hi", "1"), HANDLER_QUEUED);
}

static void what_is_said_before_the_client_is_let_in_waits(void **state)
{
    (void)state;
    in_request = talk_first;
    asks(client, DIRECT);
    assert_int_equal(handler_answer(FIRST, 200, NULL, 0, SLICE_NONE), 0);
    turn_while_busy();
    assert_string_equal(hears(client), ".welcome|hi 1|");
    assert_string_equal(notes(), "GET /app connect|attach|room|");
}

static void a_client_without_a_page_is_refused(void **state)
{
    (void)state;
    asks(client, DIRECT);
    handler_answer(FIRST, 401, NULL, 0, SLICE_NONE);
    turn_while_busy();
    assert_has(hears(client), "close 4401 ");
}

static void a_plain_client_is_heard_as_text(void **state)
{
    (void)state;
    struct handler_data text = {MESSAGE_TEXT, SLICE_LITERAL("a \"b\"")};
    in_request = accept_all;
    asks(client, PLAIN);
    sends(client, WS_OP_TEXT, "yo");
    handler_send(FIRST, SLICE_LITERAL("message"), &text);
    sends_to_page(FIRST, "message", "\"quoted\"");
    turn_while_busy();
    assert_string_equal(hears(client), "a \"b\"|quoted|");
    assert_string_equal(notes(), "GET /app connect|attach|message 'yo|");
}

/* ---- calls ---- */

static void calls_go_both_ways(void **state)
{
    (void)state;
    uint64_t call;
    struct handler_data data = json("3");
    opens_a_page();
    notes();
    sends(second, WS_OP_TEXT, "add?7 [1,2]");
    assert_string_equal(notes(), "add?7 [1,2]|");
    assert_int_equal(handler_answer_call(FIRST, 7, true, NULL), HANDLER_SENT);
    assert_int_equal(handler_answer_call(FIRST, 7, false, &data), HANDLER_SENT);
    assert_int_equal(handler_fail_call(FIRST, 8, SLICE_LITERAL("n\"o")), HANDLER_SENT);
    assert_int_equal(handler_call(FIRST, SLICE_LITERAL("ask"), &data, &call), HANDLER_SENT);
    assert_int_equal(call, 1);
    turn_while_busy();
    assert_has(hears(second), "+7 null|=7 3|!8 {\"message\":\"n\\\"o\"}|ask?1 3|");
    sends(second, WS_OP_TEXT, "+1 4");
    sends(second, WS_OP_TEXT, "=1 5");
    sends(second, WS_OP_TEXT, "!2 {\"message\":\"no\"}");
    assert_string_equal(notes(), "+1 4|=1 5|!2 {\"message\":\"no\"}|");
}

static void a_call_that_nobody_hears_fails(void **state)
{
    (void)state;
    ops.on_call = NULL;
    opens_a_page();
    sends(second, WS_OP_TEXT, "add?7 [1,2]");
    assert_has(hears(second), "!7 {\"message\":\"this page answers no calls\"}|");
}

static void a_call_is_answered_after_its_page_has_gone(void **state)
{
    (void)state;
    opens_a_page();
    sends(second, WS_OP_TEXT, "add?7");
    sends(second, WS_OP_TEXT, ".close");
    pass_an_hour();
    assert_int_equal(handler_answer_call(FIRST, 7, false, NULL), -ENOTCONN);
    assert_int_equal(handler_close(FIRST, SLICE_NONE), -ENOTCONN);
    assert_int_equal(handler_write_stream(FIRST, 1, SLICE_LITERAL("a")), -ENOTCONN);
    assert_null(handler_host(FIRST));
    assert_int_equal(handler_session(FIRST).len, 0);
    handler_pause(FIRST, true);
    handler_pause(FIRST, false);
    handler_leave(FIRST);
}

/* ---- what is wrong ---- */

static void what_is_no_message_is_refused_and_nothing_happens(void **state)
{
    (void)state;
    struct handler_data bytes = {MESSAGE_BYTES, SLICE_LITERAL("x")};
    struct handler_data text = {MESSAGE_TEXT, SLICE_LITERAL("\xff")};
    static char long_text[6000];
    memset(long_text, '1', sizeof(long_text) - 1);
    opens_a_page();
    assert_int_equal(sends_to_page(FIRST, "a b", "1"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "", "1"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, ".close", "{}"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "=7", "1"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "a?7", "1"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "a", "{"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "a", "1\n"), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "a", "1 2"), -EINVAL);
    assert_int_equal(handler_send(FIRST, SLICE_LITERAL("a"), &text), -EINVAL);
    assert_int_equal(sends_to_page(FIRST, "a", long_text), -EMSGSIZE);
    assert_int_equal(handler_say(FIRST, SLICE_LITERAL("!7"), &bytes), -EINVAL);
    assert_int_equal(handler_say(FIRST, SLICE_LITERAL(".dom"), &bytes), -EINVAL);
    assert_int_equal(handler_say(FIRST, SLICE_LITERAL(".dom"), NULL), -EINVAL);
    assert_int_equal(handler_subscribe(FIRST, SLICE_LITERAL("a b"), NULL), -EINVAL);
    assert_int_equal(handler_publish(FIRST, SLICE_LITERAL("a"), SLICE_LITERAL("e"),
                                     SLICE_LITERAL("]"), TOPIC_KEEP_AS_IT_IS),
                     -EINVAL);
    assert_int_equal(handler_accept_stream(FIRST, 1, SLICE_NONE), -ENOENT);
    turn_while_busy();
    assert_string_equal(hears(second), "");
    assert_int_equal(FIRST->seat.page->state, PAGE_OPEN);
}

static void a_command_that_cannot_be_obeyed_ends_the_page_as_failed(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    assert_int_equal(commands(FIRST, ".nonsense", "{}"), -ENOTCONN);
    turn_while_busy();
    assert_has(hears(second), "close 4500 program-failed reason=protocol|");
    assert_string_equal(notes(), "close program-failed reason=protocol|over|");
}

static void commands_reach_the_page(void **state)
{
    (void)state;
    opens_a_page();
    assert_int_equal(commands(FIRST, ".listen", "{\"on\":\"click\"}"), HANDLER_SENT);
    assert_int_equal(commands(FIRST, ".dom", "[{\"title\":\"a\"}]"), HANDLER_SENT);
    turn_while_busy();
    assert_string_equal(hears(second), ".listen {\"on\":\"click\"}|.dom [{\"title\":\"a\"}]|");
    notes();
    sends(second, WS_OP_TEXT, ".problem {\"command\":\"dom\"}");
    assert_string_equal(notes(), ".problem {\"command\":\"dom\"}|");
}

/* ---- who is slower ---- */

static void fill(struct handler *h, const char *text, int last)
{
    int sent;
    while ((sent = sends_to_page(h, "fill", text)) != last)
        assert_true(sent >= 0);
}

static void a_page_that_takes_no_more_makes_the_handler_wait(void **state)
{
    (void)state;
    static char text[1002];
    memset(text, '1', sizeof(text) - 1);
    opens_a_page();
    hangs_up(second);
    notes();
    fill(FIRST, text, HANDLER_QUEUED);
    size_t backlog = handler_backlog(FIRST);
    assert_true(backlog >= session_config.buffer_max);
    fill(FIRST, text, -EAGAIN);
    assert_true(handler_backlog(FIRST) <= 2 * session_config.buffer_max + 2 * sizeof(text));
    turn_while_busy();
    assert_string_equal(notes(), "");
    second->fd = -1;
    connects(client, third); /* with the same key */
    for (int i = 0; i < 50 && !strstr(kept[0].notes, "room|"); i++) {
        char ack[32];
        snprintf(ack, sizeof(ack), ".ack %d", i + 1);
        hear(third);
        sends(third, WS_OP_TEXT, ack);
    }
    assert_has(notes(), "room|");
    assert_int_equal(handler_backlog(FIRST) < session_config.buffer_max, true);
}

static void a_handler_that_pauses_makes_its_client_wait(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    handler_pause(FIRST, true);
    sends(second, WS_OP_TEXT, "a 1");
    sends(second, WS_OP_TEXT, "b 2");
    assert_string_equal(notes(), "");
    assert_int_equal(FIRST->seat.page->untaken, 2);
    handler_pause(FIRST, false);
    assert_string_equal(notes(), "");
    turn_while_busy();
    assert_string_equal(notes(), "a 1|b 2|");
    assert_int_equal(FIRST->seat.page->untaken, 0);
}

static void a_paused_handler_hears_all_before_the_end(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    handler_pause(FIRST, true);
    sends(second, WS_OP_TEXT, "a 1");
    sends(second, WS_OP_TEXT, ".close");
    assert_string_equal(notes(), "a 1|close client-closed|over|");
}

/* ---- coming and going ---- */

static void a_handler_hears_of_its_client(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    assert_true(handler_present(FIRST));
    hangs_up(second);
    assert_false(handler_present(FIRST));
    connects(client, third);
    assert_string_equal(notes(), "detach lost|resume|");
    sends(third, WS_OP_TEXT, ".bye {\"reason\":\"left\"}");
    hangs_up(third);
    pass_time(session_config.goodbye_timeout_ms);
    assert_string_equal(notes(), "detach goodbye|close grace-over|over|");
}

static void a_handler_closes_behind_what_it_has_sent(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    sends_to_page(FIRST, "hi", "1");
    assert_int_equal(handler_close(FIRST, SLICE_LITERAL("game-over")), 0);
    assert_int_equal(sends_to_page(FIRST, "hi", "2"), -ENOTCONN);
    turn_while_busy();
    assert_string_equal(notes(), "close game-over|over|");
    sends(second, WS_OP_TEXT, ".ack 1");
    assert_string_equal(hears(second), "hi 1|.close {\"code\":1000,\"reason\":\"game-over\"}|"
                                       "close 1000 game-over|");
}

static void close_it(struct handler *h, const struct handler_data *data)
{
    (void)data;
    assert_int_equal(handler_close(h, SLICE_LITERAL("done")), 0);
}

static void a_handler_closes_from_inside_of_what_it_hears(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    in_event = close_it;
    sends(second, WS_OP_TEXT, "a 1");
    assert_string_equal(notes(), "a 1|close done|over|");
}

static void leave_it(struct handler *h, const struct handler_data *data)
{
    (void)data;
    handler_leave(h);
}

static void a_handler_that_leaves_hears_nothing_more(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    in_event = leave_it;
    sends(second, WS_OP_TEXT, "a 1");
    sends(second, WS_OP_TEXT, "b 1");
    assert_string_equal(notes(), "a 1|");
    assert_has(hears(second), "close 1000 program-exit|");
    kept[0].closes = kept[0].overs; /* it has forgone them */
}

static void leave_at_once(struct handler *h)
{
    handler_leave(h);
}

static void a_handler_that_leaves_without_an_answer_is_answered_for(void **state)
{
    (void)state;
    in_request = leave_at_once;
    asks(client, GET("/app"));
    assert_status(hear(client), 502);
    asks(second, DIRECT);
    assert_has(hears(second), "close 4502 program-answer|");
}

static void a_drain_tells_the_handler_and_its_client(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    page_host_drain(pages, 3, 0);
    turn_while_busy();
    assert_string_equal(notes(), "close draining retry=3|over|");
    assert_has(hears(second), "close 1012 draining retry=3|");
}

static void a_restart_ends_the_page_for_the_next_one(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    assert_int_equal(page_host_restart(pages, SLICE_LITERAL("/app")), 1);
    turn_while_busy();
    assert_has(notes(), "|over|");
    assert_has(hears(second), "close 1012 restart retry=");
}

static void a_handler_is_not_taken_over_and_its_client_hears_so(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    page_host_part(pages);
    turn_while_busy();
    assert_has(hears(second), "close 1012 draining retry=");
    assert_has(notes(), "|over|");
    assert_int_equal(page_host_count(pages), 0);
}

/* ---- two pages ---- */

static void tell_the_other(struct handler *h, const struct handler_data *data)
{
    (void)data;
    if (h != FIRST)
        return;
    assert_int_equal(sends_to_page(kept[1].h, "from", "1"), HANDLER_SENT);
    handler_close(kept[1].h, SLICE_LITERAL("by-the-other"));
}

static void one_page_ends_another(void **state)
{
    (void)state;
    opens_a_page();
    in_request = accept_all;
    asks(third, PLAIN);
    in_event = tell_the_other;
    sends(second, WS_OP_TEXT, "a 1");
    assert_string_equal(kept[1].notes, "GET /app connect|attach|close by-the-other|over|");
}

/* ---- byte streams ---- */

#define STREAM_FRAME(type, number, rest) SLICE_LITERAL(type "\0\0\0" number rest)

static void opens_a_stream(void)
{
    opens_a_page();
    notes();
    sends_bytes(second, WS_OP_BINARY,
                SLICE_LITERAL("\x01\0\0\0\1{\"kind\":\"stream\",\"name\":\"up\",\"data\":[1]}"));
}

static void a_stream_is_accepted_and_written_as_there_is_room(void **state)
{
    (void)state;
    opens_a_stream();
    assert_string_equal(notes(), "stream 1 up [1]|");
    assert_int_equal(handler_write_stream(FIRST, 1, SLICE_LITERAL("a")), -EPIPE);
    assert_int_equal(handler_write_stream(FIRST, 2, SLICE_LITERAL("a")), -ENOENT);
    assert_int_equal(handler_accept_stream(FIRST, 1, SLICE_LITERAL("{\"ok\":true}")), 0);
    assert_int_equal(handler_write_stream(FIRST, 1, SLICE_LITERAL("0123456789abc")), 10);
    assert_int_equal(handler_write_stream(FIRST, 1, SLICE_LITERAL("abc")), 0);
    assert_int_equal(sends_to_page(FIRST, "hi", "1"), HANDLER_SENT); /* beside it */
    turn_while_busy();
    assert_string_equal(notes(), "");
    assert_int_equal(handler_end_stream(FIRST, 1), 0);
    assert_int_equal(handler_write_stream(FIRST, 1, SLICE_LITERAL("abc")), -EPIPE);
    assert_int_equal(handler_reset_stream(FIRST, 1, SLICE_LITERAL("enough"), SLICE_NONE), 0);
    assert_int_equal(handler_reset_stream(FIRST, 1, SLICE_LITERAL("enough"), SLICE_NONE), -ENOENT);
}

static void reset_in_anything(struct handler *h)
{
    handler_reset_stream(h, 1, SLICE_LITERAL("no"), SLICE_NONE);
}

static void a_stream_is_reset_from_inside_of_anything(void **state)
{
    (void)state;
    in_anything = reset_in_anything;
    opens_a_stream();
    assert_string_equal(notes(), "stream 1 up [1]|");
    assert_int_equal(handler_accept_stream(FIRST, 1, SLICE_NONE), -ENOENT);
}

static void a_stream_without_a_callback_is_refused(void **state)
{
    (void)state;
    ops.on_stream = NULL;
    opens_a_stream();
    turn_while_busy();
    assert_int_equal(handler_accept_stream(FIRST, 1, SLICE_NONE), -ENOENT);
    assert_int_equal(FIRST->seat.page->state, PAGE_OPEN);
}

/* ---- the state ---- */

static void a_state_that_is_too_large_is_told_later(void **state)
{
    (void)state;
    static char text[2000] = "[";
    memset(text + 1, ' ', sizeof(text) - 3);
    text[sizeof(text) - 2] = ']';
    struct handler_data large = json(text), small = json("{}");
    opens_a_page();
    notes();
    assert_int_equal(handler_save(FIRST, &small), HANDLER_SENT);
    assert_int_equal(handler_save(FIRST, &large), HANDLER_SENT);
    assert_string_equal(notes(), ""); /* not from inside of the call */
    turn_while_busy();
    assert_has(notes(), ".problem {\"command\":\"save\"");
}

static void confirm_one(struct handler *h, const struct handler_data *data)
{
    (void)data;
    assert_int_equal(handler_confirm(h, 1), HANDLER_SENT);
}

/* It was one more than had been counted, and the page ended as failed. */
static void a_handler_confirms_the_message_that_it_hears(void **state)
{
    (void)state;
    opens_a_page();
    in_event = confirm_one;
    sends(second, WS_OP_TEXT, "a 1");
    assert_int_equal(FIRST->seat.page->state, PAGE_OPEN);
}

/* ---- topics ---- */

static void a_topic_that_is_refused_is_a_problem(void **state)
{
    (void)state;
    opens_a_page();
    notes();
    assert_true(handler_subscribe(FIRST, SLICE_LITERAL("t"), NULL) >= 0);
    assert_true(handler_subscribe(FIRST, SLICE_LITERAL("u"), NULL) >= 0);
    assert_string_equal(notes(), "");
    turn_while_busy();
    assert_has(notes(), ".subscribed ");
    assert_int_equal(handler_unsubscribe(FIRST, SLICE_LITERAL("none")), HANDLER_SENT);
    turn_while_busy();
    assert_has(notes(), ".problem {\"command\":\"unsubscribe\"");
}

/* ---- limits ---- */

static void a_client_with_too_many_pages_is_sent_away(void **state)
{
    (void)state;
    page_config.shared_per_client = 1;
    asks(client, GET("/app"));
    asks(second, GET("/app"));
    assert_status(hear(second), 503);
}

/* ---- every end in every situation ---- */

static void first_answers(const char *text)
{
    struct page *p = FIRST->seat.page;
    page_answer_take(p, slice_of(text));
    page_settle(p);
    turn_while_busy();
}

static void first_ends_its_answer(void)
{
    handler_end(FIRST);
    turn_while_busy();
}

static void first_says(const char *line)
{
    struct message m;
    size_t used, want;
    assert_int_equal(message_parse_line(slice_of(line), 0, 1000, &used, &want, &m), PARSE_OK);
    handler_say_message(FIRST, &m, true);
    turn_while_busy();
}

static void first_ends(bool fails)
{
    if (kept_count == 0 || !FIRST->seat.page)
        return;
    if (fails)
        page_fail(FIRST->seat.page, SLICE_LITERAL("program-failed signal=9"));
    handler_leave(FIRST);
    kept[0].closes = kept[0].overs;
    turn_while_busy();
}

static struct page *first_page(void)
{
    return kept_count > 0 ? FIRST->seat.page : NULL;
}

static const struct matrix_program handler_program = {
    first_answers, first_ends_its_answer, first_says, first_ends, first_page, true, true,
};

static void whatever_ends_a_handlers_page_in_whatever_situation(void **state)
{
    run_matrix(state, &handler_program, begin_handlers, finish_handlers);
}

#define handler_test(f) cmocka_unit_test_setup_teardown(f, begin_handlers, finish_handlers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        handler_test(a_handler_answers_and_talks),
        handler_test(a_handler_sends_from_inside_of_what_it_hears),
        handler_test(an_answer_is_streamed_after_the_callback_has_returned),
        handler_test(a_client_of_an_answer_that_does_not_read_makes_the_handler_wait),
        handler_test(headers_that_are_none_are_refused),
        handler_test(a_body_comes_as_it_comes),
        handler_test(a_paused_body_waits),
        handler_test(an_answer_from_inside_of_the_body_ends_it),
        handler_test(a_head_has_the_same_answer_and_no_conversation),
        handler_test(what_is_no_page_has_no_session),
        handler_test(a_handler_that_does_not_answer_in_time_is_answered_for),
        handler_test(a_client_that_goes_before_the_request_is_told_is_never_told_of),
        handler_test(a_client_without_a_page_is_let_in_by_the_same_answer),
        handler_test(what_is_said_before_the_client_is_let_in_waits),
        handler_test(a_client_without_a_page_is_refused),
        handler_test(a_plain_client_is_heard_as_text),
        handler_test(calls_go_both_ways),
        handler_test(a_call_that_nobody_hears_fails),
        handler_test(a_call_is_answered_after_its_page_has_gone),
        handler_test(what_is_no_message_is_refused_and_nothing_happens),
        handler_test(a_command_that_cannot_be_obeyed_ends_the_page_as_failed),
        handler_test(commands_reach_the_page),
        handler_test(a_page_that_takes_no_more_makes_the_handler_wait),
        handler_test(a_handler_that_pauses_makes_its_client_wait),
        handler_test(a_paused_handler_hears_all_before_the_end),
        handler_test(a_handler_hears_of_its_client),
        handler_test(a_handler_closes_behind_what_it_has_sent),
        handler_test(a_handler_closes_from_inside_of_what_it_hears),
        handler_test(a_handler_that_leaves_hears_nothing_more),
        handler_test(a_handler_that_leaves_without_an_answer_is_answered_for),
        handler_test(a_drain_tells_the_handler_and_its_client),
        handler_test(a_restart_ends_the_page_for_the_next_one),
        handler_test(a_handler_is_not_taken_over_and_its_client_hears_so),
        handler_test(one_page_ends_another),
        handler_test(a_stream_is_accepted_and_written_as_there_is_room),
        handler_test(a_stream_is_reset_from_inside_of_anything),
        handler_test(a_stream_without_a_callback_is_refused),
        handler_test(a_state_that_is_too_large_is_told_later),
        handler_test(a_handler_confirms_the_message_that_it_hears),
        handler_test(a_topic_that_is_refused_is_a_problem),
        handler_test(a_client_with_too_many_pages_is_sent_away),
        handler_test(whatever_ends_a_handlers_page_in_whatever_situation),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return run_on_every_backend("pages of handlers", tests);
}
