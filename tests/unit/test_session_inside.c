/* SPDX-License-Identifier: MIT */
/* A session's owner ends it from inside of a call: of any kind, the first one or any later one. */
#include "core/backend.h"
#include "proto/channel_frame.h"
#include "session/table.h"

#include "every_backend.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEY    SLICE_LITERAL("abcdefghijklmnopqrstuv")
#define ORIGIN SLICE_LITERAL("https://a.example")
#define PATH   SLICE_LITERAL("/")

enum {
    CHANNELS = 4,
    WIRES = 400
};

static struct session_config config;
static struct session_counts counts;
static struct loop *loop;
static struct session_table *table;
static struct session *session;
static uint64_t now_ms, random_state;

/* ---- the wire ---- */

static struct wire {
    struct session_wire base;
    bool closed;
} wires[WIRES], *wire; /* NULL: none is attached */
static size_t wire_count;

static struct wire *wire_of(const struct session_wire *base)
{
    struct wire *w = container_of(base, struct wire, base);
    assert_false(w->closed);
    return w;
}

static void wire_send(struct session_wire *base, bool binary, const struct slice *pieces,
                      size_t count)
{
    (void)binary, (void)pieces, (void)count;
    wire_of(base);
}

static void wire_send_shared(struct session_wire *base, struct slice head,
                             struct shared_bytes *body, size_t at, size_t len)
{
    (void)head, (void)body, (void)at, (void)len;
    wire_of(base);
}

static size_t wire_queued(const struct session_wire *base)
{
    wire_of(base);
    return 0;
}

static void wire_keep_shallow(struct session_wire *base)
{
    wire_of(base);
}

static void wire_close(struct session_wire *base, unsigned code, struct slice reason)
{
    (void)code, (void)reason;
    struct wire *w = wire_of(base);
    w->closed = true;
    wire = wire == w ? NULL : wire;
}

static const struct session_wire_ops wire_ops = {
    .send = wire_send,
    .send_shared = wire_send_shared,
    .queued = wire_queued,
    .keep_shallow = wire_keep_shallow,
    .close = wire_close,
};

/* ---- the owner ---- */

static void end(void)
{
    session_end(session, 1000, SLICE_LITERAL("done"));
}

static void abort_it(void)
{
    session_abort(session, 4500, SLICE_LITERAL("failed"));
}

static void give_up(void)
{
    session_give_up(session);
}

static struct channel *channels[CHANNELS];

static void reset_and_end(void)
{
    for (int i = 0; i < CHANNELS; i++)
        if (channels[i])
            channel_reset(channels[i], SLICE_LITERAL("{\"reason\":\"x\"}"));
    memset(channels, 0, sizeof(channels));
    end();
}

static void (*const all_ways[])(void) = {end, abort_it, give_up, reset_and_end};

static unsigned calls_left; /* until it ends the session */
static void (*way)(void);
static bool ended;
static int overs;

static void may_end(void)
{
    if (ended || --calls_left > 0)
        return;
    ended = true;
    way();
}

/* A call that does not come for a session that its owner has ended. */
static void is_told(void)
{
    assert_false(ended);
    may_end();
}

static void forget(const struct channel *c)
{
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = channels[i] == c ? NULL : channels[i];
}

static void on_data(struct channel *c, struct bytes data)
{
    channel_consumed(c, data.len);
    is_told();
}

static void on_channel_event(struct channel *c)
{
    (void)c;
    is_told();
}

static void on_channel_over(struct channel *c, struct slice json)
{
    (void)json;
    forget(c);
    may_end();
}

static const struct channel_ops channel_ops = {.on_data = on_data,
                                               .on_end = on_channel_event,
                                               .on_writable = on_channel_event,
                                               .on_over = on_channel_over};

static void on_open(struct session *s, struct channel *c, struct slice json)
{
    (void)s, (void)json;
    channel_own(c, &channel_ops, NULL);
    channel_accept(c, SLICE_LITERAL("{}"));
    for (int i = 0; i < CHANNELS; i++)
        if (!channels[i]) {
            channels[i] = c;
            break;
        }
    is_told();
}

static void on_message(struct session *s, const struct message *m)
{
    (void)m;
    session_taken(s);
    is_told();
}

static void on_attach(struct session *s, bool resumed)
{
    (void)s, (void)resumed;
    is_told();
}

static void on_detach(struct session *s, struct slice reason)
{
    (void)s, (void)reason;
    is_told();
}

static void on_writable(struct session *s)
{
    (void)s;
    is_told();
}

static void on_greeted(struct session *s)
{
    session_tell(s, SLICE_LITERAL(".stderr {}"));
    may_end();
}

static void on_close(struct session *s, struct slice reason)
{
    is_told();
    ended = true;
    session_end(s, 1000, reason);
}

static void on_over(struct session *s)
{
    assert_ptr_equal(s, session);
    overs++;
}

static const struct session_ops ops = {
    .on_message = on_message,
    .on_attach = on_attach,
    .on_detach = on_detach,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_over = on_over,
    .on_greeted = on_greeted,
    .on_open = on_open,
};

/* ---- what happens to it ---- */

static uint64_t fake_clock(void *arg)
{
    (void)arg;
    return now_ms;
}

