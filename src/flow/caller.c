#include "flow/caller.h"

#include "flow/flow.h"

enum { CREDENTIALS_MAX = 4 };

static bool collect(struct span *values, size_t *count, struct span value);
static void known_by_itself(struct caller *caller, enum fault fault);
static enum caller_verdict refuse(struct caller *caller, enum fault fault);

void caller_read(struct caller *caller, struct headers headers)
{
    struct span authorizations[CREDENTIALS_MAX], api_keys[CREDENTIALS_MAX];
    size_t authorization_count = 0, api_key_count = 0;
    struct span user = header_find(headers, SPAN("x-keyturn-user"));
    bool fits = true;

    for (size_t i = 0; i < headers.count; i++) {
        const struct header *field = &headers.rows[i];
        if (span_equal_nocase(field->name, SPAN("authorization")))
            fits = collect(authorizations, &authorization_count, field->value) && fits;
        else if (span_equal_nocase(field->name, SPAN("x-api-key")))
            fits = collect(api_keys, &api_key_count, field->value) && fits;
    }
    caller->credential =
        fits ? credential_read(authorizations, authorization_count, api_keys, api_key_count)
             : (struct credential){.kind = CREDENTIAL_TWO};
    caller->user_named = user.at != NULL;
    span_text(span_first(user, sizeof(caller->named_user) - 1), caller->named_user,
              sizeof(caller->named_user));
}

void caller_ask(struct flow *flow, struct caller *caller, struct turn *wake)
{
    struct credential credential = caller->credential;

    caller->credential = (struct credential){0};
    switch (credential.kind) {
    case CREDENTIAL_NONE:
        known_by_itself(caller, flow->settings->user_dev ? FAULT_NONE : FAULT_NO_CREDENTIAL);
        return;
    case CREDENTIAL_UNKNOWN:
        known_by_itself(caller, FAULT_BAD_CREDENTIAL);
        return;
    case CREDENTIAL_TWO:
        known_by_itself(caller, FAULT_TWO_CREDENTIALS);
        return;
    case CREDENTIAL_TOKEN:
        identity_ask(&flow->identities, &caller->identity, credential.id, credential.secret, wake);
        return;
    }
}

enum caller_verdict caller_got(struct caller *caller, char ret_user[USER_ID_MAX + 1])
{
    struct span user = span_of(caller->identity.user);

    if (caller->fault != FAULT_NONE)
        return CALLER_REFUSED;
    switch (caller->identity.verdict) {
    case IDENTITY_WAITING:
        return CALLER_WAITING;
    case IDENTITY_UNKNOWN:
        return refuse(caller, FAULT_BAD_CREDENTIAL);
    case IDENTITY_STORE_DOWN:
        return refuse(caller, FAULT_STORE_DOWN);
    case IDENTITY_SERVICE:
        if (!caller->user_named)
            return CALLER_SERVICE;
        user = span_of(caller->named_user);
        break;
    case IDENTITY_USER:
        break;
    }
    return caller_take_user(caller, user, ret_user) ? CALLER_USER : CALLER_REFUSED;
}

bool caller_take_user(struct caller *caller, struct span user, char ret_user[USER_ID_MAX + 1])
{
    if (user_id_is_fine(user))
        return span_text(user, ret_user, USER_ID_MAX + 1);
    refuse(caller, FAULT_BAD_REQUEST);
    caller->detail =
        SPAN("The end user's id must be 1 to 128 characters of A-Z a-z 0-9 . _ @ : | + "
             "~ = / -.");
    caller->param = SPAN("user");
    return false;
}

void caller_done(struct caller *caller)
{
    secret_done(&caller->identity.proof);
}

static bool collect(struct span *values, size_t *count, struct span value)
{
    if (*count == CREDENTIALS_MAX)
        return false;
    values[(*count)++] = value;
    return true;
}

/* Nobody has to be asked: the development user, or a refusal. */
static void known_by_itself(struct caller *caller, enum fault fault)
{
    caller->fault = fault;
    caller->identity.verdict = IDENTITY_USER;
    span_text(SPAN("dev"), caller->identity.user, sizeof(caller->identity.user));
}

static enum caller_verdict refuse(struct caller *caller, enum fault fault)
{
    caller->fault = fault;
    return CALLER_REFUSED;
}
