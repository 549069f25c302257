/* SPDX-License-Identifier: MIT */
/* What a peer makes of the frames that come: each row in one piece, in every two pieces and byte by
 * byte. */
#include "ws_harness.h"

#define K10  "0123456789"
#define K100 K10 K10 K10 K10 K10 K10 K10 K10 K10 K10
#define K125 K100 K10 K10 "01234"
#define K500 K100 K100 K100 K100 K100

struct row {
    const char *name;
    struct frame frames[7];
    const char *events, *answers;
};

static const struct row rows[] = {
    /* ---- 5.1, 5.2: the header ---- */
    {"rfc6455_5_1_a_clients_frame_must_be_masked",
     {UNMASKED(0x81, "hi")},
     "end 1002 a frame without a mask|",
     "close 1002 a frame without a mask|"},
    {"rfc6455_5_2_rsv1_without_extension",
     {F(0xc1, "hi")},
     "end 1002 a reserved bit without an extension|",
     "close 1002 a reserved bit without an extension|"},
    {"rfc6455_5_2_rsv2_without_extension",
     {F(0x81, "a"), F(0xa1, "hi")},
     "text a|end 1002 a reserved bit without an extension|",
     "close 1002 a reserved bit without an extension|"},
    {"rfc6455_5_2_rsv3_on_a_control_frame",
     {F(0x99, "hi")},
     "end 1002 a reserved bit without an extension|",
     "close 1002 a reserved bit without an extension|"},
    {"rfc6455_5_2_opcode_3_is_reserved",
     {F(0x83, "")},
     "end 1002 an opcode that is not defined|",
     "close 1002 an opcode that is not defined|"},
    {"rfc6455_5_2_opcode_7_is_reserved",
     {F(0x87, "x")},
     "end 1002 an opcode that is not defined|",
     "close 1002 an opcode that is not defined|"},
    {"rfc6455_5_2_opcode_11_is_reserved",
     {F(0x8b, "")},
     "end 1002 an opcode that is not defined|",
     "close 1002 an opcode that is not defined|"},
    {"rfc6455_5_2_opcode_15_is_reserved",
     {F(0x89, "p"), F(0x8f, "x")},
     "end 1002 an opcode that is not defined|",
     "pong p|close 1002 an opcode that is not defined|"},
    {"rfc6455_5_2_a_length_of_16_bits_is_in_its_shortest_form",
     {RAW("\x81\xfe\x00\x7d")},
     "end 1002 a payload length that is not in its shortest form|",
     "close 1002 a payload length that is not in its shortest form|"},
    {"rfc6455_5_2_a_length_of_64_bits_is_in_its_shortest_form",
     {RAW("\x81\xff\0\0\0\0\0\0\xff\xff")},
     "end 1002 a payload length that is not in its shortest form|",
     "close 1002 a payload length that is not in its shortest form|"},
    {"rfc6455_5_2_the_top_bit_of_a_length_is_zero",
     {RAW("\x82\xff\x80\0\0\0\0\0\0\0")},
     "end 1002 a payload length with its top bit set|",
     "close 1002 a payload length with its top bit set|"},
    /* ---- 5.4: fragmentation ---- */
    {"rfc6455_5_4_fragments_are_one_message",
     {F(0x01, "one "), F(0x00, "two "), F(0x80, "three"), F(0x82, "next")},
     "text one two three|binary next|end 1006 end of stream without a close frame|",
     ""},
    {"rfc6455_5_4_fragments_may_be_empty",
     {F(0x02, ""), F(0x00, ""), F(0x00, "x"), F(0x80, ""), F(0x01, ""), F(0x80, "")},
     "binary x|text |end 1006 end of stream without a close frame|",
     ""},
    {"rfc6455_5_4_a_control_frame_may_come_between_fragments",
     {F(0x01, "a"), F(0x89, "ping"), F(0x00, "b"), F(0x8a, "pong"), F(0x80, "c")},
     "text abc|end 1006 end of stream without a close frame|",
     "pong ping|"},
    {"rfc6455_5_4_a_continuation_needs_a_beginning",
     {F(0x80, "x")},
     "end 1002 a continuation of no message|",
     "close 1002 a continuation of no message|"},
    {"rfc6455_5_4_a_continuation_after_the_end",
     {F(0x01, "a"), F(0x80, "b"), F(0x00, "c")},
     "text ab|end 1002 a continuation of no message|",
     "close 1002 a continuation of no message|"},
    {"rfc6455_5_4_no_new_text_inside_a_message",
     {F(0x01, "a"), F(0x81, "b")},
     "end 1002 a new message inside a fragmented one|",
     "close 1002 a new message inside a fragmented one|"},
    {"rfc6455_5_4_no_new_binary_inside_a_message",
     {F(0x02, ""), F(0x02, "b")},
     "end 1002 a new message inside a fragmented one|",
     "close 1002 a new message inside a fragmented one|"},
    /* ---- 5.5: control frames ---- */
    {"rfc6455_5_5_control_frames_are_125_bytes_at_most",
     {F(0x89, K125 "6")},
     "end 1002 a control frame longer than 125 bytes|",
     "close 1002 a control frame longer than 125 bytes|"},
    {"rfc6455_5_5_a_control_frame_of_125_bytes_is_taken",
     {F(0x89, K125)},
     "end 1006 end of stream without a close frame|",
     "pong " K125 "|"},
    {"rfc6455_5_5_control_frames_are_never_fragmented",
     {F(0x09, "a")},
     "end 1002 a control frame that is fragmented|",
     "close 1002 a control frame that is fragmented|"},
    {"rfc6455_5_5_a_close_frame_is_never_fragmented",
     {F(0x08, "")},
     "end 1002 a control frame that is fragmented|",
     "close 1002 a control frame that is fragmented|"},
    {"rfc6455_5_5_2_a_ping_is_answered_with_its_payload",
     {F(0x89, ""), F(0x89, "\x01\x7f"), F(0x81, "x")},
     "text x|end 1006 end of stream without a close frame|",
     "pong |pong \x01\x7f|"},
    {"rfc6455_5_5_3_a_pong_that_nobody_asked_for_is_ignored",
     {F(0x8a, "why"), F(0x81, "x")},
     "text x|end 1006 end of stream without a close frame|",
     ""},
    /* ---- 5.5.1, 7: close ---- */
    {"rfc6455_5_5_1_a_close_is_answered_with_its_code",
     {F(0x88, "\x03\xe8"
              "bye")},
     "end 1000 bye|",
     "close 1000 |"},
    {"rfc6455_7_1_5_a_close_without_a_code_is_1005", {F(0x88, "")}, "end 1005 |", "close|"},
    {"rfc6455_5_5_1_what_follows_a_close_is_not_read",
     {F(0x88, "\x0f\xa0"), F(0x81, "late"), F(0x89, "late"), UNMASKED(0xff, "late")},
     "end 4000 |",
     "close 4000 |"},
    {"rfc6455_5_5_1_a_close_inside_a_message_ends_it",
     {F(0x01, "half"), F(0x88, "\x03\xe9")},
     "end 1001 |",
     "close 1001 |"},
    {"rfc6455_5_5_1_a_close_of_one_byte",
     {F(0x88, "\x03")},
     "end 1002 a close frame of one byte|",
     "close 1002 a close frame of one byte|"},
    {"rfc6455_5_5_1_a_close_reason_is_utf8",
     {F(0x88, "\x03\xe8\xc3\x28")},
     "end 1007 a close reason that is not UTF-8|",
     "close 1007 a close reason that is not UTF-8|"},
    {"rfc6455_7_4_code_999",
     {F(0x88, "\x03\xe7")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_1_code_1004_is_reserved",
     {F(0x88, "\x03\xec")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_1_code_1005_is_never_sent",
     {F(0x88, "\x03\xed")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_1_code_1006_is_never_sent",
     {F(0x88, "\x03\xee")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_1_code_1015_is_never_sent",
     {F(0x88, "\x03\xf7")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_2_code_2999_is_nobodys",
     {F(0x88, "\x0b\xb7")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_4_2_codes_3000_to_4999_are_taken",
     {F(0x88, "\x13\x87"
              "x")},
     "end 4999 x|",
     "close 4999 |"},
    {"rfc6455_7_4_2_code_5000_is_nobodys",
     {F(0x88, "\x13\x88")},
     "end 1002 a close code that must not be sent|",
     "close 1002 a close code that must not be sent|"},
    {"rfc6455_7_1_5_an_end_without_a_close_is_1006",
     {F(0x81, "a"), RAW("\x81\x85\x01")},
     "text a|end 1006 end of stream without a close frame|",
     ""},
    /* ---- 8.1: UTF-8 ---- */
    {"rfc6455_8_1_text_is_utf8",
     {F(0x81, "\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80")},
     "text \xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80|end 1006 end of stream without a close frame|",
     ""},
    {"rfc6455_8_1_a_character_may_span_fragments",
     {F(0x01, "\xf0\x9f"), F(0x00, "\x98"), F(0x89, "p"), F(0x80, "\x80")},
     "text \xf0\x9f\x98\x80|end 1006 end of stream without a close frame|",
     "pong p|"},
    {"rfc6455_8_1_text_that_is_not_utf8",
     {F(0x81, "ok\xff")},
     "end 1007 text that is not UTF-8|",
     "close 1007 text that is not UTF-8|"},
    {"rfc6455_8_1_a_surrogate_is_not_utf8",
     {F(0x81, "\xed\xa0\x80")},
     "end 1007 text that is not UTF-8|",
     "close 1007 text that is not UTF-8|"},
    {"rfc6455_8_1_a_message_ends_with_a_whole_character",
     {F(0x01, "a\xe1"), F(0x80, "\xbd")},
     "end 1007 text that is not UTF-8|",
     "close 1007 text that is not UTF-8|"},
    {"rfc6455_8_1_bad_text_fails_before_its_last_fragment",
     {F(0x01, "a"), F(0x00, "\xc0\xaf")},
     "end 1007 text that is not UTF-8|",
     "close 1007 text that is not UTF-8|"},
    {"rfc6455_8_1_bytes_need_not_be_utf8",
     {F(0x02, "\xff"), F(0x80, "\xc0")},
     "binary \xff\xc0|end 1006 end of stream without a close frame|",
     ""},
    /* ---- 10.4, 7.4.1: the limit (1000 bytes here) ---- */
    {"rfc6455_7_4_1_1009_a_message_of_the_limit_is_taken",
     {F(0x82, K500 K500)},
     "binary " K500 K500 "|end 1006 end of stream without a close frame|",
     ""},
    {"rfc6455_7_4_1_1009_as_early_as_the_header_tells",
     {RAW("\x82\xfe\x03\xe9\0\0\0\0")},
     "end 1009 a message above the limit|",
     "close 1009 a message above the limit|"},
    {"rfc6455_7_4_1_1009_counts_all_fragments",
     {F(0x02, K500), F(0x00, K500), RAW("\x80\x81\0\0\0\0")},
     "end 1009 a message above the limit|",
     "close 1009 a message above the limit|"},
    {"rfc6455_7_4_1_1009_for_a_length_near_two_to_the_63",
     {F(0x02, K500), RAW("\x80\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0")},
     "end 1009 a message above the limit|",
     "close 1009 a message above the limit|"},
};

static void check_row(const struct row *row, struct slice input, size_t first, size_t step)
{
    static struct harness h;
    harness_init(&h, input);
    h.first = first;
    h.step = step;
    harness_run(&h);
    assert_string_equal(h.events.bytes, row->events);
    assert_string_equal(h.answers.bytes, row->answers);
}

static void any_split_gives_the_same(void **state)
{
    const struct row *row = *state;
    static struct text script;
    script.len = 0;
    for (const struct frame *f = row->frames; f->payload; f++)
        script_add(&script, f);
    struct slice input = slice_make(script.bytes, script.len);
    check_row(row, input, 0, 0);
    check_row(row, input, 1, 1);
    for (size_t at = 1; at<input.len; at += input.len> 200 ? 37 : 1)
        check_row(row, input, at, 0);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(rows) / sizeof(*rows)];
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = any_split_gives_the_same,
                                       .initial_state = (void *)&rows[i]};
    return run_on_every_backend("ws_peer", tests);
}
