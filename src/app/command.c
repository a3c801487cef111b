#include "app/command.h"

#include <string.h>

const char *option_value(int argc, char **argv, int *index, const char *name)
{
    const char *word = argv[*index];
    size_t size = strlen(name);

    if (strncmp(word, name, size) != 0)
        return NULL;
    if (word[size] == '=')
        return word + size + 1;
    if (word[size] != '\0')
        return NULL;
    if (*index + 1 >= argc)
        return "";
    return argv[++*index];
}