static void pass(uint64_t ms)
{
    now_ms += ms;
    assert_int_equal(loop_turn(loop, 0), 0);
}

static void attach(void)
{
    struct wire *w = &wires[wire_count];
    if (wire_count == WIRES || session_admits(session, PATH, ORIGIN, KEY, 0))
        return;
    wire_count++;
    *w = (struct wire){.base.ops = &wire_ops};
    wire = w;
    session_attach(session, &w->base, KEY, 0);
}

static void detach(void)
{
    struct wire *lost = wire;
    wire = NULL;
    lost->closed = true;
    session_detach(&lost->base, SLICE_LITERAL("lost"));
}

static void hear(const char *text)
{
    char line[64];
    size_t len = (size_t)snprintf(line, sizeof(line), "%s", text);
    session_receive(&wire->base, false, (struct bytes){line, len});
}

static void hear_frame(const struct channel_frame *f, const char *body)
{
    char frame[CHANNEL_HEAD_MAX + 64];
    size_t head = channel_frame_head(f, frame);
    size_t len = (size_t)snprintf(frame + head, sizeof(frame) - head, "%s", body);
    session_receive(&wire->base, true, (struct bytes){frame, head + len});
}

static void hear_something(uint32_t *last)
{
    static const char *const lines[] = {"hi 1", ".ping", ".pong", ".bye", "hi 2", "x?1 2"};
    uint32_t number = *last ? 1 + (uint32_t)random_below(&random_state, *last) : 1;
    switch (random_below(&random_state, 12)) {
    case 0:
        hear_frame(&(struct channel_frame){.type = CHANNEL_OPEN, .channel = ++*last},
                   "{\"kind\":\"x\"}");
        break;
    case 1:
        hear_frame(&(struct channel_frame){.type = CHANNEL_DATA, .channel = number}, "abc");
        break;
    case 2:
        hear_frame(&(struct channel_frame){.type = CHANNEL_STATE, .channel = number, .limit = 999},
                   "");
        break;
    case 3:
        hear_frame(&(struct channel_frame){.type = CHANNEL_RESET, .channel = number}, "{}");
        break;
    case 4:
        hear_frame(&(struct channel_frame){.type = CHANNEL_END, .channel = number}, "");
        break;
    default:
        hear(lines[random_below(&random_state, COUNT_OF(lines))]);
    }
}

static void write_something(void)
{
    struct message m;
    struct channel *c = channels[random_below(&random_state, CHANNELS)];
    assert_int_equal(message_parse_text(SLICE_LITERAL("say 1"), &m), PARSE_OK);
    if (!ended && c && channel_writable(c) >= 3)
        channel_write(c, SLICE_LITERAL("abc"));
    if (!ended && session_writable(session))
        session_send(session, &m);
}

static void step(uint32_t *last)
{
    size_t what = random_below(&random_state, 200);
    if (what < 10 || !wire)
        attach();
    else if (what < 20)
        detach();
    else if (what < 60)
        write_something();
    else if (what == 60)
        hear(".close");
    else if (what == 61)
        session_receive_too_long(&wire->base);
    else if (what < 65)
        session_drained(&wire->base);
    else
        hear_something(last);
    pass(random_below(&random_state, 20) ? 10 : 900);
}

static void begin(void)
{
    wire = NULL;
    wire_count = 0;
    memset(channels, 0, sizeof(channels));
    memset(&counts, 0, sizeof(counts));
    ended = false;
    overs = 0;
    session = session_new(loop, &(struct session_spec){.config = &config,
                                                       .counts = &counts,
                                                       .table = table,
                                                       .ops = &ops,
                                                       .origin = ORIGIN,
                                                       .path = PATH});
    assert_non_null(session);
}

/* Whatever the owner has not ended ends by time. */
static void all_is_over(void)
{
    for (int i = 0; i < 100 && !overs; i++)
        pass(1000); /* a longer turn would be a pause of the whole process */
    assert_int_equal(overs, 1);
    assert_int_equal(counts.now, 0);
    assert_int_equal(counts.attached_now, 0);
    assert_int_equal(counts.streams.now, 0);
    assert_int_equal(session_table_count(table), 0);
}

static void its_owner_may_end_it_inside_of_any_call(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        random_state = 1 + i;
        uint32_t last = 0;
        calls_left = 1 + i / 4 % 50;
        way = all_ways[i % COUNT_OF(all_ways)];
        begin();
        for (int n = 0; n < 200 && !overs; n++)
            step(&last);
        if (wire && !overs)
            detach();
        all_is_over();
    }
}

static int begin_group(void **state)
{
    (void)state;
    loop = loop_new();
    loop_set_clock(loop, fake_clock, NULL);
    table = session_table_new(0, 10);
    return 0;
}

static int end_group(void **state)
{
    (void)state;
    session_table_free(table);
    loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_owner_may_end_it_inside_of_any_call),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    config = (struct session_config){
        .buffer_max = 300,
        .window = 1000,
        .message_max = 500,
        .stream_window = 20,
        .streams_max = CHANNELS,
        .attach_timeout_ms = 30000,
        .detach_timeout_ms = 30000,
        .goodbye_timeout_ms = 5000,
        .ping_ms = 20000,
    };
    return run_group_on_every_backend("session_inside", tests, begin_group, end_group);
}
