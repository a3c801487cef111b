/* json_scan against yyjson: both must say the same of every text; and what inference_body edits must be what was sent
 * but for the two fields it sets. Stops at the first difference. */
#include <assert.h>
#include <stdint.h>
#include <yyjson.h>

#include "base/buffer.h"
#include "domain/inference_body.h"
#include "domain/json_scan.h"
#include "domain/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
    yyjson_val *root;
    size_t members;
};

/* The deepest level of a valid text. */
static size_t levels_of(struct span text)
{
    size_t level = 0, most = 0;
    bool inside = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (inside && c == '\\')
            i++;
        else if (c == '"')
            inside = !inside;
        else if (!inside && (c == '{' || c == '['))
            most = ++level > most ? level : most;
        else if (!inside && (c == '}' || c == ']'))
            level--;
    }
    return most;
}

/* The n-th member is the one yyjson has in this place. */
static bool check_member(const struct json_member *member, void *context)
{
    struct count *count = context;
    yyjson_obj_iter iter = yyjson_obj_iter_with(count->root);
    yyjson_val *name = NULL;
    for (size_t i = 0; i <= count->members; i++)
        name = yyjson_obj_iter_next(&iter);
    assert(name);
    char text[4096];
    size_t size;
    if (json_resolve(member->name, text, sizeof(text), &size)) {
        assert(size == yyjson_get_len(name) && memcmp(text, yyjson_get_str(name), size) == 0);
        assert(size <= member->name.size);
    }
    yyjson_doc *value =
        yyjson_read(member->value.at, member->value.size, YYJSON_READ_NUMBER_AS_RAW);
    assert(value && yyjson_equals(yyjson_doc_get_root(value), yyjson_obj_iter_get_val(name)));
    yyjson_doc_free(value);
    count->members++;
    return true;
}

static void check_body(struct span text)
{
    struct inference_body parsed;
    if (inference_body_read(text, &parsed).detail)
        return;
    struct body_edits edits = {.pseudonym = SPAN("pseudonym"), .cap_tokens = -1};
    struct inference_body moved, again;
    struct buffer out;
    buffer_init(&out, BODY_EDITS_ROOM + text.size);
    char *room = buffer_room(&out, BODY_EDITS_ROOM + text.size) + BODY_EDITS_ROOM;
    memcpy(room, text.at, text.size);
    struct span body = {room, text.size};
    assert(!inference_body_read(body, &moved).detail);
    body = inference_body_edit(&moved, body, &edits);
    assert(!inference_body_read(body, &again).detail);
    assert(span_equal(again.user, SPAN("pseudonym")));
    assert(span_equal(again.model, parsed.model) && again.stream == parsed.stream);
    assert(!parsed.safety_value.at == !again.safety_value.at);
    assert(!again.safety_value.at || span_equal(again.safety_value, SPAN("\"pseudonym\"")));

    yyjson_doc *before = yyjson_read(text.at, text.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_doc *after = yyjson_read(body.at, body.size, YYJSON_READ_NUMBER_AS_RAW);
    assert(before && after);
    yyjson_val *old_root = yyjson_doc_get_root(before), *root = yyjson_doc_get_root(after);
    assert(yyjson_obj_size(root) == yyjson_obj_size(old_root) + (parsed.user_value.at ? 0 : 1));
    yyjson_obj_iter iter = yyjson_obj_iter_with(root);
    for (yyjson_val *name; (name = yyjson_obj_iter_next(&iter));)
        if (!yyjson_equals_str(name, "user") && !yyjson_equals_str(name, "safety_identifier"))
            assert(yyjson_equals(
                yyjson_obj_iter_get_val(name),
                yyjson_obj_getn(old_root, yyjson_get_str(name), yyjson_get_len(name))));
    yyjson_doc_free(before);
    yyjson_doc_free(after);
    buffer_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span text = {(const char *)data, size};
    size_t bad_at = SIZE_MAX;
    enum json_verdict verdict = json_scan(text, NULL, NULL, &bad_at);
    assert(verdict != JSON_BROKEN || bad_at <= size);
    /* Numbers stay text: that one is too large for a double is no matter of grammar. */
    yyjson_doc *doc = yyjson_read(text.at, size, YYJSON_READ_NUMBER_AS_RAW);
    if (verdict == JSON_BROKEN) {
        assert(!doc || levels_of(text) > JSON_DEPTH_MAX);
    } else {
        assert(doc && levels_of(text) <= JSON_DEPTH_MAX);
        struct count count = {yyjson_doc_get_root(doc), 0};
        assert(yyjson_is_obj(count.root) == (verdict == JSON_FINE));
        if (yyjson_obj_size(count.root) <= 1000)
            json_scan(text, check_member, &count, NULL);
    }
    yyjson_doc_free(doc);
    check_body(text);
    return 0;
}
