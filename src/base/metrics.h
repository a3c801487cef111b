/* metrics.h: counters, gauges and histograms described by a table, printed in Prometheus' text format.
 *
 * Owns      the values; the table and its label sets are the caller's constants.
 * Units     histograms take microseconds and print seconds.
 * Fails     a label index outside its set is a bug and stops.
 * Source    https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
 */
#ifndef KEYTURN_BASE_METRICS_H
#define KEYTURN_BASE_METRICS_H

#include "base/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct label_set {
    const char *name;
    const char *const *values;
    unsigned count;
};

struct metric_row {
    const char *name, *help;
    enum metric_kind kind;
    const struct label_set *labels[2]; /* NULL where there is none */
};

struct metrics;

struct metrics *metrics_open(const struct metric_row *rows, unsigned count);
void metrics_close(struct metrics *m);
void metric_add(struct metrics *m, unsigned row, unsigned label0, unsigned label1, int64_t amount);
void metric_set(struct metrics *m, unsigned row, int64_t value);
void metric_observe_us(struct metrics *m, unsigned row, unsigned label0, uint64_t microseconds);
int64_t metric_value(const struct metrics *m, unsigned row, unsigned label0, unsigned label1);
bool metrics_print(const struct metrics *m, struct buffer *out);

#endif
