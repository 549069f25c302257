/* SPDX-License-Identifier: MIT */
#include "loop_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- once after a callback ---- */

struct counted {
    struct loop_after after;
    struct timer timer;
    struct mail mail;
    int asked, ran, ran_inside;
};

static void note_ran(struct loop_after *after)
{
    struct counted *c = container_of(after, struct counted, after);
    c->ran++;
}

static void ask_twice(struct counted *c)
{
    int before = c->ran;
    loop_after(&c->after);
    loop_after(&c->after);
    c->asked++;
    c->ran_inside += c->ran - before;
}

static void asks_when_it_fires(struct timer *timer)
{
    ask_twice(container_of(timer, struct counted, timer));
}

static void asks_when_it_comes(struct mail *mail)
{
    ask_twice(container_of(mail, struct counted, mail));
}

static void what_is_asked_for_after_a_callback_runs_once_after_each(void **state)
{
    (void)state;
    struct counted c = {0};
    loop_after_init(&c.after, loop, note_ran);
    timer_init(&c.timer, asks_when_it_fires);
    timer_start(loop, &c.timer, 0);
    loop_post(loop, &c.mail, asks_when_it_comes);
    loop_turn(loop, 0);
    assert_int_equal(c.asked, 2);
    assert_int_equal(c.ran, 2);
    assert_int_equal(c.ran_inside, 0);
}

static void what_was_stopped_does_not_run_after_the_callback(void **state)
{
    (void)state;
    struct counted c = {0};
    loop_after_init(&c.after, loop, note_ran);
    loop_after(&c.after);
    loop_after_stop(&c.after);
    loop_after_stop(&c.after);
    loop_turn(loop, 0);
    assert_int_equal(c.ran, 0);
    loop_after(&c.after);
    loop_turn(loop, 0);
    assert_int_equal(c.ran, 1);
}

/* ---- timers in the loop ---- */

struct ring {
    struct timer timer;
    int count;
    uint64_t again_ms; /* UINT64_MAX: no more */
    struct timer *stops;
};

static void ring(struct timer *timer)
{
    struct ring *r = container_of(timer, struct ring, timer);
    r->count++;
    if (r->stops)
        timer_stop(r->stops);
    if (r->again_ms != UINT64_MAX)
        timer_start(loop, timer, r->again_ms);
}

static void a_timer_fires_once_when_it_is_due(void **state)
{
    (void)state;
    struct ring r = {.again_ms = UINT64_MAX};
    timer_init(&r.timer, ring);
    timer_start(loop, &r.timer, 50);
    fake_ms += 49;
    loop_turn(loop, 0);
    assert_int_equal(r.count, 0);
    assert_true(timer_active(&r.timer));
    fake_ms += 1;
    loop_turn(loop, 0);
    assert_int_equal(r.count, 1);
    assert_false(timer_active(&r.timer));
    fake_ms += 1000;
    loop_turn(loop, 0);
    assert_int_equal(r.count, 1);
    timer_stop(&r.timer);
}

static void a_timer_without_delay_that_restarts_itself_fires_once_a_turn(void **state)
{
    (void)state;
    struct ring r = {.again_ms = 0};
    timer_init(&r.timer, ring);
    timer_start(loop, &r.timer, 0);
    for (int turn = 1; turn <= 3; turn++) {
        loop_turn(loop, -1);
        assert_int_equal(r.count, turn);
    }
    timer_stop(&r.timer);
}

static void a_timer_stops_another_one_due_in_the_same_turn(void **state)
{
    (void)state;
    struct ring second = {.again_ms = UINT64_MAX};
    struct ring first = {.again_ms = UINT64_MAX, .stops = &second.timer};
    timer_init(&first.timer, ring);
    timer_init(&second.timer, ring);
    timer_start(loop, &first.timer, 10);
    timer_start(loop, &second.timer, 10);
    fake_ms += 10;
    loop_turn(loop, 0);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 0);
}

