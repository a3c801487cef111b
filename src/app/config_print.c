/* The table for people. */
#include "app/config_tiers.h"

static const char *limits_joint(const struct config_row *row);
static bool starts_section(const struct config_row *row);
static bool print_choices(struct buffer *out, const char *words, const char *joint);

bool config_print_markdown(struct buffer *out)
{
    size_t count;
    const struct config_row *row = config_rows(&count);
    bool fits = buffer_format(out, "| setting | default | limits | what |\n|---|---|---|---|\n");

    for (const struct config_row *end = row + count; fits && row < end; row++) {
        const char *quote = row->preset[0] ? "`" : "";
        fits = buffer_format(out, "| `%s.%s` | %s%s%s | ", row->section, row->field, quote,
                             row->preset, quote);
        if (row->type == CONFIG_CHOICE)
            fits = fits && print_choices(out, row->min, ", ");
        else
            fits = fits && buffer_format(out, "%s%s%s", row->min, limits_joint(row), row->max);
        fits = fits && buffer_format(out, " | %s |\n", row->text);
    }
    return fits;
}

bool config_print_help(struct buffer *out)
{
    size_t count;
    const struct config_row *row = config_rows(&count);
    bool fits = true;

    for (const struct config_row *end = row + count; fits && row < end; row++)
        fits = (!starts_section(row) || buffer_format(out, "%s:\n", row->section)) &&
               buffer_format(out, "  %-16s %-15s %s\n", row->field,
                             row->preset[0] ? row->preset : "\"\"", row->text);
    return fits;
}

bool config_print_example(struct buffer *out)
{
    size_t count;
    const struct config_row *row = config_rows(&count);
    bool fits = buffer_append(
        out, SPAN("# keyturn.yaml: every setting with its default. A line counts once its # is "
                  "taken out.\n"
                  "# KEYTURN_<SECTION>_<FIELD> in the environment, such as KEYTURN_SERVER_LISTEN, "
                  "wins over "
                  "this file.\n# Secrets never stand here; `keyturn check` finds mistakes.\n"));

    for (const struct config_row *end = row + count; fits && row < end; row++) {
        const char *quote = row->type == CONFIG_TEXT ? "\"" : "";
        fits = (!starts_section(row) || buffer_format(out, "\n%s:\n", row->section)) &&
               buffer_format(out, "  # %s", row->text);
        if (row->type == CONFIG_CHOICE)
            fits = fits && buffer_append(out, SPAN(" One of ")) &&
                   print_choices(out, row->min, ", ") && buffer_append(out, SPAN("."));
        else if (row->min[0])
            fits = fits && buffer_format(out, " From %s to %s.", row->min, row->max);
        fits =
            fits && buffer_format(out, "\n  #%s: %s%s%s\n", row->field, quote, row->preset, quote);
    }
    return fits && buffer_append(out, SPAN("\n")) && buffer_append(out, config_tiers_preset());
}

static const char *limits_joint(const struct config_row *row)
{
    return row->min[0] ? " to " : "";
}

static bool starts_section(const struct config_row *row)
{
    size_t count;
    return row == config_rows(&count) || strcmp(row[-1].section, row->section) != 0;
}

static bool print_choices(struct buffer *out, const char *words, const char *joint)
{
    struct span list = span_of(words), word;
    bool fits = true, first = true;

    for (; fits && span_split(&list, '|', &word); first = false)
        fits = buffer_format(out, "%s%.*s", first ? "" : joint, SPAN_PRINT(word));
    return fits;
}
