/* hidden_error.h: an error that came as a success. OpenRouter says 200 before it knows; what fails afterwards stands in the
 * body: {"error":{"code":502,...}}, perhaps behind the blank lines it sends while it works.
 *
 * Owns      nothing.
 * Fails     never: a body that cannot be read has the status 502.
 * Source    openrouter-api 3.4, 5.1 (the shapes), 10.37, 10.38
 */
#ifndef KEYTURN_DOMAIN_HIDDEN_ERROR_H
#define KEYTURN_DOMAIN_HIDDEN_ERROR_H

#include "base/span.h"

/* OPEN: with what came so far it may be either. */
enum body_beginning { BEGINS_AS_ANSWER, BEGINS_OPEN, BEGINS_AS_ERROR };

/* Of a plain answer with a status of success: as what do the bytes so far begin? */
enum body_beginning hidden_error_beginning(struct span body);
/* The status it should have had: its code, where that is the status of an error. */
int hidden_error_status(struct span body);

#endif
