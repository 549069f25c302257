/* SPDX-License-Identifier: MIT */
/* A peer's life: closing, dying, waiting, writing. Time is the test's own where it matters: a
 * millisecond a turn. */
#include "ws_harness.h"

#include "ws/parts.h"

static struct harness h;
static struct text script;

static struct slice script_of(const struct frame *frames)
{
    script.len = 0;
    for (const struct frame *f = frames; f->payload; f++)
        script_add(&script, f);
    return slice_make(script.bytes, script.len);
}

static void client_says(const struct frame *frames)
{
    struct slice bytes = script_of(frames);
    assert_int_equal(send(h.fd, bytes.ptr, bytes.len, MSG_NOSIGNAL), bytes.len);
}

static void begin(const struct frame *frames)
{
    harness_init(&h, script_of(frames));
    h.own_clock = true;
    h.now_ms = 1000;
}

static const struct frame nothing[] = {{0}};

/* ---- pings and dead peers ---- */

static void begin_watched(void)
{
    begin(nothing);
    h.keep_open = true;
    h.config.ping_interval_ms = 20;
    h.config.pong_timeout_ms = 10;
}

static void rfc6455_5_5_2_a_silent_peer_is_pinged_and_dropped_as_dead(void **state)
{
    (void)state;
    begin_watched();
    harness_run(&h);
    assert_string_equal(h.answers.bytes, "ping |");
    assert_string_equal(h.events.bytes, "end 1006 dead-peer|");
    assert_int_equal(h.counts.dead_peers, 1);
    assert_in_range(h.now_ms, 1030, 1036);
}

static void answer_pings(struct harness *harness)
{
    static size_t answered;
    if (harness->now_ms < 1003)
        answered = 0;
    if (harness->raw.len > answered)
        client_says((struct frame[]){F(0x8a, ""), {0}});
    answered = harness->raw.len;
    if (harness->now_ms == 1500)
        shutdown(harness->fd, SHUT_WR);
}

static void rfc6455_5_5_3_a_peer_that_answers_pings_lives(void **state)
{
    (void)state;
    begin_watched();
    h.each_turn = answer_pings;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 1006 end of stream without a close frame|");
    assert_in_range(h.raw.len / 2, 15, 26); /* pings, of two bytes each */
}

static void talk(struct harness *harness)
{
    if (harness->now_ms % 15 == 0)
        client_says((struct frame[]){F(0x82, "x"), {0}});
    if (harness->now_ms == 1500)
        shutdown(harness->fd, SHUT_WR);
}

static void a_peer_that_talks_is_never_pinged(void **state)
{
    (void)state;
    begin_watched();
    h.each_turn = talk;
    harness_run(&h);
    assert_int_equal(h.raw.len, 0);
    assert_in_range(h.counts.messages_in, 32, 34);
}

static void pause_for_long(struct harness *harness)
{
    if (harness->now_ms == 1002)
        ws_peer_pause(harness->peer);
    if (harness->now_ms == 1400)
        ws_peer_resume(harness->peer);
}

static void a_paused_peer_is_never_taken_for_dead(void **state)
{
    (void)state;
    begin_watched();
    h.each_turn = pause_for_long;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 1006 dead-peer|");
    assert_in_range(h.now_ms, 1430, 1436);
    assert_in_range(h.timers, h.now_ms - 1000, h.now_ms - 1000 + 30);
}

static void pause_and_vanish(struct harness *harness)
{
    if (harness->now_ms == 1002)
        ws_peer_pause(harness->peer);
    if (harness->now_ms == 1010)
        shutdown(harness->fd, SHUT_WR);
}

static void a_client_that_vanishes_while_nobody_reads_is_noticed(void **state)
{
    (void)state;
    begin_watched();
    h.each_turn = pause_and_vanish;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 1006 it left while nobody read|");
    assert_in_range(h.now_ms, 1022, 1046);
}

/* ---- closing ---- */

static void close_at_1003(struct harness *harness)
{
    if (harness->now_ms == 1003)
        ws_peer_close(harness->peer, 4001, SLICE_LITERAL("enough"));
}

