/* SPDX-License-Identifier: MIT */
/* Child processes. Started with an argument, this program is the child that looks at itself. */
#include "net_peer.h"

#include "base/log.h"
#include "net/process.h"
#include "net/process_look.h"
#include "net/process_tree.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char *const no_environment[] = {NULL};
static char *const path_environment[] = {"PATH=/usr/bin:/bin", NULL};

struct child {
    struct process process;
    int exits, status;
};

static char self[512];

static void exited(struct process *p, int status)
{
    struct child *c = container_of(p, struct child, process);
    c->exits++;
    c->status = status;
}

static int start(struct child *c, char *const *argv, const int *fds, int count)
{
    const struct process_spec spec = {
        .path = argv[0],
        .argv = argv,
        .envp = path_environment,
        .directory = "/",
        .fds = fds,
        .fd_count = count,
    };
    *c = (struct child){.exits = 0};
    return process_start(loop, &c->process, &spec, exited);
}

static int start_shell(struct child *c, const char *script, const int *fds, int count)
{
    return start(c, (char *[]){"/bin/sh", "-c", (char *)script, NULL}, fds, count);
}

static void no_child_is_left(void)
{
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static pid_t fork_with_pipe(int *ret_end)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    close(ends[1]);
    *ret_end = ends[0];
    return pid;
}

/* Its end is not known yet, or just so: what it had open is closed in either case. */
static void who_is_killed_is_exiting_when_its_descriptors_close(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        char byte;
        int end;
        pid_t pid = fork_with_pipe(&end);
        assert_false(process_is_exiting(pid));
        kill(pid, SIGKILL);
        assert_int_equal(read(end, &byte, 1), 0);
        assert_true(process_is_exiting(pid));
        waitpid(pid, NULL, 0);
        close(end);
    }
}

/* What the child wrote to a file that it had as a descriptor. */
static void read_back(int fd, char *out, size_t size)
{
    ssize_t n = pread(fd, out, size - 1, 0);
    assert_true(n >= 0);
    out[n] = 0;
}

static int make_memory(void)
{
    int fd = memfd_create("child", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* ---- the child ---- */

/* Writes the inode of each open descriptor but the one that it writes to. */
static int tell_fds(int out)
{
    for (int fd = 0; fd < 4096; fd++) {
        struct stat st;
        if (fd != out && fstat(fd, &st) == 0)
            dprintf(out, "%d=%lu,%d ", fd, (unsigned long)st.st_ino, fcntl(fd, F_GETFD));
    }
    return 0;
}

static int tell_session(int out)
{
    bool leads = getpgrp() == getpid() && getsid(0) == getpid();
    int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC);
    dprintf(out, "%s %s", leads ? "leader" : "no", terminal < 0 ? strerrorname_np(errno) : "tty");
    return 0;
}

static int tell_rights(int out)
{
    struct rlimit files, core;
    getrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_CORE, &core);
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    dprintf(out, "gains %d, files %d of %d, core %d, dies by %d, ambient %d",
            !prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), (int)files.rlim_cur, (int)files.rlim_max,
            (int)core.rlim_cur, death, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0));
    return 0;
}

