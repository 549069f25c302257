/* SPDX-License-Identifier: MIT */
/* An io of a pipe, and of descriptors that are no stream. */
#include "io_probe.h"

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct probe *p = probe_open(fds[0], 0, false);
    assert_int_equal(write(fds[1], "through", 7), 7);
    TURN_UNTIL(has(p, "through"));
    close(fds[1]);
    TURN_UNTIL(p->ends);
    assert_int_equal(p->last_end, 0);
    probe_end(p);
}

static void a_pipe_is_written_and_closed_by_shutdown(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    struct probe *p = probe_open(fds[1], 0, false);
    static char large[200000], buffer[70000];
    io_write_slice(&p->io, slice_make(large, sizeof(large)));
    io_write_file(&p->io, pieces_of_file("file"), 0, 4);
    io_shutdown(&p->io);
    size_t arrived = 0;
    ssize_t n;
    TURN_UNTIL((n = read(fds[0], buffer, sizeof(buffer))) == 0 ||
               (n > 0 && (arrived += (size_t)n) == 0));
    assert_int_equal(arrived, sizeof(large) + 4);
    assert_int_equal(p->ends, 0);
    close(fds[0]);
    probe_end(p);
}

static void a_pipe_without_reader_is_an_error(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct probe *p = probe_open(fds[1], 0, false);
    close(fds[0]);
    write_text(p, "nobody reads this");
    TURN_UNTIL(p->ends);
    assert_int_equal(p->last_end, -EPIPE);
    probe_end(p);
}

static void a_finished_pipe_is_gone_when_its_queue_is_empty(void **state)
{
    (void)state;
    int fds[2];
    char buffer[8];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    struct probe *p = probe_open(fds[1], 0, false);
    write_text(p, "bye");
    io_finish(&p->io, 1000);
    TURN_UNTIL(gone[0]);
    assert_int_equal(read(fds[0], buffer, sizeof(buffer)), 3);
    assert_int_equal(read(fds[0], buffer, sizeof(buffer)), 0);
    close(fds[0]);
}

static void opens_alike(int fd, enum io_kind kind)
{
    struct io found, known;
    struct io_kept *rest;
    assert_int_equal(io_open(loop, &found, fd, &probe_ops, false), 0);
    assert_int_equal(io_release(&found, &rest), fd);
    assert_int_equal(io_open_known(loop, &known, fd, kind, &probe_ops, false), 0);
    assert_int_equal(io_release(&known, &rest), fd);
    assert_int_equal(known.flags, found.flags);
    assert_int_equal(close(fd), 0);
}

static void what_the_maker_says_of_a_descriptor_is_what_would_be_found(void **state)
{
    (void)state;
    int pipe[2], pair[2];
    assert_int_equal(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    opens_alike(pipe[0], IO_KIND_PIPE_IN);
    opens_alike(pipe[1], IO_KIND_PIPE_OUT);
    opens_alike(pair[0], IO_KIND_SOCKET);
    close(pair[1]);
}

static void what_is_no_stream_is_refused_and_stays_the_callers(void **state)
{
    (void)state;
    int fd = pieces_of_file("text");
    struct io io;
    assert_int_equal(io_open(loop, &io, fd, &probe_ops, false), -EPERM);
    assert_int_equal(close(fd), 0);
    assert_int_equal(io_open(loop, &io, fd, &probe_ops, false), -EBADF);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(a_pipe_is_read_to_its_end),
        loop_test(a_pipe_is_written_and_closed_by_shutdown),
        loop_test(a_pipe_without_reader_is_an_error),
        loop_test(a_finished_pipe_is_gone_when_its_queue_is_empty),
        loop_test(what_the_maker_says_of_a_descriptor_is_what_would_be_found),
        loop_test(what_is_no_stream_is_refused_and_stays_the_callers),
    };
    return run_on_every_backend("io_pipe", tests);
}
