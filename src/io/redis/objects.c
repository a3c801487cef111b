#include "io/redis/objects.h"

#include <stdint.h>

enum { VERBATIM_PREFIX = 4 /* "txt:" */ };

static redisReply *object_new(const redisReadTask *task);
static void *make_text(const redisReadTask *task, char *bytes, size_t size);
static void *make_list(const redisReadTask *task, size_t count);
static void *make_integer(const redisReadTask *task, long long number);
static void *make_double(const redisReadTask *task, double number, char *bytes, size_t size);
static void *make_nil(const redisReadTask *task);
static void *make_bool(const redisReadTask *task, int is_true);
static void free_nothing(void *object);

static const redisReplyObjectFunctions functions = {make_text, make_list, make_integer, make_double,
                                                    make_nil,  make_bool, free_nothing};

void redis_objects_use(redisReader *reader, struct arena *arena)
{
    reader->fn = (redisReplyObjectFunctions *)(uintptr_t)&functions; /* it only calls them */
    reader->privdata = arena;
}

/* NULL tells the reader that there is no memory. */
static redisReply *object_new(const redisReadTask *task)
{
    redisReply *object = arena_alloc(task->privdata, sizeof(*object));

    if (!object)
        return NULL;
    object->type = task->type;
    if (task->parent)
        ((redisReply *)task->parent->obj)->element[task->idx] = object;
    return object;
}

static void *make_text(const redisReadTask *task, char *bytes, size_t size)
{
    size_t skipped =
        task->type == REDIS_REPLY_VERB && size >= VERBATIM_PREFIX ? VERBATIM_PREFIX : 0;
    struct span copy = arena_copy(task->privdata, (struct span){bytes + skipped, size - skipped});
    redisReply *object = copy.at ? object_new(task) : NULL;

    if (!object)
        return NULL;
    object->str = (char *)(uintptr_t)copy.at;
    object->len = copy.size;
    return object;
}

static void *make_list(const redisReadTask *task, size_t count)
{
    redisReply *object = object_new(task);

    if (!object)
        return NULL;
    object->element = arena_alloc(task->privdata, (count ? count : 1) * sizeof(*object->element));
    object->elements = count;
    return object->element ? object : NULL;
}

static void *make_integer(const redisReadTask *task, long long number)
{
    redisReply *object = object_new(task);

    if (object)
        object->integer = number;
    return object;
}

static void *make_double(const redisReadTask *task, double number, char *bytes, size_t size)
{
    redisReply *object = make_text(task, bytes, size);

    if (object)
        object->dval = number;
    return object;
}

/* The task still has the type the protocol announced: a missing text, a missing list. */
static void *make_nil(const redisReadTask *task)
{
    redisReply *object = object_new(task);

    if (object)
        object->type = REDIS_REPLY_NIL;
    return object;
}

static void *make_bool(const redisReadTask *task, int is_true)
{
    return make_integer(task, is_true != 0);
}

static void free_nothing(void *object)
{
    (void)object;
}
