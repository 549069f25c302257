/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

unsigned patience_s = 20;

void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end) {
        fprintf(stderr, "load: not a number: %s\n", text);
        exit(2);
    }
    return n;
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void raise_file_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int connect_to(uint16_t port, unsigned source, bool nonblocking)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0);
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (source && bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        die("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

size_t read_answer_head(int fd, char head[ANSWER_MAX])
{
    struct timeval patience = {.tv_sec = (time_t)patience_s};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    size_t len = 0;
    for (;;) {
        char *end;
        ssize_t n = len < ANSWER_MAX - 1 ? recv(fd, head + len, ANSWER_MAX - 1 - len, MSG_PEEK) : 0;
        if (n <= 0)
            die("no answer");
        head[len + (size_t)n] = '\0';
        end = strstr(head + (len > 3 ? len - 3 : 0), "\r\n\r\n");
        size_t take = end ? (size_t)(end + 4 - head) - len : (size_t)n;
        if (recv(fd, head + len, take, 0) != (ssize_t)take)
            die("no answer");
        len += take;
        head[len] = '\0';
        if (end)
            return len;
    }
}

bool is_websocket_answer(const char *head)
{
    return strncmp(head, "HTTP/1.1 101 ", 13) == 0 &&
           strcasestr(head, "\r\nSec-WebSocket-Accept: " WEBSOCKET_ACCEPT "\r\n");
}

void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

bool read_order(uint64_t *work)
{
    char line[32];
    size_t len = 0;
    for (; len < sizeof(line) - 1; len++) { /* unbuffered: poll() sees what is there */
        if (read(STDIN_FILENO, line + len, 1) != 1)
            return false;
        if (line[len] == '\n')
            break;
    }
    line[len] = '\0';
    *work = number(line);
    return true;
}
