/* SPDX-License-Identifier: MIT */
/* The rules of byte streams, one side against frames written by hand; what holds in every order of
 * events is in test_channels_chaos.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "notes.h"
#include "proto/channel_frame.h"
#include "random.h"
#include "session/channels.h"

enum {
    WINDOW = 1000
};

static struct channels_config config;
static struct channels_counts counts;
static struct channels *cs;
static struct channel *opened; /* the last that on_open told of */
static char said[8192];        /* what was sent, one word a frame */
static size_t wire_room;
static char heard[256]; /* what callbacks told */
static int soon;
static const char *why;
static struct shared_bytes *sent_from;

static void on_send(struct channels *set, struct slice head, struct shared_bytes *body, size_t at,
                    size_t len)
{
    static const char *const names[] = {"",      "OPEN", "OPENED", "DATA",
                                        "STATE", "END",  "RESET",  "GONE"};
    struct channel_frame f = {0};
    char whole[CHANNEL_HEAD_MAX + 70000];
    assert_ptr_equal(set, cs);
    memcpy(whole, head.ptr, head.len);
    if (len)
        memcpy(whole + head.len, body->bytes + at, len);
    assert_int_equal(channel_frame_parse(slice_make(whole, head.len + len), &f), PARSE_OK);
    note(said, sizeof(said), "%s%u", names[f.type], f.channel);
    if (f.type == CHANNEL_STATE)
        note(said, sizeof(said), ":%d/%d", (int)f.received, (int)f.limit);
    else if (f.type == CHANNEL_DATA && f.body.len > 20)
        note(said, sizeof(said), ":%zu", f.body.len);
    else if (f.body.len)
        note(said, sizeof(said), ":%.*s", SLICE_ARG(f.body));
    note(said, sizeof(said), " ");
    sent_from = body;
    wire_room -= head.len + len < wire_room ? head.len + len : wire_room;
}

static size_t room(struct channels *set)
{
    (void)set;
    return wire_room;
}

static void tell_soon(struct channels *set)
{
    (void)set;
    soon++;
}

static void on_opened(struct channel *c, struct slice json)
{
    note(heard, sizeof(heard), "opened%u:%.*s ", channel_number(c), SLICE_ARG(json));
}

static void on_data(struct channel *c, struct bytes data)
{
    note(heard, sizeof(heard), "data%u:%.*s ", channel_number(c), (int)data.len, data.ptr);
}

static void on_end(struct channel *c)
{
    note(heard, sizeof(heard), "end%u ", channel_number(c));
}

static void on_writable(struct channel *c)
{
    note(heard, sizeof(heard), "writable%u:%zu ", channel_number(c), channel_writable(c));
}

static void on_over(struct channel *c, struct slice json)
{
    note(heard, sizeof(heard), "over%u:%.*s ", channel_number(c), SLICE_ARG(json));
}

static const struct channel_ops ops = {on_opened, on_data, on_end, on_writable, on_over};

static void on_open(struct channels *set, struct channel *c, struct slice json)
{
    (void)set;
    opened = c;
    note(heard, sizeof(heard), "open%u:%.*s ", channel_number(c), SLICE_ARG(json));
    channel_own(c, &ops, NULL);
}

static const struct channels_ops client_ops = {on_send, room, NULL, tell_soon};
static const struct channels_ops server_ops = {on_send, room, on_open, tell_soon};

static void begin(const struct channels_ops *side)
{
    channels_free(cs, SLICE_NONE);
    config = (struct channels_config){.window = WINDOW, .channels_max = 3};
    counts = (struct channels_counts){0};
    cs = channels_new(&config, &counts, side, NULL);
    wire_room = SIZE_MAX;
    *said = *heard = '\0';
    soon = 0;
    channels_attach(cs);
}

static int server(void **state)
{
    (void)state;
    begin(&server_ops);
    return 0;
}

static int client(void **state)
{
    (void)state;
    begin(&client_ops);
    return 0;
}

static int over(void **state)
{
    (void)state;
    channels_free(cs, SLICE_NONE);
    cs = NULL;
    return 0;
}

