/* self_way.h: one self-service request, for self_service.c and self_pages.c alone. */
#ifndef KEYTURN_API_SELF_WAY_H
#define KEYTURN_API_SELF_WAY_H

#include "api/self_service.h"
#include "api/usage_sheet.h"
#include "flow/caller.h"
#include "flow/step.h"
#include "store/keys.h"
#include "store/quota.h"

enum { SELF_MONTHS_MAX = 3 };

enum self_at {
#define ROW(name, text) SELF_AT_##name,
    SELF_WAY(ROW)
#undef ROW
        SELF_AT_COUNT
};

struct self_month {
    struct period period;
    struct usage_sheet sheet; /* by day */
};

struct self_service {
    struct visit visit;
    struct turn turn;
    struct api *api;       /* borrowed */
    struct client *client; /* borrowed; NULL once it is gone or has its reply */
    enum self_page page;
    enum self_at at;
    enum fault fault;
    struct span fault_detail, fault_param; /* constants */

    struct caller caller;
    char token_id[TOKEN_ID_SIZE + 1]; /* "" without a token */
    char user[USER_ID_MAX + 1];

    const struct tier *tier; /* borrowed from the configuration */
    struct quota_look look;
    int64_t asked_ms; /* the time the look's windows are of */
    unsigned looks;

    struct key_load key;
    struct sums_read read;
    struct self_month months[SELF_MONTHS_MAX]; /* the newest first */
    size_t months_wanted, month;
};

/* self_pages.c: false when the page does not fit. */
bool self_print_key(const struct self_service *self, struct buffer *out);
bool self_print_me(const struct self_service *self, struct buffer *out);
bool self_print_usage(const struct self_service *self, struct buffer *out);

#endif
