/* keyturn check: everything `serve` would refuse before it touches the network, told at once. */
#include "app/command.h"
#include "app/core.h"
#include "app/stray_variables.h"

#include <stdio.h>
#include <unistd.h>

static void print_stray(void *context, const struct stray_variable *stray);

int command_check(int argc, char **argv)
{
    struct core_options options = {0};
    struct core core;
    struct buffer faults;
    bool fine;

    for (int i = 1; i < argc; i++) {
        const char *file = option_value(argc, argv, &i, "--config");
        if (!file || !*file) {
            fprintf(stderr, "keyturn check: [--config FILE] is all it takes\n");
            return EXIT_USAGE;
        }
        options.config_file = file;
    }
    core = (struct core){0};
    buffer_init(&faults, 1 << 16);
    fine = core_read_settings(&core, &options, &faults);
    fwrite(buffer_view(&faults).at, 1, buffer_size(&faults), stderr);
    buffer_done(&faults);
    stray_variables_visit(environ, print_stray, NULL);
    environment_done(&core.environment);
    config_done(&core.config);
    if (fine)
        printf("configuration and environment are fine\n");
    return fine ? EXIT_DONE : EXIT_FAILED;
}

static void print_stray(void *context, const struct stray_variable *stray)
{
    (void)context;
    fprintf(stderr, "%.*s: nothing reads this variable%s%s%s\n", SPAN_PRINT(stray->name),
            stray->near ? "; did you mean " : "", stray->near ? stray->near : "",
            stray->near ? "?" : "");
}
