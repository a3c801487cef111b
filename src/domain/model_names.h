/* model_names.h: everything in an inference body that can name a model or spend money beside it.
 *
 * Collects: model, models[], fallbacks[] (.model), preset (as "@preset/<slug>"), plugins[].id (as "plugin:<id>", unless
 * enabled is false), tools[].type of every tool that does not run at the client (as "tool:<type>", openrouter: left out),
 * and within plugins and such tools, at any depth: model, models, *_model, *_models, fallbacks, plugins, tools.
 * web_search_options and the suffix :online are "plugin:web". A body that names no model at all is told apart.
 *
 * Owns      the names, in place; escapes are resolved, so policy and upstream see the same name.
 * Fails     NAMES_TOO_MANY, NAMES_MALFORMED (no JSON, a model that is no string or no plain ASCII name, a deciding
 *           member twice ...): refuse with 400.
 * Source    openrouter-api 4 ("a model can also be named in"), 10.43, 10.44; peers section 2 row 20. These are the places
 *           known in November 2026; one that OpenRouter adds outside plugins and tools is not seen here.
 */
#ifndef KEYTURN_DOMAIN_MODEL_NAMES_H
#define KEYTURN_DOMAIN_MODEL_NAMES_H

#include "domain/json_scan.h"
#include "domain/tier.h"

enum { MODEL_NAMES_MAX = 32, MODEL_NAME_MAX = 128 };

struct model_names {
    size_t count;
    char names[MODEL_NAMES_MAX][MODEL_NAME_MAX + 1];
    bool billed[MODEL_NAMES_MAX]; /* may be a model that runs: the hold is the dearest of these */
    bool none;                    /* no model, models or preset: the account's default model runs */
};

enum names_verdict { NAMES_FINE, NAMES_TOO_MANY, NAMES_MALFORMED };

enum names_verdict model_names_read(struct span body, struct model_names *ret_names);

/* The same in pieces, for whoever walks the body anyway: model_names_member for each top-level member, in order. Names
 * need not be cleared. Of a body that is refused for another reason the verdict means nothing. */
struct model_names_reader {
    struct model_names *names; /* borrowed */
    enum names_verdict verdict;
    char preset[MODEL_NAME_MAX + 1]; /* its models run when none is named */
    bool nested;                     /* within a plugin, a tool or a fallback */
};

void model_names_begin(struct model_names_reader *reader, struct model_names *names);
/* False: there is no more to learn from this body. */
bool model_names_member(const struct json_member *member, void *reader);
enum names_verdict model_names_end(struct model_names_reader *reader);

/* NULL when the tier reaches all of them; else the first it does not ("the account's default model" when none). */
const char *model_names_refused(const struct model_names *names, const struct tier *tier);

#endif
