/* bare.c - the least that a page program can cost to start: posix_spawn() with stdin from /dev/null and
 * stdout into a pipe, which is read to its end, and waitpid(). Its environment is the program's.
 *
 *     bare PROGRAM
 *
 * Each line on stdin is a number of programs to run one after the other; when they have ended, `done`
 * is printed.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static pid_t spawn(char *program, int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    int error = posix_spawn(&pid, program, &actions, NULL, (char *[]){program, NULL}, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) {
        fprintf(stderr, "%s: %s\n", program, strerror(error));
        exit(1);
    }
    return pid;
}

static void run(char *program, int in)
{
    int fds[2], status;
    char buffer[65536];
    if (pipe2(fds, O_CLOEXEC))
        fail("pipe2");
    pid_t pid = spawn(program, in, fds[1]);
    close(fds[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(fds[0], buffer, sizeof(buffer))) > 0;)
        got += (size_t)n;
    close(fds[0]);
    if (waitpid(pid, &status, 0) != pid || status || !got)
        fail(program);
}

int main(int argc, char **argv)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char line[32];
    if (argc != 2 || in < 0)
        return 2;
    while (fgets(line, sizeof(line), stdin)) {
        for (int left = atoi(line); left > 0; left--)
            run(argv[1], in);
        puts("done");
        fflush(stdout);
    }
    return 0;
}