static int tell_signals(int out)
{
    sigset_t blocked;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int s = 1; s < NSIG; s++) {
        struct sigaction now;
        if (sigismember(&blocked, s) == 1)
            dprintf(out, "blocked:%d ", s);
        if (sigaction(s, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            dprintf(out, "ignored:%d ", s);
    }
    return 0;
}

/* ---- tests ---- */

static void how_it_ended_is_told_as_waitpid_does(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(start_shell(&c, "exit 7", NULL, 0), 0);
    assert_int_equal(c.exits, 0);
    wait_for(c.exits);
    assert_true(WIFEXITED(c.status));
    assert_int_equal(WEXITSTATUS(c.status), 7);

    assert_int_equal(start_shell(&c, "kill -TERM $$", NULL, 0), 0);
    wait_for(c.exits);
    assert_true(WIFSIGNALED(c.status));
    assert_int_equal(WTERMSIG(c.status), SIGTERM);

    assert_int_equal(start_shell(&c, "exit 0", NULL, 0), 0);
    wait_for(c.exits);
    assert_int_equal(c.status, 0);
    loop_turn(loop, 0);
    assert_int_equal(c.exits, 1);
    no_child_is_left();
}

static void it_is_killed_by_its_group(void **state)
{
    (void)state;
    struct child c;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(start_shell(&c, "read never", pipe_fds, 1), 0);
    assert_true(process_alive(&c.process));
    process_signal(&c.process, SIGKILL);
    wait_for(c.exits);
    assert_true(WIFSIGNALED(c.status));
    assert_int_equal(WTERMSIG(c.status), SIGKILL);
    assert_false(process_alive(&c.process));
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void it_gets_arguments_environment_and_directory(void **state)
{
    (void)state;
    struct child c = {.exits = 0};
    int out = make_memory();
    const struct process_spec spec = {
        .path = "/bin/sh",
        .argv = (char *[]){"name", "-c", "echo $0 $1 $A; pwd", "zero", "one", NULL},
        .envp = (char *[]){"A=1", NULL},
        .directory = "/usr",
        .fds = (int[]){out, out, out},
        .fd_count = 3,
    };
    assert_int_equal(process_start(loop, &c.process, &spec, exited), 0);
    wait_for(c.exits);
    char text[200];
    read_back(out, text, sizeof(text));
    assert_string_equal(text, "zero one 1\n/usr\n");
    close(out);
}

/* Starts this program as a child that tells something of itself. */
static void ask(const char *what, const struct process_rights *rights, char *text, size_t size)
{
    struct child c = {.exits = 0};
    int out = make_memory();
    const struct process_spec spec = {
        .path = self,
        .argv = (char *[]){self, (char *)what, NULL},
        .envp = no_environment,
        .directory = "/",
        .fds = (int[]){out},
        .fd_count = 1,
        .rights = rights,
    };
    assert_int_equal(process_start(loop, &c.process, &spec, exited), 0);
    wait_for(c.exits);
    read_back(out, text, size);
    close(out);
}

static void it_leads_a_session_of_its_own_without_a_terminal(void **state)
{
    (void)state;
    char text[200];
    ask("session", NULL, text, sizeof(text));
    assert_string_equal(text, "leader ENXIO");
}

static void it_gains_no_rights_and_has_the_limits_given(void **state)
{
    (void)state;
    char text[200];
    const struct process_limit limits[] = {
        {RLIMIT_NOFILE, {100, 200}},
        {RLIMIT_CORE, {0, 0}},
    };
    ask("rights", &(struct process_rights){.limits = limits, .limit_count = 2}, text, sizeof(text));
    assert_string_equal(text, "gains 0, files 100 of 200, core 0, dies by 9, ambient 0");
    ask("rights", &(struct process_rights){.limits = limits, .limit_count = 2, .may_gain = true},
        text, sizeof(text));
    assert_string_equal(text, "gains 1, files 100 of 200, core 0, dies by 9, ambient 0");
}

static bool runs(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        fclose(file);
    }
    return state != 'Z';
}

/* Another process starts a child and tells its number. */
static pid_t start_by_another(pid_t *ret_starter)
{
    int told[2];
    pid_t pid = 0;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    *ret_starter = fork();
    if (*ret_starter == 0) {
        struct child c;
        if (start(&c, (char *[]){"/bin/sleep", "1000", NULL}, NULL, 0) == 0)
            dprintf(told[1], "%d\n", c.process.pid);
        for (;;)
            pause();
    }
    char text[32] = "";
    assert_true(read(told[0], text, sizeof(text) - 1) > 0);
    pid = (pid_t)atoi(text);
    close(told[0]);
    close(told[1]);
    return pid;
}

static void it_does_not_outlive_who_started_it_and_was_killed(void **state)
{
    (void)state;
    pid_t starter, pid = start_by_another(&starter);
    assert_true(pid > 0 && runs(pid));
    kill(starter, SIGKILL);
    assert_int_equal(waitpid(starter, NULL, 0), starter);
    for (int i = 0; i < 2000 && runs(pid); i++)
        usleep(5000);
    assert_false(runs(pid));
}

static void its_end_is_told_once_though_somebody_else_has_reaped_it(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(start_shell(&c, "exit 7", NULL, 0), 0);
    assert_int_equal(waitpid(c.process.pid, NULL, 0), c.process.pid);
    log_setup(LOG_NOTHING, LOG_FORMAT_TEXT);
    wait_for(c.exits);
    assert_int_equal(c.status, PROCESS_STATUS_LOST);
    for (int i = 0; i < 5; i++)
        assert_int_equal(loop_turn(loop, 0), 0);
    assert_int_equal(c.exits, 1);
}

static void its_signals_are_as_if_we_had_never_touched_them(void **state)
{
    (void)state;
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGALRM);
    sigprocmask(SIG_SETMASK, &all, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    process_signals_changed();
    struct child c;
    int out = make_memory();
    assert_int_equal(start(&c, (char *[]){self, "signals", NULL}, (int[]){out}, 1), 0);
    wait_for(c.exits);
    char text[2000];
    read_back(out, text, sizeof(text));
    assert_string_equal(text, "");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(out);
}

static unsigned long inode(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return (unsigned long)st.st_ino;
}

/* The last descriptor is the one that the child reports to. */
static void check_fds(const int *fds, int count)
{
    char expected[500] = "", text[500];
    size_t len = 0;
    for (int i = 0; i < count - 1; i++)
        len +=
            (size_t)snprintf(expected + len, sizeof(expected) - len, "%d=%lu,0 ", i, inode(fds[i]));
    struct child c;
    assert_int_equal(start(&c, (char *[]){self, "fds", NULL}, fds, count), 0);
    wait_for(c.exits);
    assert_int_equal(c.status, 0);
    read_back(fds[count - 1], text, sizeof(text));
    assert_int_equal(ftruncate(fds[count - 1], 0), 0);
    assert_int_equal(lseek(fds[count - 1], 0, SEEK_SET), 0);
    assert_string_equal(text, expected);
}

static void its_descriptors_are_those_given_and_no_others(void **state)
{
    (void)state;
    int a = make_memory(), b = make_memory(), out = make_memory();
    int inherited = dup(a); /* not close-on-exec, as from whoever started us */
    int high = fcntl(b, F_DUPFD, 900);
    check_fds((int[]){a, b, a, out}, 4);
    check_fds((int[]){b, b, b, out}, 4);
    check_fds((int[]){high, inherited, out}, 3);
    check_fds((int[]){a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, out}, 16);
    close(a);
    close(b);
    close(out);
    close(inherited);
    close(high);
}

/* Each of our 0 to 2 at each place of the child's. Nothing may be printed meanwhile. */
static void descriptors_may_stand_in_each_others_place(void **state)
{
    (void)state;
    int saved[3], memory = make_memory(), out = fcntl(memory, F_DUPFD_CLOEXEC, 100);
    close(memory);
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        memory = make_memory();
        assert_int_equal(dup3(memory, fd, O_CLOEXEC), fd);
        close(memory);
    }
    for (int way = 0; way < 27; way++)
        check_fds((int[]){way % 3, way / 3 % 3, way / 9, out}, 4);
    for (int fd = 0; fd < 3; fd++) {
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC); /* ours are as they were */
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
    close(out);
}

