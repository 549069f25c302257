/* SPDX-License-Identifier: MIT */
#include "base/log_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM     (64u << 10)
#define PATIENCE 20000 /* ms: generous, since nothing waits that long if all is well */
#define MANY     3000

static size_t say_lost(char line[LOG_SINK_LINE_MAX], uint64_t lines)
{
    return (size_t)snprintf(line, LOG_SINK_LINE_MAX, "lost %llu\n", (unsigned long long)lines);
}

static struct log_sink *sink_to(int fd)
{
    struct log_sink *s = log_sink_new(
        &(struct log_sink_spec){.fd = fd, .gathers = true, .room = ROOM, .say_lost = say_lost});
    assert_non_null(s);
    return s;
}

/* Puts the lines `line 0` to `line count-1`, each of 100 bytes. Returns how many were lost. */
static unsigned put_lines(struct log_sink *s, unsigned count)
{
    unsigned lost = 0;
    for (unsigned i = 0; i < count; i++) {
        char line[128];
        snprintf(line, sizeof(line), "line %-94u\n", i);
        lost += !log_sink_put(s, slice_of(line), false);
    }
    return lost;
}

struct heard {
    unsigned lines, lost, next;
};

/* A line of put_lines(), in order, or the note of what is missing there. */
static void hear_line(struct heard *h, const char *line)
{
    unsigned number;
    if (sscanf(line, "lost %u", &number) == 1) {
        h->lost += number;
        h->next += number;
        return;
    }
    assert_int_equal(sscanf(line, "line %u", &number), 1);
    assert_int_equal(number, h->next);
    h->next++;
    h->lines++;
}

static bool comes(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PATIENCE) == 1;
}

/* Reads until all `count` lines are accounted for. */
static struct heard hear(int fd, unsigned count)
{
    struct heard h = {0};
    char text[256];
    size_t len = 0;
    while (h.next < count && comes(fd) && read(fd, text + len, 1) == 1) {
        len += text[len] != '\r';
        if (text[len - 1] != '\n')
            continue;
        text[len] = '\0';
        len = 0;
        hear_line(&h, text);
    }
    return h;
}

static void every_line_arrives_in_order(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = sink_to(ends[1]);
    assert_int_equal(put_lines(s, 100), 0);
    assert_int_equal(hear(ends[0], 100).lines, 100);
    log_sink_close(s, PATIENCE);
    close(ends[0]);
    close(ends[1]);
}

static void a_pipe_that_nobody_reads_costs_lines_and_says_how_many(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = sink_to(ends[1]);
    unsigned lost = put_lines(s, MANY);
    assert_in_range(lost, 1, MANY - 1);
    assert_int_equal(log_sink_lost(s), lost);

    struct heard h = hear(ends[0], MANY);
    assert_int_equal(h.lines, MANY - lost);
    assert_int_equal(h.lost, lost);
    log_sink_close(s, PATIENCE);
    close(ends[0]);
    close(ends[1]);
}

static void a_terminal_that_is_held_costs_lines_and_says_how_many(void **state)
{
    (void)state;
    int master, slave;
    struct termios raw = {0};
    cfmakeraw(&raw);
    assert_int_equal(openpty(&master, &slave, NULL, &raw, NULL), 0);
    assert_int_equal(tcflow(slave, TCOOFF), 0);
    struct log_sink *s = sink_to(slave);
    unsigned lost = put_lines(s, MANY);
    assert_in_range(lost, 1, MANY - 1);

    assert_int_equal(tcflow(slave, TCOON), 0);
    struct heard h = hear(master, MANY);
    assert_int_equal(h.lines, MANY - lost);
    log_sink_close(s, PATIENCE);
    close(master);
    close(slave);
}

static void a_sink_that_is_half_full_is_crowded_until_it_stalls(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = sink_to(ends[1]);
    assert_false(log_sink_is_crowded(s));
    put_lines(s, MANY);
    while (log_sink_is_crowded(s))
        usleep(10000);
    assert_true(log_sink_lost(s) > 0);
    hear(ends[0], MANY);
    log_sink_close(s, PATIENCE);
    close(ends[0]);
    close(ends[1]);
}

static void a_stalled_descriptor_does_not_keep_who_closes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = log_sink_new(&(struct log_sink_spec){
        .fd = ends[1], .owns_fd = true, .room = ROOM, .say_lost = say_lost});
    put_lines(s, MANY);
    log_sink_close(s, 10);
    char bytes[4096];
    ssize_t n;
    while (comes(ends[0]) && (n = read(ends[0], bytes, sizeof(bytes))) > 0)
        ;
    assert_int_equal(n, 0); /* the thread has let it go */
    close(ends[0]);
}

