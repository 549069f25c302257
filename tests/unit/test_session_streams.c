/* SPDX-License-Identifier: MIT */
/* A session's byte streams: between a fake wire and an owner, on a loop with a fake clock. What
 * streams themselves do is in test_channels.c. */
#include "core/backend.h"
#include "proto/channel_frame.h"
#include "session/flight.h"
#include "session/table.h"

#include "every_backend.h"
#include "notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY SLICE_LITERAL("abcdefghijklmnopqrstuv")

static struct session_config config;
static struct session_counts counts;
static struct loop *loop;
static struct session_table *table;
static struct session *session;
static uint64_t now_ms;
static struct channel *opened;
static char told[256]; /* by callbacks */

static struct wire {
    struct session_wire base;
    char sent[4096]; /* texts, and frames as in test_channels.c */
    size_t queued, shared_bytes;
    unsigned close_code;
    bool shallow;
} wire;

/* ---- the fakes ---- */

static void wire_send(struct session_wire *base, bool binary, const struct slice *pieces,
                      size_t count)
{
    struct wire *w = container_of(base, struct wire, base);
    struct channel_frame f = {0};
    if (!binary) {
        for (size_t i = 0; i < count; i++)
            note(w->sent, sizeof(w->sent), "%.*s", SLICE_ARG(pieces[i]));
        note(w->sent, sizeof(w->sent), "\n");
        return;
    }
    assert_int_equal(count, 1);
    assert_int_equal(channel_frame_parse(pieces[0], &f), PARSE_OK);
    if (f.type == CHANNEL_STATE)
        note(w->sent, sizeof(w->sent), "STATE%u:%d/%d ", f.channel, (int)f.received, (int)f.limit);
    else
        note(w->sent, sizeof(w->sent), "%d:%u%.*s ", f.type, f.channel, SLICE_ARG(f.body));
}

static void wire_send_shared(struct session_wire *base, struct slice head,
                             struct shared_bytes *body, size_t at, size_t len)
{
    struct wire *w = container_of(base, struct wire, base);
    assert_int_equal(head.len, CHANNEL_HEAD_SIZE);
    assert_true(at + len <= body->len);
    w->shared_bytes += len;
    w->queued += len;
}

static size_t wire_queued(const struct session_wire *base)
{
    return container_of(base, struct wire, base)->queued;
}

static void wire_keep_shallow(struct session_wire *base)
{
    container_of(base, struct wire, base)->shallow = true;
}

static void wire_close(struct session_wire *base, unsigned code, struct slice reason)
{
    (void)reason;
    container_of(base, struct wire, base)->close_code = code;
}

static const struct session_wire_ops wire_ops = {
    .send = wire_send,
    .send_shared = wire_send_shared,
    .queued = wire_queued,
    .keep_shallow = wire_keep_shallow,
    .close = wire_close,
};

static void on_data(struct channel *c, struct bytes data)
{
    note(told, sizeof(told), "data:%.*s ", (int)data.len, data.ptr);
    if (data.len == 3 && !memcmp(data.ptr, "end", 3))
        session_end(session_of_channel(c), 1000, SLICE_LITERAL("program-exit"));
}

static void on_channel_end(struct channel *c)
{
    (void)c;
    note(told, sizeof(told), "end ");
}

static void on_channel_over(struct channel *c, struct slice json)
{
    (void)c;
    note(told, sizeof(told), "over:%.*s ", SLICE_ARG(json));
}

static const struct channel_ops channel_ops = {
    .on_data = on_data, .on_end = on_channel_end, .on_over = on_channel_over};

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    assert_ptr_equal(s, session);
    note(told, sizeof(told), "open:%.*s ", SLICE_ARG(json));
    channel_own(c, &channel_ops, NULL);
    channel_accept(c, SLICE_LITERAL("{}"));
    opened = c;
}

static void on_message(struct session *s, const struct message *m)
{
    (void)m;
    session_taken(s);
}

static void on_attach(struct session *s, bool resumed)
{
    (void)s;
    (void)resumed;
}

static void on_detach(struct session *s, struct slice reason)
{
    (void)s;
    (void)reason;
}

static void on_writable(struct session *s)
{
    (void)s;
}

static void on_close(struct session *s, struct slice reason)
{
    note(told, sizeof(told), "close:%.*s ", SLICE_ARG(reason));
    session_end(s, 1000, reason);
}

static void on_over(struct session *s)
{
    assert_ptr_equal(s, session);
    session = NULL;
}

static struct session_ops ops = {
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
};

/* ---- one turn, and set-up ---- */

static uint64_t fake_clock(void *arg)
{
    (void)arg;
    return now_ms;
}

static void stop(struct mail *mail)
{
    (void)mail;
    loop_stop(loop);
}

static void pass(uint64_t ms)
{
    static struct mail mail;
    now_ms += ms;
    loop_post(loop, &mail, stop);
    assert_int_equal(loop_run(loop), 0);
}

