/* stray_variables.h: KEYTURN_ variables that nothing reads, most often a slip of the pen. They are told and not refused:
 * Kubernetes sets some of its own where a service is called keyturn (KEYTURN_SERVICE_HOST, KEYTURN_PORT).
 *
 * Owns      nothing.
 * Fails     never; at most STRAYS_TOLD are told, so that a strange environment does not fill the log.
 * Source    kubernetes.io/docs/concepts/services-networking/service (environment variables)
 */
#ifndef KEYTURN_APP_STRAY_VARIABLES_H
#define KEYTURN_APP_STRAY_VARIABLES_H

#include "base/span.h"

enum { STRAYS_TOLD = 16 };

struct stray_variable {
    struct span name;
    const char *near; /* what may be meant; NULL: nothing we know. Good while it is told. */
};

/* environment: "NAME=value" each, NULL at its end. */
void stray_variables_visit(char *const *environment,
                           void (*tell)(void *context, const struct stray_variable *stray),
                           void *context);

#endif
