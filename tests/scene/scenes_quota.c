/* Scenes of who may spend how much: tiers, budgets, whose key pays. */
#include "scene/money.h"
#include "scene/scenes.h"
#include "scene/vocabulary.h"

void arrange_models_come_late(struct world *w)
{
    w->models_come_late = true;
}

/* Nobody knows a price yet: the tier's own hold stands for it. */
void models_come_late(struct world *w)
{
    struct person *ada = a_user(w, "ada");
    struct asker *first, *second;

    a_key(w, ada, (struct key_story){0});
    goes_wrong(w, "fetch GET /models", BREAK_status_500);
    first = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 200);
        EXPECT(w, !w->instances[0].flow.models.catalogue);
        EXPECT_NUMBER(w, bill_of(w, first)->max_tokens, -1);
        is_booked_as(w, first, COST_FROM_USAGE);
    }
    everything_runs(w, 15000);
    second = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(second), 200);
        EXPECT(w, w->instances[0].flow.models.catalogue);
        EXPECT_NUMBER(w, bill_of(w, second)->max_tokens, 16384);
    }
}

/* Three of 10000 tokens fit, a fourth gets what is left, and nobody else anything. */
void budget_for_some_of_a_crowd(struct world *w)
{
    enum { CROWD = 7, WHOLE = 3, TOKENS = 10000 };
    struct person *ada = a_user_of(w, "ada", "Small");
    struct asker *crowd[CROWD], *later;
    unsigned admitted = 0, whole = 0;

    a_key(w, ada, (struct key_story){0});
    upstream_holds_after(w, 1);
    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = client_sends(
            w, (struct asking){.token = ada->token, .instance = i % 2, .max_tokens = TOKENS});
    everything_runs(w, 100);
    for (unsigned i = 0; i < CROWD; i++) {
        const struct fake_bill *bill = bill_of(w, crowd[i]);
        admitted += bill != NULL;
        whole += bill && bill->max_tokens == TOKENS;
        UNBROKEN(w)
        {
            EXPECT(w, !bill || bill->max_tokens <= TOKENS);
            if (!bill)
                was_refused(w, crowd[i], 429, "budget_held");
        }
    }
    UNBROKEN(w)
    {
        EXPECT_NUMBER(w, admitted, WHOLE + 1);
        EXPECT_NUMBER(w, whole, WHOLE);
    }
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 1000);
    later = client_sends(w, (struct asking){.token = ada->token, .max_tokens = TOKENS});
    everything_runs(w, 1000);
    UNBROKEN(w) EXPECT_NUMBER(w, status_of(later), 200);
}

/* While two run, the third is cut short and the fourth waits; once they are paid for, the budget is spent. */
void budget_is_held_then_spent(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Small");
    struct asker *held[4], *spent;

    ada->afterwards = 0;
    a_key(w, ada, (struct key_story){0});
    w->asks.billing.word_tokens = 16384 / 2;
    upstream_holds_after(w, 1);
    for (unsigned i = 0; i < 4; i++) {
        held[i] = client_sends(w, (struct asking){.token = ada->token, .stream = true});
        everything_runs(w, 100);
    }
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, bill_of(w, held[0])->max_tokens, 16384);
        EXPECT_NUMBER(w, bill_of(w, held[1])->max_tokens, 16384);
        EXPECT(w, bill_of(w, held[2])->max_tokens >= 16);
        EXPECT(w, bill_of(w, held[2])->max_tokens < 600);
        was_refused(w, held[3], 429, "budget_held");
        EXPECT(w, reply_has(held[3], "\"limit_nano_usd\":20000000,"));
    }
    upstream_holds_after(w, SIZE_MAX);
    everything_runs(w, 1000);
    do { /* what the prompts did not need */
        spent = client_sends(w, (struct asking){.token = ada->token, .stream = true});
        everything_runs(w, 100);
        PLAINLY(w) EXPECT(w, status_of(spent) != 200 || bill_of(w, spent)->max_tokens < 600);
    } while (status_of(spent) == 200 && w->asker_count < 10);
    PLAINLY(w) was_refused(w, spent, 402, "insufficient_quota");
}