static void close_and_answer(struct harness *harness)
{
    close_at_1003(harness);
    if (harness->now_ms == 1010)
        client_says((struct frame[]){F(0x88, "\x0f\xa1"), {0}});
}

static void rfc6455_7_1_4_a_close_is_clean_when_both_have_sent_one(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = true;
    h.each_turn = close_and_answer;
    harness_run(&h);
    assert_string_equal(h.answers.bytes, "close 4001 enough|");
    assert_string_equal(h.events.bytes, "end 4001 |");
    assert_in_range(h.now_ms, 1010, 1015);
}

static bool still_there;

/* A socket of a pair refuses what is sent to it only when its other end is closed. */
static void close_and_look(struct harness *harness)
{
    close_and_answer(harness);
    if (harness->now_ms > 1012)
        still_there = send(harness->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
    if (harness->now_ms == 1015)
        loop_stop(harness->loop);
}

static void rfc6455_7_1_1_after_both_close_frames_the_server_waits_for_nothing(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = h.deaf = true;
    h.each_turn = close_and_look;
    still_there = true;
    harness_run(&h);
    assert_false(still_there);
    assert_string_equal(h.events.bytes, "end 4001 |");
}

static void close_and_talk_on(struct harness *harness)
{
    close_at_1003(harness);
    if (harness->now_ms == 1010)
        client_says((struct frame[]){F(0x81, "late"),
                                     F(0x89, "still"),
                                     F(0x02, "later"),
                                     F(0x80, "last"),
                                     F(0x88, "\x0f\xa1"),
                                     {0}});
}

static void rfc6455_5_5_1_after_our_close_data_is_ignored_and_pings_are_answered(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = true;
    h.each_turn = close_and_talk_on;
    harness_run(&h);
    assert_string_equal(h.answers.bytes, "close 4001 enough|pong still|");
    assert_string_equal(h.events.bytes, "end 4001 |");
}

static void a_peer_that_never_answers_a_close_is_let_go(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = true;
    h.each_turn = close_at_1003;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 4001 |");
    assert_in_range(h.now_ms, 1203, 1208);
}

static void close_with_long_reason(struct harness *harness)
{
    char reason[200] = "xx";
    for (size_t i = 2; i < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    if (harness->now_ms == 1003)
        ws_peer_close(harness->peer, 1001, slice_make(reason, sizeof(reason)));
    if (harness->now_ms == 1010)
        shutdown(harness->fd, SHUT_WR);
}

static void rfc6455_5_5_a_close_reason_is_cut_at_a_character(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = true;
    h.each_turn = close_with_long_reason;
    harness_run(&h);
    assert_int_equal(h.raw.len, 2 + 2 + 122); /* half a character more would have fitted */
    assert_string_equal(h.events.bytes, "end 1001 |");
    assert_true(utf8_valid(slice_make(h.raw.bytes + 4, h.raw.len - 4)));
}

static void close_in_message(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    (void)data;
    ws_peer_close(harness->peer, 1000, SLICE_NONE);
}

static void a_peer_may_be_closed_inside_its_message(void **state)
{
    (void)state;
    begin((struct frame[]){F(0x81, "a"), F(0x01, "b"), F(0x80, "c"), F(0x88, "\x03\xe8"), {0}});
    h.on_message = close_in_message;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "text a|end 1000 |");
    assert_string_equal(h.answers.bytes, "close 1000 |");
}

static void drop_in_message(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    (void)data;
    ws_peer_drop(harness->peer);
    harness->peer = NULL;
}

static void a_dropped_peer_calls_back_no_more(void **state)
{
    (void)state;
    begin((struct frame[]){F(0x01, "a"), F(0x80, "b"), F(0x81, "c"), {0}});
    h.on_message = drop_in_message;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "text ab|");
    assert_string_equal(h.answers.bytes, "");
}

/* ---- waiting ---- */

static void pause_in_message(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    (void)data;
    ws_peer_pause(harness->peer);
}

static void resume_each_tenth(struct harness *harness)
{
    if (harness->now_ms % 10 != 0 || !harness->peer)
        return;
    text_print(&harness->events, "resume|");
    ws_peer_resume(harness->peer);
}

