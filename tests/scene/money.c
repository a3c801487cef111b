#include "scene/money.h"

#include "scene/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

/* One user: in Redis, and summed up from the entries of its requests. */
struct account {
    long long spent, messages, requests_sum, month_sum, held, live, expired, unbooked, by_key;
    long long ledger_sum, ledger_sent, ledger_estimates; /* costs; requests; how many are guesses */
    long long booked, sent, charged, delivered, perhaps;
    bool cut_off, died;
};

/* Of an entry: the user, the cost and the source. */
#define ENTRY "'^([^\\n]*)\\n[^\\n]*\\n[^\\n]*\\n(%d+)\\n.*\\n([^\\n]*)$'"

#define LEDGER_SCRIPT \
    "local times, text = 0, '- - 0' " \
    "for _, e in ipairs(redis.call('XRANGE', 'kt:{books}:ledger', '-', '+')) do " \
    "for i = 1, #e[2], 2 do if e[2][i] == ARGV[1] then " \
    "local user, cost, source = string.match(e[2][i + 1], " ENTRY ") " \
    "times = times + 1 text = user .. ' ' .. source .. ' ' .. cost end end end " \
    "return times .. ' ' .. text"

#define ACCOUNT_SCRIPT \
    "local ledger, sent, estimates = 0, 0, 0 " \
    "for _, e in ipairs(redis.call('XRANGE', 'kt:{books}:ledger', '-', '+')) do " \
    "for i = 2, #e[2], 2 do local user, cost, source = string.match(e[2][i], " ENTRY ") " \
    "if user == ARGV[1] then ledger = ledger + cost " \
    "sent = sent + (source == 'nothing_sent' and 0 or 1) " \
    "estimates = estimates + (source == 'estimate' and 1 or 0) end end end " \
    "local requests, cost = 0, 0 " \
    "for _, k in ipairs(redis.call('KEYS', 'kt:{books}:month:*:user')) do " \
    "local r, c = string.match(redis.call('HGET', k, ARGV[1]) or '0 0 ', '^(%d+) (%d+) ') " \
    "requests, cost = requests + r, cost + c end " \
    "local sums, states = {}, {L = 0, X = 0, S = 0} " \
    "local flat = redis.call('HGETALL', 'kt:{u:' .. ARGV[1] .. '}:account') " \
    "for i = 1, #flat, 2 do " \
    "local sum, state = string.match(flat[i], '^(%l+)|'), string.match(flat[i + 1], '^(%u)\\n') " \
    "if sum then sums[sum] = (sums[sum] or 0) + flat[i + 1] " \
    "else states[state] = states[state] + 1 end end " \
    "local held = 0 for _, sum in ipairs({'held', 'unconfirmed', 'messages', 'live'}) do " \
    "held = held + math.abs(sums[sum] or 0) end " \
    "return string.format('%.0f %.0f %.0f %.0f %.0f %d %d %d %.0f %.0f %d %d', sums.spent or 0, " \
    "sums.delivered or 0, requests, cost, held, states.L, states.X, states.S, sums.billed or 0, " \
    "ledger, sent, estimates)"

static void check_entry(struct world *w, const struct asker *asker, const struct entry *entry);
static struct account open_account(struct world *w, const struct person *person);
static void check_account(struct world *w, const struct person *person,
                          const struct account *account);
static void check_bill(struct world *w, const struct person *person, const struct account *account);
static long long used_before(const struct world *w, const struct person *person);
static bool may_be_estimated(struct world *w, const struct person *person);
static const struct tier *tier_of(struct world *w, const struct person *person);
static int64_t charged(const struct world *w, const struct asker *asker, bool *ret_asked);
static bool has_died(const struct world *w, const struct asker *asker);
static bool is_doubtful(const struct world *w, const struct asker *asker);
static bool is(const struct entry *entry, enum cost_source source);

struct entry booked(struct world *w, const struct asker *asker)
{
    struct entry entry = {0};
    char text[1024];

    LOOK(w, text, "EVAL", LEDGER_SCRIPT, "0", asker->request_id);
    if (sscanf(text, "%u %63s %23s %lld", &entry.times, entry.user, entry.source,
               &entry.cost_nano_usd) != 4)
        world_fails(w, __FILE__, __LINE__, "the ledger cannot be read: %s", text);
    return entry;
}

