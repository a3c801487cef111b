#include "app/environment.h"

#include <stdio.h>

#include "app/dotenv.h"
#include "app/environment_mode.h"
#include "app/whole_file.h"
#include "base/alloc.h"
#include "io/address.h"
#include "io/origin.h"

enum { SECRET_BYTES_MAX = 1 << 16, NAME_SIZE = 64 };

static const char default_base_url[] = "https://openrouter.ai/api/v1";

struct secret_row {
    const char *variable;
    bool required;
    const char *text;
    size_t offset; /* in struct environment */
};

static const struct secret_row rows[] = {
#define ROW(field, variable, required, text) \
    {variable, required, text, offsetof(struct environment, field)},
    SECRETS(ROW)
#undef ROW
};
enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

struct reading {
    struct environment *environment;
    const char *(*lookup)(const char *name);
    struct dotenv dotenv;
    bool mode_is_known, fine;
    struct buffer *faults;
};

static void read_dotenv(struct reading *reading, const char *path);
static void read_secret(struct reading *reading, const struct secret_row *row);
static void take_value(struct reading *reading, const struct secret_row *row, const char *source,
                       struct span value);
static void take_file(struct reading *reading, const struct secret_row *row, const char *variable,
                      const char *path);
static bool is_one_word(struct span value);
static void read_base_url(struct reading *reading);
static const char *base_url_fault(const char *url);
static bool is_loopback(const struct origin *origin);
static void fault(struct reading *reading, const char *variable, const char *what);
static bool is_secret_name(struct span name);

bool environment_read(struct environment *environment, const char *(*lookup)(const char *name),
                      const char *dotenv, bool on_loopback, struct buffer *faults)
{
    struct reading reading = {environment, lookup, {0}, true, true, faults};

    *environment = (struct environment){0};
    reading.mode_is_known = environment_mode(lookup, &environment->mode, faults);
    reading.fine = reading.mode_is_known;
    if (environment->mode == MODE_DEVELOPMENT && !on_loopback)
        fault(&reading, "Development mode",
              "lets anybody in and so listens on loopback addresses only; "
              "listen on 127.0.0.1 or set KEYTURN_ENV=production");
    if (environment->mode == MODE_DEVELOPMENT)
        read_dotenv(&reading, dotenv);
    for (size_t i = 0; i < ROW_COUNT; i++)
        read_secret(&reading, &rows[i]);
    read_base_url(&reading);
    dotenv_done(&reading.dotenv);
    return reading.fine;
}

void environment_done(struct environment *environment)
{
#define ROW(field, variable, required, text) secret_done(&environment->field);
    SECRETS(ROW)
#undef ROW
    must_free(environment->base_url);
    environment->base_url = NULL;
}

void environment_put_settings(const char *(*lookup)(const char *name), const char *dotenv,
                              int (*put)(const char *name, const char *value, int overwrite))
{
    struct dotenv lines = {0};
    struct buffer unsaid; /* environment_read says it */
    enum mode mode;

    buffer_init(&unsaid, 0);
    environment_mode(lookup, &mode, &unsaid);
    if (mode == MODE_DEVELOPMENT)
        dotenv_read(&lines, dotenv, &unsaid);
    for (size_t i = 0; i < lines.count; i++) {
        struct span name = secret_reveal(&lines.lines[i].name);
        if (span_starts(name, SPAN("KEYTURN_")) && !span_equal(name, SPAN("KEYTURN_ENV")) &&
            !is_secret_name(name) && !lookup(name.at))
            put(name.at, secret_reveal(&lines.lines[i].value).at, 0);
    }
    dotenv_done(&lines);
    buffer_done(&unsaid);
}

bool environment_print_markdown(struct buffer *out)
{
    bool fits = buffer_format(out, "| variable | in production | what |\n|---|---|---|\n");

    for (size_t i = 0; fits && i < ROW_COUNT; i++)
        fits = buffer_format(out, "| `%s` | %s | %s |\n", rows[i].variable,
                             rows[i].required ? "required" : "optional", rows[i].text);
    return fits &&
           buffer_format(out, "| `OPENROUTER_BASE_URL` | optional | default `%s` |\n",
                         default_base_url) &&
           buffer_append(out, SPAN("| `KEYTURN_ENV` | `production` | `development` or "
                                   "`production`; DEBUG=false with DEPLOY_ENV set means "
                                   "production too |\n"));
}

bool environment_print_help(struct buffer *out)
{
    bool fits = true;

    for (size_t i = 0; fits && i < ROW_COUNT; i++)
        fits = buffer_format(out, "  %-28s %s%s\n", rows[i].variable, rows[i].text,
                             rows[i].required ? " (required in production)" : "");
    return fits &&
           buffer_format(out, "  %-28s default %s\n", "OPENROUTER_BASE_URL", default_base_url) &&
           buffer_format(out, "  %-28s development or production\n", "KEYTURN_ENV") &&
           buffer_append(out, SPAN("  Each secret can also be the content of a file that the "
                                   "variable's name with _FILE behind it names.\n"));
}

