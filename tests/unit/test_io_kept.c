/* SPDX-License-Identifier: MIT */
/* test_io_kept.c - input that a backend has received before anybody wants it: it is kept in order,
 * counted, and goes where its descriptor goes. A backend that receives nothing by itself keeps
 * nothing, and all else is the same. */
#include "io_probe.h"

#include "base/pack.h"

enum {
    LONG = 20000
};

static char text[LONG];
static size_t told_held, tellings;

static void make_text(void)
{
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)(i * 7 + i / 251);
    told_held = tellings = 0;
}

static void on_kept(struct io *io)
{
    told_held = io_held(io);
    tellings++;
}

static const struct io_ops counting_ops = {on_recv, on_end, on_drain, on_gone, NULL, on_kept};

/* An io of small messages: so it may be received for without being asked. */
static struct probe *open_talker(int number, int fds[2])
{
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], number, false);
    p->io.ops = &counting_ops;
    for (int i = 0; i < 4; i++) {
        put(fds[1], "!");
        TURN_UNTIL(p->received_len == (size_t)i + 1);
    }
    p->received_len = 0;
    return p;
}

static void pause_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_pause(&p->io);
}

static void send_text(int fd)
{
    assert_int_equal(send(fd, text, LONG, MSG_NOSIGNAL), LONG);
}

static bool is_text(const struct probe *p)
{
    return p->received_len == LONG && memcmp(p->received, text, LONG) == 0;
}

/* One that has been told a beginning, and has paused. */
static struct probe *open_paused(int number, int fds[2])
{
    make_text();
    struct probe *p = open_talker(number, fds);
    p->at_recv = pause_at_recv;
    send_text(fds[1]);
    TURN_UNTIL(p->received_len);
    turn_while_busy();
    p->at_recv = NULL;
    return p;
}

static bool receives_by_itself(void)
{
    return strcmp(loop_backend(loop), "io_uring") == 0;
}

static void what_is_kept_is_counted(void **state)
{
    (void)state;
    int fds[2];
    struct probe *p = open_paused(0, fds);
    size_t kept = io_kept_bytes(&p->io);
    assert_int_equal(kept > 0, receives_by_itself());
    assert_int_equal(io_held(&p->io), kept);
    assert_int_equal(told_held, kept);
    io_resume(&p->io);
    TURN_UNTIL(is_text(p));
    assert_int_equal(io_held(&p->io), 0);
    assert_int_equal(told_held, 0);
    assert_int_equal(tellings > 0, receives_by_itself());
    close(fds[1]);
    probe_end(p);
}

static void what_is_kept_goes_with_its_io(void **state)
{
    (void)state;
    for (int finishes = 0; finishes < 2; finishes++) {
        int fds[2];
        struct probe *p = open_paused(0, fds);
        if (finishes)
            io_finish(&p->io, 1000);
        else
            io_close(&p->io);
        close(fds[1]);
        TURN_UNTIL(gone[0]);
    }
}

/* ---- released ---- */

static struct io_kept *rest;
static struct probe *next;

static void go_on(struct probe *p)
{
    struct probe *old = p;
    int fd = io_release(&p->io, &rest);
    assert_true(fd >= 0);
    next = probe_open(fd, 1, false);
    io_go_on(&next->io, rest);
    next->received = old->received;
    next->received_len = old->received_len;
    free(old);
}

static void release_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    go_on(p);
}

static void who_goes_on_with_a_descriptor_gets_all_that_had_come(void **state)
{
    (void)state;
    make_text();
    int fds[2];
    struct probe *p = open_talker(0, fds);
    next = NULL;
    p->at_recv = release_at_recv;
    send_text(fds[1]);
    TURN_UNTIL(next && is_text(next));
    close(fds[1]);
    TURN_UNTIL(next->ends);
    probe_end(next);
}

static void who_goes_on_with_a_paused_io_gets_all_that_had_come(void **state)
{
    (void)state;
    int fds[2];
    go_on(open_paused(0, fds));
    put(fds[1], "and more");
    TURN_UNTIL(next->received_len == LONG + 8);
    assert_memory_equal(next->received, text, LONG);
    assert_memory_equal(next->received + LONG, "and more", 8);
    close(fds[1]);
    probe_end(next);
}

static struct bytes lend_little(struct io *io)
{
    static char little[100];
    (void)io;
    return (struct bytes){little, sizeof(little)};
}

static const struct io_ops lending_ops = {on_recv, on_end, on_drain, on_gone, lend_little, NULL};

static void who_was_told_a_piece_of_it_leaves_the_others(void **state)
{
    (void)state;
    make_text();
    int fds[2];
    struct probe *p = open_talker(0, fds);
    p->io.ops = &lending_ops;
    next = NULL;
    p->at_recv = release_at_recv;
    send_text(fds[1]);
    TURN_UNTIL(next && is_text(next));
    close(fds[1]);
    probe_end(next);
}

