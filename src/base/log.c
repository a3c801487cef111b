#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json_write.h"

enum {
    LINE_BYTES = 8 * 1024,
    LINE_RESERVE = 32, /* of the line: for the mark of a cut line and its end */
    VALUE_BYTES = 1024,
    SINK_BYTES = 1024 * 1024,
    SINK_KEPT_BYTES = 64 * 1024, /* what an empty sink may keep allocated */
    CLOSE_TRIES = 10,
    CLOSE_WAIT_MS = 100
};

struct log {
    int fd;
    enum log_format format;
    enum log_level least;
    bool is_socket;
    int64_t lines_lost;
    struct buffer line, sink;
};

static const char *const level_words[] = {"debug", "info", "warn", "error"};

static void line_compose(struct log *log, enum log_level level, const char *message,
                         const struct log_field *fields, size_t count);
static bool line_add(struct log *log, struct json *j, const struct log_field *field);
static void put_field(struct log *log, struct json *j, const struct log_field *field);
static void put_logfmt_text(struct json *j, struct span text);
static bool is_bare(struct span text);
static ssize_t sink_write(const struct log *log, struct span bytes);
static bool sink_take_line(struct log *log);
static bool sink_tell_loss(struct log *log);

enum log_level log_level_parse(const char *name)
{
    for (size_t i = 0; i < sizeof(level_words) / sizeof(*level_words); i++)
        if (strcmp(level_words[i], name) == 0)
            return (enum log_level)i;
    return LOG_INFO;
}

struct log *log_open(int fd, enum log_format format, enum log_level least)
{
    struct log *log = must_alloc(sizeof(*log));
    struct stat kind;

    log->fd = fd;
    log->format = format;
    log->least = least;
    log->is_socket = fstat(fd, &kind) == 0 && S_ISSOCK(kind.st_mode);
    buffer_init(&log->line, LINE_BYTES);
    buffer_init(&log->sink, SINK_BYTES);
    return log;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    log_flush(log);
    for (int i = 0; i < CLOSE_TRIES && buffer_size(&log->sink) > 0; i++) {
        struct pollfd writable = {log->fd, POLLOUT, 0};
        poll(&writable, 1, CLOSE_WAIT_MS);
        log_flush(log);
    }
    buffer_done(&log->line);
    buffer_done(&log->sink);
    must_free(log);
}

bool log_wants(const struct log *log, enum log_level level)
{
    return log && level >= log->least;
}

void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t count)
{
    if (!log_wants(log, level))
        return;
    if (!sink_tell_loss(log)) { /* first: what is lost was before this line */
        log->lines_lost++;
        return;
    }
    line_compose(log, level, message, fields, count);
    if (!sink_take_line(log))
        log->lines_lost++;
}

void log_flush(struct log *log)
{
    if (!log || buffer_size(&log->sink) == 0)
        return;
    struct span waiting = buffer_view(&log->sink);
    ssize_t written = sink_write(log, waiting);
    if (written <= 0)
        return; /* kept for the next tick; a sink that stays full counts what it loses */
    buffer_consume(&log->sink, (size_t)written);
    sink_tell_loss(log);
    if (log->sink.capacity > SINK_KEPT_BYTES)
        buffer_shrink(&log->sink);
}

/* A socket (systemd's journal is one) cannot be opened anew without blocking, but each write to it can be told so. */
static ssize_t sink_write(const struct log *log, struct span bytes)
{
    return log->is_socket ? send(log->fd, bytes.at, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL)
                          : write(log->fd, bytes.at, bytes.size);
}

static void line_compose(struct log *log, enum log_level level, const char *message,
                         const struct log_field *fields, size_t count)
{
    char now[CLOCK_TEXT_SIZE];
    clock_text_ms(clock_wall_ms(), now);
    buffer_consume(&log->line, buffer_size(&log->line));
    struct json j = json_into(&log->line);
    if (log->format == LOG_JSON)
        json_open(&j, '{');
    struct log_field head[] = {log_text("time", now), log_text("level", level_words[level]),
                               log_text("msg", message)};
    bool whole = true;
    for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
        whole &= line_add(log, &j, &head[i]);
    for (size_t i = 0; i < count; i++)
        whole &= line_add(log, &j, &fields[i]);
    if (!whole)
        put_field(log, &j, &(struct log_field){"cut", LOG_FIELD_BOOL, {NULL, 0}, true});
    if (log->format == LOG_JSON)
        json_close(&j, '}');
    bool fits = json_ok(&j) && buffer_append(&log->line, SPAN("\n"));
    assert(fits);
}

/* False when the value was cut or the field left out because the line is full. */
static bool line_add(struct log *log, struct json *j, const struct log_field *field)
{
    if (field->kind == LOG_FIELD_TEXT && !field->text.at)
        return true;
    struct log_field shown = *field;
    shown.text = span_first(field->text, VALUE_BYTES);
    size_t before = log->line.tail;
    put_field(log, j, &shown);
    if (json_ok(j) && buffer_size(&log->line) <= LINE_BYTES - LINE_RESERVE)
        return shown.text.size == field->text.size;
    log->line.tail = before;
    j->failed = false;
    return false;
}

static void put_field(struct log *log, struct json *j, const struct log_field *field)
{
    bool logfmt = log->format == LOG_LOGFMT;
    if (logfmt) {
        bool fits = buffer_size(&log->line) == 0 || buffer_append(&log->line, SPAN(" "));
        if (!fits || !buffer_format(&log->line, "%s=", field->name))
            j->failed = true;
        j->need_comma = false;
    } else {
        json_name(j, field->name);
    }
    if (field->kind == LOG_FIELD_INT)
        json_int(j, field->number);
    else if (field->kind == LOG_FIELD_BOOL)
        json_bool(j, field->number != 0);
    else if (logfmt)
        put_logfmt_text(j, field->text);
    else
        json_text(j, field->text);
}

static void put_logfmt_text(struct json *j, struct span text)
{
    if (is_bare(text))
        json_raw(j, text);
    else
        json_text(j, text);
}

/* A value that needs no quotes. */
static bool is_bare(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.size > 0;
}

static bool sink_take_line(struct log *log)
{
    return buffer_append(&log->sink, buffer_view(&log->line));
}

static bool sink_tell_loss(struct log *log)
{
    if (log->lines_lost == 0)
        return true;
    struct log_field field = log_int("lines", log->lines_lost);
    line_compose(log, LOG_WARN, "log_lines_lost", &field, 1);
    if (!sink_take_line(log))
        return false;
    log->lines_lost = 0;
    return true;
}
