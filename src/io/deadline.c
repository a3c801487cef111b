#include "io/deadline.h"

#include <assert.h>

static void join_at(struct deadline_class *class, struct deadline *d, uint64_t due_ms);

void deadline_class_open(struct deadline_class *class, struct loop *loop, uint64_t duration_ms)
{
    list_init(&class->members);
    list_init(&class->link);
    class->loop = loop;
    class->duration_ms = duration_ms;
    list_append(loop_deadline_classes(loop), &class->link);
}

void deadline_class_close(struct deadline_class *class)
{
    LIST_EACH (node, &class->members)
        deadline_leave(container_of(node, struct deadline, link));
    list_remove(&class->link);
}

void deadline_join(struct deadline_class *class, struct deadline *d)
{
    join_at(class, d, loop_now_ms(class->loop) + class->duration_ms);
}

void deadline_join_in(struct deadline_class *class, struct deadline *d, uint64_t after_ms)
{
    join_at(class, d, loop_now_ms(class->loop) + after_ms);
}

void deadline_leave(struct deadline *d)
{
    list_remove(&d->link);
    d->passed = false;
}

uint64_t deadline_next_ms(struct list *classes)
{
    uint64_t next = UINT64_MAX;

    LIST_EACH (node, classes) {
        struct deadline_class *class = container_of(node, struct deadline_class, link);
        struct list *first = list_first(&class->members);
        if (first && container_of(first, struct deadline, link)->due_ms < next)
            next = container_of(first, struct deadline, link)->due_ms;
    }
    return next;
}

void deadline_expire(struct list *classes, uint64_t now_ms)
{
    LIST_EACH (node, classes) {
        struct deadline_class *class = container_of(node, struct deadline_class, link);
        struct list *first;

        while ((first = list_first(&class->members))) {
            struct deadline *d = container_of(first, struct deadline, link);
            if (d->due_ms > now_ms)
                break;
            list_remove(&d->link);
            d->passed = true;
            loop_post(class->loop, d->turn);
        }
    }
}

static void join_at(struct deadline_class *class, struct deadline *d, uint64_t due_ms)
{
    struct list *after;

    deadline_leave(d);
    d->due_ms = due_ms;
    after = class->members.prev;
    while (after != &class->members && container_of(after, struct deadline, link)->due_ms > due_ms)
        after = after->prev;
    list_insert_before(after->next, &d->link);
    loop_alarm_moved(class->loop, due_ms);
}
