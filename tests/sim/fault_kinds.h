/*
 * What each kind of fault does, at which point of an exchange. One table.
 */
#ifndef SIM_FAULT_KINDS_H
#define SIM_FAULT_KINDS_H

#include "exchange.h"

enum fault_step { FAULT_GO_ON, FAULT_ANSWERED, FAULT_WAITS };

struct fault_kind {
    const char *name;
    const char *help;
    enum fault_step (*before)(struct exchange *exchange); /* instead of the work, or NULL */
    void (*on_body)(struct exchange *exchange, struct track *body);
    void (*on_play)(struct exchange *exchange, struct play *play);
    void (*at_once)(struct sim *sim, int64_t delay_ms); /* when it is ordered */
};

const struct fault_kind *fault_kind_find(const char *name);
void fault_kinds_write(struct json json);

#endif
