/* SPDX-License-Identifier: MIT */
/* spawn.c - what a page program costs to start: process_start() until on_exit, as a ratio to a bare
 * posix_spawn() until waitpid() of the same program.
 *
 *     spawn [ROUNDS [PROGRAM]]
 *
 * Both are done in turn, so that whatever else the machine does hits both. The medians of the time
 * on the clock and of the time on our CPU (the child's is not ours) are compared.
 */
#include "net/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct cost {
    double *wall_us, *cpu_us;
};

struct moment {
    struct timespec wall, cpu;
};

static struct loop *loop;
static bool ended;

static struct moment now(void)
{
    struct moment m;
    clock_gettime(CLOCK_MONOTONIC, &m.wall);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &m.cpu);
    return m;
}

static double elapsed_us(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

static void record(struct cost *cost, int round, struct moment from)
{
    struct moment to = now();
    cost->wall_us[round] = elapsed_us(from.wall, to.wall);
    cost->cpu_us[round] = elapsed_us(from.cpu, to.cpu);
}

static void run_bare(const struct process_spec *spec)
{
    pid_t pid;
    int status;
    if (posix_spawn(&pid, spec->path, NULL, NULL, spec->argv, spec->envp) ||
        waitpid(pid, &status, 0) != pid) {
        perror(spec->path);
        exit(1);
    }
}

static void exited(struct process *p, int status)
{
    (void)p;
    (void)status;
    ended = true;
}

static void run_ours(const struct process_spec *spec)
{
    struct process p;
    ended = false;
    int error = process_start(loop, &p, spec, exited);
    while (!error && !ended)
        error = loop_turn(loop, -1);
    if (error) {
        fprintf(stderr, "%s: %s\n", spec->path, strerror(-error));
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return values[count / 2];
}

static struct cost make_cost(int rounds)
{
    struct cost c = {calloc((size_t)rounds, sizeof(double)),
                     calloc((size_t)rounds, sizeof(double))};
    if (!c.wall_us || !c.cpu_us)
        abort();
    return c;
}

static void print(const char *what, double ours, double bare)
{
    printf("%s bare=%.1fus process=%.1fus ratio=%.3f\n", what, bare, ours, ours / bare);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    char *program = argc > 2 ? argv[2] : (char *)"/bin/true";
    int null =
        fcntl(open("/dev/null", O_RDWR | O_CLOEXEC), F_DUPFD_CLOEXEC, 100); /* as a server's */
    loop = loop_new();
    if (rounds < 1 || null < 0 || !loop)
        return 2;
    /* As a page program has them: stdin, stdout, stderr, events. */
    const struct process_spec spec = {
        .path = program,
        .argv = (char *[]){program, NULL},
        .envp = (char *[]){(char *)"PATH=/usr/bin:/bin", NULL},
        .directory = "/tmp",
        .fds = (int[]){null, null, null, null},
        .fd_count = 4,
    };
    struct cost bare = make_cost(rounds), ours = make_cost(rounds);
    for (int i = 0; i < rounds; i++) {
        struct moment began = now();
        run_bare(&spec);
        record(&bare, i, began);
        began = now();
        run_ours(&spec);
        record(&ours, i, began);
    }
    print("clock", median(ours.wall_us, rounds), median(bare.wall_us, rounds));
    print("cpu", median(ours.cpu_us, rounds), median(bare.cpu_us, rounds));
    loop_free(loop);
    close(null);
    free(bare.wall_us), free(bare.cpu_us);
    free(ours.wall_us), free(ours.cpu_us);
    return 0;
}
