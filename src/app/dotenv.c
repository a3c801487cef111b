#include "app/dotenv.h"

#include <unistd.h>

#include "app/environment.h"
#include "app/whole_file.h"
#include "base/alloc.h"

enum { FILE_BYTES_MAX = 1 << 18 };

static const char *read_line(struct dotenv *dotenv, struct span line);
static size_t name_size(struct span line);
static bool is_ours(struct span name);
static const char *read_value(struct span text, struct buffer *out);
static const char *read_quoted(struct span text, struct buffer *out);
static const char *unescape(char c);
static void keep(struct dotenv *dotenv, struct span name, struct span value);

bool dotenv_read(struct dotenv *dotenv, const char *path, struct buffer *faults)
{
    struct buffer text;
    struct span rest, line;
    char error[WHOLE_FILE_ERROR_SIZE];
    bool fine = true;

    *dotenv = (struct dotenv){0};
    if (!path || access(path, F_OK))
        return true;
    buffer_init(&text, FILE_BYTES_MAX);
    dotenv->was_there = whole_file_read(path, &text, NULL, error);
    if (!dotenv->was_there) {
        buffer_format(faults, "%s %s; correct that or take the file away\n", path, error);
        buffer_wipe(&text);
        return false;
    }
    rest = buffer_view(&text);
    for (size_t number = 1; span_split(&rest, '\n', &line); number++) {
        const char *wrong = read_line(dotenv, span_trim(line));
        if (wrong)
            buffer_format(faults, "%s:%zu: %s\n", path, number, wrong);
        fine = fine && !wrong;
    }
    buffer_wipe(&text);
    return fine;
}

void dotenv_done(struct dotenv *dotenv)
{
    for (size_t i = 0; i < dotenv->count; i++) {
        secret_done(&dotenv->lines[i].name);
        secret_done(&dotenv->lines[i].value);
    }
    must_free(dotenv->lines);
    *dotenv = (struct dotenv){0};
}

const char *dotenv_find(const struct dotenv *dotenv, const char *name)
{
    for (size_t i = 0; i < dotenv->count; i++)
        if (span_equal(secret_reveal(&dotenv->lines[i].name), span_of(name)))
            return secret_reveal(&dotenv->lines[i].value).at;
    return NULL;
}

/* What is wrong with the line, or NULL. */
static const char *read_line(struct dotenv *dotenv, struct span line)
{
    struct buffer value;
    struct span name;
    const char *wrong;
    char text[64];

    if (line.size == 0 || line.at[0] == '#')
        return NULL;
    if (span_starts(line, SPAN("export ")) || span_starts(line, SPAN("export\t")))
        line = span_trim(span_from(line, 7));
    name = span_first(line, name_size(line));
    line = span_trim(span_from(line, name.size));
    if (name.size == 0 || line.size == 0 || line.at[0] != '=')
        return "this is not NAME=VALUE; write it so, or put # in front";
    if (!is_ours(name) || !span_text(name, text, sizeof(text)))
        return NULL;
    if (dotenv_find(dotenv, text))
        return "this name was set above; keep one of the lines";
    buffer_init(&value, FILE_BYTES_MAX);
    wrong = read_value(span_trim(span_from(line, 1)), &value);
    if (!wrong)
        keep(dotenv, name, buffer_view(&value));
    buffer_wipe(&value);
    return wrong;
}

static size_t name_size(struct span line)
{
    size_t size = 0;

    for (; size < line.size; size++) {
        char c = line.at[size], letter = (char)(c | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && c != '_' && !(size > 0 && c >= '0' && c <= '9'))
            break;
    }
    return size;
}

static bool is_ours(struct span name)
{
#define ROW(field, variable, required, text) \
    if (span_equal(name, SPAN(variable)) || span_equal(name, SPAN(variable "_FILE"))) \
        return true;
    SECRETS(ROW)
#undef ROW
    return span_equal(name, SPAN("OPENROUTER_BASE_URL")) || span_starts(name, SPAN("KEYTURN_"));
}

static const char *read_value(struct span text, struct buffer *out)
{
    size_t size = 0;

    if (text.size > 0 && memchr(text.at, '\0', text.size))
        return "a NUL byte stands here; write text only";
    if (text.size > 0 && (text.at[0] == '"' || text.at[0] == '\''))
        return read_quoted(text, out);
    while (size < text.size && !(text.at[size] == '#' && (size == 0 || text.at[size - 1] == ' ' ||
                                                          text.at[size - 1] == '\t')))
        size++;
    buffer_append(out, span_trim(span_first(text, size)));
    return NULL;
}

static const char *read_quoted(struct span text, struct buffer *out)
{
    char quote = text.at[0];
    size_t i = 1;

    for (; i < text.size && text.at[i] != quote; i++) {
        const char *escaped = quote == '"' && i + 1 < text.size && text.at[i] == '\\'
                                  ? unescape(text.at[i + 1])
                                  : NULL;
        buffer_append(out, (struct span){escaped ? escaped : text.at + i, 1});
        i += escaped ? 1 : 0;
    }
    if (i == text.size)
        return "the quote is not closed in this line; close it";
    text = span_trim(span_from(text, i + 1));
    if (text.size > 0 && text.at[0] != '#')
        return "something follows the closing quote; take it out, or escape the quote inside as "
               "\\\"";
    return NULL;
}

static const char *unescape(char c)
{
    return c == 'n' ? "\n" : c == '"' ? "\"" : c == '\\' ? "\\" : NULL;
}

static void keep(struct dotenv *dotenv, struct span name, struct span value)
{
    struct dotenv_line *line;

    dotenv->lines = must_resize(dotenv->lines, (dotenv->count + 1) * sizeof(*dotenv->lines));
    line = &dotenv->lines[dotenv->count++];
    *line = (struct dotenv_line){0};
    secret_set(&line->name, name);
    secret_set(&line->value, value);
}