static void nothing_is_delivered_while_paused_not_even_what_had_come(void **state)
{
    (void)state;
    begin((struct frame[]){F(0x81, "a"), F(0x01, "b"), F(0x80, "c"), F(0x81, "d"), {0}});
    h.on_message = pause_in_message;
    h.each_turn = resume_each_tenth;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "text a|resume|text bc|resume|text d|resume|"
                                        "end 1006 end of stream without a close frame|");
}

/* ---- writing ---- */

static void send_back(struct harness *harness, enum ws_op op, struct bytes data)
{
    ws_peer_send_back(harness->peer, op, data);
}

/* Four messages, of which the second and the third leave from where they came; between two pieces
 * of the input a header may be cut off from its payload. */
static void what_is_sent_back_is_the_same_however_it_came(void **state)
{
    (void)state;
    static char payload[20000];
    static struct text wanted;
    wanted.len = 0;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)('a' + i % 23);
    struct frame frames[] = {{0x81, payload, 50},
                             {0x82, payload, 4096},
                             {0x81, payload, 20000},
                             {0x82, payload, 5},
                             {0}};
    for (struct frame *f = frames; f->payload; f++) {
        char head[WS_HEAD_MAX];
        text_add(&wanted, head, ws_head_write(head, (enum ws_op)(f->first & 15), f->len));
        text_add(&wanted, f->payload, f->len);
    }
    for (size_t first = 0; first < 8500; first += first < 70 ? 1 : 4100 - 64) {
        begin(frames);
        h.config.message_max = 20000;
        h.first = first;
        h.on_message = send_back;
        harness_run(&h);
        assert_int_equal(h.raw.len, wanted.len);
        assert_memory_equal(h.raw.bytes, wanted.bytes, wanted.len);
    }
}

static void echo_twice(struct harness *harness, enum ws_op op, struct bytes data)
{
    struct slice half = slice_make(data.ptr, data.len / 2);
    struct slice pieces[] = {half, slice_make(data.ptr + half.len, data.len - half.len)};
    ws_peer_send(harness->peer, op, pieces, 2);
    ws_peer_send(harness->peer, op, pieces, 2);
}

static void what_one_dispatch_answers_leaves_in_one_send(void **state)
{
    (void)state;
    begin((struct frame[]){F(0x81, "one"), F(0x89, "p"), F(0x82, "two"), F(0x89, "q"), {0}});
    h.on_message = echo_twice;
    harness_run(&h);
    assert_string_equal(h.answers.bytes, "text one|text one|pong p|binary two|binary two|pong q|");
    assert_int_equal(h.sends, 1);
}

static void send_in_many_pieces(struct harness *harness, enum ws_op op, struct bytes data)
{
    struct slice pieces[40];
    for (size_t i = 0; i < 40; i++)
        pieces[i] = slice_make(data.ptr + i, 1);
    ws_peer_send(harness->peer, op, pieces, 40);
}

static void a_message_may_have_any_number_of_pieces(void **state)
{
    (void)state;
    begin((struct frame[]){F(0x81, "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"), {0}});
    h.on_message = send_in_many_pieces;
    harness_run(&h);
    assert_string_equal(h.answers.bytes, "text abcdefghijklmnopqrstuvwxyzabcdefghijklmn|");
}

static void flood(struct harness *harness)
{
    static char megabyte[1 << 20];
    struct slice piece = slice_make(megabyte, sizeof(megabyte));
    if (harness->peer && ws_peer_queued(harness->peer) < 8u << 20)
        ws_peer_send(harness->peer, WS_OP_BINARY, &piece, 1);
    harness->deaf = harness->peer != NULL;
}

static void a_peer_that_does_not_read_is_dropped_at_queue_max(void **state)
{
    (void)state;
    begin(nothing);
    h.keep_open = h.deaf = h.count_only = true;
    h.config.queue_max = 4u << 20;
    h.each_turn = flood;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 1013 it does not read what it is sent|");
}

static struct shared_bytes *megabyte_frame;
static size_t held_alone, held_elsewhere, queued_in_all;

