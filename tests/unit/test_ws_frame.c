/* SPDX-License-Identifier: MIT */
#include "proto/ws_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/ws_mask_twins.h"
#include "random.h"

static enum parse_status parse(const char *bytes, size_t len, struct ws_head *head)
{
    return ws_head_parse(slice_make(bytes, len), head);
}
#define PARSE(literal, head) parse((literal), sizeof(literal) - 1, (head))

static void rfc6455_5_7_the_examples(void **state)
{
    (void)state;
    struct ws_head h;
    assert_int_equal(PARSE("\x81\x05\x48\x65\x6c\x6c\x6f", &h), PARSE_OK);
    assert_true(h.fin && h.op == WS_OP_TEXT && !h.masked && h.length == 5 && h.size == 2);
    assert_int_equal(PARSE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &h), PARSE_OK);
    assert_true(h.fin && h.masked && h.length == 5 && h.size == 6);
    char hello[] = "\x7f\x9f\x4d\x51\x58";
    ws_mask(hello, 5, h.mask, 0);
    assert_string_equal(hello, "Hello");
    assert_int_equal(PARSE("\x01\x03\x48\x65\x6c", &h), PARSE_OK);
    assert_true(!h.fin && h.op == WS_OP_TEXT && h.length == 3);
    assert_int_equal(PARSE("\x80\x02\x6c\x6f", &h), PARSE_OK);
    assert_true(h.fin && h.op == WS_OP_CONTINUATION && h.length == 2);
    assert_int_equal(PARSE("\x89\x05\x48\x65\x6c\x6c\x6f", &h), PARSE_OK);
    assert_true(h.op == WS_OP_PING);
    assert_int_equal(PARSE("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", &h), PARSE_OK);
    assert_true(h.op == WS_OP_PONG);
    assert_int_equal(PARSE("\x82\x7e\x01\x00", &h), PARSE_OK);
    assert_true(h.op == WS_OP_BINARY && h.length == 256 && h.size == 4);
    assert_int_equal(PARSE("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", &h), PARSE_OK);
    assert_true(h.length == 65536 && h.size == 10);
}

static void rfc6455_5_2_the_reserved_bits_are_reported(void **state)
{
    (void)state;
    struct ws_head h;
    for (unsigned rsv = 0; rsv < 8; rsv++) {
        char bytes[2] = {(char)(0x81 | rsv << 4), 0};
        assert_int_equal(parse(bytes, 2, &h), PARSE_OK);
        assert_int_equal(h.rsv, rsv);
    }
}

static void rfc6455_5_2_opcodes_that_are_not_defined_are_refused_by_two_bytes(void **state)
{
    (void)state;
    struct ws_head h;
    for (unsigned op = 0; op < 16; op++) {
        bool defined = op <= 2 || (op >= 8 && op <= 10);
        for (unsigned length = 0; length < 256; length += 0x80) {
            char bytes[6] = {(char)(0x80 | op), (char)length};
            assert_int_equal(parse(bytes, 6, &h), defined ? PARSE_OK : PARSE_BAD);
            assert_int_equal(parse(bytes, 2, &h), !defined ? PARSE_BAD
                                                  : length ? PARSE_MORE
                                                           : PARSE_OK);
        }
    }
}

static void rfc6455_5_5_control_frames_are_short_and_whole(void **state)
{
    (void)state;
    struct ws_head h;
    assert_int_equal(PARSE("\x88\x7d", &h), PARSE_OK);
    assert_int_equal(PARSE("\x88\x7e", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x89\xff", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x8a\xfe", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x08\x00", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x09\x80", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x0a\x05", &h), PARSE_BAD);
    assert_non_null(h.why);
}

static void rfc6455_5_2_lengths_are_in_their_shortest_form(void **state)
{
    (void)state;
    struct ws_head h;
    assert_int_equal(PARSE("\x82\x7e\x00\x7e", &h), PARSE_OK);
    assert_int_equal(PARSE("\x82\x7e\x00\x7d", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x82\x7e\x00\x00", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", &h), PARSE_OK);
    assert_true(h.length == INT64_MAX);
    assert_int_equal(PARSE("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", &h), PARSE_BAD);
    assert_int_equal(PARSE("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", &h), PARSE_BAD);
}

static void any_head_comes_back_and_any_part_of_it_is_not_enough(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0,     1,     125,        126,        127,   128,
                                       65535, 65536, UINT32_MAX, 1ull << 40, 65534, INT64_MAX};
    static const enum ws_op ops[] = {WS_OP_CONTINUATION, WS_OP_TEXT, WS_OP_BINARY,
                                     WS_OP_CLOSE,        WS_OP_PING, WS_OP_PONG};
    for (size_t i = 0; i < COUNT_OF(lengths) * COUNT_OF(ops) * 4; i++) {
        struct ws_head head = {
            .op = ops[i / 4 % COUNT_OF(ops)],
            .length = lengths[i / 4 / COUNT_OF(ops)],
            .masked = i & 1,
            .mask = {1, 2, 3, (uint8_t)i},
        };
        head.fin = i & 2 || head.op >= WS_OP_CLOSE;
        if (head.op >= WS_OP_CLOSE && head.length > 125)
            continue;
        char out[WS_HEAD_MAX], simple[WS_HEAD_MAX];
        struct ws_head back;
        size_t size = ws_head_write_full(out, &head);
        for (size_t len = 0; len < size; len++)
            assert_int_equal(parse(out, len, &back), PARSE_MORE);
        assert_int_equal(parse(out, size, &back), PARSE_OK);
        assert_true(back.op == head.op && back.fin == head.fin && back.masked == head.masked);
        assert_true(back.length == head.length && back.size == size && back.rsv == 0);
        if (head.masked)
            assert_memory_equal(back.mask, head.mask, 4);
        if (!head.masked && head.fin) {
            assert_int_equal(ws_head_write(simple, head.op, head.length), size);
            assert_memory_equal(simple, out, size);
        }
    }
}

struct twin {
    const char *name;
    ws_mask_fn *mask;
};

static void check_twin(const struct twin *twin, const char *text, size_t len, size_t skip)
{
    const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint32_t word;
    memcpy(&word, mask, 4);
    char *quick = malloc(len + skip + 1), *plain = malloc(len + 1);
    memcpy(quick + skip, text, len);
    memcpy(plain, text, len);
    quick[len + skip] = 'e'; /* the byte behind stays */
    twin->mask(quick + skip, len, word);
    ws_mask_plain(plain, len, mask, 0);
    if (memcmp(quick + skip, plain, len) != 0 || quick[len + skip] != 'e')
        fail_msg("%s: %zu bytes at %zu", twin->name, len, skip);
    free(quick);
    free(plain);
}

static size_t find_twins(struct twin ret[2])
{
    size_t count = 0;
    ret[count++] = (struct twin){"blocks", ws_mask_blocks};
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        ret[count++] = (struct twin){"avx2", ws_mask_avx2};
#endif
    return count;
}

static void rfc6455_5_3_every_twin_masks_alike_at_every_length_and_alignment(void **state)
{
    (void)state;
    struct twin twins[2];
    size_t count = find_twins(twins);
    char text[400];
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)next_random(&seed);
    for (size_t i = 0; i < count; i++)
        for (size_t len = 0; len < 300; len++)
            for (size_t skip = 0; skip < 33; skip += len % 3 + 1)
                check_twin(&twins[i], text, len, skip);
}

