#include "fake/fake_journal.h"

#include "base/alloc.h"
#include "base/buffer.h"

#include <assert.h>

struct journal {
    struct buffer text;
    bool full;
};

static void count_line(struct span line, void *context);

struct journal *journal_open(const char *path, char ret_error[160])
{
    struct journal *journal = must_alloc(sizeof(*journal));

    (void)path;
    ret_error[0] = '\0';
    buffer_init(&journal->text, SIZE_MAX / 4);
    return journal;
}

void journal_close(struct journal *journal)
{
    buffer_done(&journal->text);
    must_free(journal);
}

void journal_each(struct journal *journal, void (*visit)(struct span line, void *context),
                  void *context)
{
    struct buffer copy;
    struct span rest, line;

    buffer_init(&copy, SIZE_MAX / 4); /* who visits may append */
    buffer_append(&copy, buffer_view(&journal->text));
    rest = buffer_view(&copy);
    while (rest.size > 0 && span_split(&rest, '\n', &line))
        if (line.size > 0)
            visit(line, context);
    buffer_done(&copy);
}

bool journal_append(struct journal *journal, struct span line)
{
    assert(line.size > 0 && line.at[line.size - 1] == '\n');
    return !journal->full && buffer_append(&journal->text, line);
}

void journal_empty(struct journal *journal)
{
    buffer_consume(&journal->text, buffer_size(&journal->text));
}

size_t fake_journal_lines(struct journal *journal)
{
    size_t count = 0;

    journal_each(journal, count_line, &count);
    return count;
}

void fake_journal_is_full(struct journal *journal, bool full)
{
    journal->full = full;
}

static void count_line(struct span line, void *context)
{
    size_t *count = context;

    (void)line;
    ++*count;
}
