#include "domain/tier.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"

enum { UNKNOWN_MODEL_HOLD_NANO_USD = 1000000000 };

/* One walk over what a tier includes. */
struct walk {
    const struct tiers *tiers;
    bool *seen;
};

static bool names_are_fine(const struct tiers *tiers, char ret_fault[TIER_FAULT_SIZE]);
static bool circle_runs_through(const struct walk *walk, const struct tier *from,
                                const struct tier *sought);
static void include_models(const struct tiers *tiers, size_t at);
static void mark_reached(const struct walk *walk, const struct tier *from);
static bool list_has(char *const *list, size_t count, struct span text);
static void list_add(char ***list, size_t *count, struct span text);
static void list_done(char **list, size_t count);
static bool pattern_reaches(struct span pattern, struct span name);
static bool pattern_is_everything(struct span pattern);
static bool pattern_is_explicit(struct span pattern, struct span name);
static bool is_extra(struct span name);
static bool name_is_plain(struct span name);
static bool glob_matches(struct span pattern, struct span text);

/* What a pattern must begin with itself to reach a name that does: such a name is not the model it looks like, but
 * stands for something that can change or that costs beside it. */
static const struct span explicit_heads[] = {
    {"plugin:", 7}, {"tool:", 5}, {"~", 1}, {"@", 1}, {"openrouter/", 11},
};
static const struct span suffixes[] = {{":nitro", 6}, {":floor", 6}, {":exacto", 7}};

void tiers_init(struct tiers *tiers)
{
    *tiers = (struct tiers){NULL, 0};
}

void tiers_done(struct tiers *tiers)
{
    for (size_t i = 0; i < tiers->count; i++) {
        list_done(tiers->rows[i].models, tiers->rows[i].model_count);
        list_done(tiers->rows[i].includes, tiers->rows[i].include_count);
    }
    must_free(tiers->rows);
    tiers_init(tiers);
}

struct tier *tiers_add(struct tiers *tiers, struct span name)
{
    tiers->rows = must_resize(tiers->rows, (tiers->count + 1) * sizeof(*tiers->rows));
    struct tier *tier = &tiers->rows[tiers->count++];

    *tier = (struct tier){
        .limit_nano_usd = UNLIMITED,
        .limit_reset = LIMIT_RESET_MONTHLY,
        .messages_per_day = UNLIMITED,
        .requests_per_minute = UNLIMITED,
        .max_concurrent = UNLIMITED,
        .max_output_tokens = UNLIMITED,
        .unknown_model_hold_nano_usd = UNKNOWN_MODEL_HOLD_NANO_USD,
        .key = TIER_KEY_PROVISIONED,
    };
    bool fits = span_text(name, tier->name, sizeof(tier->name));
    assert(fits);
    return tier;
}

void tier_add_model(struct tier *tier, struct span pattern)
{
    list_add(&tier->models, &tier->model_count, pattern);
    tier->own_model_count++;
}

void tier_add_include(struct tier *tier, struct span name)
{
    list_add(&tier->includes, &tier->include_count, name);
}

bool tiers_seal(struct tiers *tiers, char ret_fault[TIER_FAULT_SIZE])
{
    if (!names_are_fine(tiers, ret_fault))
        return false;
    bool *seen = must_alloc(tiers->count * sizeof(*seen));
    bool fine = true;

    for (size_t i = 0; fine && i < tiers->count; i++) {
        memset(seen, 0, tiers->count * sizeof(*seen));
        fine = !circle_runs_through(&(struct walk){tiers, seen}, &tiers->rows[i], &tiers->rows[i]);
        if (!fine)
            snprintf(ret_fault, TIER_FAULT_SIZE, "tier %s includes itself, by way of its includes",
                     tiers->rows[i].name);
    }
    for (size_t i = 0; fine && i < tiers->count; i++)
        include_models(tiers, i);
    must_free(seen);
    return fine;
}

const struct tier *tiers_find(const struct tiers *tiers, struct span name)
{
    for (size_t i = 0; i < tiers->count; i++)
        if (span_equal(span_of(tiers->rows[i].name), name))
            return &tiers->rows[i];
    return NULL;
}

const struct tier *tiers_next(const struct tiers *tiers, const struct tier *tier)
{
    assert(tier >= tiers->rows && tier < tiers->rows + tiers->count);
    return tier + 1 < tiers->rows + tiers->count ? tier + 1 : NULL;
}

bool tier_reaches(const struct tier *tier, struct span model_name)
{
    if (tier_reaches_everything(tier))
        return true;
    if (!name_is_plain(model_name))
        return false;
    if (!is_extra(model_name))
        while (model_name_cut(&model_name, false))
            ;
    for (size_t i = 0; i < tier->model_count; i++)
        if (pattern_reaches(span_of(tier->models[i]), model_name))
            return true;
    return false;
}

bool tier_reaches_everything(const struct tier *tier)
{
    for (size_t i = 0; i < tier->model_count; i++)
        if (pattern_is_everything(span_of(tier->models[i])))
            return true;
    return false;
}