void is_booked_as(struct world *w, const struct asker *asker, enum cost_source source)
{
    struct entry entry = booked(w, asker);

    if (w->breaking.kind == BREAK_NONE && (entry.times != 1 || !is(&entry, source)))
        world_fails(w, __FILE__, __LINE__, "request %zu is booked %u times, %s and not %s",
                    asker->number, entry.times, entry.source, cost_source_name(source));
}

void money_adds_up(struct world *w)
{
    static struct entry entries[CLIENTS_MAX];

    for (size_t i = 0; i < w->asker_count; i++) {
        entries[i] = booked(w, &w->askers[i]);
        check_entry(w, &w->askers[i], &entries[i]);
    }
    for (size_t p = 0; p < w->person_count; p++) {
        struct account account = open_account(w, &w->people[p]);
        for (size_t i = 0; i < w->asker_count; i++) {
            const struct asker *asker = &w->askers[i];
            bool asked, doubtful = is_doubtful(w, asker);
            if (asker->person != &w->people[p])
                continue;
            account.booked += entries[i].cost_nano_usd;
            account.charged += charged(w, asker, &asked);
            account.cut_off = account.cut_off || w->instances[asker->instance].was_cut_off;
            account.died = account.died || has_died(w, asker);
            account.delivered += reply_has(asker, "\"content\":\"one ") && !doubtful;
            account.perhaps += doubtful && entries[i].times > 0;
            account.sent += entries[i].times > 0 && !is(&entries[i], COST_NOTHING_SENT);
        }
        check_account(w, &w->people[p], &account);
        check_bill(w, &w->people[p], &account);
    }
}

static void check_entry(struct world *w, const struct asker *asker, const struct entry *entry)
{
    const struct person *person = asker->person;
    bool asked;
    int64_t bill = charged(w, asker, &asked);
    const char *wrong =
        entry->times > 1                                  ? "is booked twice"
        : entry->times == 0 && bill > 0                   ? "was charged and is not booked"
        : entry->times == 0                               ? NULL
        : !person || strcmp(person->id, entry->user) != 0 ? "is booked on somebody else"
        : is(entry, COST_FROM_ESTIMATE) && entry->cost_nano_usd < bill ? "is booked too low"
        : is(entry, COST_FROM_ESTIMATE) && !may_be_estimated(w, person)
            ? "is an estimate, and its key knows better"
        : is(entry, COST_NOTHING_SENT) && (entry->cost_nano_usd || (bill && !has_died(w, asker)))
            ? "left, and is booked as if it had not"
        : !is(entry, COST_FROM_ESTIMATE) && !is(entry, COST_FROM_KEY) &&
                !is(entry, COST_NOTHING_SENT) && entry->cost_nano_usd != bill
            ? "is not booked as charged"
        : !asked && entry->cost_nano_usd && !has_died(w, asker) ? "never left and is booked"
                                                                : NULL;

    if (wrong)
        world_fails(w, __FILE__, __LINE__, "request %zu (%s) %s: %u times, %s, %lld, charged %lld",
                    asker->number, asker->request_id, wrong, entry->times, entry->source,
                    entry->cost_nano_usd, (long long)bill);
}

static struct account open_account(struct world *w, const struct person *person)
{
    struct account a = {0};
    char text[1024];

    LOOK(w, text, "EVAL", ACCOUNT_SCRIPT, "0", person->id);
    if (sscanf(text, "%lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld", &a.spent,
               &a.messages, &a.requests_sum, &a.month_sum, &a.held, &a.live, &a.expired,
               &a.unbooked, &a.by_key, &a.ledger_sum, &a.ledger_sent, &a.ledger_estimates) != 12)
        world_fails(w, __FILE__, __LINE__, "an account cannot be read: %s", text);
    return a;
}

