/* SPDX-License-Identifier: MIT */
/* How an io ends: closed in any callback, finished, shut down, released. */
#include "io_probe.h"

/* ---- closing anywhere ---- */

static void close_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    write_text(p, "lost");
    io_close(&p->io);
    io_close(&p->io);
    write_text(p, "lost");
}

static void close_at_end(struct probe *p, int error)
{
    (void)error;
    io_close(&p->io);
}

static void close_at_drain(struct probe *p)
{
    io_close(&p->io);
}

static void closing_in_on_recv(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = close_at_recv;
    put(fds[1], "a");
    TURN_UNTIL(gone[0]);
    expect_end(fds[1]);
    close(fds[1]);
}

static void closing_in_on_end(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_end = close_at_end;
    close(fds[1]);
    TURN_UNTIL(gone[0]);
}

static void closing_in_on_drain(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_drain = close_at_drain;
    p->left = 1000000;
    produce(p);
    assert_true(io_queued(&p->io) > 0);
    TURN_UNTIL(gone[0] || (consume(fds[1]), false));
    close(fds[1]);
}

static void close_other_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    write_text(p->other, "lost");
    io_close(&p->other->io);
    io_close(&p->io);
}

static void two_that_close_each_other_in_one_turn_are_called_once_together(void **state)
{
    (void)state;
    int a[2], b[2];
    unix_pair(a);
    unix_pair(b);
    struct probe *p = probe_open(a[0], 0, false), *q = probe_open(b[0], 1, false);
    p->other = q;
    q->other = p;
    p->at_recv = q->at_recv = close_other_at_recv;
    put(a[1], "x");
    put(b[1], "x");
    loop_turn(loop, -1);
    assert_true(gone[0] && gone[1]);
    assert_int_equal(loop_counts(loop)->receives, 1);
    close(a[1]);
    close(b[1]);
}

/* ---- ending our side ---- */

static void finishing_sends_what_is_queued_to_a_slow_reader(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    static char large[1000000];
    io_write_slice(&p->io, slice_make(large, sizeof(large)));
    assert_true(io_queued(&p->io) > 0);
    io_finish(&p->io, 1000);
    write_text(p, "too late");
    size_t arrived = 0;
    TURN_UNTIL((arrived += consume(fds[1])) == sizeof(large));
    expect_end(fds[1]);
    assert_false(gone[0]);
    close(fds[1]);
    TURN_UNTIL(gone[0]);
}

static void finishing_is_over_when_the_linger_time_is(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    static char large[1000000];
    io_write_slice(&p->io, slice_make(large, sizeof(large)));
    io_finish(&p->io, 500);
    fake_ms += 499;
    loop_turn(loop, 0);
    assert_false(gone[0]);
    fake_ms += 1;
    loop_turn(loop, 0);
    assert_true(gone[0]);
    close(fds[1]);
}

static void what_lingers_is_closed_with_the_loop(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    io_finish(&p->io, 1000);
    turn_while_busy();
    assert_false(gone[0]);
    loop_free(loop);
    assert_true(gone[0]);
    close(fds[1]);
    loop = NULL;
}

static struct probe *finishing;

static void finish_in_timer(struct timer *timer)
{
    (void)timer;
    io_finish(&finishing->io, 1000);
}

static void file_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_write_file(&p->io, pieces_of_file("file"), 0, 4);
}

/* Found by test_io_chaos: the file has left and on_drain is owed when the io is finished. */
static void finishing_takes_back_an_on_drain_that_is_owed(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = file_at_recv;
    put(fds[1], "a");
    struct timer timer;
    timer_init(&timer, finish_in_timer);
    finishing = p;
    timer_start(loop, &timer, 0);
    loop_turn(loop, -1);
    assert_int_equal(p->recvs, 1);
    turn_while_busy();
    assert_int_equal(p->drains, 0);
    close(fds[1]);
    TURN_UNTIL(gone[0]);
}

static void finish_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_pause(&p->io);
    write_text(p, "last words");
    io_finish(&p->io, 1000);
}

