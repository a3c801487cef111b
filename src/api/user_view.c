#include "api/user_view.h"

#include "base/secret.h"

enum { LOOKS_MAX = 4 };

static void on_answer(struct turn *turn);
static void got_user(struct user_view *view);
static void got_quota(struct user_view *view);
static void got_key(struct user_view *view);
static void ask_quota(struct user_view *view);
static void ask_key(struct user_view *view);
static void end(struct user_view *view, enum user_view_end how);
static bool same_window(enum limit_reset reset, int64_t a_ms, int64_t b_ms);

void user_view_ask(struct user_view *view, struct store *store, const struct tiers *tiers,
                   const struct tier *default_tier, struct span user,
                   const struct user_change *change, int64_t now_ms, struct turn *wake)
{
    *view = (struct user_view){.store = store,
                               .tiers = tiers,
                               .preset = default_tier ? default_tier : &tiers->rows[0],
                               .wake = wake,
                               .at = VIEW_AT_USER,
                               .now_ms = now_ms};
    span_text(user, view->user, sizeof(view->user));
    turn_init(&view->turn, on_answer);
    user_set(store, &view->set, span_of(view->user), change, &view->turn);
}

static void on_answer(struct turn *turn)
{
    static void (*const rows[])(struct user_view * view) = {
        [VIEW_AT_USER] = got_user, [VIEW_AT_QUOTA] = got_quota, [VIEW_AT_KEY] = got_key};
    struct user_view *view = container_of(turn, struct user_view, turn);

    rows[view->at](view);
}

static void got_user(struct user_view *view)
{
    const struct user_record *record = &view->set.record;

    if (view->set.call.end != STORE_OK) {
        end(view, USER_STORE_DOWN);
    } else if (!record->found) {
        end(view, USER_UNKNOWN);
    } else {
        view->tier =
            record->tier[0] ? tiers_find(view->tiers, span_of(record->tier)) : view->preset;
        ask_quota(view);
    }
}

/* Asked once more when Redis' clock is in another window, or the tier was changed meanwhile. */
static void got_quota(struct user_view *view)
{
    struct quota_look *look = &view->look;
    int64_t asked_ms = view->now_ms;

    if (look->call.end != STORE_OK || !look->found) {
        end(view, look->call.end != STORE_OK ? USER_STORE_DOWN : USER_UNKNOWN);
        return;
    }
    view->now_ms = look->now_ms;
    if (strcmp(look->tier, view->tier->name) != 0) {
        span_text(span_of(look->tier), view->set.record.tier, sizeof(view->set.record.tier));
        view->tier = tiers_find(view->tiers, span_of(look->tier));
        ask_quota(view);
    } else if (!same_window(view->tier->limit_reset, asked_ms, look->now_ms) ||
               !same_window(LIMIT_RESET_DAILY, asked_ms, look->now_ms)) {
        ask_quota(view);
    } else {
        ask_key(view);
    }
}

static void got_key(struct user_view *view)
{
    wipe(view->key.record.sealed, sizeof(view->key.record.sealed)); /* nobody here needs it */
    end(view, view->key.call.end == STORE_OK ? USER_SEEN : USER_STORE_DOWN);
}

static void ask_quota(struct user_view *view)
{
    if (!view->tier) {
        ask_key(view);
        return;
    }
    if (view->looks++ == LOOKS_MAX) {
        end(view, USER_STORE_DOWN);
        return;
    }
    view->at = VIEW_AT_QUOTA;
    quota_look(view->store, &view->look, span_of(view->user), view->tier, view->now_ms,
               &view->turn);
}

static void ask_key(struct user_view *view)
{
    view->at = VIEW_AT_KEY;
    key_load(view->store, &view->key, span_of(view->user), &view->turn);
}

static void end(struct user_view *view, enum user_view_end how)
{
    view->end = how;
    view->done = true;
    loop_post(view->store->loop, view->wake);
}

static bool same_window(enum limit_reset reset, int64_t a_ms, int64_t b_ms)
{
    return period_of(reset, a_ms).starts_ms == period_of(reset, b_ms).starts_ms;
}
