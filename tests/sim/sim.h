/*
 * Everything the simulator is made of, in one object that is handed around.
 *
 * Owns     all its parts. Runs on one thread, one loop.
 * Borrows  the options' strings, which live as long as the process.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <uv.h>

#include "faults.h"
#include "keys.h"
#include "ledger.h"
#include "options.h"
#include "settings.h"

struct connection;
struct fast;

struct sim {
    uv_loop_t loop;
    const struct options *options;
    struct settings settings;
    struct keys keys;
    struct ledger ledger;
    struct faults faults;
    struct fast *fast;
    uv_tcp_t *listener;             /* NULL while connections are refused */
    struct connection *connections; /* all that are open */
    uv_timer_t accept_again;
    struct sockaddr_storage address;
    uint64_t epoch; /* grows with each reset: what older exchanges point to is gone */
    uint64_t next_generation;
    uint64_t settings_version;
    uint32_t nonce; /* tells the generations of this run from those of another */
    char read_buffer[65536];
};

int64_t sim_now_ms(const struct sim *sim);
void sim_reset(struct sim *sim); /* keys, ledger and faults; then the --api-key keys again */
void sim_name_generation(struct sim *sim, uint64_t row_seq, char ret_id[GENERATION_ID]);
uint64_t sim_row_of_generation(const struct sim *sim, const char *id); /* 0: not one of ours */

#endif
