/* Rows point into the copy of the body, so that they can be told as they came. */
#include "domain/catalogue.h"

#include <yyjson.h>

#include "base/alloc.h"
#include "base/map.h"
#include "domain/json_scan.h"
#include "domain/nano_usd.h"

enum { UNKNOWN = -1, NOT_TOLD = -2 }; /* of a price; unknown stays unknown */

struct row {
    struct map_entry entry; /* by id */
    char id[MODEL_NAME_MAX + 1];
    struct span text;
    struct model_price price;
};

struct catalogue {
    char *text;
    struct span whole;
    struct row *rows;
    size_t count;
    struct map by_id;
};

struct printing {
    const struct catalogue *catalogue;
    const struct tier *tier;
    struct buffer *out;
    bool fits, any; /* any: a member is out already */
};

static bool find_data(const struct json_member *member, void *context);
static bool next_element(struct span *rest, struct span *ret_element);
static size_t value_size(struct span text);
static size_t string_size(struct span text);
static void take_row(struct catalogue *catalogue, struct span text);
static struct model_price price_read(yyjson_val *model);
static void take_prices(yyjson_val *pricing, struct model_price *price);
static struct span amount_text(yyjson_val *value);
static int64_t tokens_read(yyjson_val *object, const char *name);
static const struct row *find_row(const struct catalogue *catalogue, struct span name);
static bool print_member(const struct json_member *member, void *context);
static bool print_rows(struct printing *printing);
static size_t count_reached(const struct printing *printing);

/* Several prices in one slot: the dearest counts. */
static const struct {
    const char *name;
    size_t offset;
    bool (*parse)(struct span text, int64_t *ret_price);
} prices[] = {
    {"prompt", offsetof(struct model_price, prompt_pico), pico_usd_parse},
    {"input_cache_write", offsetof(struct model_price, prompt_pico), pico_usd_parse},
    {"input_cache_write_1h", offsetof(struct model_price, prompt_pico), pico_usd_parse},
    {"completion", offsetof(struct model_price, completion_pico), pico_usd_parse},
    {"internal_reasoning", offsetof(struct model_price, completion_pico), pico_usd_parse},
    {"request", offsetof(struct model_price, request_nano), nano_usd_parse},
    {"image", offsetof(struct model_price, image_nano), nano_usd_parse},
    {"web_search", offsetof(struct model_price, web_search_nano), nano_usd_parse},
};

struct catalogue *catalogue_read(struct span models_json)
{
    struct span data = SPAN_NONE, rest, element;
    size_t count = 0;

    if (json_scan(models_json, find_data, &data, NULL) != JSON_FINE || !data.at)
        return NULL;
    struct catalogue *catalogue = must_alloc(sizeof(*catalogue));
    catalogue->text = must_alloc(models_json.size);
    memcpy(catalogue->text, models_json.at, models_json.size);
    catalogue->whole = (struct span){catalogue->text, models_json.size};
    /* Keys are OpenRouter's, not a client's: nobody chooses collisions, a constant seed will do. */
    map_init(&catalogue->by_id, (const uint64_t[2]){1, 2});

    data.at = catalogue->text + (data.at - models_json.at);
    for (rest = data; next_element(&rest, &element);)
        count++;
    catalogue->rows = must_alloc((count + 1) * sizeof(*catalogue->rows));
    for (rest = data; next_element(&rest, &element);)
        take_row(catalogue, element);
    if (catalogue->count > 0)
        return catalogue;
    catalogue_free(catalogue);
    return NULL;
}

void catalogue_free(struct catalogue *catalogue)
{
    if (!catalogue)
        return;
    map_done(&catalogue->by_id);
    must_free(catalogue->rows);
    must_free(catalogue->text);
    must_free(catalogue);
}

size_t catalogue_size(const struct catalogue *catalogue)
{
    return catalogue->count;
}

bool catalogue_find(const struct catalogue *catalogue, struct span name,
                    struct model_price *ret_price)
{
    struct span before;
    const struct row *row = find_row(catalogue, name);

    if (!row && name.size > 0 && name.at[0] != '@' && span_split(&name, '@', &before)) {
        name = before;
        row = find_row(catalogue, name);
    }
    while (!row && model_name_cut(&name, true))
        row = find_row(catalogue, name);
    if (row)
        *ret_price = row->price;
    return row != NULL;
}

bool catalogue_print_for(const struct catalogue *catalogue, const struct tier *tier,
                         struct buffer *out)
{
    struct printing printing = {catalogue, tier, out, buffer_append(out, SPAN("{")), false};

    json_scan(catalogue->whole, print_member, &printing, NULL);
    return printing.fits && buffer_append(out, SPAN("}"));
}

static bool find_data(const struct json_member *member, void *context)
{
    struct span *data = context;

    if (span_equal(member->name, SPAN("data")) && member->kind == JSON_ARRAY && !data->at)
        *data = (struct span){member->value.at + 1, member->value.size - 2};
    return true; /* to the end: the whole must be JSON */
}

/* Of the inside of an array that json_scan let pass. */
static bool next_element(struct span *rest, struct span *ret_element)
{
    *rest = span_trim(*rest);
    if (span_starts(*rest, SPAN(",")))
        *rest = span_trim(span_from(*rest, 1));
    if (rest->size == 0)
        return false;
    *ret_element = span_trim(span_first(*rest, value_size(*rest)));
    *rest = span_from(*rest, value_size(*rest));
    return true;
}

/* Up to the comma behind it, or the end. */
static size_t value_size(struct span text)
{
    size_t depth = 0, i = 0;

    while (i < text.size && (depth > 0 || text.at[i] != ',')) {
        char c = text.at[i];
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        i += c == '"' ? string_size(span_from(text, i)) : 1;
    }
    return i;
}