/* `odd`: the one byte that is not ASCII once it is unmasked; `len`: none is. */
static void check_ascii(const struct twin *twin, size_t len, size_t odd)
{
    const uint8_t mask[4] = {0x87, 0x1a, 0xe1, 0x3d};
    uint32_t word;
    memcpy(&word, mask, 4);
    char text[300];
    for (size_t i = 0; i < len; i++)
        text[i] = (char)((i * 7 & 0x7f) | (i == odd ? 0x80 : 0));
    ws_mask_plain(text, len, mask, 0);
    bool ascii = (twin->mask(text, len, word) & UINT64_C(0x8080808080808080)) == 0;
    if (ascii != (odd == len))
        fail_msg("%s: %zu bytes, an odd one at %zu", twin->name, len, odd);
    ws_mask_plain(text, len, mask, 0);
    assert_int_equal(ws_mask_ascii(text, len, mask), odd == len);
}

static void a_single_byte_that_is_not_ascii_is_seen_wherever_it_is(void **state)
{
    (void)state;
    struct twin twins[2];
    size_t count = find_twins(twins);
    for (size_t i = 0; i < count; i++)
        for (size_t len = 0; len < 300; len++)
            for (size_t odd = 0; odd <= len; odd++)
                check_ascii(&twins[i], len, odd);
}

static void rfc6455_5_3_any_split_of_a_payload_masks_alike(void **state)
{
    (void)state;
    const uint8_t mask[4] = {1, 20, 130, 255};
    char whole[1000], pieces[1000];
    uint64_t seed = 3;
    for (int round = 0; round < 3000; round++) {
        size_t len = random_below(&seed, sizeof(whole));
        uint64_t offset = next_random(&seed) >> (round % 64);
        for (size_t i = 0; i < len; i++)
            whole[i] = pieces[i] = (char)next_random(&seed);
        ws_mask_plain(whole, len, mask, offset);
        for (size_t at = 0; at < len;) {
            size_t step = 1 + random_below(&seed, len - at);
            ws_mask(pieces + at, step, mask, offset + at);
            at += step;
        }
        assert_memory_equal(whole, pieces, len);
    }
}

static void rfc6455_7_4_close_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 70000; code++) {
        bool valid = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                     (code >= 3000 && code <= 4999);
        assert_int_equal(ws_close_code_valid(code), valid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6455_5_7_the_examples),
        cmocka_unit_test(rfc6455_5_2_the_reserved_bits_are_reported),
        cmocka_unit_test(rfc6455_5_2_opcodes_that_are_not_defined_are_refused_by_two_bytes),
        cmocka_unit_test(rfc6455_5_5_control_frames_are_short_and_whole),
        cmocka_unit_test(rfc6455_5_2_lengths_are_in_their_shortest_form),
        cmocka_unit_test(any_head_comes_back_and_any_part_of_it_is_not_enough),
        cmocka_unit_test(rfc6455_5_3_every_twin_masks_alike_at_every_length_and_alignment),
        cmocka_unit_test(a_single_byte_that_is_not_ascii_is_seen_wherever_it_is),
        cmocka_unit_test(rfc6455_5_3_any_split_of_a_payload_masks_alike),
        cmocka_unit_test(rfc6455_7_4_close_codes),
    };
    return cmocka_run_group_tests_name("ws_frame", tests, NULL, NULL);
}