static void share_a_frame(struct harness *harness)
{
    struct ws_peer *p = harness->peer;
    if (!p || queued_in_all)
        return;
    ws_peer_send_frames(p, megabyte_frame, 0, megabyte_frame->len, 1, true);
    held_elsewhere = ws_peer_held(p);
    ws_peer_send_frames(p, megabyte_frame, 0, megabyte_frame->len, 1, false);
    held_alone = ws_peer_held(p);
    queued_in_all = ws_peer_queued(p);
    ws_peer_drop(p);
    harness->peer = NULL;
    loop_stop(harness->loop);
}

static void frames_that_many_get_count_as_held_unless_another_counts_them(void **state)
{
    (void)state;
    begin(nothing);
    megabyte_frame = shared_new((1u << 20) + WS_HEAD_MAX);
    megabyte_frame->len =
        (1u << 20) + (uint32_t)ws_head_write(megabyte_frame->bytes, WS_OP_TEXT, 1u << 20);
    queued_in_all = 0;
    h.keep_open = h.deaf = true;
    h.each_turn = share_a_frame;
    harness_run(&h);
    shared_unref(megabyte_frame);
    assert_true(held_elsewhere < 4096);
    assert_in_range(held_alone, 1u << 20, (1u << 20) + 4096);
    assert_true(queued_in_all > 1u << 20);
}

static size_t most_queued;

static void watch_queue(struct harness *harness)
{
    size_t queued = harness->peer ? ws_peer_queued(harness->peer) : 0;
    most_queued = queued > most_queued ? queued : most_queued;
    harness->deaf = harness->now_ms < 2000;
}

static void a_peer_that_sends_pings_and_reads_no_pongs_is_not_read_either(void **state)
{
    (void)state;
    enum {
        COUNT = 40000,
        PING = 6 + 100,
        PONG = 2 + 100
    };
    char *input = malloc(COUNT * PING);
    script_of((struct frame[]){F(0x89, "0123456789012345678901234567890123456789"
                                       "0123456789012345678901234567890123456789"
                                       "01234567890123456789"),
                               {0}});
    for (size_t i = 0; i < COUNT; i++)
        memcpy(input + i * PING, script.bytes, PING);
    begin(nothing);
    h.input = slice_make(input, COUNT * PING);
    h.count_only = true;
    h.each_turn = watch_queue;
    most_queued = 0;
    harness_run(&h);
    free(input);
    assert_int_equal(h.heard, COUNT * PONG);
    assert_in_range(most_queued, 65536, 65536 + LOOP_BUFFER_BYTES);
}

/* ---- memory ---- */

static void a_buffer_grows_with_what_has_come(void **state)
{
    (void)state;
    struct shared_bytes *b = NULL;
    uint64_t expected = 16u << 20;
    for (size_t i = 0; i < 1000; i++) {
        expected -= 10;
        assert_true(buffer_append(&b, SLICE_LITERAL("0123456789"), expected));
        assert_in_range(b->room, b->len, 2 * b->len);
    }
    for (; expected >= 10000; expected -= 10000)
        assert_true(buffer_append(&b, slice_make(b->bytes, 0), expected));
    assert_true(buffer_append(&b, SLICE_LITERAL("0123456789"), 0));
    assert_int_equal(b->len, 10010);
    assert_memory_equal(b->bytes + 10000, "0123456789", 10);
    free(b);
}

static size_t grown;

static void count_growth(struct harness *harness)
{
    static size_t room;
    const struct ws_reader *reader = harness->peer ? harness->peer->reader : NULL;
    const struct shared_bytes *b = reader ? reader->message : NULL;
    if (b && b->room != room)
        grown++;
    room = b ? b->room : 0;
}

static void many_fragments_are_gathered_by_doubling(void **state)
{
    (void)state;
    enum {
        COUNT = 3000
    };
    static const struct frame middle[] = {F(0x00, "0123456789"), {0}};
    static struct text all;
    all.len = 0;
    script_of((struct frame[]){F(0x02, ""), {0}});
    text_add(&all, script.bytes, script.len);
    script_of(middle);
    for (size_t i = 0; i < COUNT; i++)
        text_add(&all, script.bytes, script.len);
    begin(nothing);
    h.input = slice_make(all.bytes, all.len);
    h.first = h.step = 16;
    h.config.message_max = 1u << 20;
    h.each_turn = count_growth;
    grown = 0;
    harness_run(&h);
    assert_int_equal(all.len, 6 + 16 * COUNT);
    assert_in_range(grown, 5, 15); /* of 3000 */
}

