#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>

#include "base/alloc.h"

struct bucket {
    uint64_t most_us;
    const char *text; /* in seconds, as it is printed */
};

static const struct bucket buckets[] = {
    {10, "0.00001"},    {50, "0.00005"},    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},
    {1000, "0.001"},    {2500, "0.0025"},   {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},    {100000, "0.1"},    {250000, "0.25"}, {500000, "0.5"},  {1000000, "1"},
    {2500000, "2.5"},   {5000000, "5"},     {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
    {120000000, "120"}, {300000000, "300"},
};

/* A histogram's cell: a count for each bucket, one for what is above them all, and the sum in
 * microseconds. */
enum { BUCKETS = sizeof(buckets) / sizeof(buckets[0]), HISTOGRAM_VALUES = BUCKETS + 2 };

struct metrics {
    const struct metric_row *rows;
    unsigned count;
    size_t *starts; /* of each row in values; one more for the end */
    int64_t *values;
};

/* Which values of its labels a printed line is for. */
struct cell {
    const struct metric_row *row;
    unsigned label0, label1;
};

static const char *const kind_words[] = {"counter", "gauge", "histogram"};

static unsigned label_count(const struct metric_row *row, unsigned which);
static size_t values_per_cell(const struct metric_row *row);
static int64_t *values_of(const struct metrics *m, unsigned row, unsigned label0, unsigned label1);
static bool print_row(const struct metrics *m, unsigned row, struct buffer *out);
static bool print_number(struct buffer *out, const struct cell *cell, int64_t value);
static bool print_histogram(struct buffer *out, const struct cell *cell, const int64_t *values);
static bool print_name(struct buffer *out, const struct cell *cell, const char *suffix,
                       const char *most);
static bool print_label(struct buffer *out, const char **mark, const char *name, const char *value);
static bool print_escaped(struct buffer *out, const char *text, bool quoted);
static int64_t histogram_count(const int64_t *values);

struct metrics *metrics_open(const struct metric_row *rows, unsigned count)
{
    struct metrics *m = must_alloc(sizeof(*m));
    m->rows = rows;
    m->count = count;
    m->starts = must_alloc((count + 1) * sizeof(m->starts[0]));
    for (unsigned i = 0; i < count; i++) {
        const struct metric_row *row = &rows[i];
        assert(row->labels[0] || !row->labels[1]);
        assert(row->kind != METRIC_HISTOGRAM || !row->labels[1]);
        m->starts[i + 1] =
            m->starts[i] + (size_t)label_count(row, 0) * label_count(row, 1) * values_per_cell(row);
    }
    m->values = must_alloc(m->starts[count] * sizeof(m->values[0]));
    return m;
}

void metrics_close(struct metrics *m)
{
    if (!m)
        return;
    must_free(m->starts);
    must_free(m->values);
    must_free(m);
}

void metric_add(struct metrics *m, unsigned row, unsigned label0, unsigned label1, int64_t amount)
{
    int64_t *value = values_of(m, row, label0, label1);
    assert(m->rows[row].kind == METRIC_GAUGE ||
           (m->rows[row].kind == METRIC_COUNTER && amount >= 0));
    *value += amount;
}

void metric_set(struct metrics *m, unsigned row, int64_t value)
{
    int64_t *only = values_of(m, row, 0, 0);
    assert(m->rows[row].kind == METRIC_GAUGE && !m->rows[row].labels[0]);
    *only = value;
}

void metric_observe_us(struct metrics *m, unsigned row, unsigned label0, uint64_t microseconds)
{
    int64_t *values = values_of(m, row, label0, 0);
    assert(m->rows[row].kind == METRIC_HISTOGRAM);
    unsigned bucket = 0;
    while (bucket < BUCKETS && microseconds > buckets[bucket].most_us)
        bucket++;
    values[bucket]++;
    values[BUCKETS + 1] += (int64_t)microseconds;
}

int64_t metric_value(const struct metrics *m, unsigned row, unsigned label0, unsigned label1)
{
    const int64_t *values = values_of(m, row, label0, label1);
    return m->rows[row].kind == METRIC_HISTOGRAM ? histogram_count(values) : values[0];
}

bool metrics_print(const struct metrics *m, struct buffer *out)
{
    for (unsigned i = 0; i < m->count; i++)
        if (!print_row(m, i, out))
            return false;
    return true;
}

