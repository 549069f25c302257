/* SPDX-License-Identifier: MIT */
/* Streams, plain and with TLS: the same tests for both. */
#include "net_certificate.h"
#include "net_peer.h"

#include "net/listener.h"
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

static struct tls_context *server_tls, *client_tls;

struct fixture {
    bool tls;
    struct peer client, server;
};

static void connect_on(struct fixture *f, int client_fd, int server_fd)
{
    peer_own(&f->server, stream_new(loop, server_fd, f->tls ? server_tls : NULL));
    peer_own(&f->client, f->tls ? stream_new_client(loop, client_fd, client_tls, "a.example")
                                : stream_new(loop, client_fd, NULL));
}

static int begin(void **state, bool tls)
{
    net_begin(state);
    struct fixture *f = calloc(1, sizeof(*f));
    f->tls = tls;
    int fds[2];
    make_pair(fds);
    connect_on(f, fds[0], fds[1]);
    *state = f;
    return 0;
}

static int begin_plain(void **state)
{
    return begin(state, false);
}

static int begin_tls(void **state)
{
    return begin(state, true);
}

static int finish(void **state)
{
    struct fixture *f = *state;
    peer_done(&f->client);
    peer_done(&f->server);
    free(f);
    return net_finish(state);
}

/* With TLS the server's tickets have left too. */
static void shake_hands(struct fixture *f)
{
    peer_say(&f->client, "hi");
    wait_for(f->server.len == 2 && stream_queued(f->server.stream) == 0);
    f->server.len = 0;
    f->server.receives = 0;
}

/* ---- tests ---- */

static void what_is_written_arrives(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "hello");
    wait_for(peer_got(&f->server, "hello"));
    peer_say(&f->server, "and back");
    wait_for(peer_got(&f->client, "and back"));
    assert_int_equal(stream_secure(f->client.stream), f->tls);
    assert_null(stream_tls_error(f->client.stream));
}

static void pieces_are_one(void **state)
{
    struct fixture *f = *state;
    char big[40000];
    memset(big, 'x', sizeof(big));
    stream_write(
        f->client.stream,
        (struct iovec[]){{"a", 1}, {NULL, 0}, {big, sizeof(big)}, {"b", 1}, {big, 16384}, {"c", 1}},
        6);
    stream_write(f->client.stream, NULL, 0);
    wait_for(f->server.len == 40000 + 16384 + 3);
    assert_int_equal(f->server.data[0], 'a');
    assert_int_equal(f->server.data[40001], 'b');
    assert_int_equal(f->server.data[40002 + 16384], 'c');
    assert_memory_equal(f->server.data + 1, big, sizeof(big));
    assert_memory_equal(f->server.data + 40002, big, 16384);
}

static void an_echo_in_random_pieces_is_the_same(void **state)
{
    struct fixture *f = *state;
    size_t total = 3 << 20, sent = 0;
    char *noise = make_noise(total, 7);
    f->server.echo = true;
    srandom(20261123);
    while (sent < total) {
        size_t max = random() % 4 ? 600 : 100000;
        struct iovec pieces[3];
        int count = 1 + (int)(random() % 3);
        for (int i = 0; i < count; i++) {
            size_t n = (size_t)random() % max;
            pieces[i] = (struct iovec){noise + sent, n < total - sent ? n : total - sent};
            sent += pieces[i].iov_len;
        }
        stream_write(f->client.stream, pieces, count);
        if (random() % 3 == 0)
            loop_turn(loop, 0);
    }
    wait_for(f->client.len == total);
    assert_memory_equal(f->client.data, noise, total);
    free(noise);
}

static void one_large_write_drains(void **state)
{
    struct fixture *f = *state;
    size_t total = 5 << 20;
    char *noise = make_noise(total, 8);
    stream_write_slice(f->client.stream, slice_make(noise, total));
    assert_true(stream_queued(f->client.stream) > 1 << 20);
    wait_for(f->client.drains > 0 && f->server.len == total);
    assert_int_equal(stream_queued(f->client.stream), 0);
    assert_memory_equal(f->server.data, noise, total);
    free(noise);
}