static void write_program(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int try_to_start(const char *path, const char *directory)
{
    struct child c = {.exits = 0};
    const struct process_spec spec = {
        .path = path,
        .argv = (char *[]){(char *)path, NULL},
        .envp = no_environment,
        .directory = directory,
        .fds = (int[]){2},
        .fd_count = 1,
    };
    return process_start(loop, &c.process, &spec, exited);
}

static void what_cannot_run_is_told_at_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/process-test-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    static const struct {
        const char *name, *text;
        mode_t mode;
        int error;
    } rows[] = {
        {"no-interpreter", "echo hello\n", 0755, -ENOEXEC},
        {"empty", "", 0755, -ENOEXEC},
        {"wrong-interpreter", "#!/no/such/interpreter\n", 0755, -ENOENT},
        {"interpreter-is-a-directory", "#!/tmp\n", 0755, -EACCES},
        {"not-executable", "#!/bin/sh\n", 0644, -EACCES},
        {"broken-elf", "\177ELF and no more", 0755, -ENOEXEC},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, rows[i].name);
        write_program(path, rows[i].text, rows[i].mode);
        assert_int_equal(try_to_start(path, "/"), rows[i].error);
        unlink(path);
    }
    assert_int_equal(try_to_start(path, "/"), -ENOENT);
    assert_int_equal(try_to_start(dir, "/"), -EACCES);
    assert_int_equal(try_to_start("/bin/true", "/no/such/directory"), -ENOENT);
    assert_int_equal(try_to_start("/bin/true", "/bin/true"), -ENOTDIR);
    no_child_is_left();
    rmdir(dir);
}

static void without_a_descriptor_for_it_no_child_stays(void **state)
{
    (void)state;
    struct rlimit before, tight;
    getrlimit(RLIMIT_NOFILE, &before);
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    int high = fcntl(pipe_fds[0], F_DUPFD_CLOEXEC, 50);
    int filler[64], count = 0;
    tight = before;
    tight.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &tight);
    while ((filler[count] = dup(high)) >= 0)
        count++;
    struct child c;
    int error = start_shell(&c, "read never", &high, 1);
    while (count > 0)
        close(filler[--count]);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(error, -EMFILE);
    no_child_is_left();
    close(high);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* We are the one that orphans fall to, so that the grandchild's death is an event here. */
