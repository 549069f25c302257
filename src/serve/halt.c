/* SPDX-License-Identifier: MIT */
#include "serve/halt.h"

void halt_init(struct halt *h)
{
    *h = (struct halt){0};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
}

void halt_stand(struct halt *h)
{
    pthread_mutex_lock(&h->lock);
    unsigned round = h->round;
    h->standing++;
    pthread_cond_broadcast(&h->changed);
    while (h->round == round)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void halt_wait(struct halt *h, unsigned count)
{
    pthread_mutex_lock(&h->lock);
    while (h->standing < count)
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

void halt_release(struct halt *h)
{
    pthread_mutex_lock(&h->lock);
    h->standing = 0;
    h->round++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}