/* What an instance remembers of a user's tier is never the last word. */
void tiers_change(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Small");
    struct asker *refused, *fine, *smaller, *own;
    const struct asking dear = {.token = ada->token, .model = "openai/gpt-4o"};

    ada->afterwards = 0;
    a_key(w, ada, (struct key_story){0});
    refused = client_sends(w, dear);
    everything_runs(w, 100);
    tier_becomes(w, ada, "Standard");
    fine = client_sends(w, dear);
    everything_runs(w, 100);
    tier_becomes(w, ada, "Small");
    smaller = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        was_refused(w, refused, 403, "model_not_allowed");
        EXPECT(w, reply_has(refused, "The tier Standard does."));
        EXPECT_NUMBER(w, booked(w, refused).times, 0);
        EXPECT_NUMBER(w, status_of(fine), 200);
        EXPECT(w, reply_was(fine, "x-keyturn-tier", "Standard"));
        EXPECT_NUMBER(w, status_of(smaller), 200);
        EXPECT(w, reply_was(smaller, "x-keyturn-tier", "Small"));
    }
    refused = client_sends(w, dear);
    tier_becomes(w, ada, "Own");
    own = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT(w, status_of(refused) >= 400);
        EXPECT(w, status_of(own) >= 400);
        EXPECT_NUMBER(w, w->asks.count, 2);
    }
}

/* On the operator's key: no key is made, and what it costs is asked for with that one. */
void free_tier(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Free");
    const struct asking free = {.token = ada->token,
                                .model = "meta-llama/llama-3.3-8b-instruct:free"};
    struct asker *first, *second, *third, *dear;

    ada->afterwards = 0;
    first = client_sends(w, free);
    everything_runs(w, 100);
    w->asks.billing.tells_no_usage = true;
    second = client_sends(w, free);
    everything_runs(w, 5000);
    third = client_sends(w, free);
    dear = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 100);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(first), 200);
        EXPECT(w, strcmp(w->asks.rows[0].bearer, w->keys.shared_key) == 0);
        is_booked_as(w, first, COST_FROM_USAGE);
        EXPECT_NUMBER(w, status_of(second), 200);
        is_booked_as(w, second, COST_FROM_GENERATION);
        was_refused(w, third, 429, "daily_message_limit_reached");
        was_refused(w, dear, 403, "model_not_allowed");
        EXPECT_NUMBER(w, w->keys.creates, 0);
    }
}

void shared_key_on_failure(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Lenient"), *bob = a_user(w, "bob");
    struct asker *shares, *fails;

    bob->afterwards = 0;
    w->keys.refuses_management = true;
    w->asks.billing.tells_no_usage = true;
    shares = client_sends(w, (struct asking){.token = ada->token});
    fails = client_sends(w, (struct asking){.token = bob->token});
    everything_runs(w, 5000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(shares), 200);
        EXPECT(w, strcmp(w->asks.rows[0].bearer, w->keys.shared_key) == 0);
        is_booked_as(w, shares, COST_FROM_GENERATION);
        was_refused(w, fails, 502, "auto_renewal_failed");
    }
    w->keys.refuses_management = false;
}

/* The user's own key has expired and cannot be renewed: that another one works says nothing about it. */
void shared_key_proves_nothing(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Lenient");
    struct asker *asker;
    char text[1024];

    a_key(w, ada, (struct key_story){.expires_in_ms = 1000, .unproven = true});
    everything_runs(w, 2000);
    w->keys.refuses_management = true;
    asker = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        EXPECT_NUMBER(w, status_of(asker), 200);
        EXPECT(w, strcmp(w->asks.rows[0].bearer, w->keys.shared_key) == 0);
        EXPECT(w, strcmp(record_field(w, ada, "proven", text), "1") != 0);
    }
    w->keys.refuses_management = false;
}

/* Whether the hold was taken or not: it is given back. */
void admission_is_lost(struct world *w)
{
    struct person *ada = a_user_of(w, "ada", "Small");
    struct asker *taken, *missed, *later;

    a_key(w, ada, (struct key_story){0});
    client_sends(w, (struct asking){.token = ada->token}); /* her tier is remembered now */
    everything_runs(w, 1000);
    goes_wrong(w, "redis admit", BREAK_lost_applied);
    taken = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    goes_wrong(w, "redis admit", BREAK_lost_unapplied);
    missed = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    later = client_sends(w, (struct asking){.token = ada->token});
    everything_runs(w, 1000);
    PLAINLY(w)
    {
        was_refused(w, taken, 503, "store_unavailable");
        was_refused(w, missed, 503, "store_unavailable");
        is_booked_as(w, taken, COST_NOTHING_SENT);
        is_booked_as(w, missed, COST_NOTHING_SENT);
        EXPECT_NUMBER(w, status_of(later), 200);
        EXPECT_NUMBER(w, bill_of(w, later)->max_tokens, 16384);
    }
}