static void a_grandchild_keeps_the_group_alive(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct child c;
    int pipe_fds[2], out = make_memory();
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(
        start_shell(&c, "(read never <&2)& echo $!; exit 3", (int[]){out, out, pipe_fds[0]}, 3), 0);
    wait_for(c.exits);
    assert_int_equal(WEXITSTATUS(c.status), 3);
    assert_true(process_alive(&c.process));
    char text[50];
    read_back(out, text, sizeof(text));
    pid_t grandchild = (pid_t)atoi(text);
    assert_int_equal(getpgid(grandchild), c.process.pid);

    process_signal(&c.process, SIGTERM);
    int status;
    assert_int_equal(waitpid(grandchild, &status, 0), grandchild);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    assert_false(process_alive(&c.process));
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(out);
}

static void start_again(struct process *p, int status)
{
    struct child *c = container_of(p, struct child, process);
    int exits = c->exits + 1;
    if (exits < 3)
        assert_int_equal(start_shell(c, "exit 0", NULL, 0), 0);
    p->on_exit = start_again;
    c->exits = exits;
    c->status = status;
}

static void on_exit_may_start_the_next(void **state)
{
    (void)state;
    struct child c;
    assert_int_equal(start_shell(&c, "exit 0", NULL, 0), 0);
    c.process.on_exit = start_again;
    wait_for(c.exits == 3);
    no_child_is_left();
}

static int all_exits(const struct child *children, int count)
{
    int exits = 0;
    for (int i = 0; i < count; i++)
        exits += children[i].exits;
    return exits;
}

static void two_hundred_at_once(void **state)
{
    (void)state;
    enum {
        COUNT = 200
    };
    struct child *children = calloc(COUNT, sizeof(*children));
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    for (int i = 0; i < COUNT; i++) {
        char script[40];
        snprintf(script, sizeof(script), "read never; exit %d", i);
        assert_int_equal(start_shell(&children[i], script, pipe_fds, 1), 0);
    }
    assert_int_equal(all_exits(children, COUNT), 0);
    close(pipe_fds[1]);
    wait_for(all_exits(children, COUNT) == COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(children[i].exits, 1);
        assert_int_equal(children[i].status, W_EXITCODE(i, 0));
        assert_false(process_alive(&children[i].process));
    }
    no_child_is_left();
    close(pipe_fds[0]);
    free(children);
}

static bool reads(const char *script)
{
    struct child c;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(start_shell(&c, script, (int[]){0, 1, 2, pair[1]}, 4), 0);
    close(pair[1]);
    char ready;
    assert_int_equal(read(pair[0], &ready, 1), 1);
    bool seen = false;
    for (int look = 0; look < 100 && !seen; look++) {
        seen = process_is_reading(c.process.pid, 3);
        usleep(1000);
    }
    process_signal(&c.process, SIGKILL);
    wait_for(c.exits);
    close(pair[0]);
    return seen;
}

static void who_sleeps_in_a_read_of_its_lines_is_seen_to(void **state)
{
    (void)state;
    assert_true(reads("echo >&3; read x <&3"));
    assert_true(reads("exec 7<&3; echo >&3; read x <&7"));
    assert_false(reads("echo >&3; sleep 60"));
    assert_false(reads("echo >&3; while :; do :; done"));
    assert_false(process_is_reading(getpid(), 0));
}

/* Each one starts the next, in a session of its own, and ends; until it is told to stop. */
static void fork_until(const atomic_bool *stop)
{
    while (!*stop) {
        if (fork() != 0)
            _exit(0);
        setsid();
    }
    _exit(0);
}

/* The same of a child that has an environment of its own; it ends some time. */
static int fork_often(void)
{
    for (int i = 0; i < 200000; i++) {
        if (fork() != 0)
            _exit(0);
        setsid();
    }
    return 0;
}

