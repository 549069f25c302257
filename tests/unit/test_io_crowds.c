/* SPDX-License-Identifier: MIT */
/* test_io_crowds.c - more completes at once than a backend has buffers or places for: nothing is
 * lost, everybody has a turn, and nobody is asked in vain again and again. */
#include "io_probe.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

enum {
    TALKERS = 300,
    BURST = 16000, /* in all more than the buffers of a ring */
    WATCHES = 9000 /* more than the completions that a ring holds */
};

struct talker {
    struct io io;
    int peer;
    size_t got, turn_of_last;
    bool gone;
};

static struct talker talkers[TALKERS];
static size_t turns, arrived;

static char byte_at(size_t talker, size_t position)
{
    return (char)(talker * 31 + position * 7 + position / 251);
}

static void talker_recv(struct io *io, struct bytes data)
{
    struct talker *t = container_of(io, struct talker, io);
    for (size_t i = 0; i < data.len; i++)
        if (data.ptr[i] != byte_at((size_t)(t - talkers), t->got++))
            fail_msg("a wrong byte");
    arrived += data.len;
    t->turn_of_last = turns;
}

static void talker_gone(struct io *io)
{
    container_of(io, struct talker, io)->gone = true;
}

static const struct io_ops talker_ops = {talker_recv, NULL, NULL, talker_gone, NULL, NULL};

static void turn_until_arrived(size_t wanted, size_t turns_max)
{
    for (size_t before = turns; arrived < wanted;) {
        turns++;
        assert_true(turns - before <= turns_max);
        assert_int_equal(loop_turn(loop, 20000), 0);
    }
}

/* As of connections that have brought little so far. */
static void open_talkers(void)
{
    turns = arrived = 0;
    for (size_t i = 0; i < TALKERS; i++) {
        int fds[2];
        unix_pair(fds);
        talkers[i] = (struct talker){.peer = fds[1]};
        assert_int_equal(io_open(loop, &talkers[i].io, fds[0], &talker_ops, false), 0);
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < TALKERS; i++)
            assert_int_equal(send(talkers[i].peer, &(char){byte_at(i, round)}, 1, 0), 1);
        turn_until_arrived((round + 1) * TALKERS, 100);
    }
}

static void talker_sends(size_t i, size_t len)
{
    static char bytes[BURST];
    for (size_t at = 0; at < len; at++)
        bytes[at] = byte_at(i, 3 + at);
    assert_int_equal(send(talkers[i].peer, bytes, len, MSG_DONTWAIT), len);
}

static void close_talkers(void)
{
    for (size_t i = 0; i < TALKERS; i++) {
        close(talkers[i].peer);
        io_close(&talkers[i].io);
    }
    loop_turn(loop, 0);
    for (size_t i = 0; i < TALKERS; i++)
        assert_true(talkers[i].gone);
}

static void more_than_the_buffers_hold_arrives_whole(void **state)
{
    (void)state;
    open_talkers();
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, BURST);
    turn_until_arrived(TALKERS * (BURST + 3), 100);
    uint64_t receives = loop_counts(loop)->receives;
    turns++;
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    assert_int_equal(loop_counts(loop)->receives, receives);
    close_talkers();
}

/* So timers are fair after a pause: in 64 such turns everybody has been heard. */
static void a_turn_that_does_not_wait_tells_of_hundreds(void **state)
{
    (void)state;
    open_talkers();
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, 1);
    size_t before = arrived;
    loop_turn(loop, 0);
    assert_true(arrived - before >= 200);
    turn_until_arrived(before + TALKERS, 100);
    close_talkers();
}

/* Who sends little is not kept waiting by those who use up the buffers. */
static void who_sends_little_is_heard_beside_a_crowd(void **state)
{
    (void)state;
    open_talkers();
    size_t before = turns;
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, i % 100 == 99 ? 1 : BURST);
    turn_until_arrived(TALKERS * 3 + 297 * BURST + 3, 100);
    for (size_t i = 99; i < TALKERS; i += 100)
        assert_true(talkers[i].turn_of_last - before <= 20);
    close_talkers();
}

static void a_loop_without_buffers_left_sleeps_when_all_is_told(void **state)
{
    (void)state;
    open_talkers();
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, BURST);
    turn_until_arrived(TALKERS * (BURST + 3), 100);
    for (int i = 0; i < 4; i++)
        loop_turn(loop, 0);
    uint64_t slept = real_ms();
    loop_turn(loop, 30);
    assert_true(real_ms() - slept >= 29);
    close_talkers();
}

/* ---- completions ---- */

static struct watch watches[WATCHES];
static size_t rung;

static void ring(struct watch *watch, unsigned events)
{
    assert_int_equal(events, WATCH_READ);
    int fd = watch->fd;
    rung++;
    watch_stop(watch);
    close(fd);
}

static void more_completions_than_the_ring_holds_are_all_told(void **state)
{
    (void)state;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    if (most.rlim_max < WATCHES + 2 * TALKERS + 100)
        skip();
    open_talkers();
    int bell = eventfd(0, EFD_CLOEXEC);
    rung = 0;
    for (size_t i = 0; i < WATCHES; i++) {
        watch_init(&watches[i], ring);
        assert_int_equal(
            watch_start(loop, &watches[i], fcntl(bell, F_DUPFD_CLOEXEC, 0), WATCH_READ), 0);
    }
    loop_turn(loop, 0);
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, 3000);
    assert_int_equal(eventfd_write(bell, 1), 0);
    turn_until_arrived(TALKERS * 3003, 1000);
    for (int i = 0; i < 1000 && rung < WATCHES; i++)
        loop_turn(loop, 20000);
    assert_int_equal(rung, WATCHES);
    close(bell);
    close_talkers();
}

/* Between the moment when so much has completed and that when it is told, many end. */
static void who_ends_in_a_crowd_is_told_nothing_more(void **state)
{
    (void)state;
    open_talkers();
    for (size_t i = 0; i < TALKERS; i++)
        talker_sends(i, BURST);
    loop_wait_ms(loop); /* completions are there, and not told */
    for (size_t i = 0; i < TALKERS; i += 2) {
        io_close(&talkers[i].io);
        close(talkers[i].peer);
        talkers[i].peer = -1;
    }
    size_t before = arrived;
    turn_until_arrived(before + TALKERS / 2 * BURST, 100);
    for (size_t i = 0; i < TALKERS; i += 2) {
        assert_int_equal(talkers[i].got, 3);
        assert_true(talkers[i].gone);
    }
    for (size_t i = 1; i < TALKERS; i += 2) {
        close(talkers[i].peer);
        io_close(&talkers[i].io);
    }
    loop_turn(loop, 0);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(more_than_the_buffers_hold_arrives_whole),
        loop_test(a_turn_that_does_not_wait_tells_of_hundreds),
        loop_test(who_sends_little_is_heard_beside_a_crowd),
        loop_test(a_loop_without_buffers_left_sleeps_when_all_is_told),
        loop_test(more_completions_than_the_ring_holds_are_all_told),
        loop_test(who_ends_in_a_crowd_is_told_nothing_more),
    };
    return run_on_every_backend("io_crowds", tests);
}
