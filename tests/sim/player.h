/*
 * Sends the play of an exchange: piece by piece, with its pauses, its stall and its splits.
 *
 * Ends   calls exchange_over after the last byte, connection_lost when the client is gone.
 */
#ifndef SIM_PLAYER_H
#define SIM_PLAYER_H

#include "exchange.h"

void player_start(struct exchange *exchange);
void player_go_on(struct exchange *exchange); /* after a pause or a stall */

/* How many tokens lie in the bytes before this position. */
int64_t player_tokens_at(const struct exchange *exchange, size_t position);

#endif
