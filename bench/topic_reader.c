/* SPDX-License-Identifier: MIT */
/* topic_reader.c - a subscriber for bench/topics: reads events and tells how many it has.
 *
 *   as a page program          QUERY_STRING is CPU:REPORT:WARM:QUIET, or `from:SOCKET`
 *   topic_reader PORT COUNT processes|connections CPU:REPORT:WARM:QUIET
 *                              as COUNT clients of Redis, each a process or all in one
 *
 * On CPU it reads what comes and counts it: lines of `.topic`, or messages of Redis. It writes a
 * byte to the fifo REPORT when it is subscribed, when it has WARM events, when it has QUIET
 * events, and for each one after that. As `from:SOCKET` it passes what comes from there on to
 * descriptor 3: that is the publisher.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BUFFER_SIZE = 65536,
    REDIS_LINES = 7 /* of a message: *3 $7 message $5 bench $LEN DATA */
};

struct reader {
    int fd;
    unsigned lines; /* of a message that has not ended */
    unsigned lines_each;
    unsigned skip; /* lines before the first event */
    unsigned long count;
};

static int report_fd;
static unsigned long warm, quiet;
static char buffer[BUFFER_SIZE];

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void put(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n <= 0)
            fail("write");
        bytes += n;
        len -= (size_t)n;
    }
}

static void settle_on(const char *spec)
{
    char path[256];
    int cpu;
    cpu_set_t set;
    if (sscanf(spec, "%d:%255[^:]:%lu:%lu", &cpu, path, &warm, &quiet) != 4)
        exit(2);
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
    report_fd = open(path, O_WRONLY | O_CLOEXEC);
    if (report_fd < 0)
        fail(path);
}

static void note_line(struct reader *r)
{
    if (r->skip > 0) {
        if (--r->skip == 0)
            put(report_fd, "s", 1);
        return;
    }
    if (++r->lines < r->lines_each)
        return;
    r->lines = 0;
    if (++r->count == warm || r->count >= quiet)
        put(report_fd, "e", 1);
}

/* False at the end. */
static int take(struct reader *r)
{
    ssize_t n = read(r->fd, buffer, sizeof(buffer));
    if (n <= 0)
        return 0;
    for (char *at = buffer, *end = buffer + n; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        note_line(r);
    return 1;
}

/* ---- as a program ---- */

static void subscribe_and_read(const char *spec)
{
    static const char subscribe[] = ".subscribe {\"topic\":\"bench\"}\n";
    struct reader r = {.fd = 3, .lines_each = 1, .skip = 1};
    settle_on(spec);
    put(r.fd, subscribe, sizeof(subscribe) - 1);
    while (take(&r))
        ;
}

static void pass_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail(path);
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;)
        put(3, buffer, (size_t)n);
}

static int run_as_program(const char *query)
{
    static const char head[] = "Content-Type: text/plain\n\n";
    put(STDOUT_FILENO, head, sizeof(head) - 1);
    close(STDOUT_FILENO);
    if (!strncmp(query, "from:", 5))
        pass_on(query + 5);
    else
        subscribe_and_read(query);
    return 0;
}

/* ---- as clients of Redis ---- */

/* The answer to SUBSCRIBE has six lines. */
static struct reader connect_to(int port)
{
    static const char subscribe[] = "SUBSCRIBE bench\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct reader r = {.lines_each = REDIS_LINES, .skip = 6};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (r.fd < 0 || connect(r.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("connect");
    put(r.fd, subscribe, sizeof(subscribe) - 1);
    return r;
}

static void run_processes(int port, int count)
{
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            fail("fork");
        if (pid > 0)
            continue;
        struct reader r = connect_to(port);
        while (take(&r))
            ;
        _exit(0);
    }
    while (getchar() != EOF) /* until the benchmark is over; then Redis ends, and all with it */
        ;
}

static void run_connections(int port, int count)
{
    struct reader *all = calloc((size_t)count, sizeof(*all));
    int ep = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < count; i++) {
        all[i] = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        if (epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &event) < 0)
            fail("epoll_ctl");
    }
    for (int open = count; open > 0;) {
        struct epoll_event events[256];
        int n = epoll_wait(ep, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct reader *r = events[i].data.ptr;
            if (take(r))
                continue;
            close(r->fd);
            open--;
        }
    }
    free(all);
}

int main(int argc, char **argv)
{
    const char *query = getenv("QUERY_STRING");
    if (getenv("HTTPSOCKET_FD") && query)
        return run_as_program(query);
    if (argc != 5)
        return 2;
    settle_on(argv[4]);
    if (!strcmp(argv[3], "processes"))
        run_processes(atoi(argv[1]), atoi(argv[2]));
    else
        run_connections(atoi(argv[1]), atoi(argv[2]));
    return 0;
}