static void shared_bytes_are_sent_and_let_go(void **state)
{
    struct fixture *f = *state;
    struct shared_bytes *shared = shared_new(30000);
    memset(shared->bytes, 's', 30000);
    stream_write_shared(f->client.stream, shared);
    stream_write_shared(f->client.stream, shared);
    wait_for(f->server.len == 60000);
    loop_turn(loop, 0);
    assert_int_equal(shared->refs, 1);
    shared_unref(shared);
}

static void one_side_ends_and_the_other_answers(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "question");
    stream_shutdown(f->client.stream);
    stream_shutdown(f->client.stream);
    peer_say(&f->client, "too late");
    wait_for(f->server.ends == 1);
    assert_int_equal(f->server.end, 0);
    assert_true(peer_got(&f->server, "question"));
    peer_say(&f->server, "answer");
    stream_finish(f->server.stream, 10000);
    f->server.stream = NULL;
    wait_for(f->client.ends == 1);
    assert_int_equal(f->client.end, 0);
    assert_true(peer_got(&f->client, "answer"));
}

static void finishing_sends_all_that_is_queued(void **state)
{
    struct fixture *f = *state;
    size_t total = 4 << 20;
    char *noise = make_noise(total, 9);
    stream_write_slice(f->client.stream, slice_make(noise, total));
    stream_finish(f->client.stream, 30000);
    f->client.stream = NULL;
    wait_for(f->server.ends == 1);
    assert_int_equal(f->server.end, 0);
    assert_int_equal(f->server.len, total);
    assert_memory_equal(f->server.data, noise, total);
    free(noise);
}

static void finishing_ends_after_the_linger_time(void **state)
{
    struct fixture *f = *state;
    size_t total = 4 << 20;
    char *noise = make_noise(total, 9);
    shake_hands(f);
    stream_pause(f->server.stream);
    stream_write_slice(f->client.stream, slice_make(noise, total));
    free(noise);
    uint64_t began = loop_now_ms(loop);
    int open = count_descriptors();
    stream_finish(f->client.stream, 20);
    f->client.stream = NULL;
    wait_for(count_descriptors() < open);
    assert_true(loop_now_ms(loop) >= began + 20);
}

static void a_peer_that_closes_is_an_end(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "x");
    wait_for(f->server.len == 1);
    stream_finish(f->client.stream, 1000);
    f->client.stream = NULL;
    wait_for(f->server.ends == 1);
    assert_int_equal(f->server.end, 0);
}

static void a_peer_that_vanishes_is_an_error_under_tls(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "x");
    wait_for(f->server.len == 1);
    stream_close(f->client.stream);
    f->client.stream = NULL;
    wait_for(f->server.ends == 1);
    assert_int_equal(f->server.end, f->tls ? -ECONNRESET : 0);
}

static void writing_to_a_vanished_peer_ends_in_an_error(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "x");
    wait_for(f->server.len == 1);
    stream_close(f->client.stream);
    f->client.stream = NULL;
    wait_for((peer_say(&f->server, "anyone?"), f->server.ends > 0 && f->server.end < 0));
    peer_say(&f->server, "no");
}

static void hook_pause(struct peer *p)
{
    stream_pause(p->stream);
}

static void a_paused_stream_receives_nothing(void **state)
{
    struct fixture *f = *state;
    size_t total = 600000;
    char *noise = make_noise(total, 10);
    f->server.hook = hook_pause; /* one piece at a time */
    stream_write_slice(f->client.stream, slice_make(noise, total));
    stream_finish(f->client.stream, 30000);
    f->client.stream = NULL;
    while (f->server.ends == 0) {
        int before = f->server.receives;
        wait_for(f->server.receives > before || f->server.ends > 0);
        assert_true(f->server.receives <= before + 1);
        for (int i = 0; i < 3; i++)
            loop_turn(loop, 0);
        assert_true(f->server.receives <= before + 1);
        stream_resume(f->server.stream);
    }
    assert_int_equal(f->server.end, 0);
    assert_int_equal(f->server.len, total);
    assert_memory_equal(f->server.data, noise, total);
    free(noise);
}

