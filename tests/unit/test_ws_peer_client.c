/* SPDX-License-Identifier: MIT */
/* test_ws_peer_client.c - the client's side of a WebSocket: what it sends
 * is masked, what it takes is not. */
#include "ws_harness.h"

#include "ws/masks.h"

#include <sys/wait.h>

static struct harness h;
static struct text script;

static void run(const struct frame *frames)
{
    script.len = 0;
    for (const struct frame *f = frames; f->payload; f++)
        script_add(&script, f);
    harness_init(&h, slice_make(script.bytes, script.len));
    h.config.client = true;
}

static void rfc6455_5_1_a_client_takes_no_masked_frame(void **state)
{
    (void)state;
    run((struct frame[]){UNMASKED(0x81, "good"), F(0x81, "bad"), {0}});
    harness_run(&h);
    assert_string_equal(h.events.bytes, "text good|end 1002 a frame of a server with a mask|");
    assert_string_equal(h.answers.bytes, "close 1002 a frame of a server with a mask|");
}

static void fragments_pings_and_close_are_answered_masked(void **state)
{
    (void)state;
    run((struct frame[]){UNMASKED(0x01, "one "),
                         UNMASKED(0x89, "ping"),
                         UNMASKED(0x80, "two"),
                         UNMASKED(0x82, "bytes"),
                         UNMASKED(0x88, "\x03\xe8"),
                         {0}});
    for (size_t step = 0; step < 4; step++) {
        h.events.len = h.answers.len = h.raw.len = h.at = 0;
        h.first = h.step = step;
        harness_run(&h);
        assert_string_equal(h.events.bytes, "text one two|binary bytes|end 1000 |");
        assert_string_equal(h.answers.bytes, "pong ping|close 1000 |");
    }
}

static const size_t sizes[] = {0, 1, 125, 126, 16370, 16371, 16376, 16377, 16384, 16385};
enum {
    SIZES = sizeof(sizes) / sizeof(*sizes)
};

static char letter(size_t i)
{
    return (char)('a' + i % 23);
}

static size_t size;

static void send_payload(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    (void)data;
    static char payload[1 << 15];
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = letter(i);
    struct slice pieces[] = {slice_make(payload, size / 3), slice_make(payload + size / 3, 0),
                             slice_make(payload + size / 3, size - size / 3)};
    ws_peer_send(harness->peer, WS_OP_BINARY, pieces, 3);
}

static void rfc6455_5_3_every_size_arrives_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        run((struct frame[]){UNMASKED(0x82, "go"), {0}});
        h.on_message = send_payload;
        size = sizes[i];
        harness_run(&h);
        struct ws_head head; /* the harness has unmasked what follows it */
        assert_int_equal(ws_head_parse(slice_make(h.raw.bytes, h.raw.len), &head), PARSE_OK);
        assert_int_equal(h.raw.len, head.size + sizes[i]);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(h.raw.bytes[head.size + at], letter(at));
    }
}

static void send_two(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    struct slice piece = slice_from_bytes(data);
    for (int i = 0; i < 64; i++)
        ws_peer_send(harness->peer, WS_OP_TEXT, &piece, 1);
}

static void send_shared_payload(struct harness *harness, enum ws_op op, struct bytes data)
{
    (void)op;
    (void)data;
    struct shared_bytes *shared = shared_new(size + 2);
    for (size_t i = 0; i < size; i++)
        shared->bytes[i + 1] = letter(i + 3);
    ws_peer_send_shared(harness->peer, SLICE_LITERAL("abc"), shared, 1, size);
    shared_unref(shared);
}

static void shared_bytes_arrive_as_they_were_from_either_side(void **state)
{
    (void)state;
    for (size_t i = 1; i < 2 * SIZES; i++) {
        run((struct frame[]){UNMASKED(0x82, "go"), {0}});
        if (i >= SIZES) {
            run((struct frame[]){F(0x82, "go"), {0}});
            h.config.client = false;
        }
        h.on_message = send_shared_payload;
        size = sizes[i % SIZES];
        harness_run(&h);
        struct ws_head head;
        assert_int_equal(ws_head_parse(slice_make(h.raw.bytes, h.raw.len), &head), PARSE_OK);
        assert_int_equal(head.op, WS_OP_BINARY);
        assert_int_equal(h.raw.len, head.size + 3 + size);
        assert_int_equal(h.counts.messages_out, 1);
        for (size_t at = 0; at < size + 3; at++)
            assert_int_equal(h.raw.bytes[head.size + at], letter(at));
    }
}

static void rfc6455_5_3_each_frame_has_a_mask_of_its_own(void **state)
{
    (void)state;
    run((struct frame[]){UNMASKED(0x81, "x"), {0}});
    h.on_message = send_two;
    harness_run(&h);
    unsigned same = 0;
    for (size_t at = 7; at + 7 <= h.raw.len; at += 7)
        same += memcmp(h.raw.bytes + at + 2, h.raw.bytes + at - 5, 4) == 0;
    assert_int_equal(h.raw.len, 64 * 7);
    assert_true(same < 2);
}

/* More keys than are fetched at a time. */
static void take_keys(uint32_t keys[200])
{
    for (size_t i = 0; i < 200; i++)
        masks_take((uint8_t *)&keys[i]);
}

static void rfc6455_10_3_a_child_has_other_keys_than_its_parent(void **state)
{
    (void)state;
    uint32_t parent[200], child[200];
    int ends[2], status;
    take_keys(parent); /* some are left of what was fetched */
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    take_keys(pid == 0 ? child : parent);
    if (pid == 0)
        _exit(write(ends[1], child, sizeof(child)) != sizeof(child));
    assert_int_equal(read(ends[0], child, sizeof(child)), sizeof(child));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unsigned same = 0;
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < 200; k++)
            same += child[i] == parent[k];
    assert_true(same < 2);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc6455_5_1_a_client_takes_no_masked_frame),
        cmocka_unit_test(fragments_pings_and_close_are_answered_masked),
        cmocka_unit_test(rfc6455_5_3_every_size_arrives_as_it_was),
        cmocka_unit_test(shared_bytes_arrive_as_they_were_from_either_side),
        cmocka_unit_test(rfc6455_5_3_each_frame_has_a_mask_of_its_own),
        cmocka_unit_test(rfc6455_10_3_a_child_has_other_keys_than_its_parent),
    };
    return run_on_every_backend("ws_peer_client", tests);
}
