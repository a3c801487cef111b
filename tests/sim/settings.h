/*
 * What POST /__sim/settings can change. One table names every setting, its default and its text.
 *
 * Units  in the names.
 */
#ifndef SIM_SETTINGS_H
#define SIM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "json.h"

enum usage_form { USAGE_EMPTY_CHOICES, USAGE_WITH_CHOICE };
enum create_shape { CREATE_CURRENT, CREATE_NESTED };

struct settings {
    int64_t stream_chunks;
    int64_t chunk_delay_ms;
    int64_t latency_ms;
    int64_t usage_form;
    int64_t create_shape;
    int64_t comments;
    int64_t crlf;
    int64_t split_bytes;
    int64_t split_delay_ms;
    int64_t content_length;
    int64_t leading_whitespace;
    int64_t cost_exponent;
    int64_t cost_missing;
    int64_t messages_stream_cost;
    int64_t byok;
    int64_t cancel_stops_billing;
    int64_t generation_delay_ms;
    int64_t generation_same_key;
    int64_t response_bytes;
    int64_t completion_tokens;
    int64_t completion_tokens_max;
    int64_t strict_models;
    int64_t plain_errors;
    int64_t key_propagation_ms;
    int64_t credits_nano_usd;
    int64_t clock_offset_ms;
    int64_t ledger_rows;
};

struct settings settings_default(void);

/* Takes the members of the object; an unknown name or a wrong value changes nothing at all. */
bool settings_read(struct settings *settings, yyjson_val *object, const char **ret_fault);
void settings_write(const struct settings *settings, struct json json);

#endif
