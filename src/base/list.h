/* SPDX-License-Identifier: MIT */
/* list.h - doubly linked lists whose nodes are embedded in the objects that they link.
 *
 * A node in no list points to itself, so that list_remove() is always allowed. No function
 * allocates or fails.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

/* The object that embeds `node` as its member `member`. */
#define container_of(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}

/* Leaves `node` in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, taken out, or NULL. */
static inline struct list *list_pop(struct list *l)
{
    if (list_empty(l))
        return NULL;
    struct list *node = l->next;
    list_remove(node);
    return node;
}

/* Appends all of `from` to `to` and leaves `from` empty. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
