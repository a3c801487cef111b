#include "domain/sse_done.h"

enum verdict { IS_OTHER, IS_OPEN, IS_MARK };

static const struct span marks[] = {SPAN("data: [DONE]"), SPAN("data:[DONE]")};

static bool pass_held(struct sse_done *done, struct span *bytes, struct span *ret_run,
                      bool *ret_at_done);
static bool hold(struct sse_done *done, struct span *bytes);
static size_t pass_lines(struct sse_done *done, struct span bytes);
static size_t pass_line_start(struct sse_done *done, char c);
static size_t line_end(struct span bytes, size_t from);
static enum verdict judge(struct span line);

bool sse_done_take(struct sse_done *done, struct span *bytes, struct span *ret_run,
                   bool *ret_at_done)
{
    size_t size;

    *ret_at_done = false;
    if (bytes->size == 0)
        return false;
    if (done->held_size > 0)
        return pass_held(done, bytes, ret_run, ret_at_done);
    size = done->found ? bytes->size : pass_lines(done, *bytes);
    if (size == 0 && judge(*bytes) == IS_OPEN)
        return hold(done, bytes);
    if (size == 0) {
        done->found = *ret_at_done = true;
        size = bytes->size;
    }
    *ret_run = span_first(*bytes, size);
    *bytes = span_from(*bytes, size);
    return true;
}

bool sse_done_end(struct sse_done *done, struct span *ret_run, bool *ret_at_done)
{
    *ret_run = (struct span){done->held, done->held_size};
    *ret_at_done = false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        *ret_at_done = *ret_at_done || span_equal(*ret_run, marks[i]);
    done->found = done->found || *ret_at_done;
    done->in_line = done->in_line || ret_run->size > 0;
    done->held_size = 0;
    return ret_run->size > 0;
}

bool sse_done_is_between_events(const struct sse_done *done)
{
    return !done->found && done->held_size == 0 && !done->in_line && !done->in_event;
}

/* With the bytes that came now the line is the mark, or another one, or still open. */
static bool pass_held(struct sse_done *done, struct span *bytes, struct span *ret_run,
                      bool *ret_at_done)
{
    char text[SSE_DONE_HELD_MAX + 1];
    struct span more = span_first(*bytes, sizeof(text) - done->held_size);
    enum verdict verdict;

    memcpy(text, done->held, done->held_size);
    memcpy(text + done->held_size, more.at, more.size);
    verdict = judge((struct span){text, done->held_size + more.size});
    if (verdict == IS_OPEN)
        return hold(done, bytes);
    *ret_run = (struct span){done->held, done->held_size};
    done->held_size = 0;
    done->found = *ret_at_done = verdict == IS_MARK;
    done->in_line = done->in_event = true;
    return true;
}

static bool hold(struct sse_done *done, struct span *bytes)
{
    memcpy(done->held + done->held_size, bytes->at, bytes->size);
    done->held_size = (unsigned char)(done->held_size + bytes->size);
    *bytes = span_from(*bytes, bytes->size);
    return false;
}

/* How many bytes are before the first line that is the mark, or may become it. */
static size_t pass_lines(struct sse_done *done, struct span bytes)
{
    size_t at = 0;

    while (at < bytes.size) {
        if (!done->in_line && !done->in_event && judge(span_from(bytes, at)) != IS_OTHER) {
            done->behind_cr = false;
            return at;
        }
        if (!done->in_line)
            at += pass_line_start(done, bytes.at[at]);
        if (!done->in_line)
            continue;
        at = line_end(bytes, at);
        if (at < bytes.size) {
            done->in_line = false;
            done->behind_cr = bytes.at[at++] == '\r';
        }
    }
    return at;
}

/* A line end at once is a blank line, unless it is the second half of the one before. */
static size_t pass_line_start(struct sse_done *done, char c)
{
    bool second_half = done->behind_cr && c == '\n';

    done->behind_cr = false;
    if (second_half)
        return 1;
    if (c == '\n' || c == '\r') {
        done->in_event = false;
        done->behind_cr = c == '\r';
        return 1;
    }
    done->in_line = true;
    done->in_event = done->in_event || c != ':';
    return 0;
}

static size_t line_end(struct span bytes, size_t from)
{
    struct span rest = span_from(bytes, from);
    const char *lf = memchr(rest.at, '\n', rest.size);
    size_t size = lf ? (size_t)(lf - rest.at) : rest.size;
    const char *cr = memchr(rest.at, '\r', size);

    return from + (cr ? (size_t)(cr - rest.at) : size);
}

/* What is whole but for its end may still be longer. */
static enum verdict judge(struct span line)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
        const struct span mark = marks[i];
        if (line.size <= mark.size && span_starts(mark, line))
            return IS_OPEN;
        if (span_starts(line, mark) && (line.at[mark.size] == '\n' || line.at[mark.size] == '\r'))
            return IS_MARK;
    }
    return IS_OTHER;
}
