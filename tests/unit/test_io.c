/* SPDX-License-Identifier: MIT */
/* What an io receives and sends: bytes, files, shared bytes, to a peer that is slow or gone. */
#include "io_probe.h"

/* ---- receiving ---- */

static void bytes_and_the_end_arrive(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    put(fds[1], "hello");
    TURN_UNTIL(p->received_len == 5);
    put(fds[1], " world");
    close(fds[1]);
    TURN_UNTIL(p->ends);
    assert_true(has(p, "hello world"));
    assert_int_equal(p->last_end, 0);
    turn_while_busy();
    assert_int_equal(p->ends, 1);
    probe_end(p);
}

static void more_than_the_buffer_holds_arrives_whole(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    int size = 2 * LOOP_BUFFER_BYTES;
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    char *block = calloc(1, LOOP_BUFFER_BYTES + 100);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    ssize_t put_in = write(fds[1], block, LOOP_BUFFER_BYTES + 100);
    struct probe *p = probe_open(fds[0], 0, false);
    TURN_UNTIL(p->received_len == (size_t)put_in);
    assert_true(put_in > 100000);
    free(block);
    close(fds[1]);
    probe_end(p);
}

static void a_reset_is_told_once(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fds[1]);
    TURN_UNTIL(p->ends);
    assert_int_equal(p->last_end, -ECONNRESET);
    write_text(p, "nobody hears this");
    turn_while_busy();
    assert_int_equal(p->ends, 1);
    assert_int_equal(io_queued(&p->io), 0);
    probe_end(p);
}

static void nothing_arrives_while_paused(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, true);
    put(fds[1], "a");
    turn_while_busy();
    assert_int_equal(p->recvs, 0);
    io_resume(&p->io);
    TURN_UNTIL(has(p, "a"));
    io_pause(&p->io);
    put(fds[1], "b");
    close(fds[1]);
    turn_while_busy();
    assert_true(has(p, "a"));
    assert_int_equal(p->ends, 0);
    io_resume(&p->io);
    TURN_UNTIL(p->ends);
    assert_true(has(p, "ab"));
    probe_end(p);
}

static void pause_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    io_pause(&p->io);
}

/* Level-triggered readiness must not keep the loop awake. */
static void a_paused_io_whose_peer_hung_up_lets_the_loop_sleep(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = pause_at_recv;
    put(fds[1], "a");
    TURN_UNTIL(p->recvs);
    put(fds[1], "b");
    close(fds[1]);
    loop_turn(loop, 0);
    uint64_t before = real_ms();
    loop_turn(loop, 20);
    assert_true(real_ms() - before >= 19);
    assert_true(has(p, "a"));
    io_resume(&p->io);
    TURN_UNTIL(has(p, "ab"));
    io_resume(&p->io);
    TURN_UNTIL(p->ends);
    loop_turn(loop, 0);
    before = real_ms();
    loop_turn(loop, 20);
    assert_true(real_ms() - before >= 19);
    probe_end(p);
}

static void pausing_and_resuming_again_is_free(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    unsigned flags = p->io.flags;
    io_pause(&p->io);
    io_resume(&p->io);
    assert_int_equal(p->io.flags, flags);
    put(fds[1], "a");
    TURN_UNTIL(p->recvs);
    close(fds[1]);
    probe_end(p);
}

/* A backend that receives on its own has more of it by then. */
static void what_came_before_a_pause_was_noticed_is_told_after_it(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    static char text[20000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 7 + i / 251);
    struct probe *p = probe_open(fds[0], 0, false);
    for (int i = 0; i < 4; i++) { /* a socket of small messages */
        put(fds[1], "!");
        TURN_UNTIL(p->received_len == (size_t)i + 1);
    }
    p->at_recv = pause_at_recv;
    assert_int_equal(send(fds[1], text, sizeof(text), 0), sizeof(text));
    for (size_t before = 4; before < sizeof(text) + 4; before = p->received_len) {
        TURN_UNTIL(p->received_len > before);
        size_t told = p->received_len;
        turn_while_busy();
        assert_int_equal(p->received_len, told);
        io_resume(&p->io);
    }
    assert_int_equal(p->received_len, sizeof(text) + 4);
    assert_memory_equal(p->received + 4, text, sizeof(text));
    close(fds[1]);
    TURN_UNTIL(p->ends);
    probe_end(p);
}

/* ---- corking and sending ---- */

