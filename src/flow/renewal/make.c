/* Rows of the renewal: delete what earlier attempts left, create, commit, give the lease back. */
#include "flow/renewal/way.h"

#include <stdio.h>

enum { LIST_PAGE = 100, LIST_PAGES_MAX = 1000, CLOCKS_DIFFER_MS = 300000, BODY_MAX = 1024 };

static void start_over(struct renewal *r);
static enum verdict list_answered(struct renewal *r);
static enum verdict delete_answered(struct renewal *r);
static enum verdict leftovers_are_gone(struct renewal *r);
static void note_leftover(const struct key_facts *facts, void *context);
static int64_t leftover_made_ms(const char *name);
static int64_t oldest_leftover_ms(const struct renewal *r);
static bool read_created(struct renewal *r);
static enum verdict create_is_unknown(struct renewal *r);
static enum verdict committed(struct renewal *r);

struct page {
    struct renewal *r;
    int64_t oldest_ms; /* of the rows seen; 0: none told */
};

enum verdict renewal_ask_leftovers(struct renewal *r)
{
    if (r->claim.leftovers.count == 0)
        return leftovers_are_gone(r);
    r->at = RENEWAL_AT_got_leftovers;
    if (!r->listed)
        renewal_fetch(r, "GET", SPAN_NONE, "/keys?include_disabled=true&offset=%zu",
                      r->list_offset);
    else if (r->next_found < r->found.count)
        renewal_fetch(r, "DELETE", SPAN_NONE, "/keys/%s", r->found.items[r->next_found]);
    else
        return leftovers_are_gone(r);
    return WAIT;
}

enum verdict renewal_got_leftovers(struct renewal *r)
{
    int status = r->fetch.end == FETCH_ANSWERED ? r->fetch.status : 0;
    enum verdict verdict;

    if (key_api_done(status) || (r->listed && key_api_missing(status))) {
        verdict = r->listed ? delete_answered(r) : list_answered(r);
        fetch_done(&r->fetch);
        return verdict;
    }
    fetch_done(&r->fetch);
    if (!key_api_refused(status) && renewal_may_try_again(r))
        return renewal_pause(r, renewal_backoff_ms(r), RENEWAL_AT_ask_leftovers);
    r->kept = r->claim.leftovers;
    r->keep_trace = true;
    if (!key_api_refused(status))
        return renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_CREATE_FAILED);
    renewal_management_refused(r, status);
    return renewal_give_up(r, RENEWAL_MANAGEMENT_REFUSED, OUTCOME_MANAGEMENT_REFUSED);
}

enum verdict renewal_ask_create(struct renewal *r)
{
    struct flow *flow = r->flow;
    uint64_t now_ms = loop_now_ms(flow->loop);
    struct key_wish wish = {
        .name = span_of(r->claim.name),
        .external_user = SPAN_NONE,
        .limit_nano_usd = key_limit_carried(&r->claim.record, &r->facts, tier_key_limit(r->tier)),
        .limit_reset = tier_key_limit(r->tier) >= 0 ? r->tier->limit_reset : LIMIT_RESET_NONE,
        .expires_at_ms =
            r->tier->expires_after_ms ? r->claim.now_ms + r->tier->expires_after_ms : 0,
    };
    struct buffer body;

    if (now_ms + flow->settings->control_ms >
        r->lease_until_ms) /* the answer would come under a lapsed lease */
        return renewal_once_more(r, 0, RENEWAL_DELAYED);
    if (!token_bucket_take(&flow->renewals.creations, now_ms))
        return renewal_pause(r, token_bucket_wait_ms(&flow->renewals.creations, now_ms),
                             RENEWAL_AT_ask_create);
    r->made = (struct key_record){.state = KEY_ACTIVE,
                                  .version = r->claim.version,
                                  .limit_nano_usd = wish.limit_nano_usd,
                                  .limit_reset = wish.limit_reset,
                                  .expires_at_ms = wish.expires_at_ms,
                                  .auto_renewed = r->claim.version > 1};
    span_text(wish.name, r->made.name, sizeof(r->made.name));
    buffer_init(&body, BODY_MAX);
    key_api_compose_create(&wish, &body);
    r->at = RENEWAL_AT_got_create;
    renewal_fetch(r, "POST", buffer_view(&body), "/keys");
    buffer_done(&body);
    return WAIT;
}

enum verdict renewal_got_create(struct renewal *r)
{
    int status = r->fetch.end == FETCH_ANSWERED ? r->fetch.status : 0;
    bool unreached = r->fetch.end == FETCH_UNREACHED;
    int64_t hint_s = r->fetch.retry_after_s;
    bool made = key_api_done(status) && read_created(r);

