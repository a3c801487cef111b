#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t sim_now_ms(const struct sim *sim)
{
    return clock_real_ms() + sim->settings.clock_offset_ms;
}

void sim_reset(struct sim *sim)
{
    sim->epoch++;
    faults_clear(&sim->faults);
    ledger_done(&sim->ledger);
    keys_done(&sim->keys);
    struct text ignored = {0};
    for (int i = 0; i < sim->options->api_key_count; i++)
        keys_add(&sim->keys, sim->options->api_keys[i], "given at start", sim_now_ms(sim),
                 &ignored);
    text_done(&ignored);
}

void sim_name_generation(struct sim *sim, uint64_t row_seq, char ret_id[GENERATION_ID])
{
    snprintf(ret_id, GENERATION_ID, "gen-%010" PRId64 "-%08" PRIx32 "%012" PRIx64,
             (sim_now_ms(sim) / 1000) % INT64_C(10000000000), sim->nonce,
             row_seq & UINT64_C(0xffffffffffff));
}

uint64_t sim_row_of_generation(const struct sim *sim, const char *id)
{
    uint32_t nonce;
    uint64_t seq;
    if (strlen(id) != 35 || sscanf(id + 15, "%8" SCNx32 "%12" SCNx64, &nonce, &seq) != 2)
        return 0;
    return nonce == sim->nonce ? seq : 0;
}
