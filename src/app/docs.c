/* keyturn docs: the tables people read, printed from the tables the program runs on. */
#include "api/api.h"
#include "app/command.h"
#include "app/config.h"
#include "app/environment.h"
#include "flow/exchange.h"
#include "flow/measures.h"
#include "flow/renewal.h"

#include <stdio.h>
#include <string.h>

static bool print_errors(struct buffer *out);
static bool print_metrics(struct buffer *out);
static bool print_way(struct buffer *out);
static bool print_renewal(struct buffer *out);

static const struct {
    const char *name;
    bool (*print)(struct buffer *out);
} pages[] = {
    {"config", config_print_markdown},
    {"environment", environment_print_markdown},
    {"errors", print_errors},
    {"routes", api_print_routes},
    {"metrics", print_metrics},
    {"tiers", config_print_tiers},
    {"way", print_way},
    {"renewal", print_renewal},
};

int command_docs(int argc, char **argv)
{
    struct buffer out;

    for (size_t i = 0; argc == 2 && i < sizeof(pages) / sizeof(*pages); i++) {
        if (strcmp(pages[i].name, argv[1]) != 0)
            continue;
        buffer_init(&out, 1 << 20);
        pages[i].print(&out);
        fwrite(buffer_view(&out).at, 1, buffer_size(&out), stdout);
        buffer_done(&out);
        return EXIT_DONE;
    }
    fprintf(stderr,
            "usage: keyturn docs config|environment|errors|routes|metrics|tiers|way|renewal\n");
    return EXIT_USAGE;
}

static bool print_errors(struct buffer *out)
{
    bool fits = buffer_append(
        out, SPAN("| status | code | type | what the caller reads |\n|---|---|---|---|\n"));

    for (enum fault fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        const struct fault_row *row = fault_row(fault);
        fits = fits &&
               buffer_format(out, "| %d | `%s` | `%s` | %s%s |\n", row->status, row->code,
                             row->type, row->message, row->retry_after_s ? " (`retry-after`)" : "");
    }
    return fits;
}

static bool print_metrics(struct buffer *out)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    bool fits = buffer_append(out, SPAN("| metric | kind | labels | what |\n|---|---|---|---|\n"));

    for (unsigned i = 0; i < MEASURE_COUNT; i++) {
        const struct metric_row *row = &measures_table()[i];
        fits = fits &&
               buffer_format(out, "| `%s` | %s | %s%s%s | %s |\n", row->name, kinds[row->kind],
                             row->labels[0] ? row->labels[0]->name : "", row->labels[1] ? ", " : "",
                             row->labels[1] ? row->labels[1]->name : "", row->help);
    }
    return fits;
}

static bool print_way(struct buffer *out)
{
    static const char *const rows[][2] = {
#define ROW(name, text) {#name, text},
        EXCHANGE_WAY(ROW)
#undef ROW
    };
    bool fits = buffer_append(out, SPAN("| step | what |\n|---|---|\n"));

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        fits = fits && buffer_format(out, "| `%s` | %s |\n", rows[i][0], rows[i][1]);
    return fits;
}

static bool print_renewal(struct buffer *out)
{
    static const char *const rows[][2] = {
#define ROW(name, text) {#name, text},
        RENEWAL_WAY(ROW)
#undef ROW
    };
    bool fits = buffer_append(out, SPAN("| step | what |\n|---|---|\n"));

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        fits = fits && buffer_format(out, "| `%s` | %s |\n", rows[i][0], rows[i][1]);
    return fits;
}
