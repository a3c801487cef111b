/* command.h: what the shell can ask for; main.c's table names them all.
 *
 * Fails     the exit code: 0 done, 1 refused or failed, 2 wrong usage.
 */
#ifndef KEYTURN_APP_COMMAND_H
#define KEYTURN_APP_COMMAND_H

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* argv[0] is the command's own word. */
int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_token(int argc, char **argv);
int command_user(int argc, char **argv);
int command_tier(int argc, char **argv);
int command_tier_list(int argc, char **argv); /* of command_tier: the configuration alone */
int command_usage(int argc, char **argv);
int command_docs(int argc, char **argv); /* the README's generated tables */

/* Takes "--name value" or "--name=value" at *index; the value, NULL if this is not that option. A missing value is "". */
const char *option_value(int argc, char **argv, int *index, const char *name);

#endif
