/* SPDX-License-Identifier: MIT */
/* The outbox against a naive list of its messages: whatever is pushed, shared and acknowledged, the
 * rest lies there in order, as the frames that go on the wire. */
#include "session/outbox.h"

#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    LENGTH_MAX = 70000,
    SHARES = 7 /* messages of one block that many share, at most */
};

static char letters[LENGTH_MAX];

/* What a message says is told by its number. */
static size_t length_of(uint64_t number)
{
    uint64_t state = number * 2654435761u + 1;
    size_t kind = random_below(&state, 40);
    return random_below(&state, kind == 0 ? LENGTH_MAX : kind < 4 ? 3000 : 60);
}

static bool is_binary(uint64_t number)
{
    return number % 3 == 0;
}

static void push(struct outbox *o)
{
    uint64_t number = o->sent;
    size_t len = length_of(number), cut = len / 3;
    struct slice pieces[] = {slice_make(letters, cut), slice_make(letters + cut, len - cut)};
    assert_non_null(outbox_push(o, is_binary(number), pieces, 2).block);
}

static void share(struct outbox *o, struct outbox *other, size_t count)
{
    size_t room = 0;
    for (size_t i = 0; i < count; i++)
        room += WS_HEAD_MAX + length_of(o->sent + i);
    struct outbox_frames frames = {.shared = shared_new(room)};
    char *at = frames.shared->bytes;
    for (; frames.count < count; frames.count++) {
        uint64_t number = o->sent + frames.count;
        size_t len = length_of(number);
        at += outbox_frame_head(at, is_binary(number), len);
        memcpy(at, letters, len);
        at += len;
        frames.payload += (uint32_t)len;
    }
    frames.shared->len = (uint32_t)(at - frames.shared->bytes);
    assert_non_null(outbox_push_frames(o, &frames).block);
    assert_non_null(outbox_push_frames(other, &frames).block);
    shared_unref(frames.shared);
}

static void check(const struct outbox *o)
{
    uint64_t number = o->acked;
    size_t bytes = 0;
    struct outbox_place place = outbox_begin(o);
    for (; place.block; place = outbox_behind(place), number++) {
        struct outbox_message m = outbox_at(place);
        assert_int_equal(m.len, length_of(number));
        assert_int_equal(m.binary, is_binary(number));
        assert_memory_equal(m.data, letters, m.len);
        bytes += m.len;
    }
    assert_int_equal(number, o->sent);
    assert_int_equal(bytes, o->bytes);
    assert_true(o->held >= o->bytes);
    assert_int_equal(o->held > 0, o->sent > o->acked);
}

static void whatever_is_acknowledged_the_rest_is_there_in_order(void **state)
{
    (void)state;
    struct outbox o = {0}, other = {0};
    uint64_t seed = 12;
    for (size_t i = 0; i < sizeof(letters); i++)
        letters[i] = (char)('a' + i % 26);
    for (int step = 0; step < 20000; step++) {
        size_t what = random_below(&seed, 10);
        if (what < 6)
            push(&o);
        else if (what < 8)
            share(&o, &other, 1 + random_below(&seed, SHARES));
        else
            assert_true(
                outbox_ack(&o, o.acked + random_below(&seed, (size_t)(o.sent - o.acked) + 1)));
        if (what == 8)
            assert_true(outbox_ack(&other, other.sent));
        if (step % 50 == 0)
            check(&o);
    }
    assert_true(o.acked > 10000);
    assert_false(outbox_ack(&o, o.sent + 1));
    assert_false(o.acked > 0 && outbox_ack(&o, o.acked - 1));
    outbox_clear(&o);
    outbox_clear(&other);
    assert_int_equal(o.held + o.bytes + other.held + other.bytes, 0);
}

static void messages_of_a_few_bytes_need_no_memory_of_their_own(void **state)
{
    (void)state;
    struct outbox o = {0};
    struct slice piece = SLICE_LITERAL("twenty bytes of text");
    size_t blocks = 0;
    for (int i = 0; i < 10000; i++)
        assert_non_null(outbox_push(&o, false, &piece, 1).block);
    for (struct outbox_block *b = o.first; b; b = b->next)
        blocks++;
    assert_true(blocks < 10000 / 300);
    assert_true(o.held < 10000 * (piece.len + 3));
    assert_true(outbox_ack(&o, 10000));
    assert_int_equal(o.held, 0);
}

/* Once the others have let go, it is the only one that keeps the bytes. */
static void shared_bytes_count_whole_for_each_who_keeps_one_message_of_them(void **state)
{
    (void)state;
    struct outbox slow = {0};
    struct outbox_frames frames = {.shared = shared_new(2 * 1002), .count = 2, .payload = 2000 - 4};
    for (int i = 0; i < 2; i++)
        outbox_frame_head(frames.shared->bytes + i * 1002, false, 998);
    outbox_push_frames(&slow, &frames);
    shared_unref(frames.shared);
    assert_true(outbox_ack(&slow, 1));
    assert_int_equal(slow.bytes, 998);
    assert_true(slow.held >= 2004);
    outbox_clear(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_acknowledged_the_rest_is_there_in_order),
        cmocka_unit_test(messages_of_a_few_bytes_need_no_memory_of_their_own),
        cmocka_unit_test(shared_bytes_count_whole_for_each_who_keeps_one_message_of_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