static void hook_flap(struct peer *p)
{
    stream_pause(p->stream);
    stream_resume(p->stream);
}

static void pausing_and_resuming_at_once_changes_nothing(void **state)
{
    struct fixture *f = *state;
    size_t total = 300000;
    char *noise = make_noise(total, 11);
    f->server.hook = hook_flap;
    stream_write_slice(f->client.stream, slice_make(noise, total));
    wait_for(f->server.len == total);
    assert_memory_equal(f->server.data, noise, total);
    free(noise);
}

static void a_stream_paused_from_the_beginning_still_writes(void **state)
{
    struct fixture *f = *state;
    stream_pause(f->client.stream);
    stream_pause(f->server.stream);
    peer_say(&f->client, "to the server");
    peer_say(&f->server, "to the client");
    for (int i = 0; i < 20; i++)
        loop_turn(loop, 0);
    assert_int_equal(f->server.len + f->client.len, 0);
    stream_resume(f->server.stream);
    wait_for(peer_got(&f->server, "to the server"));
    assert_int_equal(f->client.len, 0);
    stream_resume(f->client.stream);
    wait_for(peer_got(&f->client, "to the client"));
}

static void hook_five_writes(struct peer *p)
{
    for (int i = 0; i < 5; i++)
        peer_say(p, "12345");
}

static void a_dispatch_sends_once(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->server, "!");
    peer_say(&f->client, "!");
    wait_for(f->client.len && f->server.len);
    f->server.hook = hook_five_writes;
    f->client.len = 0;
    peer_say(&f->client, "?");
    wait_for(f->server.len == 2 && f->client.len == 25);
    uint64_t before = loop_counts(loop)->sends;
    peer_say(&f->client, "?");
    wait_for(f->client.len == 50);
    assert_int_equal(loop_counts(loop)->sends - before, 2); /* one each */
}

static int make_file(const char *data, size_t len)
{
    char path[] = "/tmp/stream-test-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    unlink(path);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    return fd;
}

static void files_go_out_in_order_and_without_being_read_ahead(void **state)
{
    struct fixture *f = *state;
    size_t total = 8 << 20, offset = 12345;
    char *noise = make_noise(total, 12);
    shake_hands(f);
    stream_pause(f->server.stream);
    peer_say(&f->client, "head");
    stream_write_file(f->client.stream, make_file(noise, total), (off_t)offset, total - offset);
    stream_write_file(f->client.stream, make_file(noise, 100), 0, 0);
    peer_say(&f->client, "middle");
    stream_write_file(f->client.stream, make_file(noise, 1000), 10, 100);
    peer_say(&f->client, "tail");
    for (int i = 0; i < 20; i++) {
        loop_turn(loop, 0);
        if (f->tls)
            assert_true(io_queued(&f->client.stream->io) < 128 * 1024);
    }
    assert_true(stream_queued(f->client.stream) > 4 << 20);
    stream_resume(f->server.stream);
    size_t file = total - offset;
    wait_for(f->server.len == 4 + file + 6 + 100 + 4);
    const char *got = f->server.data;
    assert_memory_equal(got, "head", 4);
    assert_memory_equal(got + 4, noise + offset, file);
    assert_memory_equal(got + 4 + file, "middle", 6);
    assert_memory_equal(got + 10 + file, noise + 10, 100);
    assert_memory_equal(got + 110 + file, "tail", 4);
    wait_for(f->client.drains > 0);
    assert_int_equal(stream_queued(f->client.stream), 0);
    free(noise);
}

