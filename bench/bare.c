/* SPDX-License-Identifier: MIT */
/* bare.c - the least that a program can cost to start: posix_spawn() with stdin from /dev/null and
 * stdout into a pipe, which is read to its end, and waitpid(). Its environment is ours.
 *
 *     bare PROGRAM [page]
 *
 * With `page` the program gets what a page program is promised: stderr into a pipe of its own and a
 * socket as descriptor 3, both read to their ends as well.
 *
 * Prints `ready`. Each line on stdin is a number of programs to run one after the other; when they
 * have ended, the number is printed, as the generators of load/ do.
 */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    OUTPUTS_MAX = 3
};

/* stdout, stderr, descriptor 3. */
struct outputs {
    int count;
    int childs[OUTPUTS_MAX];
    struct pollfd ours[OUTPUTS_MAX];
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct outputs make_outputs(bool page)
{
    struct outputs o = {.count = page ? OUTPUTS_MAX : 1};
    for (int i = 0; i < o.count; i++) {
        int fds[2];
        if (i < 2 ? pipe2(fds, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
            fail("pipe");
        o.ours[i] = (struct pollfd){fds[0], POLLIN, 0};
        o.childs[i] = fds[1];
    }
    return o;
}

static pid_t spawn(char *program, int in, const struct outputs *o)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    for (int i = 0; i < o->count; i++)
        posix_spawn_file_actions_adddup2(&actions, o->childs[i], STDOUT_FILENO + i);
    int error = posix_spawn(&pid, program, &actions, NULL, (char *[]){program, NULL}, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        fprintf(stderr, "%s: %s\n", program, strerror(error));
        exit(1);
    }
    return pid;
}

/* False: at its end, and closed. */
static bool read_some(struct pollfd *output, size_t *got)
{
    char buffer[65536];
    ssize_t n = read(output->fd, buffer, sizeof(buffer));
    if (n > 0) {
        *got += (size_t)n;
        return true;
    }
    close(output->fd);
    output->fd = -1; /* poll() passes over it */
    output->revents = 0;
    return false;
}

/* Closes them; returns how many bytes came. One alone needs no poll(). */
static size_t read_all(struct outputs *o)
{
    size_t got = 0;
    for (int open = o->count; open > 0;) {
        if (o->count > 1 && poll(o->ours, (nfds_t)o->count, -1) < 0)
            fail("poll");
        for (int i = 0; i < o->count; i++) {
            if ((o->count == 1 || o->ours[i].revents) && !read_some(&o->ours[i], &got))
                open--;
        }
    }
    return got;
}

static void run(char *program, int in, bool page)
{
    int status;
    struct outputs o = make_outputs(page);
    pid_t pid = spawn(program, in, &o);
    for (int i = 0; i < o.count; i++)
        close(o.childs[i]);
    size_t got = read_all(&o);
    if (waitpid(pid, &status, 0) != pid || status || !got)
        fail(program);
}

int main(int argc, char **argv)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char line[32];
    if (argc < 2 || in < 3)
        return 2;
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        int count = atoi(line);
        for (int left = count; left > 0; left--)
            run(argv[1], in, argc > 2);
        printf("%d 0\n", count);
        fflush(stdout);
    }
    return 0;
}