static void the_loop_sleeps_until_a_timer_is_due(void **state)
{
    (void)state;
    struct loop *real = loop_new();
    struct ring r = {.again_ms = UINT64_MAX};
    timer_init(&r.timer, ring);
    uint64_t before = loop_now_ms(real);
    timer_start(real, &r.timer, 30);
    while (!r.count)
        assert_int_equal(loop_turn(real, -1), 0);
    assert_true(loop_now_ms(real) >= before + 30);
    assert_true(loop_counts(real)->turns < 10);
    loop_free(real);
}

/* ---- reaping and stopping ---- */

struct mortal {
    struct reap reap;
    struct mortal *heir; /* reaped from inside the freeing of this one */
    int *freed;
};

static void die(struct reap *reap)
{
    struct mortal *m = container_of(reap, struct mortal, reap);
    ++*m->freed;
    if (m->heir)
        loop_reap(loop, &m->heir->reap, die);
    free(m);
}

static void what_died_is_freed_at_the_end_of_the_turn(void **state)
{
    (void)state;
    int freed = 0;
    struct mortal *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
    *a = (struct mortal){.heir = b, .freed = &freed};
    *b = (struct mortal){.freed = &freed};
    loop_reap(loop, &a->reap, die);
    assert_int_equal(freed, 0);
    loop_turn(loop, -1);
    assert_int_equal(freed, 2);
}

static void stop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void run_ends_with_the_turn_of_the_stop(void **state)
{
    (void)state;
    struct timer timer;
    timer_init(&timer, stop);
    for (int i = 0; i < 2; i++) {
        timer_start(loop, &timer, 0);
        assert_int_equal(loop_run(loop), 0);
        assert_int_equal(loop_counts(loop)->turns, i + 1);
    }
    loop_stop(loop);
    assert_int_equal(loop_run(loop), 0);
    assert_int_equal(loop_counts(loop)->turns, 3);
}

/* ---- watches ---- */

struct sight {
    struct watch watch;
    int count;
    unsigned events;
    struct sight *stops; /* also itself */
};

static void see(struct watch *watch, unsigned events)
{
    struct sight *s = container_of(watch, struct sight, watch);
    s->count++;
    s->events = events;
    if (s->stops)
        watch_stop(&s->stops->watch);
}

static void sight_start(struct sight *s, int fd, unsigned events)
{
    watch_init(&s->watch, see);
    assert_int_equal(watch_start(loop, &s->watch, fd, events), 0);
}

static void a_watch_that_stops_itself_is_silent(void **state)
{
    (void)state;
    int fd = eventfd(1, EFD_CLOEXEC);
    struct sight s = {.stops = &s};
    sight_start(&s, fd, WATCH_READ);
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.events, WATCH_READ);
    assert_int_equal(s.watch.fd, -1);
    watch_stop(&s.watch);
    close(fd);
}

/* Both are ready in the same turn; whichever comes first frees the other. */
static void a_watch_frees_another_one_that_is_ready_too(void **state)
{
    (void)state;
    int fds[2] = {eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC)};
    struct sight *s[2] = {calloc(1, sizeof(**s)), calloc(1, sizeof(**s))};
    s[0]->stops = s[1];
    s[1]->stops = s[0];
    sight_start(s[0], fds[0], WATCH_READ);
    sight_start(s[1], fds[1], WATCH_READ);
    loop_turn(loop, -1);
    assert_int_equal(s[0]->count + s[1]->count, 1);
    struct sight *left = s[0]->count ? s[0] : s[1];
    watch_stop(&left->watch);
    free(s[0]);
    free(s[1]);
    close(fds[0]);
    close(fds[1]);
}

static void a_watch_sees_writability_and_hang_up(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct sight s = {0};
    sight_start(&s, fds[0], WATCH_WRITE);
    loop_turn(loop, -1);
    assert_int_equal(s.events, WATCH_WRITE);
    assert_int_equal(watch_start(loop, &s.watch, fds[0], WATCH_READ), 0);
    close(fds[1]);
    loop_turn(loop, -1);
    assert_true(s.events & WATCH_READ);
    watch_stop(&s.watch);
    close(fds[0]);
    assert_true(watch_start(loop, &s.watch, fds[0], WATCH_READ) == -EBADF);
    assert_int_equal(s.watch.fd, -1);
}