static void a_small_file_drains_too(void **state)
{
    struct fixture *f = *state;
    stream_write_file(f->client.stream, make_file("0123456789", 10), 2, 5);
    wait_for(f->client.drains > 0 && peer_got(&f->server, "23456"));
}

static void finishing_sends_a_file_to_its_end(void **state)
{
    struct fixture *f = *state;
    size_t total = 8 << 20;
    char *noise = make_noise(total, 13);
    stream_write_file(f->client.stream, make_file(noise, total), 0, total);
    stream_finish(f->client.stream, 30000);
    f->client.stream = NULL;
    wait_for(f->server.ends == 1);
    assert_int_equal(f->server.end, 0);
    assert_int_equal(f->server.len, total);
    assert_memory_equal(f->server.data, noise, total);
    free(noise);
}

static void finishing_a_file_ends_after_the_linger_time(void **state)
{
    struct fixture *f = *state;
    size_t total = 4 << 20;
    char *noise = make_noise(total, 17);
    shake_hands(f);
    stream_pause(f->server.stream);
    int file = make_file(noise, total), open = count_descriptors();
    free(noise);
    stream_write_file(f->client.stream, file, 0, total);
    uint64_t began = loop_now_ms(loop);
    stream_finish(f->client.stream, 20);
    f->client.stream = NULL;
    wait_for(count_descriptors() == open - 2);
    assert_true(loop_now_ms(loop) >= began + 20);
}

static void a_file_that_is_too_short_is_an_error(void **state)
{
    struct fixture *f = *state;
    stream_write_file(f->client.stream, make_file("0123456789", 10), 0, 11);
    wait_for(f->client.ends > 0);
    assert_int_equal(f->client.end, -EIO);
    peer_say(&f->client, "ignored");
    stream_write_file(f->client.stream, make_file("0123456789", 10), 0, 10);
}

static void hook_close(struct peer *p)
{
    stream_close(p->stream);
    p->stream = NULL;
}

static void hook_finish(struct peer *p)
{
    stream_finish(p->stream, 1000);
    p->stream = NULL;
}

static void check_ending_inside_recv(struct fixture *f, void (*hook)(struct peer *))
{
    char *noise = make_noise(100000, 14);
    f->server.hook = hook;
    stream_write_slice(f->client.stream, slice_make(noise, 100000));
    wait_for(f->client.ends > 0);
    assert_int_equal(f->server.receives, 1);
    assert_int_equal(f->server.ends, 0);
    free(noise);
}

static void closing_inside_recv_is_the_end_of_callbacks(void **state)
{
    check_ending_inside_recv(*state, hook_close);
}

static void finishing_inside_recv_is_the_end_of_callbacks(void **state)
{
    check_ending_inside_recv(*state, hook_finish);
}

/* An owner that lends LENT bytes at a time, and pauses after each 5000. */
enum {
    LENT = 1000,
    LENT_TOTAL = 300000
};

static struct lender {
    char room[LENT_TOTAL + LENT];
    size_t len, paused_at;
} lender;

static struct bytes lender_lend(struct stream *s)
{
    (void)s;
    return (struct bytes){lender.room + lender.len, LENT};
}

static void lender_recv(struct stream *s, struct bytes data)
{
    assert_ptr_equal(data.ptr, lender.room + lender.len);
    assert_in_range(data.len, 1, LENT);
    lender.len += data.len;
    if (lender.len - lender.paused_at < 5000)
        return;
    lender.paused_at = lender.len;
    stream_pause(s);
}

static const struct stream_ops lender_ops = {lender_recv, peer_end, NULL, lender_lend};