    fetch_done(&r->fetch);
    if (made)
        return renewal_go(r, RENEWAL_AT_ask_commit);
    if (unreached)
        return renewal_once_more(r, renewal_backoff_ms(r), RENEWAL_DELAYED);
    if (key_api_paced(status))
        return renewal_once_more(r, renewal_hinted_ms(r, hint_s), RENEWAL_DELAYED);
    if (key_api_refused(status)) {
        renewal_management_refused(r, status);
        return renewal_give_up(r, RENEWAL_MANAGEMENT_REFUSED, OUTCOME_MANAGEMENT_REFUSED);
    }
    if (status / 100 == 4) {
        log_error(
            r->flow->log,
            "[Auto-Renewal] OpenRouter refused to create a key; check the keys section of the "
            "configuration against the account's rules",
            log_text("user", r->user), log_int("status", status));
        return renewal_give_up(r, RENEWAL_REFUSED, OUTCOME_CREATE_FAILED);
    }
    return create_is_unknown(r);
}

enum verdict renewal_ask_commit(struct renewal *r)
{
    /* also a key that is gone: should that have been wrong, it must not live on unseen */
    bool replaces = r->claim.record.hash[0] && r->claim.record.state == KEY_ACTIVE;
    struct span doomed = replaces ? span_of(r->claim.record.hash) : SPAN("");

    r->at = RENEWAL_AT_got_commit;
    key_commit(r->flow->store, &r->commit, span_of(r->user), r->claim.fence, &r->made, &r->kept,
               doomed, &r->turn);
    return WAIT;
}

enum verdict renewal_got_commit(struct renewal *r)
{
    if (store_call_is_open(&r->commit.call))
        return WAIT;
    if (r->commit.call.end == STORE_OK)
        return r->commit.fenced ? renewal_go(r, RENEWAL_AT_ask_undo) : committed(r);
    r->commit_unknown = r->commit_unknown || r->commit.call.end != STORE_DOWN;
    if (renewal_may_try_again(
            r)) /* repeating is safe: the fence and the hash tell the script it was us */
        return renewal_pause(r, renewal_backoff_ms(r) * 4, RENEWAL_AT_ask_commit);
    r->keep_trace = true;
    if (!r->commit_unknown)
        return renewal_go(r, RENEWAL_AT_ask_undo);
    secret_done(&r->made_key);
    return renewal_end(r, RENEWAL_STORE_DOWN);
}

enum verdict renewal_ask_undo(struct renewal *r)
{
    r->at = RENEWAL_AT_got_undo;
    secret_done(&r->made_key);
    renewal_fetch(r, "DELETE", SPAN_NONE, "/keys/%s", r->made.hash);
    return WAIT;
}

/* Whether it worked or not: whoever fenced us has our name among the leftovers and looks after it. */
enum verdict renewal_got_undo(struct renewal *r)
{
    bool gone = r->fetch.end == FETCH_ANSWERED &&
                (key_api_done(r->fetch.status) || key_api_missing(r->fetch.status));

    fetch_done(&r->fetch);
    r->keep_trace = r->keep_trace || !gone;
    if (r->commit.call.end != STORE_OK)
        return renewal_end(r, RENEWAL_STORE_DOWN);
    if (++r->attempt >= RENEWAL_ATTEMPTS_MAX)
        return renewal_end(r, RENEWAL_DELAYED);
    start_over(r);
    return renewal_go(r, RENEWAL_AT_ask_claim);
}

enum verdict renewal_ask_release(struct renewal *r)
{
    r->at = RENEWAL_AT_got_release;
    key_release(r->flow->store, &r->release, span_of(r->user), r->claim.fence, r->seen_version,
                r->told, &r->kept, &r->turn);
    return WAIT;
}

enum verdict renewal_got_release(struct renewal *r)
{
    if (store_call_is_open(&r->release.call))
        return WAIT;
    if (r->release.call.end != STORE_OK)
        r->keep_trace =
            true; /* the lease runs out by itself; the sweeper looks at what it covered */
    if (!r->again)
        return renewal_go(r, RENEWAL_AT_tell);
    start_over(r);
    return renewal_pause(r, r->again_after_ms, RENEWAL_AT_ask_claim);
}

/* A new attempt: a new name, and what is left behind is looked for anew. */
static void start_over(struct renewal *r)
{
    r->nonce[0] = '\0';
    r->again = r->listed = r->commit_unknown = false;
    r->list_offset = r->next_found = r->found.count = 0;
    r->kept = (struct key_list){0};
}

/* Newest first: nothing of ours can stand behind rows that are older than the oldest attempt. */
static enum verdict list_answered(struct renewal *r)
{
    struct page page = {r, 0};
    size_t rows = 0;
    bool read = key_api_read_list(buffer_view(&r->fetch.body), note_leftover, &page, &rows);
    bool past = page.oldest_ms && page.oldest_ms < oldest_leftover_ms(r) - CLOCKS_DIFFER_MS;

    if (!read)
        return renewal_may_try_again(r)
                   ? renewal_pause(r, renewal_backoff_ms(r), RENEWAL_AT_ask_leftovers)
                   : renewal_give_up(r, RENEWAL_DELAYED, OUTCOME_CREATE_FAILED);
    r->list_offset += LIST_PAGE;
    r->listed = rows == 0 || past || r->found.count >= r->claim.leftovers.count ||
                r->list_offset >= (size_t)LIST_PAGE * LIST_PAGES_MAX;
    return renewal_go(r, RENEWAL_AT_ask_leftovers);
}