static size_t string_size(struct span text)
{
    size_t i = 1;

    while (text.at[i] != '"')
        i += text.at[i] == '\\' ? 2 : 1;
    return i + 1;
}

/* A row without a usable id cannot be asked for and is left out; of two with one id the first counts. */
static void take_row(struct catalogue *catalogue, struct span text)
{
    yyjson_doc *doc = yyjson_read(text.at, text.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *model = yyjson_doc_get_root(doc), *id = yyjson_obj_get(model, "id");
    struct span name = {yyjson_get_str(id), yyjson_get_len(id)};
    struct row *row = &catalogue->rows[catalogue->count];

    if (yyjson_is_str(id) && name.size > 0 && span_text(name, row->id, sizeof(row->id)) &&
        !map_find(&catalogue->by_id, name)) {
        row->text = text;
        row->price = price_read(model);
        map_insert(&catalogue->by_id, &row->entry, span_of(row->id));
        catalogue->count++;
    }
    yyjson_doc_free(doc);
}

static struct model_price price_read(yyjson_val *model)
{
    struct model_price price = {NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD, NOT_TOLD, 0, 0};
    yyjson_val *pricing = yyjson_obj_get(model, "pricing"), *override, *top;
    int64_t own_context, context;
    size_t i, count;

    take_prices(pricing, &price);
    yyjson_arr_foreach (yyjson_obj_get(pricing, "overrides"), i, count, override) {
        take_prices(override, &price);
        take_prices(yyjson_obj_get(override, "pricing"), &price);
    }
    if (!amount_text(yyjson_obj_get(pricing, "prompt")).at)
        price.prompt_pico = UNKNOWN;
    if (!amount_text(yyjson_obj_get(pricing, "completion")).at)
        price.completion_pico = UNKNOWN;
    price.request_nano = price.request_nano == NOT_TOLD ? 0 : price.request_nano;
    price.image_nano = price.image_nano == NOT_TOLD ? UNKNOWN : price.image_nano;
    price.web_search_nano = price.web_search_nano == NOT_TOLD ? UNKNOWN : price.web_search_nano;

    top = yyjson_obj_get(model, "top_provider");
    own_context = tokens_read(model, "context_length");
    context = tokens_read(top, "context_length");
    price.context_tokens = own_context > context ? own_context : context;
    price.completion_tokens_max = tokens_read(top, "max_completion_tokens");
    return price;
}

static void take_prices(yyjson_val *pricing, struct model_price *price)
{
    for (size_t i = 0; i < sizeof(prices) / sizeof(*prices); i++) {
        struct span text = amount_text(yyjson_obj_get(pricing, prices[i].name));
        int64_t told, known;
        if (!text.at)
            continue;
        if (!prices[i].parse(text, &told))
            told = UNKNOWN;
        memcpy(&known, (char *)price + prices[i].offset, sizeof(known));
        if (known == UNKNOWN || (told != UNKNOWN && told < known))
            told = known;
        memcpy((char *)price + prices[i].offset, &told, sizeof(told));
    }
}

/* A decimal as a string or a number; SPAN_NONE when there is none. */
static struct span amount_text(yyjson_val *value)
{
    if (yyjson_is_raw(value))
        return (struct span){yyjson_get_raw(value), yyjson_get_len(value)};
    if (yyjson_is_str(value))
        return (struct span){yyjson_get_str(value), yyjson_get_len(value)};
    return !value || yyjson_is_null(value) ? SPAN_NONE : SPAN("not an amount");
}

/* 0 when it is not told. */
static int64_t tokens_read(yyjson_val *object, const char *name)
{
    int64_t tokens;
    return span_i64(amount_text(yyjson_obj_get(object, name)), &tokens) && tokens > 0 ? tokens : 0;
}

static const struct row *find_row(const struct catalogue *catalogue, struct span name)
{
    const struct map_entry *entry = map_find(&catalogue->by_id, name);
    return entry ? (const struct row *)(const void *)entry : NULL; /* entry is its first member */
}

static bool print_member(const struct json_member *member, void *context)
{
    struct printing *p = context;
    bool is_data = span_equal(member->name, SPAN("data")) && member->kind == JSON_ARRAY;

    p->fits = p->fits && (!p->any || buffer_append(p->out, SPAN(","))) &&
              buffer_append(p->out, SPAN("\"")) && buffer_append(p->out, member->name) &&
              buffer_append(p->out, SPAN("\":"));
    p->any = true;
    if (is_data)
        p->fits = p->fits && print_rows(p);
    else if (span_equal(member->name, SPAN("total_count")))
        p->fits = p->fits && buffer_format(p->out, "%zu", count_reached(p));
    else
        p->fits = p->fits && buffer_append(p->out, member->value);
    return p->fits;
}

static bool print_rows(struct printing *p)
{
    const struct catalogue *catalogue = p->catalogue;
    bool fits = buffer_append(p->out, SPAN("[")), first = true;

    for (size_t i = 0; fits && i < catalogue->count; i++) {
        if (!tier_reaches(p->tier, span_of(catalogue->rows[i].id)))
            continue;
        fits = (first || buffer_append(p->out, SPAN(","))) &&
               buffer_append(p->out, catalogue->rows[i].text);
        first = false;
    }
    return fits && buffer_append(p->out, SPAN("]"));
}

static size_t count_reached(const struct printing *p)
{
    size_t count = 0;

    for (size_t i = 0; i < p->catalogue->count; i++)
        count += tier_reaches(p->tier, span_of(p->catalogue->rows[i].id)) ? 1 : 0;
    return count;
}