static void bytes_are_received_where_the_owner_says(void **state)
{
    struct fixture *f = *state;
    shake_hands(f);
    char *noise = make_noise(LENT_TOTAL, 21);
    lender.len = lender.paused_at = 0;
    stream_own(f->server.stream, &lender_ops, &f->server);
    stream_write_slice(f->client.stream, slice_make(noise, LENT_TOTAL));
    while (lender.len < LENT_TOTAL) {
        size_t before = lender.len;
        stream_resume(f->server.stream);
        wait_for(lender.paused_at > before || lender.len == LENT_TOTAL);
        for (int i = 0; i < 3; i++)
            loop_turn(loop, 0);
        assert_in_range(lender.len - before, 1, 5000 + LENT);
    }
    assert_memory_equal(lender.room, noise, LENT_TOTAL);
    free(noise);
}

static void a_reset_is_seen_by_the_peer(void **state)
{
    (void)state;
    struct net_address to = net_address_loopback(AF_INET, 0);
    int listening;
    assert_int_equal(listener_open(&to, &listening), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &to.any, to.len), 0);
    struct peer one = {0}, other = {0};
    peer_own(&one, stream_new(loop, fd, NULL));
    peer_own(&other, stream_new(loop, accept(listening, NULL, NULL), NULL));
    stream_reset(one.stream);
    one.stream = NULL;
    wait_for(other.ends);
    assert_int_equal(other.end, -ECONNRESET);
    peer_done(&other);
    close(listening);
}

static void upgrading_hands_the_stream_to_another_owner(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "one");
    wait_for(peer_got(&f->server, "one"));
    struct peer next = {0};
    peer_own(&next, f->server.stream);
    f->server.stream = NULL;
    peer_say(&f->client, "two");
    wait_for(peer_got(&next, "two"));
    assert_true(peer_got(&f->server, "one"));
    peer_done(&next);
}

/* ---- on the way to another loop ---- */

struct worker {
    pthread_t thread;
    struct loop *loop;
    struct mail mail, quit;
    struct stream_parcel parcel;
    struct peer peer;
    sem_t ready;
};

static void worker_quits(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, quit);
    peer_done(&w->peer);
    loop_stop(w->loop);
}

static void worker_adopts(struct mail *mail)
{
    struct worker *w = container_of(mail, struct worker, mail);
    w->peer.echo = true;
    peer_own(&w->peer, stream_adopt(w->loop, &w->parcel));
}

static void *worker_run(void *arg)
{
    struct worker *w = arg;
    w->loop = loop_new();
    sem_post(&w->ready);
    loop_run(w->loop);
    return NULL;
}

static void worker_start(struct worker *w)
{
    sem_init(&w->ready, 0, 0);
    assert_int_equal(pthread_create(&w->thread, NULL, worker_run, w), 0);
    sem_wait(&w->ready);
}

static void worker_stop(struct worker *w)
{
    loop_post(w->loop, &w->quit, worker_quits);
    pthread_join(w->thread, NULL);
    loop_free(w->loop); /* not before loop_post() has returned */
    sem_destroy(&w->ready);
}

static struct worker worker;

static void hook_move(struct peer *p)
{
    assert_int_equal(stream_detach(p->stream, &worker.parcel), 0);
    p->stream = NULL;
    loop_post(worker.loop, &worker.mail, worker_adopts);
}

static void check_move(struct fixture *f, bool paused_first)
{
    size_t total = 1 << 20;
    char *noise = make_noise(total, 15);
    shake_hands(f);
    worker = (struct worker){0};
    worker_start(&worker);
    f->server.hook = paused_first ? hook_pause : hook_move;
    stream_write_slice(f->client.stream, slice_make(noise, total));
    wait_for(f->server.len > 0);
    if (paused_first)
        hook_move(&f->server);
    size_t first = f->server.len;
    wait_for(f->client.len == total - first);
    assert_int_equal(f->server.receives, 1);
    assert_memory_equal(f->server.data, noise, first);
    assert_memory_equal(f->client.data, noise + first, total - first);
    worker_stop(&worker);
    free(noise);
}

static void a_stream_moves_between_threads_inside_recv(void **state)
{
    check_move(*state, false);
}

static void a_stream_moves_between_threads_with_what_was_held_back(void **state)
{
    check_move(*state, true);
}

