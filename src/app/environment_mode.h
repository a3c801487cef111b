/* environment_mode.h: development or production, from DEBUG, DEPLOY_ENV and KEYTURN_ENV.
 *
 * Fails     environment_mode: false and one sentence per contradiction; *ret_mode is production then, the stricter one.
 * Source    design 4.2
 */
#ifndef KEYTURN_APP_ENVIRONMENT_MODE_H
#define KEYTURN_APP_ENVIRONMENT_MODE_H

#include "app/environment.h"

bool environment_mode(const char *(*lookup)(const char *name), enum mode *ret_mode,
                      struct buffer *faults);

#endif
