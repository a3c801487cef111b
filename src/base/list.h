/* list.h: intrusive doubly linked lists. A node knows whether it is linked; linking twice is a bug and stops.
 *
 * Owns      nothing; the nodes live inside their objects.
 */
#ifndef KEYTURN_BASE_LIST_H
#define KEYTURN_BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *node)
{
    node->next = node->prev = node;
}
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}
/* A node that was zeroed or initialised and is in no list. */
static inline bool list_is_linked(const struct list *node)
{
    return node->next && node->next != node;
}

static inline void list_insert_before(struct list *at, struct list *node)
{
    assert(!list_is_linked(node));
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}
static inline void list_prepend(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

/* Safe on a node that is in no list. */
static inline void list_remove(struct list *node)
{
    if (!list_is_linked(node))
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline struct list *list_first(struct list *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

/* Moves every node of from to the end of to. */
static inline void list_take_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* The body may remove the current node. */
#define LIST_EACH(node, head) \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)

#endif
