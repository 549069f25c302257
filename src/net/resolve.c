/* SPDX-License-Identifier: MIT */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct resolve_question {
    atomic_int holders; /* the asker and the thread */
    int bell;           /* eventfd: the answer is there */
    char port[6];
    char host[256];
    struct resolve_answer answer;
};

static void let_go(struct resolve_question *q)
{
    if (atomic_fetch_sub(&q->holders, 1) != 1)
        return;
    close(q->bell);
    free(q);
}

void resolve_alternate(struct net_address *addresses, int count)
{
    for (int at = 1; at < count; at++) {
        int next = at;
        while (next < count && addresses[next].any.sa_family == addresses[at - 1].any.sa_family)
            next++;
        if (next == count)
            return;
        struct net_address found = addresses[next];
        memmove(&addresses[at + 1], &addresses[at], (size_t)(next - at) * sizeof(found));
        addresses[at] = found;
    }
}

static void take(struct resolve_answer *answer, const struct addrinfo *list)
{
    for (; list && answer->count < RESOLVE_ADDRESSES_MAX; list = list->ai_next) {
        struct net_address *a = &answer->addresses[answer->count];
        if (list->ai_addrlen > sizeof(a->v6))
            continue;
        memcpy(&a->v6, list->ai_addr, list->ai_addrlen);
        a->len = list->ai_addrlen;
        answer->count++;
    }
    resolve_alternate(answer->addresses, answer->count);
}

static void *ask(void *argument)
{
    struct resolve_question *q = argument;
    struct addrinfo *list = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int error = getaddrinfo(q->host, q->port, &hints, &list);
    if (error)
        q->answer.error = error == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(error);
    else
        take(&q->answer, list);
    if (list)
        freeaddrinfo(list);
    if (!q->answer.count && !q->answer.error)
        q->answer.error = "no address";
    eventfd_write(q->bell, 1);
    let_go(q);
    return NULL;
}

static void answered(struct watch *watch, unsigned events)
{
    (void)events;
    struct resolve *l = container_of(watch, struct resolve, watch);
    struct resolve_answer answer = l->question->answer;
    resolve_stop(l);
    l->on_answer(l, &answer);
}

/* Its signals are the program's business, not the thread's. */
static int start_thread(struct resolve_question *q)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, ask, q);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error)
        pthread_detach(thread);
    return -error;
}

static struct resolve_question *question_new(const char *host, uint16_t port)
{
    struct resolve_question *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->bell < 0) {
        free(q);
        return NULL;
    }
    q->holders = 1;
    snprintf(q->port, sizeof(q->port), "%u", (unsigned)port);
    snprintf(q->host, sizeof(q->host), "%s", host);
    return q;
}

int resolve_start(struct loop *loop, struct resolve *l, const char *host, uint16_t port,
                  void (*on_answer)(struct resolve *l, const struct resolve_answer *answer))
{
    *l = (struct resolve){.question = question_new(host, port), .on_answer = on_answer};
    watch_init(&l->watch, answered);
    if (!l->question)
        return -ENOMEM;
    int error = watch_start(loop, &l->watch, l->question->bell, WATCH_READ);
    if (!error) {
        l->question->holders = 2;
        error = start_thread(l->question);
        if (error)
            l->question->holders = 1;
    }
    if (error)
        resolve_stop(l);
    return error;
}

void resolve_stop(struct resolve *l)
{
    if (!l->question)
        return;
    watch_stop(&l->watch);
    let_go(l->question);
    l->question = NULL;
}