static void write_ten(struct probe *p, struct bytes data)
{
    (void)data;
    for (int i = 0; i < 10; i++)
        write_text(p, "0123456789");
}

static void what_is_written_in_a_callback_leaves_in_one_send(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = write_ten;
    put(fds[1], "go");
    TURN_UNTIL(p->recvs);
    loop_wait_ms(loop);
    assert_int_equal(loop_counts(loop)->sends, 1);
    assert_int_equal(loop_counts(loop)->bytes_out, 100);
    assert_int_equal(loop_counts(loop)->receives, 1);
    assert_int_equal(loop_counts(loop)->bytes_in, 2);
    assert_int_equal(p->drains, 0);
    close(fds[1]);
    probe_end(p);
}

static void what_others_write_leaves_in_one_send_at_the_end_of_the_turn(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    write_ten(p, (struct bytes){0});
    assert_int_equal(io_queued(&p->io), 100);
    assert_int_equal(loop_counts(loop)->sends, 0);
    turn_and_send(-1);
    assert_int_equal(loop_counts(loop)->sends, 1);
    assert_int_equal(io_queued(&p->io), 0);
    close(fds[1]);
    probe_end(p);
}

/* With what was corked before it, and without a chunk for itself. */
static void large_output_leaves_at_once_and_uncopied(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    static char large[IO_BATCH_MAX + 1];
    write_text(p, "head");
    io_write(&p->io, (struct iovec[]){{large, 100}, {large, sizeof(large)}}, 2);
    assert_int_equal(loop_counts(loop)->sends, 1);
    assert_int_equal(loop_counts(loop)->bytes_out, 4 + 100 + sizeof(large));
    assert_int_equal(io_queued(&p->io), 0);
    assert_int_equal(loop->pool.whole_count, 1);
    char buffer[16];
    assert_int_equal(take(fds[1], buffer, 5), 5);
    assert_memory_equal(buffer, "head\0", 5);
    close(fds[1]);
    probe_end(p);
}

/* The kernel takes a part; the rest is copied, from the right place, whatever was corked before. */
static void large_output_that_is_cut_short_keeps_its_order(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    size_t size = 1000000, arrived = 0;
    char *large = malloc(size), *read_back = malloc(size + 100);
    for (size_t i = 0; i < size; i++)
        large[i] = (char)(i * 31 + i / 251);
    io_write_slice(&p->io, slice_make(large, 77));
    io_write_slice(&p->io, slice_make(large + 77, size - 77));
    assert_in_range(io_queued(&p->io), 1, size - 78);
    memcpy(read_back, large, size); /* the owner may change it at once */
    memset(large, 0, size);
    TURN_UNTIL(({
        ssize_t n = take(fds[1], large + arrived, size - arrived);
        arrived += n > 0 ? (size_t)n : 0;
        arrived == size;
    }));
    assert_memory_equal(large, read_back, size);
    free(large);
    free(read_back);
    close(fds[1]);
    probe_end(p);
}

static void give_back(struct probe *p, struct bytes data)
{
    memset(data.ptr, 'b', data.len);
    write_text(p, "head");
    io_write_back(&p->io, slice_from_bytes(data));
    write_text(p, "tail");
}

static void what_is_written_back_leaves_in_its_place_and_uncopied(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = give_back;
    static char block[20000], heard[20009];
    assert_int_equal(write(fds[1], block, sizeof(block)), sizeof(block));
    TURN_UNTIL(p->recvs);
    assert_int_equal(loop_counts(loop)->sends, 1);
    assert_int_equal(io_queued(&p->io), 0);
    assert_int_equal(loop->pool.whole_count, 2); /* the texts */
    assert_int_equal(take(fds[1], heard, sizeof(heard)), 20008);
    assert_memory_equal(heard, "headbbbb", 8);
    assert_memory_equal(heard + 20000, "bbbbtail", 8);
    close(fds[1]);
    probe_end(p);
}

/* A later message lies where the one before it lay. */
static void what_the_kernel_does_not_take_back_is_kept_before_more_is_received(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    p->at_recv = give_back;
    static char block[50000], heard[1000000];
    size_t sent = 0, arrived = 0;
    for (int i = 0; i < 10; i++) {
        sent += (size_t)write(fds[1], block, sizeof(block));
        TURN_UNTIL(p->received_len == sent);
    }
    assert_true(io_queued(&p->io) > 200000);
    size_t all = sent + 8 * (size_t)p->recvs;
    TURN_UNTIL(({
        ssize_t n = take(fds[1], heard + arrived, sizeof(heard) - arrived);
        arrived += n > 0 ? (size_t)n : 0;
        arrived == all;
    }));
    size_t count = 0;
    for (size_t i = 0; i < all; i++)
        count += heard[i] == 'b';
    assert_int_equal(count, sent);
    close(fds[1]);
    probe_end(p);
}

