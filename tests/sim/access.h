/*
 * Who presents what credential, and what OpenRouter says to those who may not.
 */
#ifndef SIM_ACCESS_H
#define SIM_ACCESS_H

#include "exchange.h"

/* Reads the credential into the exchange. */
void access_identify(struct exchange *exchange);

/* The refusal the route's access and, for inference, the key's state and limit call for; NULL: go
 * on. */
const struct canned *access_check(struct exchange *exchange);

/* The money side alone: account empty, key limit reached. */
const struct canned *access_check_money(struct exchange *exchange);

/* What fills the holes of a canned text for this exchange. */
struct text_values access_values(const struct exchange *exchange);

#endif