/* close(2) with unread bytes would send a reset, which takes the last words with it. */
static void unread_input_does_not_destroy_the_last_words(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = finish_at_recv;
    put(fds[1], "request");
    TURN_UNTIL(p->recvs);
    for (int i = 0; i < 10; i++) {
        put(fds[1], "more of the request");
        loop_turn(loop, 0);
    }
    expect(fds[1], "last words");
    expect_end(fds[1]);
    close(fds[1]);
    TURN_UNTIL(gone[0]);
}

static void shutdown_at_recv(struct probe *p, struct bytes data)
{
    if (!(p->io.flags & IO_SHUTDOWN))
        write_text(p, "bye");
    (void)data;
    io_shutdown(&p->io);
    write_text(p, "too late");
}

static void after_shutdown_receiving_goes_on(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = shutdown_at_recv;
    put(fds[1], "a");
    expect(fds[1], "bye");
    expect_end(fds[1]);
    put(fds[1], "b");
    TURN_UNTIL(has(p, "ab"));
    close(fds[1]);
    TURN_UNTIL(p->ends);
    assert_int_equal(p->last_end, 0);
    probe_end(p);
}

static void answer_at_end(struct probe *p, int error)
{
    assert_int_equal(error, 0);
    write_text(p, "answer");
    io_finish(&p->io, 1000);
}

static void a_peer_that_ended_its_side_still_gets_an_answer(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_end = answer_at_end;
    put(fds[1], "request");
    shutdown(fds[1], SHUT_WR);
    expect(fds[1], "answer");
    expect_end(fds[1]);
    TURN_UNTIL(gone[0]);
    close(fds[1]);
}

/* ---- release ---- */

static int released_fd;
static struct io_kept *released_rest;

static void release_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    write_text(p, "corked");
    assert_int_equal(io_release(&p->io, &released_rest), -EBUSY);
    io_flush(&p->io);
    released_fd = io_release(&p->io, &released_rest);
    free(p->received);
    free(p);
}

static void a_released_descriptor_lives_on_and_its_io_is_forgotten_at_once(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = release_at_recv;
    put(fds[1], "a");
    loop_turn(loop, -1);
    assert_int_equal(released_fd, fds[0]);
    put(fds[1], "b");
    turn_while_busy();
    struct probe *q = probe_open(fds[0], 1, false);
    TURN_UNTIL(has(q, "b"));
    close(fds[1]);
    probe_end(q);
}

static void release_other_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    if (!p->other)
        return;
    released_fd = io_release(&p->other->io, &released_rest);
    p->other->other = NULL;
    free(p->other->received);
    free(p->other);
    p->other = NULL;
}

/* Both have input in the same turn; the first one releases the other. */
static void an_io_released_by_another_is_forgotten_at_once(void **state)
{
    (void)state;
    int a[2], b[2];
    unix_pair(a);
    unix_pair(b);
    struct probe *p = probe_open(a[0], 0, false), *q = probe_open(b[0], 1, false);
    p->other = q;
    q->other = p;
    p->at_recv = q->at_recv = release_other_at_recv;
    put(a[1], "x");
    put(b[1], "x");
    loop_turn(loop, -1);
    assert_int_equal(loop_counts(loop)->receives, 1);
    close(released_fd);
    probe_end(released_fd == b[0] ? p : q);
    close(a[1]);
    close(b[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(closing_in_on_recv),
        loop_test(closing_in_on_end),
        loop_test(closing_in_on_drain),
        loop_test(two_that_close_each_other_in_one_turn_are_called_once_together),
        loop_test(finishing_sends_what_is_queued_to_a_slow_reader),
        loop_test(finishing_is_over_when_the_linger_time_is),
        loop_test(what_lingers_is_closed_with_the_loop),
        loop_test(finishing_takes_back_an_on_drain_that_is_owed),
        loop_test(unread_input_does_not_destroy_the_last_words),
        loop_test(after_shutdown_receiving_goes_on),
        loop_test(a_peer_that_ended_its_side_still_gets_an_answer),
        loop_test(a_released_descriptor_lives_on_and_its_io_is_forgotten_at_once),
        loop_test(an_io_released_by_another_is_forgotten_at_once),
    };
    return run_on_every_backend("io_end", tests);
}