static void read_dotenv(struct reading *reading, const char *path)
{
    const char *mode;

    reading->fine = dotenv_read(&reading->dotenv, path, reading->faults) && reading->fine;
    reading->environment->used_dotenv = reading->dotenv.was_there;
    mode = dotenv_find(&reading->dotenv, "KEYTURN_ENV");
    if (mode && strcmp(mode, "development") != 0)
        fault(reading, "KEYTURN_ENV",
              "cannot be decided in .env, which is read in development only; "
              "set it in the environment");
}

/* The environment's word, given as value or as file, goes before that of .env. */
static void read_secret(struct reading *reading, const struct secret_row *row)
{
    char file_variable[NAME_SIZE];
    const char *value = reading->lookup(row->variable), *path;

    snprintf(file_variable, sizeof(file_variable), "%s_FILE", row->variable);
    path = reading->lookup(file_variable);
    if (!value && !path) {
        value = dotenv_find(&reading->dotenv, row->variable);
        path = dotenv_find(&reading->dotenv, file_variable);
    }
    if (value && path)
        fault(reading, row->variable, "is set and its _FILE variable too; take one of them away");
    else if (value)
        take_value(reading, row, row->variable, span_of(value));
    else if (path)
        take_file(reading, row, file_variable, path);
    else if (row->required && reading->mode_is_known &&
             reading->environment->mode == MODE_PRODUCTION)
        fault(reading, row->variable,
              "is not set and production needs it; set it or the variable with _FILE behind its "
              "name");
}

static void take_value(struct reading *reading, const struct secret_row *row, const char *source,
                       struct span value)
{
    struct secret *secret = (struct secret *)(void *)((char *)reading->environment + row->offset);

    if (value.size == 0)
        fault(reading, source, "is empty; give it a value or unset it");
    else if (!is_one_word(value))
        fault(reading, source,
              "holds a blank or a control character, which no secret here has; correct it");
    else
        secret_set(secret, value);
}

static void take_file(struct reading *reading, const struct secret_row *row, const char *variable,
                      const char *path)
{
    struct buffer content;
    struct span value;
    bool for_all = false;
    char error[WHOLE_FILE_ERROR_SIZE], what[WHOLE_FILE_ERROR_SIZE + 64];

    buffer_init(&content, SECRET_BYTES_MAX);
    if (!whole_file_read(path, &content, &for_all, error)) {
        snprintf(what, sizeof(what), "names a file that %s; correct that", error);
        fault(reading, variable, what);
    } else if (for_all && reading->environment->mode == MODE_PRODUCTION) {
        fault(reading, variable,
              "names a file that every user of this machine can read or change; chmod it to 0400");
    } else {
        value = buffer_view(&content);
        if (span_ends(value, SPAN("\n")))
            value.size -= span_ends(value, SPAN("\r\n")) ? 2 : 1;
        take_value(reading, row, variable, value);
    }
    buffer_wipe(&content);
}

static bool is_one_word(struct span value)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.at[i] <= ' ' || value.at[i] == 0x7f)
            return false;
    return true;
}

static void read_base_url(struct reading *reading)
{
    const char *given = reading->lookup("OPENROUTER_BASE_URL"), *wrong;
    size_t size;

    if (!given)
        given = dotenv_find(&reading->dotenv, "OPENROUTER_BASE_URL");
    wrong = given ? base_url_fault(given) : NULL;
    if (wrong)
        fault(reading, "OPENROUTER_BASE_URL", wrong);
    reading->environment->base_url = must_copy(given && !wrong ? given : default_base_url);
    size = strlen(reading->environment->base_url);
    while (reading->environment->base_url[size - 1] == '/')
        reading->environment->base_url[--size] = '\0';
}

/* The URL itself is not shown: somebody may have put a password or a key there. */
static const char *base_url_fault(const char *url)
{
    struct origin origin;
    char error[ORIGIN_ERROR_SIZE];

    if (strpbrk(url, "@?#"))
        return "must have no user, query or fragment; write https://host/path";
    if (!origin_parse(url, &origin, error))
        return "is not a usable URL; write https://host/path, such as https://openrouter.ai/api/v1";
    if (!origin.tls && !is_loopback(&origin))
        return "would send keys unencrypted; write https://, http:// is for loopback hosts only";
    return NULL;
}

static bool is_loopback(const struct origin *origin)
{
    struct address address;
    char text[ORIGIN_HOST_MAX + 8], error[160];

    if (!origin->host_is_v4 && !origin->host_is_v6)
        return strcmp(origin->host, "localhost") == 0;
    snprintf(text, sizeof(text), origin->host_is_v6 ? "[%s]:1" : "%s:1", origin->host);
    return address_parse(text, &address, error) && address_is_loopback(&address);
}

static void fault(struct reading *reading, const char *variable, const char *what)
{
    reading->fine = false;
    buffer_format(reading->faults, "%s %s.\n", variable, what);
}

static bool is_secret_name(struct span name)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (span_equal(name, span_of(rows[i].variable)) ||
            (span_ends(name, SPAN("_FILE")) &&
             span_equal(span_first(name, name.size - 5), span_of(rows[i].variable))))
            return true;
    return false;
}