static bool receive(struct channel_frame f)
{
    char frame[CHANNEL_HEAD_MAX + 2000]; /* on the heap, so that a byte too far shows */
    size_t len = channel_frame_head(&f, frame);
    if (f.body.len)
        memcpy(frame + len, f.body.ptr, f.body.len);
    why = NULL;
    char *copy = malloc(len + f.body.len);
    memcpy(copy, frame, len + f.body.len);
    bool good = channels_receive(cs, (struct bytes){copy, len + f.body.len}, &why);
    free(copy);
    assert_true(good == !why);
    return good;
}

static bool take(enum channel_frame_type type, uint32_t number, const char *body)
{
    return receive((struct channel_frame){.type = type, .channel = number, .body = slice_of(body)});
}

static bool take_state(uint32_t number, uint64_t received, uint64_t limit)
{
    return receive((struct channel_frame){
        .type = CHANNEL_STATE, .channel = number, .received = received, .limit = limit});
}

static void assert_said(const char *wanted)
{
    assert_string_equal(said, wanted);
    *said = '\0';
}

static void assert_heard(const char *wanted)
{
    assert_string_equal(heard, wanted);
    *heard = '\0';
}

static void again(void)
{
    channels_detach(cs);
    channels_attach(cs);
}

/* A channel of the server's side that both have. */
static struct channel *accepted(uint32_t number, uint64_t limit)
{
    assert_true(take(CHANNEL_OPEN, number, "{}"));
    channel_accept(opened, SLICE_LITERAL("{}"));
    assert_true(take_state(number, 0, limit));
    *said = *heard = '\0';
    return opened;
}

static void write_text(struct channel *c, const char *text)
{
    assert_true(channel_write(c, slice_of(text)));
}

static struct shared_bytes *shared_of(size_t len)
{
    struct shared_bytes *shared = shared_new(len);
    memset(shared->bytes, 'x', len);
    return shared;
}

/* ---- opening ---- */

static void the_server_answers_an_open_with_opened_and_what_it_grants(void **state)
{
    (void)state;
    assert_true(take(CHANNEL_OPEN, 7, "{\"kind\":\"tcp\"}"));
    assert_heard("open7:{\"kind\":\"tcp\"} ");
    assert_said("");
    channel_accept(opened, SLICE_LITERAL("{\"a\":1}"));
    assert_said("OPENED7:{\"a\":1} STATE7:0/1000 ");
}

static void an_open_that_comes_again_is_answered_again(void **state)
{
    (void)state;
    take(CHANNEL_OPEN, 7, "{}");
    again();
    assert_true(take(CHANNEL_OPEN, 7, "{}"));
    assert_said("");
    channel_accept(opened, SLICE_LITERAL("{\"a\":1}"));
    *said = '\0';
    again();
    assert_said("STATE7:0/1000 ");
    assert_true(take(CHANNEL_OPEN, 7, "{}"));
    assert_said("OPENED7:{\"a\":1} STATE7:0/1000 ");
    assert_heard("open7:{} ");
}

static void the_client_asks_again_until_it_is_answered(void **state)
{
    (void)state;
    struct channel *c = channel_open(cs, SLICE_LITERAL("{\"k\":1}"), &ops, NULL);
    write_text(c, "early");
    assert_said("OPEN1:{\"k\":1} ");
    again();
    assert_said("OPEN1:{\"k\":1} ");
    assert_true(take_state(1, 0, 100));
    assert_said("");
    assert_true(take(CHANNEL_OPENED, 1, "{\"a\":1}"));
    assert_heard("opened1:{\"a\":1} ");
    assert_said("STATE1:0/1000 DATA1:early ");
    assert_true(take(CHANNEL_OPENED, 1, "{}")); /* the answer to the first one, late */
    assert_heard("");
    again();
    assert_said("STATE1:0/1000 ");
}

static void numbers_rise_and_start_where_they_like(void **state)
{
    (void)state;
    assert_true(take(CHANNEL_OPEN, 5, "{}"));
    assert_true(take(CHANNEL_RESET, 5, "{\"reason\":\"x\"}"));
    assert_false(take(CHANNEL_OPEN, 5, "{}"));
    assert_string_equal(why, "a channel's number that does not rise");
    assert_false(take(CHANNEL_OPEN, 4, "{}"));
    assert_true(take(CHANNEL_OPEN, UINT32_MAX, "{}"));
}