/* ---- mail ---- */

enum {
    SENDERS = 4,
    LETTERS = 20000
};

struct letter {
    struct mail mail;
    int sender, number;
};
static struct letter letters[SENDERS][LETTERS];
static int received[SENDERS];
static bool in_order = true;
static pthread_t reader;

static void deliver(struct mail *mail)
{
    struct letter *l = container_of(mail, struct letter, mail);
    in_order =
        in_order && pthread_equal(reader, pthread_self()) && l->number == received[l->sender];
    received[l->sender]++;
}

static void *send_letters(void *arg)
{
    struct letter *mine = arg;
    for (int i = 0; i < LETTERS; i++) {
        mine[i].number = i;
        loop_post(loop, &mine[i].mail, deliver);
    }
    return NULL;
}

static bool all_received(void)
{
    for (int s = 0; s < SENDERS; s++) {
        if (received[s] < LETTERS)
            return false;
    }
    return true;
}

static void mail_of_four_threads_comes_complete_and_in_each_ones_order(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    reader = pthread_self();
    for (int s = 0; s < SENDERS; s++) {
        received[s] = 0;
        for (int i = 0; i < LETTERS; i++)
            letters[s][i].sender = s;
        assert_int_equal(pthread_create(&threads[s], NULL, send_letters, letters[s]), 0);
    }
    TURN_UNTIL(all_received());
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    assert_true(in_order);
    assert_int_equal(loop_counts(loop)->mails, SENDERS * LETTERS);
}

enum {
    ROUNDS = 2000
};

static sem_t go_on;
static int rounds;

static void next_round(struct mail *mail)
{
    (void)mail;
    rounds++;
    sem_post(&go_on);
}

static void *post_each_round(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        sem_wait(&go_on);
        loop_post(loop, arg, next_round);
    }
    return NULL;
}

/* The loop has nothing else to wake it: a bell that is not rung stops the test for good, or until
 * the alarm. */
static void mail_wakes_a_loop_that_sleeps(void **state)
{
    (void)state;
    struct mail mail;
    pthread_t thread;
    rounds = 0;
    sem_init(&go_on, 0, 1);
    alarm(20);
    assert_int_equal(pthread_create(&thread, NULL, post_each_round, &mail), 0);
    while (rounds < ROUNDS)
        assert_int_equal(loop_turn(loop, -1), 0);
    alarm(0);
    pthread_join(thread, NULL);
    sem_destroy(&go_on);
}

static void deliver_and_answer(struct mail *mail)
{
    loop_post(loop, mail, deliver);
}

static void mail_posted_while_mail_is_read_comes_in_the_next_turn(void **state)
{
    (void)state;
    struct letter l = {0};
    received[0] = 0;
    reader = pthread_self();
    loop_post(loop, &l.mail, deliver_and_answer);
    loop_turn(loop, -1);
    assert_int_equal(received[0], 0);
    loop_turn(loop, -1);
    assert_int_equal(received[0], 1);
}

/* ---- acceptors ---- */

static int accepted_fds[128], accepted_count;
static bool stop_when_accepted;

static void accepted(struct acceptor *acceptor, int fd)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    assert_int_equal(acceptor->peer_len, len);
    assert_memory_equal(acceptor->peer, &peer, len);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    accepted_fds[accepted_count++] = fd;
    if (stop_when_accepted) {
        acceptor_stop(acceptor);
        free(acceptor);
    }
}

static void drop_accepted(void)
{
    while (accepted_count)
        close(accepted_fds[--accepted_count]);
}

static int listening(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)address, len), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

static int connected(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
    return fd;
}

static void every_connection_is_accepted(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct acceptor a;
    int clients[20];
    stop_when_accepted = false;
    assert_int_equal(acceptor_start(loop, &a, listening(&address), accepted), 0);
    for (int i = 0; i < 20; i++)
        clients[i] = connected(&address);
    TURN_UNTIL(accepted_count == 20);
    assert_int_equal(loop_counts(loop)->accepts, 20);
    for (int i = 0; i < 20; i++)
        close(clients[i]);
    drop_accepted();
    acceptor_stop(&a);
}

