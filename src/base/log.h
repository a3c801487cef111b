/* log.h: one structured line per event, JSON or logfmt. Lines gather and leave in one write per tick.
 *
 * Owns      the sink's buffer, not the descriptor; that should be non-blocking, else a slow reader holds us up.
 * Units     a line is at most 8 KiB, a text value 1 KiB: what is longer is cut and marked ("cut":true). The sink holds 1 MiB.
 * Fails     a sink that cannot take more loses lines and says how many ("log_lines_lost") once it can.
 * Ends      log_close writes what is left.
 * Source    values are escaped: no CR, LF, ESC or other control byte ever leaves raw. Secrets have no field constructor.
 */
#ifndef KEYTURN_BASE_LOG_H
#define KEYTURN_BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_LOGFMT };

struct log;

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_BOOL } kind;
    struct span text; /* a field whose text is SPAN_NONE is left out */
    int64_t number;
};

static inline struct log_field log_span(const char *name, struct span text)
{
    return (struct log_field){name, LOG_FIELD_TEXT, text, 0};
}
static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){name, LOG_FIELD_TEXT, {text, text ? strlen(text) : 0}, 0};
}
static inline struct log_field log_int(const char *name, int64_t number)
{
    return (struct log_field){name, LOG_FIELD_INT, {NULL, 0}, number};
}
static inline struct log_field log_bool(const char *name, bool value)
{
    return (struct log_field){name, LOG_FIELD_BOOL, {NULL, 0}, value};
}

enum log_level log_level_parse(const char *name); /* "debug", ...; LOG_INFO for anything else */
struct log *log_open(int fd, enum log_format format, enum log_level least);
void log_close(struct log *log);
bool log_wants(const struct log *log, enum log_level level);
/* A line: time, level, msg, then the fields. A NULL log takes and drops everything. */
void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields, size_t count);
void log_flush(struct log *log); /* the loop calls it once per tick */

#define LOG_FIELDS(...) \
    (const struct log_field[]){__VA_ARGS__}, \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define log_debug(log, message, ...) log_write(log, LOG_DEBUG, message, LOG_FIELDS(__VA_ARGS__))
#define log_info(log, message, ...) log_write(log, LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(log, message, ...) log_write(log, LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_error(log, message, ...) log_write(log, LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))

#endif
