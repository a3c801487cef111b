/* The printed forms of usage_sheet.h. */
#include "api/json_parts.h"
#include "api/usage_sheet.h"
#include "base/alloc.h"
#include "domain/nano_usd.h"

#include <stdio.h>

enum { CELL_SIZE = 32, WIDTH_MAX = 1024 };

/* The figures of a row, in the order they are printed. */
#define FIGURES(ROW) \
    ROW(requests) \
    ROW(cost_nano_usd) \
    ROW(cost_usd) \
    ROW(prompt_tokens) \
    ROW(cached_tokens) \
    ROW(completion_tokens) \
    ROW(reasoning_tokens)

enum figure {
#define ROW(name) FIGURE_##name,
    FIGURES(ROW)
#undef ROW
        FIGURE_COUNT
};

static const char *const names[FIGURE_COUNT] = {
#define ROW(name) #name,
    FIGURES(ROW)
#undef ROW
};

static bool print_json(const struct usage_sheet *sheet, const struct usage_query *query,
                       struct buffer *out);
static bool print_csv(const struct usage_sheet *sheet, const struct usage_query *query,
                      struct buffer *out);
static bool print_table(const struct usage_sheet *sheet, const struct usage_query *query,
                        struct buffer *out);
static void json_figures(struct json *j, const char *name, const struct sums_row *row);
static void json_rows(struct json *j, const struct usage_sheet *sheet, bool by_name,
                      const char *name);
static bool csv_text(struct buffer *out, struct span text);
static bool table_line(struct buffer *out, const struct sums_row *row, struct span name,
                       const int widths[FIGURE_COUNT + 1]);
static void widen(int *width, size_t size);
static void figure_text(const struct sums_row *row, enum figure figure, char ret_text[CELL_SIZE]);

bool usage_print(const struct usage_sheet *sheet, const struct usage_query *query,
                 struct buffer *out)
{
    static bool (*const prints[])(const struct usage_sheet *, const struct usage_query *,
                                  struct buffer *) = {
        [USAGE_JSON] = print_json, [USAGE_CSV] = print_csv, [USAGE_TABLE] = print_table};

    return prints[query->format](sheet, query, out);
}

void usage_print_month(const struct usage_sheet *sheet, const struct period *month, struct json *j)
{
    json_string(j, "month", span_of(month->name));
    json_name(j, "totals");
    json_figures(j, NULL, &sheet->totals);
    json_name(j, "days");
    json_rows(j, sheet, true, "day");
}

static bool print_json(const struct usage_sheet *sheet, const struct usage_query *query,
                       struct buffer *out)
{
    struct json j = json_into(out);

    json_open(&j, '{');
    json_string(&j, "from", span_of(query->first.name));
    json_string(&j, "to", span_of(query->last.name));
    json_string(&j, "group_by", span_of(usage_group_name(query->group)));
    json_name(&j, "rows");
    json_rows(&j, sheet, query->group == SUMS_BY_DAY, "name");
    json_name(&j, "totals");
    json_figures(&j, NULL, &sheet->totals);
    json_close(&j, '}');
    return json_ok(&j) && buffer_append(out, SPAN("\n"));
}

static bool print_csv(const struct usage_sheet *sheet, const struct usage_query *query,
                      struct buffer *out)
{
    const struct sums_row **rows = usage_sheet_rows(sheet, query->group == SUMS_BY_DAY);
    bool fits = buffer_append(out, SPAN("name"));
    char cell[CELL_SIZE];

    for (size_t figure = 0; figure < FIGURE_COUNT; figure++)
        fits = fits && buffer_format(out, ",%s", names[figure]);
    fits = fits && buffer_append(out, SPAN("\r\n"));
    for (size_t i = 0; i < usage_sheet_size(sheet); i++) {
        fits = fits && csv_text(out, rows[i]->name);
        for (size_t figure = 0; figure < FIGURE_COUNT; figure++) {
            figure_text(rows[i], (enum figure)figure, cell);
            fits = fits && buffer_format(out, ",%s", cell);
        }
        fits = fits && buffer_append(out, SPAN("\r\n"));
    }
    must_free(rows);
    return fits;
}

static bool print_table(const struct usage_sheet *sheet, const struct usage_query *query,
                        struct buffer *out)
{
    const struct sums_row **rows = usage_sheet_rows(sheet, query->group == SUMS_BY_DAY);
    struct span head = span_of(usage_group_name(query->group));
    int widths[FIGURE_COUNT + 1];
    char cell[CELL_SIZE];
    bool fits;

