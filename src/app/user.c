/* keyturn user, keyturn tier set: a user as it stands in the store, and changes of it: what the admin API does, by the
 * same rules (api/user_patch.h, api/user_view.h). */
#include "api/user_patch.h"
#include "api/user_view.h"
#include "app/command.h"
#include "app/gate.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_MS = 3000, ERROR_SIZE = USER_DETAIL_SIZE };

struct work {
    struct turn turn;
    struct core core;
    struct gate gate;
    struct user_patch patch;
    struct user_view view;
    enum { AT_GATE, AT_STORE, AT_END } at;
    const char *user;
    bool json, printed;
    char error[ERROR_SIZE];
};

static const struct verb {
    const char *name;
    enum user_body body;
    bool changes; /* asks for at least one option */
} verbs[] = {
    {"show", USER_BODY_FIELDS, false},
    {"set", USER_BODY_FIELDS, true},
    {"boost", USER_BODY_BOOST, true},
};

static const struct verb *find_verb(const char *name);
static bool read_user(struct work *work, const char *user);
static bool read_options(struct work *work, int argc, char **argv, const struct verb *verb);
static bool read_option(struct work *work, int argc, char **argv, int *index);
static int run(struct work *work, const char *command);
static void on_turn(struct turn *turn);
static void got_view(struct work *work);
static void end(struct work *work, const char *error);
static bool print(struct work *work);

int command_user(int argc, char **argv)
{
    struct work work = {.patch = {.shell = true}};
    const struct verb *verb = argc > 2 ? find_verb(argv[1]) : NULL;

    if (verb && read_user(&work, argv[2]) && read_options(&work, argc, argv, verb))
        return run(&work, "user");
    if (work.error[0])
        fprintf(stderr, "keyturn user: %s\n", work.error);
    fprintf(stderr, "usage: keyturn user show USER [--json]\n"
                    "       keyturn user set USER [--tier TIER] [--status active|disabled]\n"
                    "           [--limit-usd N|none] [--messages-per-day N|none]\n"
                    "           [--requests-per-minute N|none] [--max-concurrent N|none] [--json]\n"
                    "       keyturn user boost USER --limit-usd N --until TIME [--json]\n"
                    "N of -1 is no limit, none is that of the tier again. TIME is like "
                    "2026-12-01T00:00:00Z; --limit-usd 0 alone ends a boost.\n");
    return EXIT_USAGE;
}

int command_tier(int argc, char **argv)
{
    struct work work = {.patch = {.shell = true, .body = USER_BODY_TIER}};
    bool json = argc == 5 && strcmp(argv[4], "--json") == 0;

    if (argc > 1 && strcmp(argv[1], "list") == 0)
        return command_tier_list(argc - 1, argv + 1);
    work.json = json;
    if ((argc == 4 || json) && strcmp(argv[1], "set") == 0 && read_user(&work, argv[2])) {
        if (user_patch_set_option(&work.patch, 0, span_of(argv[3])))
            return run(&work, "tier");
        snprintf(work.error, sizeof(work.error), "there is no tier '%.64s'", argv[3]);
    }
    if (work.error[0])
        fprintf(stderr, "keyturn tier: %s\n", work.error);
    fprintf(stderr, "usage: keyturn tier list [--json]\n"
                    "       keyturn tier set USER TIER [--json]\n");
    return EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static bool read_user(struct work *work, const char *user)
{
    work->user = user;
    if (user_id_is_fine(span_of(user)))
        return true;
    snprintf(work->error, sizeof(work->error),
             "there can be no such user; an id is 1 to 128 characters of A-Z a-z 0-9 . _ @ : | + "
             "~ = / -");
    return false;
}

static bool read_options(struct work *work, int argc, char **argv, const struct verb *verb)
{
    struct user_patch *patch = &work->patch;
    bool fine = true;

    patch->body = verb->body;
    for (int i = 3; i < argc && fine; i++) {
        if (strcmp(argv[i], "--json") == 0)
            work->json = true;
        else
            fine = verb->changes && read_option(work, argc, argv, &i);
        if (!fine)
            snprintf(work->error, sizeof(work->error), "there is no option '%.100s'", argv[i]);
    }
    if (fine && verb->changes && patch->change.count == 0)
        snprintf(work->error, sizeof(work->error), "there is nothing to change; give an option");
    else if (fine)
        fine = !verb->changes || user_patch_whole(patch);
    if (patch->detail[0])
        snprintf(work->error, sizeof(work->error), "%s", patch->detail);
    return fine && !work->error[0];
}

static bool read_option(struct work *work, int argc, char **argv, int *index)
{
    const char *name;

    for (size_t i = 0; (name = user_patch_option(&work->patch, i)); i++) {
        const char *value = option_value(argc, argv, index, name);
        if (value)
            return user_patch_set_option(&work->patch, i, span_of(value));
    }
    return false;
}

static int run(struct work *work, const char *command)
{
    struct core_options options = {.quiet = true};

    turn_init(&work->turn, on_turn);
    if (core_open(&work->core, &options)) {
        gate_open(&work->gate, &work->core, true, PATIENCE_MS, &work->turn);
        loop_run(work->core.loop);
        core_close_redis(&work->core);
        gate_close(&work->gate);
    }
    core_close(&work->core);
    if (work->error[0])
        fprintf(stderr, "keyturn %s: %s\n", command, work->error);
    return work->printed ? EXIT_DONE : EXIT_FAILED;
}

static void on_turn(struct turn *turn)
{
    struct work *work = container_of(turn, struct work, turn);
    const struct config *config = &work->core.config;
    int64_t now_ms = clock_wall_ms();

    switch (work->at) {
    case AT_GATE:
        if (work->gate.state != GATE_OPEN) {
            end(work, work->gate.error);
        } else if (work->patch.change.count > 0 &&
                   !user_patch_seal(&work->patch, &config->tiers, now_ms)) {
            end(work, work->patch.detail);
        } else {
            work->at = AT_STORE;
            user_view_ask(&work->view, &work->core.store, &config->tiers,
                          tiers_find(&config->tiers, span_of(config->keys_default_tier)),
                          span_of(work->user), &work->patch.change, now_ms, turn);
        }
        return;
    case AT_STORE:
        if (work->view.done)
            got_view(work);
        return;
    case AT_END:
        return;
    }
}

static void got_view(struct work *work)
{
    char error[USER_ID_MAX * 2 + 80];

    switch (work->view.end) {
    case USER_SEEN:
        work->printed = print(work);
        end(work, work->printed ? "" : "the answer could not be written");
        return;
    case USER_UNKNOWN:
        snprintf(error, sizeof(error),
                 "there is no user '%s'; keyturn token create %s makes it, with a token",
                 work->user, work->user);
        end(work, error);
        return;
    case USER_STORE_DOWN:
        end(work, "Redis did not answer in full, the change may be made or not; run it again");
        return;
    }
}

static void end(struct work *work, const char *error)
{
    snprintf(work->error, sizeof(work->error), "%s", error);
    work->at = AT_END;
    loop_stop(work->core.loop);
}

static bool print(struct work *work)
{
    struct buffer out;
    bool written;

    buffer_init(&out, USER_PRINTED_MAX);
    written = (work->json ? user_print_json : user_print_text)(&work->view, &out) &&
              fwrite(buffer_view(&out).at, 1, buffer_size(&out), stdout) == buffer_size(&out) &&
              fflush(stdout) == 0;
    buffer_done(&out);
    return written;
}
