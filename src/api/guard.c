#include "api/guard.h"

#include "crypto/digest.h"

static bool read_bearer(struct headers headers, struct span *ret_bearer, size_t *ret_fields);

enum fault guard_admin(const struct secret *admin_key, struct headers headers)
{
    unsigned char wanted[DIGEST_SIZE], given[DIGEST_SIZE];
    struct span bearer;
    size_t fields;
    bool same;

    if (!read_bearer(headers, &bearer, &fields))
        return fields ? FAULT_BAD_CREDENTIAL : FAULT_NO_CREDENTIAL;
    if (!admin_key || secret_reveal(admin_key).size == 0)
        return FAULT_BAD_CREDENTIAL;
    sha256(secret_reveal(admin_key), wanted); /* digests are of one size: lengths do not show */
    sha256(bearer, given);
    same = same_bytes(wanted, given, sizeof(wanted));
    wipe(wanted, sizeof(wanted));
    wipe(given, sizeof(given));
    return same ? FAULT_NONE : FAULT_BAD_CREDENTIAL;
}

static bool read_bearer(struct headers headers, struct span *ret_bearer, size_t *ret_fields)
{
    const struct span scheme = SPAN("bearer ");
    struct span value = SPAN_NONE;

    *ret_fields = 0;
    for (size_t i = 0; i < headers.count; i++)
        if (span_equal_nocase(headers.rows[i].name, SPAN("authorization"))) {
            value = headers.rows[i].value;
            ++*ret_fields;
        }
    *ret_bearer = span_trim(span_from(value, scheme.size));
    return *ret_fields == 1 && span_equal_nocase(span_first(value, scheme.size), scheme) &&
           ret_bearer->size > 0;
}
