/* upstream_message.h: making OpenRouter's sentences fit for clients.
 *
 * Owns      nothing; writes into the caller's text.
 * Fails     never; what does not fit is cut between two characters.
 * Source    openrouter-api 10.46
 */
#ifndef KEYTURN_DOMAIN_UPSTREAM_MESSAGE_H
#define KEYTURN_DOMAIN_UPSTREAM_MESSAGE_H

#include "base/span.h"

/* A message fit for clients: key hashes in URLs (/keys/<64 hex>), user_…, keys and credit links are removed; a sentence
 * that only leads to the operator's account pages goes as a whole. Control characters become spaces. */
void upstream_message_clean(struct span message, char *ret_text, size_t capacity);

#endif
