/* header_rules.h: which header fields pass. Requests are built from nothing, responses likewise: what is not in the
 * tables does not exist.
 *
 * Source    reliability D6 (X-Accel-*, Set-Cookie, Server, Alt-Svc never pass), openrouter-api 3.2, 3.3
 */
#ifndef KEYTURN_DOMAIN_HEADER_RULES_H
#define KEYTURN_DOMAIN_HEADER_RULES_H

#include "base/span.h"

bool header_passes_up(
    struct span name); /* client's request field that goes to OpenRouter as it is */
bool header_passes_down(
    struct span name); /* OpenRouter's response field that goes to the client as it is */
/* No CR, LF, NUL or other control byte. */
bool header_value_is_fine(struct span value);

#endif