static unsigned label_count(const struct metric_row *row, unsigned which)
{
    return row->labels[which] ? row->labels[which]->count : 1;
}

static size_t values_per_cell(const struct metric_row *row)
{
    return row->kind == METRIC_HISTOGRAM ? HISTOGRAM_VALUES : 1;
}

static int64_t *values_of(const struct metrics *m, unsigned row, unsigned label0, unsigned label1)
{
    assert(row < m->count);
    const struct metric_row *r = &m->rows[row];
    assert(label0 < label_count(r, 0) && label1 < label_count(r, 1));
    size_t cell = (size_t)label0 * label_count(r, 1) + label1;
    return m->values + m->starts[row] + cell * values_per_cell(r);
}

/* Of a labelled row only what ever happened is printed; a row without labels always is. */
static bool print_row(const struct metrics *m, unsigned row, struct buffer *out)
{
    const struct metric_row *r = &m->rows[row];
    bool fits = buffer_format(out, "# HELP %s ", r->name) && print_escaped(out, r->help, false) &&
                buffer_format(out, "\n# TYPE %s %s\n", r->name, kind_words[r->kind]);
    for (unsigned i = 0; i < label_count(r, 0); i++) {
        for (unsigned k = 0; k < label_count(r, 1) && fits; k++) {
            struct cell cell = {r, i, k};
            if (r->labels[0] && metric_value(m, row, i, k) == 0)
                continue;
            const int64_t *values = values_of(m, row, i, k);
            fits = r->kind == METRIC_HISTOGRAM ? print_histogram(out, &cell, values)
                                               : print_number(out, &cell, values[0]);
        }
    }
    return fits;
}

static bool print_number(struct buffer *out, const struct cell *cell, int64_t value)
{
    return print_name(out, cell, "", NULL) && buffer_format(out, " %" PRId64 "\n", value);
}

static bool print_histogram(struct buffer *out, const struct cell *cell, const int64_t *values)
{
    int64_t so_far = 0, sum_us = values[BUCKETS + 1];
    for (unsigned i = 0; i <= BUCKETS; i++) {
        so_far += values[i];
        if (!print_name(out, cell, "_bucket", i < BUCKETS ? buckets[i].text : "+Inf") ||
            !buffer_format(out, " %" PRId64 "\n", so_far))
            return false;
    }
    return print_name(out, cell, "_sum", NULL) &&
           buffer_format(out, " %" PRId64 ".%06d\n", sum_us / 1000000, (int)(sum_us % 1000000)) &&
           print_name(out, cell, "_count", NULL) && buffer_format(out, " %" PRId64 "\n", so_far);
}

/* name{label="value",le="0.1"}; most is NULL where there is no bound. */
static bool print_name(struct buffer *out, const struct cell *cell, const char *suffix,
                       const char *most)
{
    const struct metric_row *row = cell->row;
    const unsigned at[2] = {cell->label0, cell->label1};
    const char *mark = "{";
    bool fits = buffer_format(out, "%s%s", row->name, suffix);
    for (unsigned i = 0; i < 2 && fits && row->labels[i]; i++)
        fits = print_label(out, &mark, row->labels[i]->name, row->labels[i]->values[at[i]]);
    if (most)
        fits = fits && print_label(out, &mark, "le", most);
    if (*mark == ',')
        fits = fits && buffer_append(out, SPAN("}"));
    return fits;
}

static bool print_label(struct buffer *out, const char **mark, const char *name, const char *value)
{
    bool fits = buffer_format(out, "%s%s=\"", *mark, name) && print_escaped(out, value, true) &&
                buffer_append(out, SPAN("\""));
    *mark = ",";
    return fits;
}

/* Backslash and line feed; within quotes the quote too. */
static bool print_escaped(struct buffer *out, const char *text, bool quoted)
{
    const char *special = quoted ? "\\\n\"" : "\\\n";
    while (*text) {
        size_t run = strcspn(text, special);
        if (!buffer_append(out, (struct span){text, run}))
            return false;
        text += run;
        if (!*text)
            break;
        char escape[2] = {'\\', *text == '\n' ? 'n' : *text};
        if (!buffer_append(out, (struct span){escape, 2}))
            return false;
        text++;
    }
    return true;
}

static int64_t histogram_count(const int64_t *values)
{
    int64_t count = 0;
    for (unsigned i = 0; i <= BUCKETS; i++)
        count += values[i];
    return count;
}
