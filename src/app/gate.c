#include "app/gate.h"

#include "crypto/random.h"

#include <stdarg.h>
#include <stdio.h>

enum { AGAIN_MS = 200 };

static void on_gate_turn(struct turn *turn);
static void ask(struct gate *gate);
static void compare(struct gate *gate);
static bool unseal_pepper(struct gate *gate);
static void refuse(struct gate *gate, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *mode_name(const struct core *core);
static struct seal_context check_context(const char *deployment);

void gate_open(struct gate *gate, struct core *core, bool visits, uint64_t patience_ms,
               struct turn *wake)
{
    gate->core = core;
    gate->visits = visits;
    gate->wake = wake;
    gate->state = GATE_WAITING;
    turn_init(&gate->turn, on_gate_turn);
    deadline_class_open(&gate->patience, core->loop, patience_ms);
    deadline_init(&gate->due, &gate->turn);
    deadline_init(&gate->again, &gate->turn);
    deadline_join(&gate->patience, &gate->due);
    redis_on_link(core->redis, &gate->turn);
    loop_post(core->loop, &gate->turn);
}

void gate_close(struct gate *gate)
{
    deadline_class_close(&gate->patience);
    turn_cancel(&gate->turn);
    wipe(gate->pepper, sizeof(gate->pepper));
}

/* The link came up, the question was answered, a pause is over, or patience ran out. */
static void on_gate_turn(struct turn *turn)
{
    struct gate *gate = container_of(turn, struct gate, turn);
    bool asked = gate->asking;

    if (gate->state != GATE_WAITING || (asked && store_call_is_open(&gate->claim.call)))
        return;
    gate->asking = false;
    if (asked && gate->claim.call.end == STORE_OK)
        compare(gate);
    else if (gate->due.passed)
        refuse(gate, redis_is_up(gate->core->redis)
                         ? "Redis answers but refuses keyturn's commands; the log says which and "
                           "why (permissions of its "
                           "user, read-only, out of memory)"
                         : "Redis does not answer; check KEYTURN_REDIS_URL and that the server "
                           "runs (the log says what "
                           "it met)");
    else if (asked)
        deadline_join_in(&gate->patience, &gate->again, AGAIN_MS);
    else if (!deadline_is_set(&gate->again) && redis_is_up(gate->core->redis))
        ask(gate);
    if (gate->state != GATE_WAITING)
        loop_post(gate->core->loop, gate->wake);
}

static void ask(struct gate *gate)
{
    struct core *core = gate->core;
    struct meta_record proposed = {.schema = STORE_SCHEMA_VERSION};
    unsigned char pepper[DIGEST_SIZE];
    struct seal_context context;
    struct buffer sealed;

    snprintf(proposed.deployment, sizeof(proposed.deployment), "%08x", (unsigned)random_u64());
    if (!gate->visits) {
        snprintf(proposed.environment, sizeof(proposed.environment), "%s", mode_name(core));
        snprintf(proposed.upstream, sizeof(proposed.upstream), "%s", core->environment.base_url);
    }
    random_bytes(pepper, sizeof(pepper));
    context = check_context(proposed.deployment);
    buffer_init(&sealed, sizeof(proposed.check));
    vault_seal(core->vault, &context, (struct span){(const char *)pepper, sizeof(pepper)}, &sealed);
    span_text(buffer_view(&sealed), proposed.check, sizeof(proposed.check));
    buffer_done(&sealed);
    wipe(pepper, sizeof(pepper));
    gate->asking = true;
    meta_claim(&core->store, &gate->claim, &proposed, &gate->turn);
}

static void compare(struct gate *gate)
{
    const struct meta_record *found = &gate->claim.found;
    const struct core *core = gate->core;

    if (gate->claim.foreign)
        refuse(gate, "this Redis holds keyturn's keys but not its founding record (kt:meta): part "
                     "of the data is missing. "
                     "Restore it, or use an empty database");
    else if (found->schema != STORE_SCHEMA_VERSION)
        refuse(gate,
               "this Redis was written by another version of keyturn (schema %lld, this one writes "
               "%d); use the "
               "version that wrote it, or another database",
               (long long)found->schema, STORE_SCHEMA_VERSION);
    else if (!gate->visits && strcmp(found->environment, mode_name(core)) != 0)
        refuse(gate, "this Redis belongs to a %s deployment and this is %s; use another database",
               found->environment, mode_name(core));
    else if (!gate->visits && strcmp(found->upstream, core->environment.base_url) != 0)
        refuse(gate,
               "the keys in this Redis belong to %s, not to %s; use another database or set "
               "OPENROUTER_BASE_URL",
               found->upstream, core->environment.base_url);
    else if (!unseal_pepper(gate))
        refuse(gate, "KEYTURN_ENCRYPTION_SECRET cannot open what this Redis holds; set the secret "
                     "it was sealed with "
                     "(older roots may follow the newest, separated by commas)");
    else
        gate->state = GATE_OPEN;
}

static bool unseal_pepper(struct gate *gate)
{
    const struct meta_record *found = &gate->claim.found;
    struct seal_context context = check_context(found->deployment);
    struct secret pepper = {0};
    bool fine =
        vault_unseal(gate->core->vault, &context, span_of(found->check), &pepper) == SEAL_OPENED &&
        pepper.size == sizeof(gate->pepper);

    if (fine) {
        memcpy(gate->pepper, secret_reveal(&pepper).at, sizeof(gate->pepper));
        span_text(span_of(found->deployment), gate->deployment, sizeof(gate->deployment));
    }
    secret_done(&pepper);
    return fine;
}

static void refuse(struct gate *gate, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(gate->error, sizeof(gate->error), format, args);
    va_end(args);
    gate->state = GATE_REFUSED;
}

static const char *mode_name(const struct core *core)
{
    return core->environment.mode == MODE_PRODUCTION ? "production" : "development";
}

static struct seal_context check_context(const char *deployment)
{
    return (struct seal_context){span_of(deployment), SPAN("deployment check"),
                                 STORE_SCHEMA_VERSION};
}