static void no_more_streams_than_allowed(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        assert_true(take(CHANNEL_OPEN, i, "{}"));
    assert_int_equal(counts.now, 3);
    assert_false(take(CHANNEL_OPEN, 4, "{}"));
    assert_string_equal(why, "more streams than allowed");
}

static void what_a_client_does_not_name_is_over_when_it_opens_a_new_one(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        accepted(i, 100);
    channels_detach(cs);
    channels_attach(cs);
    assert_true(take_state(2, 0, 100));
    assert_true(take(CHANNEL_OPEN, 4, "{}"));
    assert_heard("over1:{\"reason\":\"stream-gone\"} over3:{\"reason\":\"stream-gone\"} open4:{} ");
    assert_int_equal(channels_count(cs), 2);
    assert_int_equal(counts.reset, 2);
}

/* ---- bytes out ---- */

static void nothing_is_sent_beyond_the_limit(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 0);
    write_text(c, "0123456789");
    assert_said("");
    assert_int_equal(channel_writable(c), WINDOW - 10);
    take_state(1, 0, 4);
    take_state(1, 2, 4);
    take_state(1, 2, 7);
    assert_said("DATA1:0123 DATA1:456 ");
    assert_int_equal(channel_writable(c), WINDOW - 8);
    channel_end(c);
    assert_said("");
    take_state(1, 7, 10);
    assert_said("DATA1:789 END1 ");
    channel_end(c);
    assert_said("");
    assert_int_equal(counts.bytes_out, 10);
}

static void after_a_drop_it_goes_on_from_what_the_other_side_has(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 100);
    write_text(c, "0123456789");
    channel_end(c);
    assert_said("DATA1:0123456789 END1 ");
    again();
    assert_said("STATE1:0/1000 ");
    take_state(1, 6, 100);
    assert_said("DATA1:6789 END1 ");
    assert_int_equal(counts.replayed_bytes, 5);
    again();
    *said = '\0';
    take_state(1, 10, 100);
    assert_said("END1 ");
    again();
    take_state(1, 11, 100);
    assert_int_equal(channel_writable(c), WINDOW);
}

static void small_writes_are_kept_together(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 0);
    for (int i = 0; i < 10; i++)
        write_text(c, "ab");
    take_state(1, 0, 100);
    assert_said("DATA1:abababababababababab ");
}

static void shared_bytes_are_sent_from_where_they_are(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 10);
    struct shared_bytes *shared = shared_of(30);
    memcpy(shared->bytes + 5, "01234567890123456789", 20);
    assert_true(channel_write_shared(c, shared, 5, 20));
    assert_ptr_equal(sent_from, shared);
    assert_int_equal(shared->refs, 2);
    assert_true(take_state(1, 10, 20));
    assert_said("DATA1:0123456789 DATA1:0123456789 ");
    assert_int_equal(shared->refs, 2);
    assert_true(take_state(1, 20, 20));
    assert_int_equal(shared->refs, 1);
    channel_reset(c, SLICE_LITERAL("{\"reason\":\"x\"}"));
    shared_unref(shared);
}

static void the_owner_hears_when_there_is_room_again(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 5000);
    struct shared_bytes *shared = shared_of(WINDOW);
    assert_true(channel_write_shared(c, shared, 0, WINDOW));
    shared_unref(shared);
    assert_int_equal(channel_writable(c), 0);
    take_state(1, WINDOW / 4 - 1, 5000);
    assert_heard("");
    take_state(1, WINDOW / 4, 5000);
    assert_heard("writable1:250 ");
    take_state(1, WINDOW, 5000);
    assert_heard("");
}

static void channels_take_turns(void **state)
{
    (void)state;
    config.window = 1 << 20;
    struct channel *c[3];
    for (uint32_t i = 0; i < 3; i++)
        c[i] = accepted(i + 1, 1 << 20);
    wire_room = 0;
    struct shared_bytes *shared = shared_of(40000);
    for (int i = 0; i < 2; i++)
        assert_true(channel_write_shared(c[i], shared, 0, 40000));
    write_text(c[2], "short");
    assert_said("");
    wire_room = SIZE_MAX;
    channels_pump(cs);
    assert_said(
        "DATA1:16384 DATA2:16384 DATA3:short DATA1:16384 DATA2:16384 DATA1:7232 DATA2:7232 ");
    shared_unref(shared);
    shared = shared_of(100000);
    channel_write_shared(c[0], shared, 0, 100000); /* a lone one need not stop so often */
    assert_said("DATA1:65536 DATA1:34464 ");
    shared_unref(shared);
}

