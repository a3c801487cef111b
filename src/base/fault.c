#include "base/fault.h"

#include <assert.h>

#include "base/json_write.h"

static const struct fault_row rows[FAULT_COUNT] = {
#define ROW(name, word, status, type, code, retry, after, message) \
    [FAULT_##name] = {word, status, type, code, retry, after, message},
    FAULTS(ROW)
#undef ROW
};

const struct fault_row *fault_row(enum fault fault)
{
    assert(fault > FAULT_NONE && fault < FAULT_COUNT);
    return &rows[fault];
}

bool fault_wants_no_retry(enum fault fault)
{
    const struct fault_row *row = fault_row(fault);

    return !row->retry && (row->status == 402 || row->status == 429);
}

bool fault_body(struct buffer *out, enum fault fault, struct span detail, struct span param,
                struct span request_id)
{
    return fault_body_with(out, fault, detail, param, request_id, SPAN_NONE);
}

bool fault_body_with(struct buffer *out, enum fault fault, struct span detail, struct span param,
                     struct span request_id, struct span members)
{
    const struct fault_row *row = fault_row(fault);
    struct json j = json_into(out);
    json_open(&j, '{');
    json_name(&j, "error");
    json_open(&j, '{');
    json_name(&j, "message");
    json_text(&j, detail.size > 0 ? detail : span_of(row->message));
    json_name(&j, "type");
    json_text(&j, span_of(row->type));
    json_name(&j, "code");
    json_text(&j, span_of(row->code));
    json_name(&j, "param");
    json_text(&j, param);
    json_name(&j, "request_id");
    json_text(&j, request_id);
    json_members(&j, members);
    json_close(&j, '}');
    json_close(&j, '}');
    return json_ok(&j);
}
