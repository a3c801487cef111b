#include "ledger.h"

#include <stdlib.h>

static void row_done(struct row *row);
static void row_write(const struct row *row, struct json json);
static uint64_t oldest_seq(const struct ledger *ledger);

struct row *ledger_open(struct ledger *ledger, const char *route, int64_t now_ms)
{
    if (ledger->capacity < LEDGER_ROWS && ledger->last_seq == ledger->capacity) {
        size_t capacity = ledger->capacity ? 2 * ledger->capacity : 1024;
        ledger->capacity = capacity < LEDGER_ROWS ? capacity : LEDGER_ROWS;
        ledger->ring = must_resize(ledger->ring, ledger->capacity * sizeof *ledger->ring);
    }
    struct row *row = &ledger->ring[ledger->last_seq++ % ledger->capacity];
    if (ledger->last_seq > LEDGER_ROWS)
        row_done(row);
    *row =
        (struct row){.seq = ledger->last_seq, .route = route, .arrived_ms = now_ms, .ended_ms = -1};
    return row;
}

struct row *ledger_find(struct ledger *ledger, uint64_t seq)
{
    if (seq < oldest_seq(ledger) || seq > ledger->last_seq)
        return NULL;
    return &ledger->ring[(seq - 1) % ledger->capacity];
}

void ledger_write_rows(struct ledger *ledger, uint64_t since, yyjson_mut_doc *doc,
                       yyjson_mut_val *array)
{
    uint64_t oldest = oldest_seq(ledger);
    for (uint64_t seq = since >= oldest ? since + 1 : oldest; seq <= ledger->last_seq; seq++) {
        struct json json = {doc, yyjson_mut_arr_add_obj(doc, array)};
        row_write(ledger_find(ledger, seq), json);
    }
}

void ledger_write_totals(const struct ledger *ledger, struct json json)
{
    const struct totals *totals = &ledger->totals;
    json_put_integer(json, "posts_keys", (int64_t)totals->posts_keys);
    json_put_integer(json, "gets_keys", (int64_t)totals->gets_keys);
    json_put_integer(json, "patches_keys", (int64_t)totals->patches_keys);
    json_put_integer(json, "deletes_keys", (int64_t)totals->deletes_keys);
    json_put_integer(json, "lists", (int64_t)totals->lists);
    json_put_integer(json, "generations", (int64_t)totals->generations);
    json_put_integer(json, "inference", (int64_t)totals->inference);
    json_put_integer(json, "inference_ok", (int64_t)totals->inference_ok);
    json_put_integer(json, "connections", (int64_t)totals->connections);
    json_put_integer(json, "billed_nano_usd", totals->billed_nano_usd);
    json_put_integer(json, "byok_nano_usd", totals->byok_nano_usd);
}

void ledger_done(struct ledger *ledger)
{
    for (uint64_t seq = oldest_seq(ledger); seq <= ledger->last_seq; seq++)
        row_done(ledger_find(ledger, seq));
    free(ledger->ring);
    *ledger = (struct ledger){0};
}

static uint64_t oldest_seq(const struct ledger *ledger)
{
    return ledger->last_seq > LEDGER_ROWS ? ledger->last_seq - LEDGER_ROWS + 1 : 1;
}

static void row_done(struct row *row)
{
    free(row->key_name);
    free(row->model);
    free(row->user);
    free(row->title);
    free(row->referer);
}

static void row_write(const struct row *row, struct json json)
{
    json_put_integer(json, "seq", (int64_t)row->seq);
    json_put_string(json, "key_hash", *row->key_hash ? row->key_hash : NULL);
    json_put_string(json, "name_of_key", row->key_name);
    json_put_string(json, "route", row->route);
    json_put_string(json, "model", row->model);
    json_put_integer(json, "status", row->status);
    json_put_boolean(json, "stream", row->stream);
    json_put_string(json, "body_sha256", row->body_hash);
    json_put_integer(json, "body_bytes", (int64_t)row->body_bytes);
    json_put_string(json, "user", row->user);
    json_put_integer(json, "prompt_tokens", row->prompt_tokens);
    json_put_integer(json, "completion_tokens", row->completion_tokens);
    json_put_integer(json, "billed_nano_usd", row->billed_nano_usd);
    json_put_integer(json, "byok_nano_usd", row->byok_nano_usd);
    json_put_string(json, "generation_id", *row->generation_id ? row->generation_id : NULL);
    json_put_string(json, "finish_reason", row->finish_reason);
    json_put_boolean(json, "completed", row->completed);
    json_put_boolean(json, "client_aborted", row->client_aborted);
    json_put_integer(json, "arrived_at_ms", row->arrived_ms);
    json_put_integer(json, "ended_at_ms", row->ended_ms);
    json_put_string(json, "x_title", row->title);
    json_put_string(json, "http_referer", row->referer);
}