static void a_full_wire_is_left_alone(void **state)
{
    (void)state;
    config.window = 1 << 20;
    struct channel *c = accepted(1, 1 << 20);
    struct shared_bytes *shared = shared_of(200000);
    wire_room = 1;
    channel_write_shared(c, shared, 0, 200000);
    assert_said("DATA1:16384 ");
    channels_pump(cs);
    assert_said("");
    wire_room = 70000;
    channels_pump(cs);
    assert_said("DATA1:65536 DATA1:16384 ");
    shared_unref(shared);
}

static void no_message_is_larger_than_the_other_side_takes(void **state)
{
    (void)state;
    config.message_max = CHANNEL_HEAD_SIZE + 4;
    write_text(accepted(1, 100), "0123456789");
    assert_said("DATA1:0123 DATA1:4567 DATA1:89 ");
}

/* ---- bytes in ---- */

static char many[WINDOW + 1]; /* that many letters */

static const char *letters(size_t n)
{
    memset(many, 'x', n);
    many[n] = '\0';
    return many;
}

static void what_came_is_told_at_a_quarter_of_the_window_or_soon(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 0);
    take(CHANNEL_DATA, 1, letters(100));
    take(CHANNEL_DATA, 1, letters(100));
    assert_said("");
    assert_int_equal(soon, 1);
    take(CHANNEL_DATA, 1, letters(50));
    assert_said("STATE1:250/1000 ");
    channel_consumed(c, 249);
    assert_said("");
    take(CHANNEL_DATA, 1, letters(1));
    channel_consumed(c, 1);
    assert_said("STATE1:251/1250 ");
    assert_int_equal(soon, 1); /* still due */
    channels_tell(cs);
    assert_said("");
    take(CHANNEL_DATA, 1, "x");
    assert_int_equal(soon, 2);
    channels_tell(cs);
    assert_said("STATE1:252/1250 ");
    assert_int_equal(counts.bytes_in, 252);
}

static void a_reader_that_waits_grants_at_once(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 0);
    take(CHANNEL_DATA, 1, letters(WINDOW));
    assert_said("STATE1:1000/1000 ");
    channel_consumed(c, 100);
    assert_said("");
    channel_consumed(c, 900);
    assert_said("STATE1:1000/2000 ");
}

static void what_was_granted_holds_though_the_window_shrinks(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 0);
    config.window = 10;
    assert_true(take(CHANNEL_DATA, 1, letters(WINDOW)));
    *said = '\0';
    again();
    assert_said("STATE1:1000/1000 ");
    channel_consumed(c, WINDOW);
    assert_said("STATE1:1000/1010 ");
}

/* ---- breaches ---- */

static void breaches_of_the_client(void **state)
{
    (void)state;
    static const struct {
        struct channel_frame f;
        const char *why;
    } rows[] = {
        {{.type = CHANNEL_OPENED, .body = {"{}", 2}}, "an OPENED of the client"},
        {{.type = CHANNEL_OPEN, .body = {"[]", 2}}, "a frame without its JSON object"},
        {{.type = CHANNEL_STATE, .limit = 9}, "a STATE that falls or counts what was not sent"},
        {{.type = CHANNEL_STATE, .received = 2, .limit = 10},
         "a STATE that falls or counts what was not sent"},
        {{.type = CHANNEL_STATE, .received = 5, .limit = 10},
         "a STATE that falls or counts what was not sent"},
        {{.type = CHANNEL_DATA, .body = {many, WINDOW + 1}}, "bytes beyond the limit"},
    };
    letters(WINDOW);
    many[WINDOW] = 'x';
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(&server_ops);
        write_text(accepted(1, 10), "0123");
        assert_true(take_state(1, 3, 10));
        struct channel_frame f = rows[i].f;
        f.channel = 1;
        assert_false(receive(f));
        assert_string_equal(why, rows[i].why);
    }
}

