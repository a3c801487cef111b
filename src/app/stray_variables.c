#include "app/stray_variables.h"

#include "app/config_reader.h"
#include "app/environment.h"
#include "base/word.h"

#define PREFIX SPAN("KEYTURN_")

static const char *const others[] = {"KEYTURN_ENV", "KEYTURN_CONFIG",
#ifdef KEYTURN_FAULT_POINTS
                                     "KEYTURN_KILL_AT",
#endif
#define ROW(field, variable, required, text) variable, variable "_FILE",
                                     SECRETS(ROW)
#undef ROW
};

struct known_names {
    char settings[CONFIG_ROW_COUNT][CONFIG_VARIABLE_SIZE];
};

static void name_settings(struct known_names *known);
static bool look(const struct known_names *known, struct stray_variable *stray);

void stray_variables_visit(char *const *environment,
                           void (*tell)(void *context, const struct stray_variable *stray),
                           void *context)
{
    struct known_names known;

    name_settings(&known);
    for (size_t told = 0; *environment && told < STRAYS_TOLD; environment++) {
        struct span rest = span_of(*environment);
        struct stray_variable stray = {0};
        if (!span_split(&rest, '=', &stray.name) || !span_starts(stray.name, PREFIX) ||
            look(&known, &stray))
            continue;
        tell(context, &stray);
        told++;
    }
}

static void name_settings(struct known_names *known)
{
    size_t count;
    const struct config_row *rows = config_rows(&count);

    for (size_t i = 0; i < count; i++)
        config_variable(&rows[i], known->settings[i]);
}

/* True: it is one of them. */
static bool look(const struct known_names *known, struct stray_variable *stray)
{
    struct word_search search = {.word = stray->name};

    for (size_t i = 0; i < CONFIG_ROW_COUNT; i++)
        word_compare(&search, known->settings[i]);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        word_compare(&search, others[i]);
    if (search.near && search.edits <= word_slips(span_from(stray->name, PREFIX.size)))
        stray->near = search.near;
    return search.near && span_equal(stray->name, span_of(search.near));
}