static int accepted_by_then;

static void note_accepted(struct timer *timer)
{
    (void)timer;
    accepted_by_then = accepted_count;
}

/* More of it than one wait reports. */
static void what_came_in_a_pause_is_seen_before_a_timer_fires(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct acceptor a;
    struct timer timer;
    int clients[100];
    stop_when_accepted = false;
    timer_init(&timer, note_accepted);
    timer_start(loop, &timer, 10);
    assert_int_equal(acceptor_start(loop, &a, listening(&address), accepted), 0);
    for (int i = 0; i < 100; i++)
        clients[i] = connected(&address);
    fake_ms += 5000;
    loop_turn(loop, 0);
    assert_int_equal(accepted_by_then, 100);
    for (int i = 0; i < 100; i++)
        close(clients[i]);
    drop_accepted();
    acceptor_stop(&a);
}

static void an_acceptor_dies_in_its_callback_though_more_is_waiting(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct acceptor *a = calloc(1, sizeof(*a));
    stop_when_accepted = true;
    assert_int_equal(acceptor_start(loop, a, listening(&address), accepted), 0);
    int clients[2] = {connected(&address), connected(&address)};
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    assert_int_equal(accepted_count, 1);
    close(clients[0]);
    close(clients[1]);
    drop_accepted();
}

static void a_descriptor_that_does_not_listen_is_told(void **state)
{
    (void)state;
    struct acceptor a;
    assert_int_equal(acceptor_start(loop, &a, -1, accepted), -EBADF);
}

/* In a child, because the limit is the process's. Exits with the number of the check that failed.
 */
static int starve(void)
{
    struct sockaddr_in address;
    struct acceptor a;
    stop_when_accepted = false;
    int listener = listening(&address);
    if (acceptor_start(loop, &a, listener, accepted))
        return 1;
    int first = connected(&address), second = connected(&address);
    int last = dup(first);
    struct rlimit limit = {(rlim_t)last + 1, (rlim_t)last + 1};
    if (setrlimit(RLIMIT_NOFILE, &limit))
        return 2;
    loop_turn(loop, -1);
    loop_turn(loop, 0);
    if (accepted_count || loop_counts(loop)->accept_pauses != 1 || !a.starved)
        return 3; /* it pauses, and does not ask again at once */
    fake_ms += 1000;
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    if (accepted_count || loop_counts(loop)->accept_pauses != 2)
        return 4;
    close(last);
    fake_ms += 1000;
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    if (accepted_count != 1 || loop_counts(loop)->accept_pauses != 3)
        return 5; /* one descriptor, one connection */
    drop_accepted();
    fake_ms += 1000;
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    if (accepted_count != 1 || !a.starved)
        return 6; /* at the limit again: no second line in the log */
    drop_accepted();
    close(first);
    close(second);
    int third = connected(&address);
    fake_ms += 1000;
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    if (accepted_count != 1 || a.starved)
        return 7;
    drop_accepted();
    acceptor_stop(&a);
    close(third);
    return 0;
}

