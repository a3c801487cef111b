#include "app/environment_mode.h"

enum word { UNSET, NO, YES, NONSENSE };

enum answer {
    DEVELOPMENT,
    PRODUCTION,
    DEBUG_IN_PRODUCTION,
    NO_DEBUG_IN_DEVELOPMENT,
    NO_DEBUG_ALONE,
    DEPLOYED_ALONE
};

/* By KEYTURN_ENV, DEBUG and whether DEPLOY_ENV is set; NO of KEYTURN_ENV is development. */
/* clang-format off */
static const enum answer answers[][3][2] = {
    /*          DEBUG        DEPLOY_ENV unset          set */
    [UNSET] = {[UNSET] = {DEVELOPMENT,             DEPLOYED_ALONE},
               [NO]    = {NO_DEBUG_ALONE,          PRODUCTION},
               [YES]   = {DEVELOPMENT,             DEVELOPMENT}},
    [NO]    = {[UNSET] = {DEVELOPMENT,             DEVELOPMENT},
               [NO]    = {NO_DEBUG_IN_DEVELOPMENT, NO_DEBUG_IN_DEVELOPMENT},
               [YES]   = {DEVELOPMENT,             DEVELOPMENT}},
    [YES]   = {[UNSET] = {PRODUCTION,              PRODUCTION},
               [NO]    = {PRODUCTION,              PRODUCTION},
               [YES]   = {DEBUG_IN_PRODUCTION,     DEBUG_IN_PRODUCTION}},
};

static const char *const sentences[] = {
    [DEBUG_IN_PRODUCTION] =
        "KEYTURN_ENV=production contradicts DEBUG=true; take one of them away.",
    [NO_DEBUG_IN_DEVELOPMENT] =
        "KEYTURN_ENV=development contradicts DEBUG=false; take one of them away.",
    [NO_DEBUG_ALONE] =
        "DEBUG=false asks for production but DEPLOY_ENV is not set; "
        "set DEPLOY_ENV or KEYTURN_ENV=production, or DEBUG=true for development.",
    [DEPLOYED_ALONE] =
        "DEPLOY_ENV is set but neither DEBUG nor KEYTURN_ENV says which mode is meant; "
        "set KEYTURN_ENV=production or KEYTURN_ENV=development.",
};
/* clang-format on */

static enum word read_word(const char *value, const char *no, const char *yes);

bool environment_mode(const char *(*lookup)(const char *name), enum mode *ret_mode,
                      struct buffer *faults)
{
    const char *deployment = lookup("DEPLOY_ENV");
    enum word env = read_word(lookup("KEYTURN_ENV"), "development", "production");
    enum word debug = read_word(lookup("DEBUG"), "false", "true");
    bool fine = env != NONSENSE && debug != NONSENSE && !(deployment && !deployment[0]);
    enum answer answer;

    *ret_mode = MODE_PRODUCTION;
    if (env == NONSENSE)
        buffer_format(faults, "KEYTURN_ENV must be development or production; correct it.\n");
    if (debug == NONSENSE)
        buffer_format(faults, "DEBUG must be true or false; correct it or unset it.\n");
    if (deployment && !deployment[0])
        buffer_format(faults, "DEPLOY_ENV is empty; name the deployment or unset it.\n");
    if (!fine)
        return false;
    answer = answers[env][debug][deployment ? 1 : 0];
    if (answer == DEVELOPMENT || answer == PRODUCTION) {
        *ret_mode = answer == DEVELOPMENT ? MODE_DEVELOPMENT : MODE_PRODUCTION;
        return true;
    }
    buffer_format(faults, "%s\n", sentences[answer]);
    return false;
}

static enum word read_word(const char *value, const char *no, const char *yes)
{
    if (!value)
        return UNSET;
    if (span_equal_nocase(span_of(value), span_of(no)))
        return NO;
    return span_equal_nocase(span_of(value), span_of(yes)) ? YES : NONSENSE;
}
