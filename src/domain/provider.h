/* provider.h: does a stream go on costing after it was closed?
 *
 * Source    openrouter-api 3.7 (both lists, name by name)
 */
#ifndef KEYTURN_DOMAIN_PROVIDER_H
#define KEYTURN_DOMAIN_PROVIDER_H

#include "base/span.h"

/* These bill to the end whoever listens, so their streams are read to the end. All others, unknown ones too, are closed:
 * that never costs more, and what it did cost can be asked for. */
bool provider_bills_to_the_end(struct span name);

#endif