static enum verdict delete_answered(struct renewal *r)
{
    log_info(r->flow->log, "[Auto-Renewal] Orphan of an unfinished attempt deleted",
             log_text("user", r->user),
             log_span("key_hash", span_first(span_of(r->found.items[r->next_found]), 12)));
    metric_add(r->flow->metrics, MEASURE_KEYS_DELETED, 0, 0, 1);
    r->next_found++;
    return renewal_go(r, RENEWAL_AT_ask_leftovers);
}

/* A name is forgotten once it was looked for so late that a create still under way then is impossible. */
static enum verdict leftovers_are_gone(struct renewal *r)
{
    int64_t settled_ms = r->claim.now_ms - (int64_t)r->flow->settings->sweep_age_ms;

    r->kept = (struct key_list){0};
    for (size_t i = 0; i < r->claim.leftovers.count; i++)
        if (leftover_made_ms(r->claim.leftovers.items[i]) > settled_ms)
            key_list_add(&r->kept, span_of(r->claim.leftovers.items[i]));
    r->keep_trace = r->keep_trace || r->kept.count > 0;
    if (r->reason == CLAIM_MEND)
        return renewal_give_up(r, RENEWAL_MENDED, OUTCOME_MENDED);
    return renewal_go(r, RENEWAL_AT_ask_create);
}

static void note_leftover(const struct key_facts *facts, void *context)
{
    struct page *page = context;

    if (facts->created_at_ms && (!page->oldest_ms || facts->created_at_ms < page->oldest_ms))
        page->oldest_ms = facts->created_at_ms;
    if (key_list_has(&page->r->claim.leftovers, span_of(facts->name)))
        key_list_add(&page->r->found, span_of(facts->hash));
}

/* The fence in a name is at least the store's time when it was claimed. */
static int64_t leftover_made_ms(const char *name)
{
    struct key_name parts;

    return key_name_parse(span_of(name), &parts) ? parts.fence : 0;
}

static int64_t oldest_leftover_ms(const struct renewal *r)
{
    int64_t oldest_ms = r->claim.now_ms;

    for (size_t i = 0; i < r->claim.leftovers.count; i++)
        if (leftover_made_ms(r->claim.leftovers.items[i]) < oldest_ms)
            oldest_ms = leftover_made_ms(r->claim.leftovers.items[i]);
    return oldest_ms;
}

static bool read_created(struct renewal *r)
{
    struct seal_context context = {span_of(r->user), SPAN("sub-key"), r->claim.version};
    struct key_facts facts = {0};
    struct buffer sealed;

    if (!key_api_read_created(buffer_view(&r->fetch.body), &r->made_key, &facts))
        return false;
    memcpy(r->made.hash, facts.hash, sizeof(r->made.hash));
    buffer_init(&sealed, KEY_SEALED_MAX);
    vault_seal(r->flow->vault, &context, secret_reveal(&r->made_key), &sealed);
    span_text(buffer_view(&sealed), r->made.sealed, sizeof(r->made.sealed));
    buffer_done(&sealed);
    metric_add(r->flow->metrics, MEASURE_KEYS_CREATED, 0, 0, 1);
    return true;
}

/* The reply was lost: there may be a key whose secret nobody has. It must be deleted before another is made. */
static enum verdict create_is_unknown(struct renewal *r)
{
    log_warn(r->flow->log,
             "[Auto-Renewal] No usable answer to a create; a key it may have made is looked for "
             "and deleted",
             log_text("user", r->user), log_int("attempt", (int64_t)r->attempt + 1));
    key_list_add(&r->kept, span_of(r->claim.name));
    r->keep_trace = true;
    return renewal_once_more(r, renewal_backoff_ms(r), RENEWAL_DELAYED);
}

static enum verdict committed(struct renewal *r)
{
    char mask[SECRET_MASK_SIZE], message[128];
    bool renewed = r->made.auto_renewed;

    secret_mask(&r->made_key, mask);
    snprintf(message, sizeof(message), "%s New key created: %s",
             renewed ? "[Auto-Renewal]" : "[Provisioning]", mask);
    log_info(r->flow->log, message, log_text("user", r->user), log_int("version", r->made.version),
             log_text("old_key", r->claim.record.hash[0] ? key_health_name(r->health) : NULL));
    metric_set(r->flow->metrics, MEASURE_MANAGEMENT_REFUSED, 0);
    r->made.updated_at_ms = r->claim.now_ms;
    keyring_put(&r->flow->keyring, span_of(r->user), &r->made, &r->made_key);
    r->keep_trace = r->kept.count > 0 || r->claim.doomed.count > 0 || r->claim.record.hash[0];
    return renewal_end(r, renewed ? RENEWAL_RENEWED : RENEWAL_PROVISIONED);
}