/* ---- messages that trickle ---- */

/* 100 bytes in 100 ms are enough. */
static void begin_paced(void)
{
    begin(nothing);
    h.keep_open = true;
    h.config.message_window_ms = 100;
    h.config.least_rate = 1000;
    h.config.message_max = 10000;
}

static void says_at(struct harness *harness, uint64_t ms, const struct frame *frame)
{
    if (harness->now_ms == ms)
        client_says((struct frame[]){*frame, {0}});
}

static void leaves_at(struct harness *harness, uint64_t ms)
{
    if (harness->now_ms == ms)
        shutdown(harness->fd, SHUT_WR);
}

static void assert_too_slow(uint64_t from_ms, uint64_t to_ms)
{
    harness_run(&h);
    assert_string_equal(h.events.bytes, "end 1008 too-slow|");
    assert_non_null(strstr(h.answers.bytes, "close 1008 too-slow|"));
    assert_int_equal(h.counts.slow_peers, 1);
    assert_in_range(h.now_ms, from_ms, to_ms);
}

static void trickle(struct harness *harness)
{
    says_at(harness, 1002,
            &(struct frame)RAW("\x82\xfe\x10\x00"
                               "abcd"
                               "x"));
    if (harness->now_ms > 1002 && harness->now_ms % 10 == 0)
        client_says((struct frame[]){RAW("x"), {0}});
}

static void a_message_that_trickles_is_closed(void **state)
{
    (void)state;
    begin_paced();
    h.each_turn = trickle;
    assert_too_slow(1100, 1112);
}

static void trickle_in_fragments(struct harness *harness)
{
    says_at(harness, 1002, &(struct frame)F(0x02, "x"));
    if (harness->now_ms > 1002 && harness->now_ms % 3 == 0)
        client_says((struct frame[]){F(0x00, ""), F(0x89, "0123456789"), F(0x8a, ""), {0}});
}

static void empty_fragments_and_control_frames_do_not_keep_a_message_alive(void **state)
{
    (void)state;
    begin_paced();
    h.each_turn = trickle_in_fragments;
    assert_too_slow(1100, 1112);
}

static void begin_header(struct harness *harness)
{
    says_at(harness, 1002, &(struct frame)RAW("\x82"));
    says_at(harness, 1050, &(struct frame)RAW("\xff"));
}

static void a_header_that_does_not_become_whole_is_closed(void **state)
{
    (void)state;
    begin_paced();
    h.each_turn = begin_header;
    assert_too_slow(1100, 1112);
}

static void begin_control(struct harness *harness)
{
    says_at(harness, 1002,
            &(struct frame)RAW("\x89\x8a"
                               "abcd"
                               "x"));
    if (harness->now_ms > 1002 && harness->now_ms % 40 == 0)
        client_says((struct frame[]){RAW("x"), {0}});
}

static void a_control_frame_that_trickles_is_closed(void **state)
{
    (void)state;
    begin_paced();
    h.each_turn = begin_control;
    assert_too_slow(1100, 1112);
}

static void silence(struct harness *harness)
{
    says_at(harness, 1002, &(struct frame)F(0x02, "x"));
}

static void at_any_rate_a_message_brings_something(void **state)
{
    (void)state;
    begin_paced();
    h.config.least_rate = 0;
    h.each_turn = silence;
    assert_too_slow(1200, 1215); /* the first window had its byte */
}

static void steady(struct harness *harness)
{
    says_at(harness, 1002, &(struct frame)F(0x02, "0123456789"));
    if (harness->now_ms > 1002 && harness->now_ms < 1900 && harness->now_ms % 4 == 0)
        client_says((struct frame[]){F(0x00, "0123456789"), {0}});
    says_at(harness, 1900, &(struct frame)F(0x80, "end"));
    leaves_at(harness, 2300); /* nothing is under way any more */
}

