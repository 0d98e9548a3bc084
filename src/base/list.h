/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked ring: a struct list is both the head and the link inside a member. A link
 * that is in no list points to itself, so list_remove() on it does nothing.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* `link` must be in no list. */
static inline void list_push_back(struct list *head, struct list *link)
{
    link->next = head;
    link->prev = head->prev;
    head->prev->next = link;
    head->prev = link;
}

static inline void list_push_front(struct list *head, struct list *link)
{
    list_push_back(head->next, link);
}

static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link taken out of the list, or NULL. */
static inline struct list *list_pop_front(struct list *head)
{
    if (list_is_empty(head))
        return NULL;
    struct list *link = head->next;
    list_remove(link);
    return link;
}

/* The struct that holds `link` as its member. */
#define list_entry(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

/* Walks the links; the body may remove the one it is at. */
#define list_for_each(it, head)                                               \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head); \
         it = it##_next, it##_next = it->next)

#endif
