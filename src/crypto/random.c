#include "crypto/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

static void stop(void);

void random_bytes(void *ret_bytes, size_t size)
{
    char *at = ret_bytes;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            stop();
        at += got;
        size -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t number;
    random_bytes(&number, sizeof(number));
    return number;
}

static void stop(void)
{
    static const char line[] = "keyturn: the kernel gives no random bytes (getrandom), stopping. "
                               "Allow that system call.\n";
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        abort();
    abort();
}
