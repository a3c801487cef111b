/* dotenv.h: a .env file: lines NAME=VALUE, also with export before and with '...' or "..." around the value; # begins a
 * comment at a line's start and, after a blank, behind a value. In double quotes \n, \" and \\ are understood; nothing
 * is expanded. Kept are OPENROUTER_PROVISIONING_KEY, OPENROUTER_API_KEY, OPENROUTER_BASE_URL, the two keys' _FILE and
 * every KEYTURN_ name; other names belong to other programs.
 *
 * Owns      its texts; they may be secrets and are wiped.
 * Fails     dotenv_read: one line per fault, ".env:3: ..."; it never shows a value. A file that is not there is none.
 * Ends      dotenv_done.
 */
#ifndef KEYTURN_APP_DOTENV_H
#define KEYTURN_APP_DOTENV_H

#include "base/buffer.h"
#include "base/secret.h"

struct dotenv_line {
    struct secret name, value; /* the name too: a line may be garbled */
};

struct dotenv {
    bool was_there;
    struct dotenv_line *lines;
    size_t count;
};

bool dotenv_read(struct dotenv *dotenv, const char *path, struct buffer *faults);
void dotenv_done(struct dotenv *dotenv);
/* NULL when it has none. */
const char *dotenv_find(const struct dotenv *dotenv, const char *name);

#endif