static void without_descriptors_accepting_pauses_and_goes_on(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(starve());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void an_acceptor_can_be_stopped_while_it_pauses(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct acceptor a;
    assert_int_equal(acceptor_start(loop, &a, listening(&address), accepted), 0);
    assert_false(acceptor_failed(&a, -EMFILE));
    assert_true(timer_active(&a.retry));
    acceptor_stop(&a);
    assert_false(timer_active(&a.retry));
}

static void a_connection_that_broke_on_its_way_does_not_pause_accepting(void **state)
{
    (void)state;
    struct sockaddr_in address;
    struct acceptor a;
    assert_int_equal(acceptor_start(loop, &a, listening(&address), accepted), 0);
    assert_true(acceptor_failed(&a, -ECONNABORTED));
    assert_false(timer_active(&a.retry));
    acceptor_stop(&a);
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void noted(struct mail *mail)
{
    (void)mail;
}

static void inside_another_loop_its_descriptor_and_wait_say_when_to_turn(void **state)
{
    (void)state;
    static struct ring r;
    r = (struct ring){.again_ms = UINT64_MAX};
    timer_init(&r.timer, ring);
    assert_false(readable(loop_fd(loop)));
    assert_int_equal(loop_wait_ms(loop), -1);

    fake_ms += 1000;
    loop_refresh(loop);
    timer_start(loop, &r.timer, 30);
    assert_true(loop_wait_ms(loop) <= 30); /* or less: the wheel is read in steps */
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_in_range(loop_wait_ms(loop), 1, 30);
    assert_int_equal(r.count, 0);
    fake_ms += 30;
    assert_int_equal(loop_wait_ms(loop), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(r.count, 1);

    static struct mail mail;
    loop_post(loop, &mail, noted);
    assert_true(readable(loop_fd(loop)));
    assert_int_equal(loop_wait_ms(loop), 0);
    assert_int_equal(loop_turn(loop, 0), 0);
    assert_false(readable(loop_fd(loop)));
}

/* ---- in a child ---- */

static void stop_loop(struct timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

/* A ring serves only the process that made it. */
static void a_child_that_runs_its_parents_loop_comes_to_an_end(void **state)
{
    (void)state;
    loop_turn(loop, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct timer timer;
        alarm(10);
        timer_init(&timer, stop_loop);
        timer_start(loop, &timer, 0);
        int error = loop_run(loop), again = loop_turn(loop, 0);
        bool has_ring = strcmp(loop_backend(loop), "io_uring") == 0;
        _exit((has_ring ? error < 0 && again < 0 : error == 0 && again == 0) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(loop_turn(loop, 0), 0); /* the parent goes on */
}

/* ---- without descriptors ---- */

static void a_loop_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    int next = dup(0), made = 0, before_count = count_descriptors();
    close(next);
    for (int left = 0; left < 3; left++) {
        struct rlimit few = {(rlim_t)(next + left), before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        struct loop *one = loop_new();
        int error = errno;
        setrlimit(RLIMIT_NOFILE, &before);
        made += one != NULL;
        if (!one)
            assert_int_equal(error, EMFILE);
        loop_free(one);
        assert_int_equal(count_descriptors(), before_count - 1);
    }
    assert_int_equal(made, 1); /* two are enough: one to wait, and the bell */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(what_is_asked_for_after_a_callback_runs_once_after_each),
        loop_test(what_was_stopped_does_not_run_after_the_callback),
        loop_test(a_child_that_runs_its_parents_loop_comes_to_an_end),
        loop_test(a_loop_that_cannot_be_made_leaves_nothing),
        loop_test(a_timer_fires_once_when_it_is_due),
        loop_test(a_timer_without_delay_that_restarts_itself_fires_once_a_turn),
        loop_test(a_timer_stops_another_one_due_in_the_same_turn),
        loop_test(the_loop_sleeps_until_a_timer_is_due),
        loop_test(what_died_is_freed_at_the_end_of_the_turn),
        loop_test(inside_another_loop_its_descriptor_and_wait_say_when_to_turn),
        loop_test(run_ends_with_the_turn_of_the_stop),
        loop_test(a_watch_that_stops_itself_is_silent),
        loop_test(a_watch_frees_another_one_that_is_ready_too),
        loop_test(a_watch_sees_writability_and_hang_up),
        loop_test(mail_of_four_threads_comes_complete_and_in_each_ones_order),
        loop_test(mail_wakes_a_loop_that_sleeps),
        loop_test(mail_posted_while_mail_is_read_comes_in_the_next_turn),
        loop_test(every_connection_is_accepted),
        loop_test(what_came_in_a_pause_is_seen_before_a_timer_fires),
        loop_test(an_acceptor_dies_in_its_callback_though_more_is_waiting),
        loop_test(a_descriptor_that_does_not_listen_is_told),
        loop_test(without_descriptors_accepting_pauses_and_goes_on),
        loop_test(an_acceptor_can_be_stopped_while_it_pauses),
        loop_test(a_connection_that_broke_on_its_way_does_not_pause_accepting),
    };
    return run_on_every_backend("loop", tests);
}
