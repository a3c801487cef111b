/* An answer means the same however its bytes are cut; the first byte of the input says where. */
#include "io/upstream/answer.h"

#include <assert.h>
#include <stdlib.h>

struct heard {
    struct upstream_call call;
    int status;
    int64_t told_size;
    struct buffer body;
    bool pauses;
};

static void on_head(struct upstream_call *call, const struct upstream_head *head)
{
    struct heard *heard = container_of(call, struct heard, call);

    assert(!heard->status && head->status >= 200 && head->status <= 599);
    heard->status = head->status;
    heard->told_size = head->body_size;
}

static bool on_body(struct upstream_call *call, struct span bytes)
{
    struct heard *heard = container_of(call, struct heard, call);

    assert(heard->status && bytes.size);
    buffer_append(&heard->body, bytes);
    return !heard->pauses;
}

static enum upstream_answer_state hear(struct heard *heard, struct span bytes, size_t piece,
                                       bool pauses)
{
    static const struct upstream_events events = {on_head, on_body, NULL};
    static struct header rows[UPSTREAM_FIELDS_MAX];
    enum upstream_answer_state state = UPSTREAM_ANSWER_MORE;
    struct upstream_answer answer;

    *heard = (struct heard){.call.events = &events, .pauses = pauses};
    buffer_init(&heard->body, SIZE_MAX / 4);
    upstream_answer_init(&answer);
    upstream_answer_begin(&answer, &heard->call, false);
    while (bytes.size && (state == UPSTREAM_ANSWER_MORE || state == UPSTREAM_ANSWER_PAUSED)) {
        struct span part = span_first(bytes, piece);
        size_t taken;
        char *copy = malloc(part.size); /* so that reading beyond it is noticed */
        memcpy(copy, part.at, part.size);
        state = upstream_answer_feed(&answer, (struct span){copy, part.size}, rows, &taken);
        assert(taken <= part.size && (state != UPSTREAM_ANSWER_MORE || taken == part.size));
        bytes = span_from(bytes, taken);
        free(copy);
    }
    while (state == UPSTREAM_ANSWER_PAUSED) {
        size_t taken;
        state = upstream_answer_feed(&answer, SPAN(""), rows, &taken);
    }
    if (state == UPSTREAM_ANSWER_MORE && upstream_answer_end(&answer))
        state = UPSTREAM_ANSWER_WHOLE;
    upstream_answer_done(&answer);
    return state;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct heard once, cut;
    enum upstream_answer_state first, second;

    if (!size)
        return 0;
    bytes = span_from(bytes, 1);
    first = hear(&once, bytes, SIZE_MAX, false);
    second = hear(&cut, bytes, data[0] % 16 + 1u, data[0] & 16);
    assert(once.status == cut.status && once.told_size == cut.told_size);
    assert((first == UPSTREAM_ANSWER_WHOLE) == (second == UPSTREAM_ANSWER_WHOLE));
    assert(span_equal(buffer_view(&once.body), buffer_view(&cut.body)));
    if (first == UPSTREAM_ANSWER_WHOLE && once.told_size >= 0)
        assert((uint64_t)once.told_size == buffer_size(&once.body));
    buffer_done(&once.body);
    buffer_done(&cut.body);
    return 0;
}
