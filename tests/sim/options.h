/*
 * The command line.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>

enum { API_KEYS = 16 };

struct options {
    char host[64];
    int port;
    const char *management_key;
    const char *api_keys[API_KEYS];
    int api_key_count;
    bool fast;
    bool help;
};

/* On wrong usage says so on stderr and gives false. */
bool options_read(struct options *ret_options, int count, char **words);
void options_help(void);

#endif