static void who_forks_as_fast_as_it_is_looked_at_is_not_taken_for_gone(void **state)
{
    (void)state;
    const struct process_tree ours = {.leader_reaped = true};
    atomic_bool *stop =
        mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(stop != MAP_FAILED);
    assert_int_equal(process_tree_adopt(), 0);
    if (fork() == 0)
        fork_until(stop);

    int missed = 0;
    for (int look = 0; look < 300; look++) {
        missed += process_tree_signal(&ours, 0) == 0;
        process_tree_reap();
    }
    *stop = true;
    process_tree_end();
    no_child_is_left();
    assert_int_equal(missed, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    munmap(stop, sizeof(*stop));
}

/* One that is about to end has lost its environment already, but still has its child. */
static void who_has_a_mark_and_forks_for_ever_is_not_taken_for_gone(void **state)
{
    (void)state;
    struct mark mark;
    mark_make(&mark);
    const struct process_tree its = {.leader = getpid(), .leader_reaped = true, .mark = &mark};
    assert_int_equal(process_tree_adopt(), 0);
    if (fork() == 0)
        execle(self, self, "forks", NULL, (char *[]){mark.text, NULL});

    int missed = 0;
    while (process_tree_signal(&its, 0) == 0) /* it has no mark yet */
        usleep(1000);
    for (int look = 0; look < 1000; look++) {
        missed += process_tree_signal(&its, 0) == 0;
        process_tree_reap();
    }
    process_tree_end();
    no_child_is_left();
    assert_int_equal(missed, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

static int be_child(const char *what)
{
    if (strcmp(what, "forks") == 0)
        return fork_often();
    if (strcmp(what, "fds") == 0) {
        int last = 0;
        while (fcntl(last + 1, F_GETFD) >= 0)
            last++;
        return tell_fds(last);
    }
    if (strcmp(what, "session") == 0)
        return tell_session(0);
    return strcmp(what, "rights") == 0 ? tell_rights(0) : tell_signals(0);
}

/* ---- where less is known than clone3(2) can do ---- */

static bool forbid(uint32_t call, int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = 4, .filter = rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void caught(int number)
{
    (void)number;
}

/* In a process of its own, which has a handler that its child must not have. */
static int start_without_clone3(int error)
{
    struct child c;
    char text[2000];
    int out = make_memory();
    loop = loop_new(); /* a ring serves only who made it */
    signal(SIGUSR1, caught);
    alarm(60); /* its parent's does not come here */
    if (!forbid(SYS_clone3, error) || start(&c, (char *[]){self, "signals", NULL}, (int[]){out}, 1))
        return 1;
    while (!c.exits)
        if (loop_turn(loop, 1000))
            return 3;
    read_back(out, text, sizeof(text));
    return c.status == 0 && strcmp(text, "") == 0 ? 0 : 2;
}

static void it_starts_in_a_sandbox_that_does_not_know_clone3(void **state)
{
    (void)state;
    const int errors[] = {ENOSYS, EPERM};
    for (int i = 0; i < 2; i++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(start_without_clone3(errors[i]));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

/* ---- cgroups ---- */

static struct child run_in(struct cgroup *cgroup)
{
    static char *const argv[] = {"/bin/true", NULL};
    struct child c = {.exits = 0};
    struct mark mark;
    mark_make(&mark);
    char *environment[] = {mark.text, NULL};
    const struct process_spec spec = {.path = argv[0],
                                      .argv = argv,
                                      .envp = environment,
                                      .directory = "/",
                                      .mark = &mark,
                                      .cgroup = cgroup};
    assert_int_equal(process_start(loop, &c.process, &spec, exited), 0);
    assert_ptr_equal(c.process.cgroup, cgroup);
    wait_for(c.exits);
    while (process_alive(&c.process))
        usleep(1000);
    return c;
}

static unsigned folders_in(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (unsigned)info.st_nlink - 2;
}

static void the_next_child_has_the_cgroup_that_the_last_one_has_left(void **state)
{
    (void)state;
    struct cgroup *cgroup = cgroup_open(getpid());
    if (!cgroup)
        skip(); /* the system lets us make none */
    char path[4096];
    strcpy(path, cgroup_path(cgroup));
    struct child first = run_in(cgroup);
    process_done(&first.process);
    struct child second = run_in(cgroup);
    assert_int_equal(second.process.cgroup_child.number, first.process.cgroup_child.number);
    struct child third = run_in(cgroup); /* while the second has it still */
    assert_int_not_equal(third.process.cgroup_child.number, second.process.cgroup_child.number);
    process_done(&second.process);
    process_done(&third.process);
    assert_int_equal(folders_in(path), 2);
    struct cgroup *heir = cgroup_of(path); /* after a take-over */
    cgroup_reopen(heir);
    cgroup_tidy(heir);
    assert_int_equal(folders_in(path), 0);
    cgroup_close(heir);
    cgroup_close(cgroup);
    assert_int_equal(access(path, F_OK), -1);
}

static void freeze(const struct cgroup *cgroup, uint64_t number)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/%llu/cgroup.freeze", cgroup_path(cgroup),
             (unsigned long long)number);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "1", 1), 1);
    close(fd);
}

static void a_cgroup_that_was_left_frozen_freezes_nobody_else(void **state)
{
    (void)state;
    struct cgroup *cgroup = cgroup_open(getpid());
    if (!cgroup)
        skip();
    struct child first = run_in(cgroup);
    freeze(cgroup, first.process.cgroup_child.number);
    assert_false(process_alive(&first.process));
    process_done(&first.process);
    struct child second = run_in(cgroup);
    assert_int_not_equal(second.process.cgroup_child.number, first.process.cgroup_child.number);
    process_done(&second.process);
    cgroup_close(cgroup);
}

static void a_cgroup_that_was_killed_kills_nobody_else(void **state)
{
    (void)state;
    struct cgroup *cgroup = cgroup_open(getpid());
    if (!cgroup)
        skip();
    struct child first = run_in(cgroup);
    assert_true(process_kill_rest(&first.process));
    assert_false(process_alive(&first.process));
    process_done(&first.process);
    struct child second = run_in(cgroup);
    assert_int_equal(second.status, 0);
    process_done(&second.process);
    cgroup_close(cgroup);
}

static void a_cgroup_that_was_killed_after_it_was_empty_kills_nobody_else(void **state)
{
    (void)state;
    struct cgroup *cgroup = cgroup_open(getpid());
    if (!cgroup)
        skip();
    struct child first = run_in(cgroup); /* seen to be empty */
    process_signal(&first.process, SIGKILL);
    process_done(&first.process);
    struct child second = run_in(cgroup);
    assert_int_equal(second.status, 0);
    process_done(&second.process);
    cgroup_close(cgroup);
}

static int count_open(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void cgroups_keep_few_descriptors_and_none_in_the_end(void **state)
{
    (void)state;
    struct rlimit limit, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){128, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int before = count_open();
    struct cgroup *cgroup = cgroup_open(getpid());
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (!cgroup)
        skip();
    struct child children[5];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            children[i] = run_in(cgroup);
        assert_int_equal(count_open(), before + 1 + 2 * 2);
        for (int i = 0; i < 5; i++)
            process_done(&children[i].process);
    }
    assert_int_equal(count_open(), before + 1 + 2 * 2);
    cgroup_rest(cgroup);
    assert_int_equal(count_open(), before + 1);
    cgroup_close(cgroup);
    assert_int_equal(count_open(), before);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return be_child(argv[1]);
    if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        net_test(how_it_ended_is_told_as_waitpid_does),
        net_test(it_is_killed_by_its_group),
        net_test(it_gets_arguments_environment_and_directory),
        net_test(it_leads_a_session_of_its_own_without_a_terminal),
        net_test(it_gains_no_rights_and_has_the_limits_given),
        net_test(it_does_not_outlive_who_started_it_and_was_killed),
        net_test(its_end_is_told_once_though_somebody_else_has_reaped_it),
        net_test(its_signals_are_as_if_we_had_never_touched_them),
        net_test(its_descriptors_are_those_given_and_no_others),
        net_test(descriptors_may_stand_in_each_others_place),
        net_test(what_cannot_run_is_told_at_once),
        net_test(who_is_killed_is_exiting_when_its_descriptors_close),
        net_test(without_a_descriptor_for_it_no_child_stays),
        net_test(a_grandchild_keeps_the_group_alive),
        net_test(who_sleeps_in_a_read_of_its_lines_is_seen_to),
        net_test(who_forks_as_fast_as_it_is_looked_at_is_not_taken_for_gone),
        net_test(who_has_a_mark_and_forks_for_ever_is_not_taken_for_gone),
        net_test(it_starts_in_a_sandbox_that_does_not_know_clone3),
        net_test(the_next_child_has_the_cgroup_that_the_last_one_has_left),
        net_test(a_cgroup_that_was_killed_kills_nobody_else),
        net_test(a_cgroup_that_was_left_frozen_freezes_nobody_else),
        net_test(a_cgroup_that_was_killed_after_it_was_empty_kills_nobody_else),
        net_test(cgroups_keep_few_descriptors_and_none_in_the_end),
        net_test(on_exit_may_start_the_next),
        net_test(two_hundred_at_once),
    };
    return run_on_every_backend("process", tests);
}
