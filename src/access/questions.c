/* SPDX-License-Identifier: MIT */
#include "access/questions.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* One question that has been passed on, with all questions that wait for its answer. */
struct open_question {
    struct list node;
    struct dns_question below;
    struct list waiting;
    bool answered; /* being handed round: a question that is cancelled now just leaves the list */
};

static void answered(struct dns_question *below, const struct dns_answer *answer)
{
    struct open_question *open = container_of(below, struct open_question, below);
    struct list waiting;
    list_init(&waiting);
    list_splice(&waiting, &open->waiting);
    list_remove(&open->node);
    open->answered = true;
    for (struct list *node; (node = list_pop(&waiting));) {
        struct dns_question *q = container_of(node, struct dns_question, node);
        q->handle = NULL;
        q->answered(q, answer);
    }
    free(open);
}

static struct open_question *find(struct questions *q, const struct dns_question *question)
{
    for (struct list *node = q->open.next; node != &q->open; node = node->next) {
        struct open_question *open = container_of(node, struct open_question, node);
        if (open->below.type == question->type && strcmp(open->below.name, question->name) == 0)
            return open;
    }
    return NULL;
}

static int ask_below(struct questions *q, const struct dns_question *question,
                     struct open_question **ret)
{
    struct open_question *open = log_needed(calloc(1, sizeof(*open)));
    if (!open)
        return -ENOMEM;
    open->below.type = question->type;
    strcpy(open->below.name, question->name);
    open->below.answered = answered;
    list_init(&open->waiting);
    int error = q->below->ask(q->below, &open->below);
    if (error) {
        free(open);
        return error;
    }
    list_append(&q->open, &open->node);
    q->asked++;
    *ret = open;
    return 0;
}

static int ask(struct resolver *resolver, struct dns_question *question)
{
    struct questions *q = container_of(resolver, struct questions, resolver);
    struct open_question *open = find(q, question);
    q->shared += open != NULL;
    int error = open ? 0 : ask_below(q, question, &open);
    if (error)
        return error;
    question->handle = open;
    list_append(&open->waiting, &question->node);
    return 0;
}

static void cancel(struct resolver *resolver, struct dns_question *question)
{
    struct questions *q = container_of(resolver, struct questions, resolver);
    struct open_question *open = question->handle;
    list_remove(&question->node);
    question->handle = NULL;
    if (!open || open->answered || !list_empty(&open->waiting))
        return;
    q->below->cancel(q->below, &open->below);
    list_remove(&open->node);
    free(open);
}

void questions_init(struct questions *q, struct resolver *below)
{
    *q = (struct questions){.resolver = {.ask = ask, .cancel = cancel}, .below = below};
    list_init(&q->open);
}

void questions_done(struct questions *q)
{
    assert(list_empty(&q->open));
}