static void fill(int fd)
{
    static char block[4096];
    while (send(fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
    while (send(fd, block, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
}

static void without_room_writing_costs_no_system_call_and_on_drain_comes(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    fill(fds[0]);
    struct probe *p = probe_open(fds[0], 0, false);
    write_text(p, "small");
    turn_and_send(0);
    uint64_t sends = loop_counts(loop)->sends;
    assert_int_equal(io_queued(&p->io), 5);
    static char large[100000];
    for (int i = 0; i < 10; i++) {
        io_write_slice(&p->io, slice_make(large, i % 2 ? sizeof(large) : 10));
        loop_turn(loop, 0);
    }
    assert_int_equal(loop_counts(loop)->sends, sends);
    TURN_UNTIL(p->drains || (consume(fds[1]), false));
    assert_int_equal(p->drains, 1);
    close(fds[1]);
    probe_end(p);
}

static void a_small_rest_is_followed_by_on_drain(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    fill(fds[0]);
    struct probe *p = probe_open(fds[0], 0, false);
    write_text(p, "small");
    turn_and_send(0);
    assert_int_equal(p->drains, 0);
    TURN_UNTIL(p->drains || (consume(fds[1]), false));
    assert_int_equal(io_queued(&p->io), 0);
    close(fds[1]);
    probe_end(p);
}

static void chunks_are_used_again(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    for (int i = 0; i < 1000; i++) {
        write_text(p, "some");
        turn_and_send(0);
        char buffer[8];
        while (take(fds[1], buffer, sizeof(buffer)) < 0)
            ;
    }
    assert_int_equal(loop->pool.whole_count, 1);
    close(fds[1]);
    probe_end(p);
}

/* ---- a slow reader, against a naive model ---- */

enum {
    STORM_BYTES = 3 * 1000 * 1000
};

struct storm {
    char *model; /* every byte that was written */
    size_t written, read;
    struct probe *writer;
    struct timer timer;
    uint8_t next;
};

static char *storm_fill(struct storm *s, size_t len)
{
    char *at = s->model + s->written;
    for (size_t i = 0; i < len; i++)
        at[i] = (char)(s->next++ * 7 + (s->written + i) / 1000);
    s->written += len;
    return at;
}

static void storm_write(struct storm *s)
{
    size_t len = (size_t)random() >> (11 + random() % 20);
    struct io *io = &s->writer->io;
    char *at = storm_fill(s, len);
    if (random() % 4 == 0) {
        struct shared_bytes *shared = shared_new(len);
        memcpy(shared->bytes, at, len);
        io_write_shared(io, shared);
        shared_unref(shared);
    } else if (random() % 8 == 0) {
        int fd = pieces_of_file("..");
        assert_int_equal(pwrite(fd, at, len, 2), len);
        io_write_file(io, fd, 2, len);
    } else {
        size_t a = len / 3, b = len / 2;
        char *copy = malloc(len + 1);
        memcpy(copy, at, len);
        io_write(io, (struct iovec[]){{copy, a}, {copy + a, b - a}, {copy + b, len - b}}, 3);
        free(copy);
    }
}

static void storm_in_dispatch(struct probe *p, struct bytes data)
{
    (void)data;
    struct storm *s = p->storm;
    for (long n = random() % 4; n > 0; n--)
        storm_write(s);
}

static void storm_in_timer(struct timer *timer)
{
    storm_write(container_of(timer, struct storm, timer));
}

static void storm_read(struct storm *s, int fd)
{
    static char buffer[1 << 20];
    ssize_t n = take(fd, buffer, (size_t)random() >> (11 + random() % 12));
    if (n <= 0)
        return;
    assert_true(s->read + (size_t)n <= s->written);
    assert_memory_equal(buffer, s->model + s->read, n);
    s->read += (size_t)n;
}

static void storm(void pair(int[2]))
{
    int fds[2];
    pair(fds);
    struct storm s = {.model = malloc(2 * STORM_BYTES)};
    s.writer = probe_open(fds[0], 0, false);
    s.writer->storm = &s;
    s.writer->at_recv = storm_in_dispatch;
    timer_init(&s.timer, storm_in_timer);
    while (s.written < STORM_BYTES || s.read < s.written) {
        bool writing = s.written < STORM_BYTES;
        if (writing && random() % 2)
            put(fds[1], "!");
        if (writing && random() % 3 == 0)
            timer_start(loop, &s.timer, 0);
        loop_turn(loop, 0);
        for (long n = random() % (writing ? 3 : 10); n > 0; n--)
            storm_read(&s, fds[1]);
    }
    turn_while_busy();
    assert_int_equal(io_queued(&s.writer->io), 0);
    assert_true(s.writer->drains > 0);
    assert_int_equal(s.writer->ends, 0);
    assert_int_equal(loop_counts(loop)->bytes_out, s.written);
    free(s.model);
    close(fds[1]);
    probe_end(s.writer);
}

static void every_byte_reaches_a_slow_reader_over_tcp(void **state)
{
    (void)state;
    srandom(1);
    storm(tcp_pair);
}

static void every_byte_reaches_a_slow_reader_over_a_unix_socket(void **state)
{
    (void)state;
    srandom(2);
    storm(unix_pair);
}

/* ---- on_drain ---- */

static void produce_at_recv(struct probe *p, struct bytes data)
{
    (void)data;
    produce(p);
}

static void a_producer_that_waits_for_on_drain_never_stalls(void **state)
{
    (void)state;
    for (int from_outside = 0; from_outside < 2; from_outside++) {
        int fds[2];
        unix_pair(fds);
        struct probe *p = probe_open(fds[0], 0, false);
        p->at_drain = produce;
        p->at_recv = produce_at_recv;
        p->left = 5000000;
        size_t arrived = 0;
        if (from_outside)
            produce(p);
        else
            put(fds[1], "go");
        TURN_UNTIL((arrived += consume(fds[1])) == 5000000);
        close(fds[1]);
        probe_end(p);
    }
}

static void after_a_file_comes_on_drain(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    io_write_file(&p->io, pieces_of_file("abc"), 0, 3);
    TURN_UNTIL(p->drains);
    expect(fds[1], "abc");
    turn_while_busy();
    assert_int_equal(p->drains, 1);
    close(fds[1]);
    probe_end(p);
}

/* ---- a peer that is gone ---- */

static void what_a_peer_sent_before_it_went_is_received_though_a_send_fails(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, true);
    put(fds[1], "last words");
    close(fds[1]);
    write_text(p, "nobody hears this");
    turn_while_busy();
    assert_int_equal(p->ends, 0);
    assert_int_equal(io_queued(&p->io), 0);
    io_resume(&p->io);
    TURN_UNTIL(p->ends);
    assert_true(has(p, "last words"));
    assert_int_equal(p->last_end, -EPIPE);
    turn_while_busy();
    assert_int_equal(p->ends, 1);
    probe_end(p);
}

static void a_send_that_fails_after_the_end_is_told(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    close(fds[1]);
    TURN_UNTIL(p->ends == 1);
    write_text(p, "nobody hears this");
    TURN_UNTIL(p->ends == 2);
    assert_int_equal(p->last_end, -EPIPE);
    write_text(p, "nor this");
    turn_while_busy();
    assert_int_equal(p->ends, 2);
    probe_end(p);
}

static void a_paused_sender_whose_peer_goes_gets_on_drain(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, true);
    static char large[1000000];
    io_write_slice(&p->io, slice_make(large, sizeof(large)));
    assert_true(io_queued(&p->io) > IO_CORKED_MAX);
    close(fds[1]);
    TURN_UNTIL(p->drains);
    assert_int_equal(io_queued(&p->io), 0);
    probe_end(p);
}

static void nothing_follows_an_error(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    static char large[20000000];
    io_write_slice(&p->io, slice_make(large, sizeof(large)));
    TURN_UNTIL(p->io.flags & IO_SENDING);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fds[1]);
    TURN_UNTIL(p->ends);
    turn_while_busy();
    assert_true(p->last_end < 0);
    assert_int_equal(p->ends, 1);
    assert_int_equal(p->drains, 0);
    probe_end(p);
}

/* ---- files ---- */

static void a_file_keeps_its_place_between_other_output(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    write_text(p, "head ");
    io_write_file(&p->io, pieces_of_file("..file.."), 2, 4);
    write_text(p, " tail");
    io_write_file(&p->io, pieces_of_file(""), 0, 0);
    assert_int_equal(io_queued(&p->io), 14);
    expect(fds[1], "head file tail");
    close(fds[1]);
    probe_end(p);
}

static void a_file_that_is_too_short_ends_the_io(void **state)
{
    (void)state;
    int fds[2];
    tcp_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    io_write_file(&p->io, pieces_of_file("short"), 0, 100);
    TURN_UNTIL(p->ends);
    assert_int_equal(p->last_end, -EIO);
    expect(fds[1], "short");
    close(fds[1]);
    probe_end(p);
}

/* ---- shared bytes ---- */

static void shared_bytes_are_held_until_they_have_left(void **state)
{
    (void)state;
    struct shared_bytes *shared = shared_new(300000);
    memset(shared->bytes, 's', shared->len);
    int fds[3][2];
    struct probe *p[3];
    for (int i = 0; i < 3; i++) {
        unix_pair(fds[i]);
        p[i] = probe_open(fds[i][0], i, false);
        io_write_shared(&p[i]->io, shared);
    }
    assert_int_equal(shared->refs, 4);
    loop_turn(loop, 0);
    assert_int_equal(shared->refs, 4); /* no socket takes so much */
    size_t arrived = 0;
    TURN_UNTIL((arrived += consume(fds[0][1])) == shared->len);
    turn_while_busy();
    assert_int_equal(shared->refs, 3);
    probe_end(p[1]);
    assert_int_equal(shared->refs, 2);
    close(fds[2][1]);
    TURN_UNTIL(p[2]->ends);
    assert_int_equal(shared->refs, 1);
    shared_unref(shared);
    probe_end(p[0]);
    probe_end(p[2]);
    close(fds[0][1]);
    close(fds[1][1]);
}

static void small_shared_bytes_join_what_is_corked(void **state)
{
    (void)state;
    int fds[2];
    unix_pair(fds);
    struct probe *p = probe_open(fds[0], 0, false);
    struct shared_bytes *shared = shared_new(3);
    memcpy(shared->bytes, "two", 3);
    write_text(p, "one ");
    io_write_shared(&p->io, shared);
    assert_int_equal(shared->refs, 1);
    io_write_shared(&p->io, shared);
    expect(fds[1], "one twotwo");
    assert_int_equal(loop_counts(loop)->sends, 1);
    shared_unref(shared);
    close(fds[1]);
    probe_end(p);
}

static void an_idle_io_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct io) <= 104); /* a stream adds three pointers: 128 */
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        loop_test(bytes_and_the_end_arrive),
        loop_test(more_than_the_buffer_holds_arrives_whole),
        loop_test(a_reset_is_told_once),
        loop_test(nothing_arrives_while_paused),
        loop_test(a_paused_io_whose_peer_hung_up_lets_the_loop_sleep),
        loop_test(pausing_and_resuming_again_is_free),
        loop_test(what_came_before_a_pause_was_noticed_is_told_after_it),
        loop_test(what_is_written_in_a_callback_leaves_in_one_send),
        loop_test(what_others_write_leaves_in_one_send_at_the_end_of_the_turn),
        loop_test(large_output_leaves_at_once_and_uncopied),
        loop_test(what_is_written_back_leaves_in_its_place_and_uncopied),
        loop_test(what_the_kernel_does_not_take_back_is_kept_before_more_is_received),
        loop_test(large_output_that_is_cut_short_keeps_its_order),
        loop_test(without_room_writing_costs_no_system_call_and_on_drain_comes),
        loop_test(a_small_rest_is_followed_by_on_drain),
        loop_test(chunks_are_used_again),
        loop_test(every_byte_reaches_a_slow_reader_over_tcp),
        loop_test(every_byte_reaches_a_slow_reader_over_a_unix_socket),
        loop_test(a_producer_that_waits_for_on_drain_never_stalls),
        loop_test(after_a_file_comes_on_drain),
        loop_test(what_a_peer_sent_before_it_went_is_received_though_a_send_fails),
        loop_test(a_send_that_fails_after_the_end_is_told),
        loop_test(a_paused_sender_whose_peer_goes_gets_on_drain),
        loop_test(nothing_follows_an_error),
        loop_test(a_file_keeps_its_place_between_other_output),
        loop_test(a_file_that_is_too_short_ends_the_io),
        loop_test(shared_bytes_are_held_until_they_have_left),
        loop_test(small_shared_bytes_join_what_is_corked),
        loop_test(an_idle_io_is_small),
    };
    return run_on_every_backend("io", tests);
}
