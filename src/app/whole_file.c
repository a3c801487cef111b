#include "app/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 4096 };

static bool read_all(int fd, struct buffer *out, char ret_error[WHOLE_FILE_ERROR_SIZE]);

bool whole_file_read(const char *path, struct buffer *out, bool *ret_for_all,
                     char ret_error[WHOLE_FILE_ERROR_SIZE])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat file;
    bool whole;

    if (fd < 0 || fstat(fd, &file)) {
        snprintf(ret_error, WHOLE_FILE_ERROR_SIZE, "cannot be opened: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (ret_for_all)
        *ret_for_all = (file.st_mode & (S_IROTH | S_IWOTH)) != 0;
    whole = read_all(fd, out, ret_error);
    close(fd);
    return whole;
}

static bool read_all(int fd, struct buffer *out, char ret_error[WHOLE_FILE_ERROR_SIZE])
{
    ssize_t size;

    for (;;) {
        /* A full buffer asks whether the file ends here. */
        size_t left = out->limit_bytes - buffer_size(out);
        char beyond,
            *room = left ? buffer_room(out, left < PIECE_BYTES ? left : PIECE_BYTES) : &beyond;
        size = read(fd, room, left == 0 ? 1 : left < PIECE_BYTES ? left : PIECE_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        if (left == 0) {
            snprintf(ret_error, WHOLE_FILE_ERROR_SIZE, "is larger than %zu bytes",
                     out->limit_bytes);
            return false;
        }
        buffer_grew(out, (size_t)size);
    }
    if (size < 0)
        snprintf(ret_error, WHOLE_FILE_ERROR_SIZE, "cannot be read: %s", strerror(errno));
    return size == 0;
}
