/* SPDX-License-Identifier: MIT */
/* tunnel_target.c - the target of tunnels: does what each connection says first.
 *
 *     tunnel_target              prints `listening on 127.0.0.1:PORT`, runs until it is killed
 *
 * A connection begins with 9 bytes: `d` and a number (8 bytes, big-endian): so many bytes come; `u`
 * and a number: so many are read, then comes one byte. It is for the client to end it: some proxies
 * lose what they hold when the target does. A thread each.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE_BYTES 262144

static char noise[PIECE_BYTES];

static size_t least(uint64_t left)
{
    return left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
}

static void give(int fd, uint64_t left)
{
    ssize_t n = 1;
    for (; left > 0 && n > 0; left -= (uint64_t)n)
        n = send(fd, noise, least(left), MSG_NOSIGNAL);
}

static void take(int fd, uint64_t left)
{
    char *piece = malloc(PIECE_BYTES);
    ssize_t n = 1;
    for (; left > 0 && n > 0; left -= (uint64_t)n)
        n = recv(fd, piece, least(left), 0);
    if (left == 0)
        send(fd, "k", 1, MSG_NOSIGNAL);
    free(piece);
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    unsigned char wish[9];
    uint64_t count = 0;
    if (recv(fd, wish, sizeof(wish), MSG_WAITALL) == sizeof(wish)) {
        for (int i = 1; i < 9; i++)
            count = count << 8 | wish[i];
        if (wish[0] == 'd')
            give(fd, count);
        else
            take(fd, count);
    }
    char rest[64];
    while (recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    close(fd);
    return NULL;
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listening, (struct sockaddr *)&a, len) || listen(listening, 128) ||
        getsockname(listening, (struct sockaddr *)&a, &len))
        return 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int fd = accept(listening, NULL, NULL);
        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            return 1;
        pthread_detach(thread);
    }
}