static void a_new_wire_can_not_take_back_what_was_received(void **state)
{
    (void)state;
    write_text(accepted(1, 10), "0123");
    assert_true(take_state(1, 3, 10));
    again();
    assert_false(take_state(1, 2, 10));
    again();
    assert_false(take_state(1, 5, 10));
    again();
    assert_true(take_state(1, 4, 10));
}

static void breaches_before_opened_and_after_the_end(void **state)
{
    (void)state;
    take(CHANNEL_OPEN, 1, "{}");
    assert_false(take(CHANNEL_END, 1, ""));
    assert_string_equal(why, "an END before OPENED");
    assert_false(take(CHANNEL_DATA, 1, "x"));
    assert_string_equal(why, "bytes beyond the limit");
    accepted(2, 0);
    assert_true(take(CHANNEL_END, 2, ""));
    assert_false(take(CHANNEL_END, 2, ""));
    assert_string_equal(why, "a second END");
    assert_false(take(CHANNEL_DATA, 2, "x"));
    assert_string_equal(why, "bytes after END");
}

static void a_server_opens_nothing(void **state)
{
    (void)state;
    assert_false(take(CHANNEL_OPEN, 1, "{}"));
    assert_string_equal(why, "an OPEN of the server");
}

/* ---- its end ---- */

static void over_when_both_ends_have_arrived(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 10);
    write_text(c, "hi");
    take(CHANNEL_DATA, 1, "yo");
    take(CHANNEL_END, 1, "");
    assert_said("DATA1:hi STATE1:3/1000 ");
    assert_heard("data1:yo end1 ");
    channel_end(c);
    assert_said("END1 ");
    take_state(1, 2, 10);
    assert_heard("");
    take_state(1, 3, 10);
    assert_heard("over1: ");
    assert_int_equal(channels_count(cs), 0);
    assert_int_equal(counts.reset, 0);
    take_state(1, 3, 10); /* their last one crossed ours */
    assert_said("GONE1 ");
}

static void gone_is_a_good_end_when_nothing_is_missing(void **state)
{
    (void)state;
    struct channel *c = accepted(1, 10);
    channel_end(c);
    take(CHANNEL_END, 1, "");
    take(CHANNEL_GONE, 1, "");
    assert_heard("end1 over1: ");
    c = accepted(2, 10);
    channel_end(c);
    take(CHANNEL_GONE, 2, "");
    assert_heard("over2:{\"reason\":\"stream-gone\"} ");
}

static void their_reset_is_answered_and_told(void **state)
{
    (void)state;
    accepted(1, 10);
    take(CHANNEL_RESET, 1, "{\"reason\":\"revoked\",\"retryAfter\":9}");
    assert_heard("over1:{\"reason\":\"revoked\",\"retryAfter\":9} ");
    assert_said("GONE1 ");
    assert_int_equal(counts.reset, 1);
}

static void our_reset_is_said_until_it_is_answered(void **state)
{
    (void)state;
    channel_reset(accepted(1, 10), SLICE_LITERAL("{\"reason\":\"revoked\"}"));
    assert_said("RESET1:{\"reason\":\"revoked\"} ");
    assert_true(take(CHANNEL_DATA, 1, "late"));
    assert_true(take(CHANNEL_END, 1, ""));
    assert_true(take_state(1, 0, 5));
    assert_said("");
    again();
    assert_said("RESET1:{\"reason\":\"revoked\"} ");
    take(CHANNEL_GONE, 1, "");
    assert_int_equal(channels_count(cs), 0);
    assert_heard("");
}

static void resets_that_cross_end_it(void **state)
{
    (void)state;
    channel_reset(accepted(1, 10), SLICE_LITERAL("{\"reason\":\"revoked\"}"));
    take(CHANNEL_RESET, 1, "{\"reason\":\"tired\"}");
    assert_said("RESET1:{\"reason\":\"revoked\"} GONE1 ");
    take(CHANNEL_GONE, 1, "");
    assert_said("");
    assert_int_equal(counts.reset, 1);
}

/* The client is done with the stream, and may open another one in its place before it hears of our
 * reset. */
