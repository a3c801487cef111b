#include "domain/credential.h"

#include "crypto/digest.h"

/* What the header fields said so far. */
struct sighting {
    struct span text;
    bool seen, foreign, two; /* foreign: a scheme that is not Bearer */
};

static void see(struct sighting *s, struct span text, bool foreign);
static bool bearer_read(struct span value, struct span *ret_text);
static bool token_read(struct span text, struct credential *ret_credential);
static bool is_id_character(char c);
static bool is_base64url_character(char c);

struct credential credential_read(const struct span *authorizations, size_t authorization_count,
                                  const struct span *api_keys, size_t api_key_count)
{
    struct sighting s = {SPAN_NONE, false, false, false};
    for (size_t i = 0; i < authorization_count; i++) {
        struct span text;
        bool bearer = bearer_read(span_trim(authorizations[i]), &text);
        see(&s, text, !bearer);
    }
    for (size_t i = 0; i < api_key_count; i++)
        see(&s, span_trim(api_keys[i]), false);

    struct credential credential = {CREDENTIAL_UNKNOWN, SPAN_NONE, SPAN_NONE};
    if (!s.seen)
        credential.kind = CREDENTIAL_NONE;
    else if (s.two)
        credential.kind = CREDENTIAL_TWO;
    else if (!s.foreign && token_read(s.text, &credential))
        credential.kind = CREDENTIAL_TOKEN;
    return credential;
}

void token_compose(const unsigned char id_bytes[TOKEN_ID_SIZE],
                   const unsigned char secret_bytes[32], char ret_token[TOKEN_SIZE + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    memcpy(ret_token, "kt_", 3);
    for (size_t i = 0; i < TOKEN_ID_SIZE; i++)
        ret_token[3 + i] = letters[id_bytes[i] % (sizeof(letters) - 1)];
    ret_token[3 + TOKEN_ID_SIZE] = '_';
    base64url_text(secret_bytes, 32, ret_token + 3 + TOKEN_ID_SIZE + 1);
}

bool user_id_is_fine(struct span id)
{
    if (id.size == 0 || id.size > USER_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("._@:|+~=/-", c)))
            return false;
    }
    return true;
}

/* An empty field is no credential: SDKs without a key send "Bearer ". */
static void see(struct sighting *s, struct span text, bool foreign)
{
    if (text.size == 0)
        return;
    if (s->seen && (s->foreign || foreign || !span_equal(s->text, text)))
        s->two = true;
    s->seen = true;
    s->foreign |= foreign;
    s->text = text;
}

static bool bearer_read(struct span value, struct span *ret_text)
{
    const struct span scheme = SPAN("Bearer");
    struct span rest = span_from(value, scheme.size);
    *ret_text = value;
    if (!span_equal_nocase(span_first(value, scheme.size), scheme) ||
        (rest.size > 0 && rest.at[0] != ' '))
        return value.size == 0;
    *ret_text = span_trim(rest);
    return true;
}

static bool token_read(struct span text, struct credential *ret_credential)
{
    struct span id = span_first(span_from(text, 3), TOKEN_ID_SIZE),
                secret = span_from(text, 3 + TOKEN_ID_SIZE + 1);
    if (text.size != TOKEN_SIZE || !span_starts(text, SPAN("kt_")) ||
        text.at[3 + TOKEN_ID_SIZE] != '_')
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (!is_id_character(id.at[i]))
            return false;
    for (size_t i = 0; i < secret.size; i++)
        if (!is_base64url_character(secret.at[i]))
            return false;
    ret_credential->id = id;
    ret_credential->secret = secret;
    return true;
}

static bool is_id_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_base64url_character(char c)
{
    return is_id_character(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}
