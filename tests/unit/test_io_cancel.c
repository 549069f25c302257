/* SPDX-License-Identifier: MIT */
/* test_io_cancel.c - an io ends at each point of what a backend does for it, in each way: nothing
 * of the old is told to whoever has its descriptor's number next, the peer sees the end at once,
 * and nothing is left. */
#include "io_probe.h"

/* What is under way. */
static void nothing(struct probe *p, int peer)
{
    (void)p, (void)peer;
}

static void a_wait_for_input(struct probe *p, int peer)
{
    (void)p, (void)peer;
    turn_and_send(0);
}

static void a_receive(struct probe *p, int peer)
{
    for (int i = 0; i < 4; i++) {
        put(peer, "!");
        TURN_UNTIL(p->received_len == (size_t)i + 1);
    }
    turn_and_send(0);
}

static void input_that_was_not_told(struct probe *p, int peer)
{
    a_receive(p, peer);
    put(peer, "untold");
    loop_wait_ms(loop);
}

static void pause_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_pause(&p->io);
}

static void input_that_was_kept(struct probe *p, int peer)
{
    static char much[20000];
    a_receive(p, peer);
    p->at_recv = pause_at_recv;
    assert_int_equal(send(peer, much, sizeof(much), 0), sizeof(much));
    TURN_UNTIL(p->received_len > 4);
    turn_and_send(0);
    p->at_recv = NULL;
}

static void a_send_in_the_batch(struct probe *p, int peer)
{
    a_receive(p, peer);
    write_text(p, "batched");
    loop_turn(loop, 0);
}

static void a_send_that_was_cut_short(struct probe *p, int peer)
{
    static char much[1000000];
    (void)peer;
    for (int i = 0; i < 8; i++)
        io_write_slice(&p->io, slice_make(much, sizeof(much)));
    turn_and_send(0);
    assert_true(io_queued(&p->io) > 0);
}

static void small_sends_that_were_cut_short(struct probe *p, int peer)
{
    static char little[1000];
    (void)peer;
    while (io_queued(&p->io) < 100000) {
        io_write_slice(&p->io, slice_make(little, sizeof(little)));
        turn_and_send(0);
    }
}

/* How it ends. */
static void is_closed(struct probe *p, int *peer)
{
    (void)peer;
    io_close(&p->io);
}

static void is_finished(struct probe *p, int *peer)
{
    (void)peer;
    io_finish(&p->io, 50);
    if (p->io.flags & IO_SHUT)
        io_close(&p->io);
}

static void is_finished_and_the_peer_goes(struct probe *p, int *peer)
{
    io_finish(&p->io, 1000);
    close(*peer);
    *peer = -1;
}

static void close_at_end(struct probe *p, int error)
{
    (void)error;
    io_close(&p->io);
}

static void loses_its_peer(struct probe *p, int *peer)
{
    p->at_end = close_at_end;
    io_resume(&p->io);
    close(*peer);
    *peer = -1;
}

static void is_reset(struct probe *p, int *peer)
{
    setsockopt(*peer, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    loses_its_peer(p, peer);
}

static void close_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_close(&p->io);
}

static void closes_as_it_hears(struct probe *p, int *peer)
{
    p->at_recv = close_at_recv;
    io_resume(&p->io);
    put(*peer, "close");
}

static void is_released(struct probe *p, int *peer)
{
    struct io_kept *rest;
    int fd = io_release(&p->io, &rest);
    if (fd < 0) { /* there is output */
        is_closed(p, peer);
        return;
    }
    io_kept_free(rest);
    close(fd);
    *p->gone = true;
    free(p->received);
    free(p);
}

static void (*const under_way[])(struct probe *, int) = {nothing,
                                                         a_wait_for_input,
                                                         a_receive,
                                                         input_that_was_not_told,
                                                         input_that_was_kept,
                                                         a_send_in_the_batch,
                                                         a_send_that_was_cut_short,
                                                         small_sends_that_were_cut_short,
                                                         NULL};
static void (*const ends[])(struct probe *,
                            int *) = {is_closed,      is_finished, is_finished_and_the_peer_goes,
                                      loses_its_peer, is_reset,    closes_as_it_hears,
                                      is_released,    NULL};

/* The next one has the number of the old one, and hears nothing but what is its own. */
static void use_the_number_again(int number)
{
    int fds[2];
    unix_pair(fds);
    if (fds[0] != number) {
        assert_int_equal(dup3(fds[0], number, O_CLOEXEC), number);
        close(fds[0]);
    }
    struct probe *p = probe_open(number, 1, false);
    put(fds[1], "mine");
    TURN_UNTIL(has(p, "mine"));
    write_text(p, "back");
    expect(fds[1], "back");
    assert_int_equal(p->ends, 0);
    close(fds[1]);
    TURN_UNTIL(p->ends);
    probe_end(p);
}

static void end_in_each_way(void (*pair)(int fds[2]))
{
    for (int what = 0; under_way[what]; what++) {
        for (int how = 0; ends[how]; how++) {
            int fds[2];
            pair(fds);
            struct probe *p = probe_open(fds[0], 0, false);
            under_way[what](p, fds[1]);
            ends[how](p, &fds[1]);
            fake_ms += 100; /* whoever lingers has done so */
            TURN_UNTIL(gone[0]);
            assert_int_equal(fcntl(fds[0], F_GETFD), -1);
            if (fds[1] >= 0) {
                consume(fds[1]);
                TURN_UNTIL(take(fds[1], &(char){0}, 1) != -EAGAIN); /* it has ended */
                close(fds[1]);
            }
            use_the_number_again(fds[0]);
        }
    }
}

static void a_unix_socket_ends_at_each_point_in_each_way(void **state)
{
    (void)state;
    end_in_each_way(unix_pair);
}

static void a_tcp_socket_ends_at_each_point_in_each_way(void **state)
{
    (void)state;
    end_in_each_way(tcp_pair);
}

/* What was under way for the first is over when the second begins, in one turn. */
static void a_number_that_is_used_again_in_the_same_turn_is_somebody_elses(void **state)
{
    (void)state;
    for (int what = 0; under_way[what]; what++) {
        int first[2], second[2];
        unix_pair(first);
        unix_pair(second);
        struct probe *p = probe_open(first[0], 0, false);
        under_way[what](p, first[1]);
        struct io_kept *rest = NULL;
        int fd = io_release(&p->io, &rest);
        if (fd < 0) {
            io_close(&p->io);
            TURN_UNTIL(gone[0]);
        } else {
            io_kept_free(rest);
            free(p->received);
            free(p);
        }
        assert_int_equal(dup3(second[0], first[0], O_CLOEXEC), first[0]);
        close(second[0]);
        struct probe *q = probe_open(first[0], 1, false);
        send(first[1], "not mine", 8, MSG_NOSIGNAL);
        put(second[1], "mine");
        TURN_UNTIL(q->received_len);
        turn_while_busy();
        assert_true(has(q, "mine"));
        close(first[1]);
        turn_while_busy();
        assert_int_equal(q->ends, 0);
        close(second[1]);
        TURN_UNTIL(q->ends);
        probe_end(q);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(a_unix_socket_ends_at_each_point_in_each_way),
        loop_test(a_tcp_socket_ends_at_each_point_in_each_way),
        loop_test(a_number_that_is_used_again_in_the_same_turn_is_somebody_elses),
    };
    return run_on_every_backend("io_cancel", tests);
}