static void a_reset_that_crosses_the_good_end_leaves_room_for_another(void **state)
{
    (void)state;
    accepted(2, 10);
    accepted(3, 10);
    struct channel *c = accepted(4, 10);
    channel_end(c);
    take(CHANNEL_END, 4, "");
    channel_reset(c, SLICE_LITERAL("{\"reason\":\"idle-timeout\"}"));
    assert_true(take_state(4, 1, 10));
    assert_true(take(CHANNEL_OPEN, 5, "{}"));
    assert_true(take(CHANNEL_GONE, 4, "")); /* the answer to the reset */
    assert_int_equal(channels_count(cs), 3);
}

static void frames_for_nobody_are_answered_with_gone(void **state)
{
    (void)state;
    take_state(9, 0, 0);
    take(CHANNEL_DATA, 9, "x");
    take(CHANNEL_END, 9, "");
    take(CHANNEL_RESET, 9, "{\"reason\":\"x\"}");
    assert_said("GONE9 GONE9 GONE9 GONE9 ");
    take(CHANNEL_GONE, 9, "");
    assert_said("");
}

static void with_the_session_all_are_over(void **state)
{
    (void)state;
    accepted(1, 10);
    channel_reset(accepted(2, 10), SLICE_LITERAL("{\"reason\":\"x\"}"));
    take(CHANNEL_OPEN, 3, "{}");
    *heard = '\0';
    channels_free(cs, SLICE_LITERAL("{\"reason\":\"program-exit\"}"));
    cs = NULL;
    assert_heard("over3:{\"reason\":\"program-exit\"} over1:{\"reason\":\"program-exit\"} ");
    assert_int_equal(counts.now, 0);
}

static void free_all(struct channel *c, struct bytes data)
{
    (void)data;
    channels_free(channel_set(c), SLICE_LITERAL("{\"reason\":\"over\"}"));
    cs = NULL;
}

static void the_session_may_end_inside_a_callback(void **state)
{
    (void)state;
    static const struct channel_ops deadly = {on_opened, free_all, on_end, on_writable, on_over};
    channel_own(accepted(1, 10), &deadly, NULL);
    accepted(2, 10);
    take(CHANNEL_DATA, 1, "x");
    assert_heard("over2:{\"reason\":\"over\"} over1:{\"reason\":\"over\"} ");
}

static void reset_it(struct channel *c, struct bytes data)
{
    (void)data;
    channel_reset(c, SLICE_LITERAL("{\"reason\":\"enough\"}"));
}

static void a_channel_may_be_reset_inside_its_callback(void **state)
{
    (void)state;
    static const struct channel_ops deadly = {on_opened, reset_it, on_end, on_writable, on_over};
    channel_own(accepted(1, 10), &deadly, NULL);
    take(CHANNEL_DATA, 1, "x");
    assert_said("RESET1:{\"reason\":\"enough\"} ");
    assert_heard("");
}

static void opened_while_away_and_said_when_back(void **state)
{
    (void)state;
    channels_detach(cs);
    struct channel *c = channel_open(cs, SLICE_LITERAL("{}"), &ops, NULL);
    channel_reset(channel_open(cs, SLICE_LITERAL("{}"), &ops, NULL),
                  SLICE_LITERAL("{\"reason\":\"x\"}"));
    assert_int_equal(channel_number(c), 1);
    assert_said("");
    channels_attach(cs);
    assert_said("OPEN1:{} RESET2:{\"reason\":\"x\"} ");
}

/* ---- when all together keep much ---- */

static void begin_large(void)
{
    config = (struct channels_config){.window = 1 << 20, .channels_max = 8};
}

/* As much as it takes. Returns how much that was. */
static size_t fill(struct channel *c)
{
    size_t all = 0;
    for (size_t len; (len = channel_writable(c)) > 0; all += len) {
        struct shared_bytes *shared = shared_of(len < 65536 ? len : 65536);
        len = shared->len;
        assert_true(channel_write_shared(c, shared, 0, len));
        shared_unref(shared);
        *said = '\0';
    }
    return all;
}