static void check_account(struct world *w, const struct person *person,
                          const struct account *account)
{
    const struct tier *tier = tier_of(w, person);

    if (account->held || account->live || account->expired || account->unbooked)
        world_fails(w, __FILE__, __LINE__,
                    "%s has open holds: %lld live, %lld expired, %lld unbooked, their sums %lld",
                    person->id, account->live, account->expired, account->unbooked, account->held);
    if (account->spent != account->ledger_sum || account->month_sum != account->ledger_sum)
        world_fails(w, __FILE__, __LINE__, "%s spent %lld, the ledger says %lld, its sums %lld",
                    person->id, account->spent, account->ledger_sum, account->month_sum);
    EXPECT_NUMBER(w, account->requests_sum, account->ledger_sent);
    /* Of an instance that died nobody knows which of the holds it took ahead its requests used. */
    if (!account->died) {
        EXPECT_NUMBER(w, account->ledger_sum, account->booked);
        EXPECT_NUMBER(w, account->ledger_sent, account->sent);
    }
    if (account->messages < account->delivered ||
        account->messages > account->delivered + account->perhaps)
        world_fails(w, __FILE__, __LINE__,
                    "%s has %lld messages counted, %lld delivered (and %lld perhaps)", person->id,
                    account->messages, account->delivered, account->perhaps);
    if (tier->limit_nano_usd > 0 && account->spent > tier->limit_nano_usd)
        world_fails(w, __FILE__, __LINE__, "%s spent %lld, which is above the limit", person->id,
                    account->spent);
}

/* The promise: what OpenRouter charged is what is settled; and what is settled of the user's own key is known. A request
 * whose instance was cut off may outlive the audit of its hold: what it cost is found by the user's next audit. */
static void check_bill(struct world *w, const struct person *person, const struct account *account)
{
    if (account->ledger_estimates && !may_be_estimated(w, person))
        world_fails(w, __FILE__, __LINE__, "%s has %lld estimates, and the key knows better",
                    person->id, account->ledger_estimates);
    if (account->ledger_estimates)
        return;
    if (account->ledger_sum != account->charged &&
        !(account->cut_off && account->ledger_sum < account->charged))
        world_fails(w, __FILE__, __LINE__, "%s is booked %lld and was charged %lld", person->id,
                    account->ledger_sum, account->charged);
    if (!may_be_estimated(w, person) &&
        account->by_key != account->ledger_sum + used_before(w, person))
        world_fails(w, __FILE__, __LINE__, "%s is booked %lld, of which by key %lld", person->id,
                    account->ledger_sum, account->by_key);
}

static long long used_before(const struct world *w, const struct person *person)
{
    long long sum = 0;

    for (size_t i = 0; i < w->keys.count; i++)
        if (span_contains(span_of(w->keys.keys[i].name), span_of(person->pseudonym)))
            sum += w->keys.keys[i].used_nano_usd;
    return sum;
}

/* Who runs on the shared key, at least at times; whose key was replaced, when nobody can say on which of them a request
 * ran; and where there is no management key to ask with, or not for long. */
static bool may_be_estimated(struct world *w, const struct person *person)
{
    const struct tier *tier = tier_of(w, person);
    char version[1024];

    record_field(w, person, "version", version);
    return tier->key == TIER_KEY_SHARED || tier->shared_on_failure || atoi(version) > 1 ||
           !secret_is_set(&w->management_key) || w->management_stays_refused;
}

static const struct tier *tier_of(struct world *w, const struct person *person)
{
    char text[1024], key[STORE_KEY_MAX];

    snprintf(key, sizeof(key), "kt:u:{u:%s}", person->id);
    LOOK(w, text, "HGET", key, "tier");
    return text[0] ? tiers_find(&w->tiers, span_of(text)) : w->settings.default_tier;
}

/* All its tries together. */
static int64_t charged(const struct world *w, const struct asker *asker, bool *ret_asked)
{
    int64_t sum = 0;

    *ret_asked = false;
    for (size_t i = 0; i < w->asks.count; i++)
        if (w->asks.rows[i].bill.number == (int64_t)asker->number) {
            *ret_asked = true;
            sum += w->asks.rows[i].bill.cost_nano_usd;
        }
    return sum;
}

static bool has_died(const struct world *w, const struct asker *asker)
{
    return !w->instances[asker->instance].alive;
}

/* Others may have settled it, who cannot know whether content was delivered. */
static bool is_doubtful(const struct world *w, const struct asker *asker)
{
    const struct instance *instance = &w->instances[asker->instance];

    return has_died(w, asker) || instance->was_cut_off || instance->flow.cutting;
}

static bool is(const struct entry *entry, enum cost_source source)
{
    return strcmp(entry->source, cost_source_name(source)) == 0;
}
