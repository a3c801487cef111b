/* deadline.h: many waits, few timers. Deadlines of one class usually share one duration, so a class is a list sorted
 * by appending; a loop has one alarm for all classes.
 *
 * Owns      nothing; deadlines are embedded in what they limit.
 * Units     milliseconds of loop_now_ms.
 * Runs on   the loop: a due deadline has left its class and its turn is posted.
 *           The loop judges after a poll that followed the due time: what has come by then is in time.
 * Ends      deadline_leave, as often as you like. A class must outlive its members.
 */
#ifndef KEYTURN_IO_DEADLINE_H
#define KEYTURN_IO_DEADLINE_H

#include "io/loop.h"

struct deadline {
    struct list link;
    uint64_t due_ms;
    struct turn *turn; /* borrowed; posted when due */
    bool passed;       /* set when due, cleared by joining and leaving */
};

struct deadline_class {
    struct list link; /* in the loop */
    struct list members;
    struct loop *loop; /* borrowed */
    uint64_t duration_ms;
};

void deadline_class_open(struct deadline_class *class, struct loop *loop, uint64_t duration_ms);
void deadline_class_close(struct deadline_class *class); /* members leave */

static inline void deadline_init(struct deadline *d, struct turn *turn)
{
    list_init(&d->link);
    d->turn = turn;
    d->due_ms = 0;
    d->passed = false;
}
/* Due one class duration from now; a member that joins again starts anew. */
void deadline_join(struct deadline_class *class, struct deadline *d);
/* Due after an odd duration, for back-off: looks for its place from the end of the list. */
void deadline_join_in(struct deadline_class *class, struct deadline *d, uint64_t after_ms);
void deadline_leave(struct deadline *d);
static inline bool deadline_is_set(const struct deadline *d)
{
    return list_is_linked(&d->link);
}

/* For the loop alone: when the earliest member is due (UINT64_MAX: never), and posting those that are. */
uint64_t deadline_next_ms(struct list *classes);
void deadline_expire(struct list *classes, uint64_t now_ms);
/* The loop's side of a class: where it is registered and that its alarm may have to move. */
struct list *loop_deadline_classes(struct loop *loop);
void loop_alarm_moved(struct loop *loop, uint64_t due_ms);

#endif