static void a_stream_goes_on_beside_others_that_stand(void **state)
{
    (void)state;
    begin_large();
    for (uint32_t standing = 1; standing <= 4; standing++)
        assert_int_equal(fill(accepted(standing, 0)), 1 << 20);
    struct channel *c = accepted(5, 1 << 30);
    for (uint64_t sent = 0, told = 0; sent < 8 << 20;) {
        size_t more = fill(c);
        sent += more;
        assert_true(more > 0);
        if (sent - told >= 65536)
            assert_true(take_state(5, told = sent, 1 << 30));
    }
}

static void who_waited_in_a_crowd_goes_on_when_the_crowd_is_gone(void **state)
{
    (void)state;
    begin_large();
    for (uint32_t busy = 1; busy <= 4; busy++)
        assert_int_equal(fill(accepted(busy, 1 << 30)), 1 << 20);
    assert_true(fill(accepted(5, 1 << 30)) < 1 << 20);
    assert_true(take_state(1, 1 << 20, 1 << 30));
    assert_non_null(strstr(heard, "writable5:"));
}

/* Its owner has not been told that it should wait, and may be about to write. */
static void a_crowd_takes_no_room_away_but_after_a_write(void **state)
{
    (void)state;
    begin_large();
    struct channel *c = accepted(1, 1 << 30);
    struct shared_bytes *shared = shared_of(200000);
    assert_true(channel_write_shared(c, shared, 0, shared->len));
    shared_unref(shared);
    for (uint32_t busy = 2; busy <= 5; busy++)
        fill(accepted(busy, 1 << 30));
    assert_true(take_state(1, 1, 1 << 30));
    assert_int_equal(channel_writable(c), (1 << 20) - 200000 + 1);
    assert_string_equal(heard, "");
    assert_true(channel_write(c, SLICE_LITERAL("x")));
    assert_int_equal(channel_writable(c), 0);
}

int main(void)
{
#define SERVER(test) cmocka_unit_test_setup_teardown(test, server, over)
#define CLIENT(test) cmocka_unit_test_setup_teardown(test, client, over)
    const struct CMUnitTest tests[] = {
        SERVER(the_server_answers_an_open_with_opened_and_what_it_grants),
        SERVER(an_open_that_comes_again_is_answered_again),
        CLIENT(the_client_asks_again_until_it_is_answered),
        SERVER(numbers_rise_and_start_where_they_like),
        SERVER(no_more_streams_than_allowed),
        SERVER(what_a_client_does_not_name_is_over_when_it_opens_a_new_one),
        SERVER(nothing_is_sent_beyond_the_limit),
        SERVER(after_a_drop_it_goes_on_from_what_the_other_side_has),
        SERVER(small_writes_are_kept_together),
        SERVER(shared_bytes_are_sent_from_where_they_are),
        SERVER(the_owner_hears_when_there_is_room_again),
        SERVER(channels_take_turns),
        SERVER(a_full_wire_is_left_alone),
        SERVER(no_message_is_larger_than_the_other_side_takes),
        SERVER(what_came_is_told_at_a_quarter_of_the_window_or_soon),
        SERVER(a_reader_that_waits_grants_at_once),
        SERVER(what_was_granted_holds_though_the_window_shrinks),
        SERVER(breaches_of_the_client),
        SERVER(a_new_wire_can_not_take_back_what_was_received),
        SERVER(breaches_before_opened_and_after_the_end),
        CLIENT(a_server_opens_nothing),
        SERVER(over_when_both_ends_have_arrived),
        SERVER(gone_is_a_good_end_when_nothing_is_missing),
        SERVER(their_reset_is_answered_and_told),
        SERVER(our_reset_is_said_until_it_is_answered),
        SERVER(resets_that_cross_end_it),
        SERVER(a_reset_that_crosses_the_good_end_leaves_room_for_another),
        SERVER(frames_for_nobody_are_answered_with_gone),
        SERVER(with_the_session_all_are_over),
        SERVER(the_session_may_end_inside_a_callback),
        SERVER(a_channel_may_be_reset_inside_its_callback),
        CLIENT(opened_while_away_and_said_when_back),
        SERVER(a_stream_goes_on_beside_others_that_stand),
        SERVER(a_crowd_takes_no_room_away_but_after_a_write),
        SERVER(who_waited_in_a_crowd_goes_on_when_the_crowd_is_gone),
    };
    return cmocka_run_group_tests_name("channels", tests, NULL, NULL);
}
