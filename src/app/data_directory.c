#include "app/data_directory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

bool data_directory_make(const char *path)
{
    char part[512];

    for (size_t i = 0; i == 0 || path[i - 1]; i++) {
        bool ends_here = path[i] == '\0' || path[i] == '/';
        if (i == 0 || !ends_here)
            continue;
        if (snprintf(part, sizeof(part), "%.*s", (int)i, path) >= (int)sizeof(part)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
    }
    return true;
}