bool model_name_cut(struct span *name, bool online_too)
{
    static const struct span online = {":online", 7};
    size_t size = 0;

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
        if (span_ends(*name, suffixes[i]))
            size = suffixes[i].size;
    if (online_too && span_ends(*name, online))
        size = online.size;
    *name = span_first(*name, name->size - size);
    return size > 0;
}

static bool names_are_fine(const struct tiers *tiers, char ret_fault[TIER_FAULT_SIZE])
{
    if (tiers->count == 0) {
        snprintf(ret_fault, TIER_FAULT_SIZE, "there is no tier; write at least one");
        return false;
    }
    for (size_t i = 0; i < tiers->count; i++) {
        const struct tier *tier = &tiers->rows[i];
        if (tiers_find(tiers, span_of(tier->name)) != tier) {
            snprintf(ret_fault, TIER_FAULT_SIZE, "tier %s is here twice; keep one", tier->name);
            return false;
        }
        for (size_t j = 0; j < tier->include_count; j++) {
            if (tiers_find(tiers, span_of(tier->includes[j])))
                continue;
            snprintf(ret_fault, TIER_FAULT_SIZE, "tier %s includes %.64s, which is no tier",
                     tier->name, tier->includes[j]);
            return false;
        }
    }
    return true;
}

/* Is `sought` among what `from` includes, directly or not? */
static bool circle_runs_through(const struct walk *walk, const struct tier *from,
                                const struct tier *sought)
{
    for (size_t i = 0; i < from->include_count; i++) {
        const struct tier *next = tiers_find(walk->tiers, span_of(from->includes[i]));
        size_t at = (size_t)(next - walk->tiers->rows);
        if (next == sought)
            return true;
        if (walk->seen[at])
            continue;
        walk->seen[at] = true;
        if (circle_runs_through(walk, next, sought))
            return true;
    }
    return false;
}

static void include_models(const struct tiers *tiers, size_t at)
{
    struct tier *tier = &tiers->rows[at];
    bool *seen = must_alloc(tiers->count * sizeof(*seen));

    mark_reached(&(struct walk){tiers, seen}, tier);
    for (size_t i = 0; i < tiers->count; i++) {
        for (size_t j = 0; seen[i] && j < tiers->rows[i].own_model_count; j++) {
            struct span pattern = span_of(tiers->rows[i].models[j]);
            if (!list_has(tier->models, tier->model_count, pattern))
                list_add(&tier->models, &tier->model_count, pattern);
        }
    }
    must_free(seen);
}

static void mark_reached(const struct walk *walk, const struct tier *from)
{
    for (size_t i = 0; i < from->include_count; i++) {
        const struct tier *next = tiers_find(walk->tiers, span_of(from->includes[i]));
        size_t at = (size_t)(next - walk->tiers->rows);
        if (walk->seen[at])
            continue;
        walk->seen[at] = true;
        mark_reached(walk, next);
    }
}

static bool list_has(char *const *list, size_t count, struct span text)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal(span_of(list[i]), text))
            return true;
    return false;
}

static void list_add(char ***list, size_t *count, struct span text)
{
    char *copy = must_alloc(text.size + 1);

    if (text.size > 0)
        memcpy(copy, text.at, text.size);
    *list = must_resize(*list, (*count + 1) * sizeof(**list));
    (*list)[(*count)++] = copy;
}

static void list_done(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must_free(list[i]);
    must_free(list);
}

static bool pattern_reaches(struct span pattern, struct span name)
{
    return pattern_is_explicit(pattern, name) && glob_matches(pattern, name);
}

static bool pattern_is_everything(struct span pattern)
{
    for (size_t i = 0; i < pattern.size; i++)
        if (pattern.at[i] != '*')
            return false;
    return pattern.size > 0;
}

static bool pattern_is_explicit(struct span pattern, struct span name)
{
    for (size_t i = 0; i < sizeof(explicit_heads) / sizeof(*explicit_heads); i++)
        if (span_starts(name, explicit_heads[i]) && !span_starts(pattern, explicit_heads[i]))
            return false;
    return is_extra(name) || !span_contains(name, SPAN("@")) || span_contains(pattern, SPAN("@"));
}

static bool is_extra(struct span name)
{
    return span_starts(name, explicit_heads[0]) || span_starts(name, explicit_heads[1]);
}

/* At most one suffix says which model it is, and what only says how to serve it comes after: who reads
 * "author/slug:nitro:free" the other way round must not run a paid model for a pattern *:free. */
static bool name_is_plain(struct span name)
{
    if (is_extra(name))
        return true;
    while (model_name_cut(&name, true))
        ;
    struct span before;
    return !span_split(&name, ':', &before) || !name.at || !span_contains(name, SPAN(":"));
}

/* The last * seen takes one more byte whenever the rest does not fit. */
static bool glob_matches(struct span pattern, struct span text)
{
    size_t p = 0, t = 0, star = pattern.size, star_text = 0;

    while (t < text.size) {
        if (p < pattern.size && pattern.at[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.size && pattern.at[p] == text.at[t]) {
            p++;
            t++;
        } else if (star < pattern.size) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.at[p] == '*')
        p++;
    return p == pattern.size;
}