static void a_stream_with_output_does_not_move(void **state)
{
    struct fixture *f = *state;
    char *noise = make_noise(4 << 20, 16);
    stream_write_slice(f->client.stream, slice_make(noise, 4 << 20));
    struct stream_parcel parcel = {.fd = -1};
    assert_int_equal(stream_detach(f->client.stream, &parcel), -EBUSY);
    assert_int_equal(parcel.fd, -1);
    wait_for(f->server.len == 4 << 20);
    assert_memory_equal(f->server.data, noise, 4 << 20);
    free(noise);
}

static void a_parcel_can_be_dropped(void **state)
{
    struct fixture *f = *state;
    peer_say(&f->client, "x");
    wait_for(f->server.len == 1);
    struct stream_parcel parcel;
    assert_int_equal(stream_detach(f->server.stream, &parcel), 0);
    f->server.stream = NULL;
    stream_parcel_drop(&parcel);
    wait_for(f->client.ends > 0);
}

/* ---- all of them, twice ---- */

static int group_begin(void **state)
{
    (void)state;
    char dir[] = "/tmp/stream-test-XXXXXX", cert[64], key[64], why[200] = "";
    if (!mkdtemp(dir))
        return -1;
    snprintf(cert, sizeof(cert), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    if (!make_certificate(cert, key, "DNS:a.example", 1))
        return -1;
    server_tls = tls_context_new(cert, key, why, sizeof(why));
    client_tls = tls_context_new_client(cert, true, why, sizeof(why));
    fprintf(stderr, "%s", why);
    unlink(cert);
    unlink(key);
    rmdir(dir);
    return server_tls && client_tls ? 0 : -1;
}

static int group_end(void **state)
{
    (void)state;
    tls_context_unref(server_tls);
    tls_context_unref(client_tls);
    return 0;
}

#define BOTH(test)                                                                                 \
    {"plain: " #test, test, begin_plain, finish, NULL},                                            \
    {                                                                                              \
        "tls: " #test, test, begin_tls, finish, NULL                                               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(what_is_written_arrives),
        BOTH(pieces_are_one),
        BOTH(an_echo_in_random_pieces_is_the_same),
        BOTH(one_large_write_drains),
        BOTH(shared_bytes_are_sent_and_let_go),
        BOTH(one_side_ends_and_the_other_answers),
        BOTH(finishing_sends_all_that_is_queued),
        BOTH(finishing_ends_after_the_linger_time),
        BOTH(a_peer_that_closes_is_an_end),
        BOTH(a_peer_that_vanishes_is_an_error_under_tls),
        BOTH(writing_to_a_vanished_peer_ends_in_an_error),
        BOTH(a_paused_stream_receives_nothing),
        BOTH(pausing_and_resuming_at_once_changes_nothing),
        BOTH(a_stream_paused_from_the_beginning_still_writes),
        BOTH(a_dispatch_sends_once),
        BOTH(files_go_out_in_order_and_without_being_read_ahead),
        BOTH(a_small_file_drains_too),
        BOTH(finishing_sends_a_file_to_its_end),
        BOTH(finishing_a_file_ends_after_the_linger_time),
        BOTH(a_file_that_is_too_short_is_an_error),
        BOTH(closing_inside_recv_is_the_end_of_callbacks),
        BOTH(finishing_inside_recv_is_the_end_of_callbacks),
        BOTH(bytes_are_received_where_the_owner_says),
        cmocka_unit_test_setup_teardown(a_reset_is_seen_by_the_peer, begin_plain, finish),
        BOTH(upgrading_hands_the_stream_to_another_owner),
        BOTH(a_stream_moves_between_threads_inside_recv),
        BOTH(a_stream_moves_between_threads_with_what_was_held_back),
        BOTH(a_stream_with_output_does_not_move),
        BOTH(a_parcel_can_be_dropped),
    };
    return run_group_on_every_backend("stream", tests, group_begin, group_end);
}
