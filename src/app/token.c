/* keyturn token create: a user (made if it is not there) and a token for it, in the store itself. The token is printed
 * once and kept nowhere. */
#include "app/command.h"
#include "app/gate.h"
#include "app/limits.h"
#include "base/clock.h"
#include "crypto/random.h"
#include "flow/identities.h"
#include "store/tokens.h"
#include "store/users.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 3000 };

struct work {
    struct turn turn;
    struct core core;
    struct gate gate;
    struct user_ensure ensure;
    struct token_save save;
    enum { AT_GATE, AT_USER, AT_TOKEN, AT_END } at;
    const char *user, *tier;
    bool service, made;
    char token[TOKEN_SIZE + 1];
    char error[400];
};

static bool read_arguments(struct work *work, int argc, char **argv);
static void on_turn(struct turn *turn);
static void save_token(struct work *work);
static void end(struct work *work, const char *error);

int command_token(int argc, char **argv)
{
    struct work work = {.at = AT_GATE};
    struct core_options options = {.quiet = true};

    if (!read_arguments(&work, argc, argv)) {
        fprintf(stderr, "usage: keyturn token create USER [--tier TIER] [--service]\n"
                        "USER is 1 to 128 characters of A-Z a-z 0-9 . _ @ : | + ~ = / -\n");
        return EXIT_USAGE;
    }
    limits_protect_memory();
    turn_init(&work.turn, on_turn);
    if (core_open(&work.core, &options)) {
        gate_open(&work.gate, &work.core, true, PATIENCE_MS, &work.turn);
        loop_run(work.core.loop);
        core_close_redis(&work.core);
        gate_close(&work.gate);
    }
    core_close(&work.core);
    if (work.made)
        printf("%s\n", work.token);
    else if (work.error[0])
        fprintf(stderr, "keyturn token: %s\n", work.error);
    wipe(work.token, sizeof(work.token));
    return work.made ? EXIT_DONE : EXIT_FAILED;
}

static bool read_arguments(struct work *work, int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[1], "create") != 0)
        return false;
    work->user = argv[2];
    for (int i = 3; i < argc; i++) {
        const char *tier = option_value(argc, argv, &i, "--tier");
        if (tier && *tier && strlen(tier) <= TIER_NAME_MAX)
            work->tier = tier;
        else if (strcmp(argv[i], "--service") == 0)
            work->service = true;
        else
            return false;
    }
    return user_id_is_fine(span_of(work->user));
}

static void on_turn(struct turn *turn)
{
    struct work *work = container_of(turn, struct work, turn);
    struct span tier = span_of(work->tier ? work->tier : work->core.config.keys_default_tier);

    switch (work->at) {
    case AT_GATE:
        if (work->gate.state != GATE_OPEN) {
            end(work, work->gate.error);
            return;
        }
        if (work->service) { /* a service is no end user: it names them */
            save_token(work);
            return;
        }
        if (work->tier && !tiers_find(&work->core.config.tiers, tier))
            fprintf(
                stderr,
                "keyturn: the tier %s is not in the configuration this command reads; requests of "
                "%s fail unless the servers' has it (KEYTURN_CONFIG names the file)\n",
                work->tier, work->user);
        work->at = AT_USER;
        user_ensure(&work->core.store, &work->ensure, span_of(work->user),
                    work->tier ? tier : SPAN_NONE, turn);
        return;
    case AT_USER:
        if (work->ensure.call.end != STORE_OK)
            end(work, "Redis did not take the user; run it again");
        else
            save_token(work);
        return;
    case AT_TOKEN:
        work->made = work->save.call.end == STORE_OK;
        end(work, work->made ? "" : "Redis did not take the token; run it again");
        return;
    case AT_END:
        return;
    }
}

static void save_token(struct work *work)
{
    unsigned char id_bytes[TOKEN_ID_SIZE], secret_bytes[32];
    struct token_record record = {.found = true,
                                  .kind = work->service ? TOKEN_OF_SERVICE : TOKEN_OF_USER};
    struct span kid = vault_newest_kid(work->core.vault), id, secret;

    random_bytes(id_bytes, sizeof(id_bytes));
    random_bytes(secret_bytes, sizeof(secret_bytes));
    token_compose(id_bytes, secret_bytes, work->token);
    wipe(secret_bytes, sizeof(secret_bytes));
    id = (struct span){work->token + 3, TOKEN_ID_SIZE};
    secret = (struct span){work->token + 3 + TOKEN_ID_SIZE + 1, TOKEN_SECRET_SIZE};
    token_mac(work->core.vault, kid, secret, record.mac);
    span_text(kid, record.kid, sizeof(record.kid));
    span_text(span_of(work->user), record.user, sizeof(record.user));
    record.created_at_ms = clock_wall_ms();
    work->at = AT_TOKEN;
    token_save(&work->core.store, &work->save, id, &record, &work->turn);
}

static void end(struct work *work, const char *error)
{
    snprintf(work->error, sizeof(work->error), "%s", error);
    work->at = AT_END;
    loop_stop(work->core.loop);
}