    widths[FIGURE_COUNT] = sizeof("total") - 1;
    for (size_t figure = 0; figure < FIGURE_COUNT; figure++) {
        figure_text(&sheet->totals, (enum figure)figure, cell);
        widths[figure] = (int)strlen(names[figure]);
        widen(&widths[figure], strlen(cell));
        for (size_t i = 0; i < usage_sheet_size(sheet);
             i++) { /* a decimal can be longer than the sum */
            figure_text(rows[i], (enum figure)figure, cell);
            widen(&widths[figure], strlen(cell));
        }
    }
    for (size_t i = 0; i < usage_sheet_size(sheet); i++)
        widen(&widths[FIGURE_COUNT], rows[i]->name.size);
    fits = table_line(out, NULL, head, widths);
    for (size_t i = 0; i < usage_sheet_size(sheet); i++)
        fits = fits && table_line(out, rows[i], rows[i]->name, widths);
    must_free(rows);
    return fits && table_line(out, &sheet->totals, SPAN("total"), widths);
}

/* An object; with a name, when there is one. */
static void json_figures(struct json *j, const char *name, const struct sums_row *row)
{
    char cell[CELL_SIZE];

    json_open(j, '{');
    if (name)
        json_string(j, name, row->name);
    for (size_t figure = 0; figure < FIGURE_COUNT; figure++) {
        figure_text(row, (enum figure)figure, cell);
        json_name(j, names[figure]);
        json_raw(j, span_of(cell));
    }
    json_close(j, '}');
}

static void json_rows(struct json *j, const struct usage_sheet *sheet, bool by_name,
                      const char *name)
{
    const struct sums_row **rows = usage_sheet_rows(sheet, by_name);

    json_open(j, '[');
    for (size_t i = 0; i < usage_sheet_size(sheet); i++)
        json_figures(j, name, rows[i]);
    json_close(j, ']');
    must_free(rows);
}

static bool csv_text(struct buffer *out, struct span text)
{
    bool formula = text.size > 0 && memchr("=+-@\t\r", text.at[0], sizeof("=+-@\t\r") - 1);
    bool quoted = formula, fits = true;

    for (size_t i = 0; i < text.size; i++)
        quoted = quoted || memchr(",\"\r\n ", text.at[i], sizeof(",\"\r\n ") - 1);
    if (!quoted)
        return buffer_append(out, text);
    fits = buffer_append(out, formula ? SPAN("\"'") : SPAN("\""));
    for (size_t i = 0; i < text.size; i++) {
        struct span one = {text.at + i, 1};
        fits = fits && buffer_append(out, *one.at == '"' ? SPAN("\"\"") : one);
    }
    return fits && buffer_append(out, SPAN("\""));
}

/* Without a row: the head. The name's column is the last width. */
static bool table_line(struct buffer *out, const struct sums_row *row, struct span name,
                       const int widths[FIGURE_COUNT + 1])
{
    char text[WIDTH_MAX], cell[CELL_SIZE];
    size_t size = name.size < sizeof(text) ? name.size : sizeof(text) - 1;
    bool fits;

    for (size_t i = 0; i < size; i++)
        text[i] = (unsigned char)name.at[i] < ' ' || name.at[i] == 127 ? '?' : name.at[i];
    text[size] = '\0';
    fits = buffer_format(out, "%-*s", widths[FIGURE_COUNT], text);
    for (size_t figure = 0; figure < FIGURE_COUNT; figure++) {
        if (row)
            figure_text(row, (enum figure)figure, cell);
        if (figure != FIGURE_cost_nano_usd)
            fits = fits && buffer_format(out, "  %*s", widths[figure], row ? cell : names[figure]);
    }
    return fits && buffer_append(out, SPAN("\n"));
}

static void widen(int *width, size_t size)
{
    if (size < WIDTH_MAX && (int)size > *width)
        *width = (int)size;
}

static void figure_text(const struct sums_row *row, enum figure figure, char ret_text[CELL_SIZE])
{
    const int64_t numbers[FIGURE_COUNT] = {
        [FIGURE_requests] = row->requests,
        [FIGURE_cost_nano_usd] = row->cost_nano_usd,
        [FIGURE_prompt_tokens] = row->prompt_tokens,
        [FIGURE_cached_tokens] = row->cached_tokens,
        [FIGURE_completion_tokens] = row->completion_tokens,
        [FIGURE_reasoning_tokens] = row->reasoning_tokens,
    };

    if (figure == FIGURE_cost_usd)
        nano_usd_text(row->cost_nano_usd, ret_text);
    else
        snprintf(ret_text, CELL_SIZE, "%lld", (long long)numbers[figure]);
}