static void lines_go_to_the_descriptor_that_is_used_last(void **state)
{
    (void)state;
    int before[2], after[2];
    assert_int_equal(pipe(before), 0);
    assert_int_equal(pipe(after), 0);
    struct log_sink *s = log_sink_new(&(struct log_sink_spec){
        .fd = before[1], .owns_fd = true, .room = ROOM, .say_lost = say_lost});
    put_lines(s, 10);
    assert_int_equal(hear(before[0], 10).lines, 10);
    log_sink_use(s, after[1]);
    put_lines(s, 10);
    assert_int_equal(hear(after[0], 10).lines, 10);
    char byte;
    assert_int_equal(read(before[0], &byte, 1), 0);
    log_sink_close(s, PATIENCE);
    assert_int_equal(read(after[0], &byte, 1), 0);
    close(before[0]);
    close(after[0]);
}

static void a_full_disk_costs_lines_and_nothing_else(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    struct log_sink *s = sink_to(full);
    put_lines(s, 10);
    while (log_sink_lost(s) < 10)
        usleep(1000);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_sink_use(s, ends[1]);
    assert_true(log_sink_put(s, SLICE_LITERAL("line 10\n"), false));
    assert_int_equal(hear(ends[0], 11).lost, 10);
    log_sink_close(s, PATIENCE);
    close(full);
    close(ends[0]);
}

static void a_line_that_is_too_long_is_cut_and_stays_a_line(void **state)
{
    (void)state;
    int ends[2];
    static char line[LOG_SINK_LINE_MAX + 100], read_back[LOG_SINK_LINE_MAX + 100];
    memset(line, 'x', sizeof(line));
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = sink_to(ends[1]);
    assert_true(log_sink_put(s, slice_make(line, sizeof(line)), false));
    log_sink_close(s, PATIENCE);
    assert_int_equal(read(ends[0], read_back, sizeof(read_back)), LOG_SINK_LINE_MAX);
    assert_true(read_back[LOG_SINK_LINE_MAX - 1] == '\n');
    close(ends[0]);
    close(ends[1]);
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Reads until the last of `count` lines of put_lines(.., 1) has come; each read is a write. */
static unsigned count_writes(int fd, unsigned count)
{
    char text[LOG_SINK_LINE_MAX];
    unsigned writes = 0;
    for (unsigned lines = 0; lines < count; writes++) {
        assert_true(comes(fd));
        ssize_t n = read(fd, text, sizeof(text));
        for (ssize_t i = 0; i < n; i++)
            lines += text[i] == '\n';
    }
    return writes;
}

/* Each write would be two turns of the scheduler. Writes are 5 ms apart, or 20 ms of silence. */
static void lines_that_come_one_after_the_other_are_written_together(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT), 0);
    struct log_sink *s = sink_to(ends[1]);
    uint64_t began = now_us();
    for (int i = 0; i < 400; i++) {
        put_lines(s, 1);
        usleep(100);
    }
    uint64_t rests = (now_us() - began) / 5000;
    assert_in_range(count_writes(ends[0], 400), 1, 2 * rests + 3);
    log_sink_close(s, PATIENCE);
    close(ends[0]);
    close(ends[1]);
}

static void a_line_that_is_in_a_hurry_does_not_wait_for_others(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT), 0);
    struct log_sink *s = sink_to(ends[1]);
    for (int i = 0; i < 100; i++) {
        assert_true(log_sink_put(s, SLICE_LITERAL("line 0\n"), true));
        assert_int_equal(count_writes(ends[0], 1), 1);
    }
    log_sink_close(s, PATIENCE);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_come_one_after_the_other_are_written_together),
        cmocka_unit_test(a_line_that_is_in_a_hurry_does_not_wait_for_others),
        cmocka_unit_test(every_line_arrives_in_order),
        cmocka_unit_test(a_pipe_that_nobody_reads_costs_lines_and_says_how_many),
        cmocka_unit_test(a_terminal_that_is_held_costs_lines_and_says_how_many),
        cmocka_unit_test(a_sink_that_is_half_full_is_crowded_until_it_stalls),
        cmocka_unit_test(a_stalled_descriptor_does_not_keep_who_closes),
        cmocka_unit_test(lines_go_to_the_descriptor_that_is_used_last),
        cmocka_unit_test(a_full_disk_costs_lines_and_nothing_else),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_stays_a_line),
    };
    return cmocka_run_group_tests_name("log_sink", tests, NULL, NULL);
}
