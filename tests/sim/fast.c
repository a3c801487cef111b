#include "fast.h"

#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "dialect.h"
#include "models.h"
#include "player.h"
#include "request.h"
#include "routes.h"
#include "sim.h"

enum { ANSWERS = 10, ID_BYTES = 35, PROMPT_TOKENS = 10 };

struct answer {
    const struct dialect *dialect; /* NULL: empty */
    bool stream;
    struct play play;
    size_t *ids; /* where the generation id stands */
    size_t id_count;
    int64_t tokens;
    uint64_t settings_version;
};

struct fast {
    struct answer answers[ANSWERS];
};

static const char model[] = "sim/echo";
static const char placeholder[] = "gen-0000000000-ffffffffffffffffffff";

static bool may_serve(struct exchange *exchange);
static bool asks_for_stream(const struct request *request);
static struct answer *answer_for(struct sim *sim, const struct dialect *dialect, bool stream);
static void compose(struct sim *sim, struct answer *answer);
static void find_ids(struct answer *answer);
static void answer_done(struct answer *answer);
static void play_answer(struct exchange *exchange, const struct answer *answer);

struct fast *fast_new(void)
{
    return must_alloc(sizeof(struct fast));
}

bool fast_serve(struct exchange *exchange)
{
    if (!may_serve(exchange))
        return false;
    const struct dialect *dialect = exchange->route->dialect;
    bool stream = dialect->streams && asks_for_stream(exchange->request);
    const struct answer *answer = answer_for(exchange->sim, dialect, stream);
    exchange->bill = (struct bill){
        .open = true,
        .stream = stream,
        .key = exchange->key,
        .finish_reason = "stop",
        .billed_model = model,
        .prompt_tokens = PROMPT_TOKENS,
        .completion_tokens = answer->tokens,
    };
    exchange->key->requests++;
    play_answer(exchange, answer);
    return true;
}

void fast_free(struct fast *fast)
{
    for (int i = 0; i < ANSWERS; i++)
        answer_done(&fast->answers[i]);
    free(fast);
}

static bool may_serve(struct exchange *exchange)
{
    const struct sim *sim = exchange->sim;
    return sim->options->fast && !sim->settings.ledger_rows && !sim->settings.split_bytes &&
           exchange->request->keep_alive && !faults_waiting(&sim->faults) &&
           !access_check(exchange) && !access_check_money(exchange);
}

static bool asks_for_stream(const struct request *request)
{
    static const char name[] = "\"stream\":";
    const char *at = memmem(request->body.bytes, request->body.length, name, sizeof name - 1);
    const char *end = request->body.bytes + request->body.length;
    if (!at)
        return false;
    for (at += sizeof name - 1; at < end && *at == ' ';)
        at++;
    return at < end && *at == 't';
}

static struct answer *answer_for(struct sim *sim, const struct dialect *dialect, bool stream)
{
    struct answer *answer = sim->fast->answers;
    while (answer->dialect && (answer->dialect != dialect || answer->stream != stream))
        answer++;
    if (answer->dialect && answer->settings_version == sim->settings_version)
        return answer;
    answer_done(answer);
    *answer = (struct answer){
        .dialect = dialect, .stream = stream, .settings_version = sim->settings_version};
    compose(sim, answer);
    find_ids(answer);
    return answer;
}

static void compose(struct sim *sim, struct answer *answer)
{
    struct track body = {0};
    struct completion completion = {
        .generation_id = placeholder,
        .model = "\"sim/echo\"",
        .settings = &sim->settings,
        .created_s = sim_now_ms(sim) / 1000,
        .prompt_tokens = PROMPT_TOKENS,
        .tokens = answer->dialect->caps[0] ? sim->settings.completion_tokens : 0,
    };
    completion.prompt_nano_usd = model_cost_nano_usd(model, PROMPT_TOKENS, 0);
    completion.price_nano_usd = model_cost_nano_usd(model, PROMPT_TOKENS, completion.tokens);
    dialect_write(answer->dialect, &completion, answer->stream, &body);
    struct head head = {
        .status = 200,
        .content_type = answer->stream ? "text/event-stream" : "application/json",
        .headers = "",
        .generation_id = placeholder,
        .now_ms = sim_now_ms(sim),
        .latency_ms = sim->settings.latency_ms,
        .content_length = sim->settings.content_length && !answer->stream,
        .keep_alive = true,
    };
    play_build(&answer->play, &head, &body);
    answer->tokens = completion.tokens;
    track_done(&body);
}

static void find_ids(struct answer *answer)
{
    const struct text *bytes = &answer->play.track.bytes;
    size_t from = 0;
    const char *found;
    while ((found = memmem(bytes->bytes + from, bytes->length - from, placeholder, ID_BYTES))) {
        answer->ids = must_resize(answer->ids, (answer->id_count + 1) * sizeof *answer->ids);
        answer->ids[answer->id_count++] = (size_t)(found - bytes->bytes);
        from = (size_t)(found - bytes->bytes) + ID_BYTES;
    }
}

static void answer_done(struct answer *answer)
{
    play_done(&answer->play);
    free(answer->ids);
}

static void play_answer(struct exchange *exchange, const struct answer *answer)
{
    char id[GENERATION_ID];
    sim_name_generation(exchange->sim, ++exchange->sim->next_generation, id);
    struct play *play = &exchange->play;
    track_copy(&play->track, &answer->play.track);
    for (size_t i = 0; i < answer->id_count; i++)
        memcpy(play->track.bytes.bytes + answer->ids[i], id, ID_BYTES);
    play->end = PLAY_KEEP;
    player_start(exchange);
}