static int setup(void **state)
{
    (void)state;
    config = (struct session_config){
        .buffer_max = 1000,
        .window = 1000,
        .message_max = 500,
        .stream_window = 400000,
        .streams_max = 2,
        .attach_timeout_ms = 30000,
        .detach_timeout_ms = 600000,
        .goodbye_timeout_ms = 5000,
        .ping_ms = 20000,
    };
    ops.on_open = on_open;
    memset(&counts, 0, sizeof(counts));
    memset(&wire, 0, sizeof(wire));
    wire.base.ops = &wire_ops;
    *told = '\0';
    loop = loop_new();
    now_ms = 1000;
    loop_set_clock(loop, fake_clock, NULL);
    table = session_table_new(0, 10);
    pass(0);
    session = session_new(loop, &(struct session_spec){.config = &config,
                                                       .counts = &counts,
                                                       .table = table,
                                                       .ops = &ops,
                                                       .origin = SLICE_LITERAL("https://a.example"),
                                                       .path = SLICE_LITERAL("/")});
    session_attach(session, &wire.base, KEY, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (session)
        session_abort(session, 1000, SLICE_LITERAL("done"));
    pass(0);
    assert_null(session);
    assert_int_equal(counts.streams.now, 0);
    session_table_free(table);
    loop_free(loop);
    return 0;
}

static void take(enum channel_frame_type type, uint32_t number, const char *body)
{
    char frame[CHANNEL_HEAD_MAX + 100];
    size_t len =
        channel_frame_head(&(struct channel_frame){.type = type, .channel = number}, frame);
    memcpy(frame + len, body, strlen(body));
    session_receive(&wire.base, true, (struct bytes){frame, len + strlen(body)});
}

static void take_state(uint32_t number, uint64_t received, uint64_t limit)
{
    char frame[CHANNEL_HEAD_MAX];
    size_t len = channel_frame_head(
        &(struct channel_frame){
            .type = CHANNEL_STATE, .channel = number, .received = received, .limit = limit},
        frame);
    session_receive(&wire.base, true, (struct bytes){frame, len});
}

static void assert_sent(const char *wanted)
{
    assert_string_equal(wire.sent, wanted);
    *wire.sent = '\0';
}

static void assert_told(const char *wanted)
{
    assert_string_equal(told, wanted);
    *told = '\0';
}

static void open_stream(void)
{
    *wire.sent = '\0';
    take(CHANNEL_OPEN, 1, "{\"kind\":\"x\"}");
    assert_told("open:{\"kind\":\"x\"} ");
    assert_sent("2:1{} STATE1:0/400000 ");
}

static void reconnect(void)
{
    session_detach(&wire.base, SLICE_LITERAL("lost"));
    wire = (struct wire){.base.ops = &wire_ops};
    session_attach(session, &wire.base, KEY, 0);
}

/* ---- the tests ---- */

static void welcome_says_what_there_may_be(void **state)
{
    (void)state;
    assert_non_null(strstr(wire.sent, ",\"streamWindow\":400000,\"streams\":2}\n"));
    assert_false(wire.shallow);
}

static void the_owner_is_asked_and_streams_are_counted(void **state)
{
    (void)state;
    struct text text = {0};
    open_stream();
    assert_true(wire.shallow);
    assert_ptr_equal(session_of_channel(opened), session);
    assert_int_equal(counts.streams.now, 1);
    channel_write(opened, SLICE_LITERAL("abc"));
    session_describe(session, &text);
    text_put(&text, slice_make("", 1));
    assert_non_null(strstr(text.ptr, "\"streams\":1,\"streamBytes\":3}"));
    text_done(&text);
}

static void without_an_owner_for_it_a_stream_is_refused(void **state)
{
    (void)state;
    ops.on_open = NULL;
    *wire.sent = '\0';
    take(CHANNEL_OPEN, 1, "{}");
    assert_sent("6:1{\"reason\":\"stream-unsupported\"} ");
}

static void what_came_is_told_within_a_second(void **state)
{
    (void)state;
    open_stream();
    take(CHANNEL_DATA, 1, "hello");
    assert_told("data:hello ");
    assert_sent("");
    pass(1000);
    assert_sent("STATE1:5/400000 ");
}

static void streams_leave_at_most_64_kib_in_the_wire(void **state)
{
    (void)state;
    struct shared_bytes *shared = shared_new(300000);
    memset(shared->bytes, 'x', 300000);
    open_stream();
    take_state(1, 0, 400000);
    channel_write_shared(opened, shared, 0, 300000);
    assert_int_equal(wire.shared_bytes, 65536);
    wire.queued = 10;
    session_drained(&wire.base);
    assert_in_range(wire.shared_bytes, 65536 + 65526, 3 * 65536);
    assert_in_range(wire.queued, 65536, 2 * 65536);
    shared_unref(shared);
}

static void drain(void)
{
    for (size_t before = SIZE_MAX; before != wire.shared_bytes;) {
        before = wire.shared_bytes;
        wire.queued = 0;
        session_drained(&wire.base);
    }
}

static void what_a_client_has_not_dealt_with_holds_streams_back(void **state)
{
    (void)state;
    char pong[] = ".pong";
    struct shared_bytes *shared = shared_new(400000);
    memset(shared->bytes, 'x', 400000);
    open_stream();
    take_state(1, 0, 400000);
    channel_write_shared(opened, shared, 0, 400000);
    drain();
    assert_in_range(wire.shared_bytes, FLIGHT_BUDGET_FIRST, FLIGHT_BUDGET_FIRST + 65536);
    assert_non_null(strstr(wire.sent, ".ping\n"));
    size_t held = wire.shared_bytes;
    session_receive(&wire.base, false, (struct bytes){pong, 5});
    drain();
    assert_true(wire.shared_bytes > held);
    shared_unref(shared);
}

static void a_new_wire_goes_on(void **state)
{
    (void)state;
    open_stream();
    take_state(1, 0, 100);
    channel_write(opened, SLICE_LITERAL("0123456789"));
    assert_int_equal(wire.shared_bytes, 10);
    take(CHANNEL_DATA, 1, "abc");
    reconnect();
    assert_non_null(strstr(wire.sent, "}\nSTATE1:3/400000 "));
    assert_true(wire.shallow);
    take_state(1, 4, 100);
    assert_int_equal(wire.shared_bytes, 6);
    pass(1000); /* the old wire's timer has nothing to say */
}

static void a_breach_ends_the_session_with_4400(void **state)
{
    (void)state;
    open_stream();
    take(CHANNEL_OPENED, 1, "{}");
    assert_int_equal(wire.close_code, 4400);
    assert_told("over:{\"reason\":\"wire-protocol\"} close:wire-protocol ");
    assert_int_equal(counts.breaches, 1);
}

static void more_streams_than_welcome_said_are_a_breach(void **state)
{
    (void)state;
    config.streams_max = 100; /* reloaded since */
    take(CHANNEL_OPEN, 1, "{}");
    take(CHANNEL_OPEN, 2, "{}");
    assert_int_equal(wire.close_code, 0);
    take(CHANNEL_OPEN, 3, "{}");
    assert_int_equal(wire.close_code, 4400);
}

static void with_the_session_its_streams_are_over(void **state)
{
    (void)state;
    open_stream();
    session_end(session, 1000, SLICE_LITERAL("program-exit"));
    assert_told("over:{\"reason\":\"program-exit\"} ");
    assert_int_equal(counts.streams.now, 0);
}

static void the_session_may_end_inside_a_streams_callback(void **state)
{
    (void)state;
    open_stream();
    take(CHANNEL_DATA, 1, "end");
    assert_told("data:end over:{\"reason\":\"program-exit\"} ");
    assert_int_equal(wire.close_code, 1000);
}

static void frames_after_the_sessions_end_are_ignored(void **state)
{
    (void)state;
    struct message m;
    open_stream();
    assert_int_equal(message_parse_text(SLICE_LITERAL("last 1"), &m), PARSE_OK);
    session_send(session, &m);
    session_end(session, 1000, SLICE_LITERAL("x")); /* waits for the acknowledgement */
    take(CHANNEL_DATA, 1, "late");
    take(CHANNEL_OPEN, 2, "{}");
    assert_told("over:{\"reason\":\"x\"} ");
    assert_int_equal(wire.close_code, 0);
}

static void streams_wait_while_the_client_is_away_and_end_with_its_grace(void **state)
{
    (void)state;
    open_stream();
    session_detach(&wire.base, SLICE_LITERAL("lost"));
    channel_write(opened, SLICE_LITERAL("kept"));
    pass(config.detach_timeout_ms - 1);
    assert_told("");
    pass(2);
    assert_told("over:{\"reason\":\"grace-over\"} close:grace-over ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(welcome_says_what_there_may_be),
        TEST(the_owner_is_asked_and_streams_are_counted),
        TEST(without_an_owner_for_it_a_stream_is_refused),
        TEST(what_came_is_told_within_a_second),
        TEST(streams_leave_at_most_64_kib_in_the_wire),
        TEST(what_a_client_has_not_dealt_with_holds_streams_back),
        TEST(a_new_wire_goes_on),
        TEST(a_breach_ends_the_session_with_4400),
        TEST(more_streams_than_welcome_said_are_a_breach),
        TEST(with_the_session_its_streams_are_over),
        TEST(the_session_may_end_inside_a_streams_callback),
        TEST(frames_after_the_sessions_end_are_ignored),
        TEST(streams_wait_while_the_client_is_away_and_end_with_its_grace),
    };
    return run_on_every_backend("session_streams", tests);
}
