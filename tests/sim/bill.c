/*
 * Booking: from the tokens an answer cost to the key, the row and the totals, once.
 */
#include "exchange.h"
#include "models.h"
#include "sim.h"

static int64_t price_of(const struct bill *bill, int64_t completion_tokens);

void bill_settle(struct exchange *exchange, int64_t completion_tokens, const char *finish_reason)
{
    struct bill *bill = &exchange->bill;
    struct sim *sim = exchange->sim;
    if (!bill->open)
        return;
    bill->open = false;
    if (exchange->epoch != sim->epoch)
        return;
    int64_t price = price_of(bill, completion_tokens);
    int64_t byok = sim->settings.byok ? price : 0;
    int64_t now_ms = sim_now_ms(sim);
    key_charge(bill->key, price - byok, byok, now_ms);
    sim->ledger.totals.billed_nano_usd += price - byok;
    sim->ledger.totals.byok_nano_usd += byok;
    sim->ledger.totals.inference_ok++;
    struct row *row = exchange_row(exchange);
    if (!row)
        return;
    row->billed_nano_usd = price - byok;
    row->byok_nano_usd = byok;
    row->prompt_tokens = bill->prompt_tokens;
    row->completion_tokens = completion_tokens;
    row->finish_reason = bill->failed ? "error" : finish_reason;
    row->ended_ms = now_ms;
}

/* A stream that failed, or ended before its first token, costs nothing. */
static int64_t price_of(const struct bill *bill, int64_t completion_tokens)
{
    if (bill->failed || (bill->stream && completion_tokens == 0))
        return 0;
    return model_cost_nano_usd(bill->billed_model, bill->prompt_tokens, completion_tokens);
}