static void what_nobody_goes_on_with_can_be_dropped(void **state)
{
    (void)state;
    int fds[2];
    struct probe *p = open_paused(0, fds);
    int fd = io_release(&p->io, &rest);
    assert_int_equal(fd, fds[0]);
    assert_int_equal(rest != NULL, receives_by_itself());
    io_kept_free(rest);
    free(p->received);
    free(p);
    close(fd);
    close(fds[1]);
}

/* ---- taken over ---- */

/* The io goes on in another object, as in the process that is executed in our place. */
static struct probe *take_over(struct probe *p)
{
    struct pack pack = {0};
    io_pack(&p->io, &pack);
    int fd = p->io.fd, copy = dup(fd);
    probe_end(p);
    dup2(copy, fd);
    close(copy);
    struct probe *q = calloc(1, sizeof(*q));
    gone[1] = false;
    q->gone = &gone[1];
    assert_int_equal(io_unpack(loop, &q->io, text_slice(&pack.out), &counting_ops), 0);
    pack_done(&pack);
    return q;
}

/* What p was told already is cut off. */
static bool has_rest_of_text(const struct probe *q, size_t told)
{
    return q->received_len == LONG - told &&
           (told == LONG || memcmp(q->received, text + told, q->received_len) == 0);
}

static void what_is_kept_is_taken_over(void **state)
{
    (void)state;
    int fds[2];
    struct probe *p = open_paused(0, fds);
    size_t told = p->received_len, kept = io_kept_bytes(&p->io);
    struct probe *q = take_over(p);
    assert_int_equal(io_kept_bytes(&q->io), kept);
    turn_while_busy();
    assert_int_equal(q->received_len, 0); /* it is paused there, too */
    io_resume(&q->io);
    TURN_UNTIL(has_rest_of_text(q, told));
    assert_int_equal(io_held(&q->io), 0);
    close(fds[1]);
    TURN_UNTIL(q->ends);
    assert_int_equal(q->last_end, 0);
    probe_end(q);
}

static void what_is_wanted_already_is_taken_over(void **state)
{
    (void)state;
    int fds[2];
    struct probe *p = open_paused(0, fds);
    size_t told = p->received_len;
    io_resume(&p->io); /* and it is not told before the end of the turn */
    struct probe *q = take_over(p);
    TURN_UNTIL(has_rest_of_text(q, told));
    close(fds[1]);
    probe_end(q);
}

static struct acceptor acceptor;
static int late;

static void accepted(struct acceptor *a, int fd)
{
    (void)a, (void)fd;
}

/* To stop may let the kernel complete what is ready. */
static void stop_all(struct mail *mail)
{
    (void)mail;
    put(late, "late");
    acceptor_stop(&acceptor);
    loop_stop(loop);
}

static void what_came_as_the_loop_was_stopped_is_taken_over(void **state)
{
    (void)state;
    int fds[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct mail mail;
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(acceptor_start(loop, &acceptor, listener, accepted), 0);
    struct probe *p = open_talker(0, fds);
    late = fds[1];
    turn_and_send(0);
    loop_post(loop, &mail, stop_all);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(p->received_len, 0);
    struct probe *q = take_over(p);
    TURN_UNTIL(q->received_len);
    assert_true(has(q, "late"));
    close(fds[1]);
    probe_end(q);
}

static void an_error_that_was_received_is_taken_over(void **state)
{
    (void)state;
    make_text();
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    for (int i = 0; i < 4; i++) {
        put(fds[1], "!");
        TURN_UNTIL(p->received_len == (size_t)i + 1);
    }
    io_pause(&p->io);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fds[1]);
    turn_while_busy();
    assert_int_equal(p->ends, 0);
    struct probe *q = take_over(p);
    turn_while_busy();
    assert_int_equal(q->ends, 0);
    io_resume(&q->io);
    TURN_UNTIL(q->ends);
    assert_int_equal(q->last_end, -ECONNRESET);
    turn_while_busy();
    assert_int_equal(q->ends, 1);
    probe_end(q);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(what_is_kept_is_counted),
        loop_test(what_is_kept_goes_with_its_io),
        loop_test(who_goes_on_with_a_descriptor_gets_all_that_had_come),
        loop_test(who_goes_on_with_a_paused_io_gets_all_that_had_come),
        loop_test(who_was_told_a_piece_of_it_leaves_the_others),
        loop_test(what_nobody_goes_on_with_can_be_dropped),
        loop_test(what_is_kept_is_taken_over),
        loop_test(what_is_wanted_already_is_taken_over),
        loop_test(what_came_as_the_loop_was_stopped_is_taken_over),
        loop_test(an_error_that_was_received_is_taken_over),
    };
    return run_on_every_backend("io_kept", tests);
}
