#include "app/command.h"
#include "app/config.h"
#include "app/environment.h"

#include <stdio.h>
#include <string.h>

static int print_help(int argc, char **argv);
static int print_version(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *text;
} commands[] = {
    {"serve", command_serve, "[--config FILE] [--listen ADDR] [--admin-listen ADDR]",
     "run the proxy"},
    {"check", command_check, "[--config FILE]",
     "validate configuration and environment, start nothing"},
    {"token", command_token, "create USER [--tier TIER] [--service]",
     "make a client token; prints the token alone"},
    {"user", command_user, "show USER [--json]",
     "a user: status, tier, own limits, what is left, state of the key"},
    {"user", command_user, "set USER [--tier TIER] [--limit-usd N|none] ...",
     "change tier, own limits and status; keyturn user lists all options"},
    {"user", command_user, "boost USER --limit-usd N --until TIME [--json]",
     "more budget for a time"},
    {"tier", command_tier, "list [--json]", "the tiers of the configuration"},
    {"tier", command_tier, "set USER TIER [--json]", "give a user another tier"},
    {"usage", command_usage, "[--from DAY] [--to DAY] [--group-by G] [--csv|--json]",
     "what was spent, by user, tier, model or day; this month by user"},
    {"docs", command_docs, "PAGE", "print a table of the README; without PAGE: which there are"},
    {"--version", print_version, "", "print the version"},
    {"--help", print_help, "", "print this"},
};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "keyturn: there is no command '%s'; see keyturn --help\n", name);
    return EXIT_USAGE;
}

static int print_help(int argc, char **argv)
{
    struct buffer tables;

    (void)argc;
    (void)argv;
    printf(
        "keyturn %s: one OpenRouter sub-key per end user, made, renewed and kept by the proxy\n\n",
        KEYTURN_VERSION);
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        printf("  keyturn %-9s %-53s %s\n", commands[i].name, commands[i].usage, commands[i].text);
    buffer_init(&tables, 1 << 20);
    buffer_append(&tables, SPAN("\nEnvironment (each secret also as a file: <VARIABLE>_FILE):\n"));
    environment_print_help(&tables);
    buffer_append(&tables,
                  SPAN("\nConfiguration (YAML: section, field; or KEYTURN_<SECTION>_<FIELD>):\n"));
    config_print_help(&tables);
    buffer_append(&tables, SPAN("\nExit codes: 0 done, 1 refused or failed, 2 wrong usage.\n"));
    fwrite(buffer_view(&tables).at, 1, buffer_size(&tables), stdout);
    buffer_done(&tables);
    return EXIT_DONE;
}

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("keyturn %s\n", KEYTURN_VERSION);
    return EXIT_DONE;
}
