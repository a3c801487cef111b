/* vitals.h: the figures that must be read rather than counted: connections, links, lag.
 *
 * Owns      a deadline that ticks once a second.
 * Runs on   the loop.
 */
#ifndef KEYTURN_API_VITALS_H
#define KEYTURN_API_VITALS_H

#include "api/api.h"

struct vitals {
    struct api *api; /* borrowed */
    struct turn turn;
    struct deadline_class second;
    struct deadline due;
};

void vitals_open(struct vitals *vitals, struct api *api);
void vitals_close(struct vitals *vitals);
void vitals_read(struct api *api); /* brings the gauges up to date */

#endif
