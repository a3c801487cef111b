#include "io/journal.h"

#include "base/alloc.h"
#include "base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX = 256 << 20, PIECE = 64 << 10 };

struct journal {
    int fd;
};

struct journal *journal_open(const char *path, char ret_error[160])
{
    struct journal *journal;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(ret_error, 160,
                 fd < 0 ? "the journal cannot be written: %s"
                        : "another keyturn keeps this journal: %s",
                 strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    journal = must_alloc(sizeof(*journal));
    journal->fd = fd;
    return journal;
}

void journal_close(struct journal *journal)
{
    close(journal->fd);
    must_free(journal);
}

void journal_each(struct journal *journal, void (*visit)(struct span line, void *context),
                  void *context)
{
    struct buffer all;
    struct span rest, line;
    ssize_t got;
    char *room;

    buffer_init(&all, FILE_MAX);
    while ((room = buffer_room(&all, PIECE)) &&
           (got = pread(journal->fd, room, PIECE, (off_t)buffer_size(&all))) > 0)
        buffer_grew(&all, (size_t)got);
    rest = buffer_view(&all);
    while (span_contains(rest, SPAN("\n")) && span_split(&rest, '\n', &line))
        visit(line, context);
    buffer_done(&all);
}

bool journal_append(struct journal *journal, struct span line)
{
    ssize_t written = write(journal->fd, line.at, line.size);

    if (written == (ssize_t)line.size)
        return true;
    if (written > 0) { /* a piece would spoil the next line */
        off_t end = lseek(journal->fd, 0, SEEK_END);
        int failed = ftruncate(journal->fd, end - written);
        (void)failed; /* then the next line is read as a broken one, and told */
    }
    return false;
}

void journal_empty(struct journal *journal)
{
    int failed = ftruncate(journal->fd, 0);

    (void)failed; /* what stays is told "already" when it is replayed */
}