static void a_message_that_comes_steadily_may_take_many_windows(void **state)
{
    (void)state;
    begin_paced();
    h.each_turn = steady;
    harness_run(&h);
    assert_int_equal(h.counts.messages_in, 1);
    assert_int_equal(h.counts.slow_peers, 0);
    assert_in_range(h.now_ms, 2300, 2310);
}

static void a_message_that_comes_steadily_is_whole_in_its_time(void **state)
{
    (void)state;
    begin_paced();
    h.config.message_timeout_ms = 450;
    h.each_turn = steady;
    assert_too_slow(1452, 1460);
}

static void without_a_least_rate_a_message_has_its_time_too(void **state)
{
    (void)state;
    begin_paced();
    h.config.message_window_ms = 0;
    h.config.message_timeout_ms = 450;
    h.each_turn = silence;
    assert_too_slow(1452, 1460);
}

static void pause_in_the_middle(struct harness *harness)
{
    says_at(harness, 1002, &(struct frame)F(0x02, "x"));
    if (harness->now_ms == 1010)
        ws_peer_pause(harness->peer);
    if (harness->now_ms == 1500)
        ws_peer_resume(harness->peer);
    says_at(harness, 1590, &(struct frame)F(0x80, "y"));
    leaves_at(harness, 1800);
}

static void while_nobody_reads_no_time_passes_for_a_message(void **state)
{
    (void)state;
    begin_paced();
    h.config.message_timeout_ms = 110;
    h.each_turn = pause_in_the_middle;
    harness_run(&h);
    assert_string_equal(h.events.bytes, "binary xy|end 1006 end of stream without a close frame|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_back_is_the_same_however_it_came),
        cmocka_unit_test(rfc6455_5_5_2_a_silent_peer_is_pinged_and_dropped_as_dead),
        cmocka_unit_test(rfc6455_5_5_3_a_peer_that_answers_pings_lives),
        cmocka_unit_test(a_peer_that_talks_is_never_pinged),
        cmocka_unit_test(a_paused_peer_is_never_taken_for_dead),
        cmocka_unit_test(a_client_that_vanishes_while_nobody_reads_is_noticed),
        cmocka_unit_test(a_message_that_trickles_is_closed),
        cmocka_unit_test(empty_fragments_and_control_frames_do_not_keep_a_message_alive),
        cmocka_unit_test(a_header_that_does_not_become_whole_is_closed),
        cmocka_unit_test(a_control_frame_that_trickles_is_closed),
        cmocka_unit_test(at_any_rate_a_message_brings_something),
        cmocka_unit_test(a_message_that_comes_steadily_may_take_many_windows),
        cmocka_unit_test(a_message_that_comes_steadily_is_whole_in_its_time),
        cmocka_unit_test(without_a_least_rate_a_message_has_its_time_too),
        cmocka_unit_test(while_nobody_reads_no_time_passes_for_a_message),
        cmocka_unit_test(rfc6455_7_1_4_a_close_is_clean_when_both_have_sent_one),
        cmocka_unit_test(rfc6455_7_1_1_after_both_close_frames_the_server_waits_for_nothing),
        cmocka_unit_test(rfc6455_5_5_1_after_our_close_data_is_ignored_and_pings_are_answered),
        cmocka_unit_test(a_peer_that_never_answers_a_close_is_let_go),
        cmocka_unit_test(rfc6455_5_5_a_close_reason_is_cut_at_a_character),
        cmocka_unit_test(a_peer_may_be_closed_inside_its_message),
        cmocka_unit_test(a_dropped_peer_calls_back_no_more),
        cmocka_unit_test(nothing_is_delivered_while_paused_not_even_what_had_come),
        cmocka_unit_test(what_one_dispatch_answers_leaves_in_one_send),
        cmocka_unit_test(a_message_may_have_any_number_of_pieces),
        cmocka_unit_test(a_peer_that_does_not_read_is_dropped_at_queue_max),
        cmocka_unit_test(frames_that_many_get_count_as_held_unless_another_counts_them),
        cmocka_unit_test(a_peer_that_sends_pings_and_reads_no_pongs_is_not_read_either),
        cmocka_unit_test(many_fragments_are_gathered_by_doubling),
        cmocka_unit_test(a_buffer_grows_with_what_has_come),
    };
    return run_on_every_backend("ws_peer_life", tests);
}
