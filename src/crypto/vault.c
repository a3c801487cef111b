#include "crypto/vault.h"

#include <assert.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "crypto/random.h"

enum {
    NONCE_SIZE = 12,
    TAG_SIZE = 16,
    KEY_SIZE = 32,
    ROOT_SIZE_MIN = 32,
    BOUND_MAX = 64 * 1024 /* of what a seal is bound to; ids are far smaller */
};

#define VARIABLE "KEYTURN_ENCRYPTION_SECRET"
#define HOW_TO_MAKE_ONE "Make a SECRET with: openssl rand -base64 32"

struct root {
    char kid[VAULT_KID_MAX + 1];
    struct secret secret;
};

struct vault {
    size_t count;
    struct root *roots; /* newest first */
};

/* A nonce, the ciphertext and its tag, before they are text. */
struct box {
    unsigned char *bytes;
    size_t size;
};

static bool fail(char ret_error[VAULT_ERROR_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool vault_add(struct vault *vault, struct span entry, char ret_error[VAULT_ERROR_SIZE]);
static bool kid_check(const struct vault *vault, struct span kid, char ret_error[VAULT_ERROR_SIZE]);
static bool root_read(struct secret *ret_root, struct span text, size_t entry,
                      char ret_error[VAULT_ERROR_SIZE]);
static bool kid_is_fine(struct span kid);
static const struct root *root_find(const struct vault *vault, struct span kid);
static void derive(const struct root *root, struct span salt, struct span info,
                   unsigned char ret_key[KEY_SIZE]);
static void seal_key(const struct root *root, const struct seal_context *context,
                     unsigned char ret_key[KEY_SIZE]);
static void seal_bind(const struct root *root, const struct seal_context *context,
                      struct buffer *ret_bound);
static void put_piece(struct buffer *out, struct span piece);
static void put_number(struct buffer *out, uint64_t number, unsigned bytes);
static struct box box_make(const unsigned char key[KEY_SIZE], struct span bound, struct span plain);
static bool box_open(const unsigned char key[KEY_SIZE], struct span bound, struct box *box);
static bool box_read(struct span text, struct box *ret_box);
static void box_done(struct box *box);

struct vault *vault_open(struct span roots, char ret_error[VAULT_ERROR_SIZE])
{
    struct vault *vault = must_alloc(sizeof(*vault));
    struct span rest = span_trim(roots), entry;
    bool fine = true;
    ret_error[0] = '\0';
    if (rest.size == 0)
        fine = fail(ret_error, VARIABLE " is empty. Set it to k1:SECRET. " HOW_TO_MAKE_ONE);
    while (fine && span_split(&rest, ',', &entry))
        fine = vault_add(vault, span_trim(entry), ret_error);
    if (fine)
        return vault;
    vault_close(vault);
    return NULL;
}

void vault_close(struct vault *vault)
{
    if (!vault)
        return;
    for (size_t i = 0; i < vault->count; i++)
        secret_done(&vault->roots[i].secret);
    must_free(vault->roots);
    must_free(vault);
}

struct span vault_newest_kid(const struct vault *vault)
{
    return span_of(vault->roots[0].kid);
}

void vault_seal(const struct vault *vault, const struct seal_context *context, struct span plain,
                struct buffer *out)
{
    const struct root *root = &vault->roots[0];
    unsigned char key[KEY_SIZE];
    struct buffer bound;
    seal_key(root, context, key);
    seal_bind(root, context, &bound);
    struct box box = box_make(key, buffer_view(&bound), plain);
    wipe(key, sizeof(key));
    buffer_done(&bound);

    char *text = must_alloc(base64url_size(box.size) + 1);
    base64url_text(box.bytes, box.size, text);
    bool fits = buffer_append(out, SPAN("v1:")) && buffer_append(out, span_of(root->kid)) &&
                buffer_append(out, SPAN(":")) && buffer_append(out, span_of(text));
    assert(fits);
    must_free(text);
    box_done(&box);
}

enum seal_verdict vault_unseal(const struct vault *vault, const struct seal_context *context,
                               struct span sealed, struct secret *ret_plain)
{
    struct span version, kid, text = sealed;
    struct box box;
    if (!span_split(&text, ':', &version) || !span_equal(version, SPAN("v1")) ||
        !span_split(&text, ':', &kid) || !kid_is_fine(kid) || !box_read(text, &box))
        return SEAL_MALFORMED;
    const struct root *root = root_find(vault, kid);
    bool genuine = false;
    if (root) {
        unsigned char key[KEY_SIZE];
        struct buffer bound;
        seal_key(root, context, key);
        seal_bind(root, context, &bound);
        genuine = box_open(key, buffer_view(&bound), &box);
        wipe(key, sizeof(key));
        buffer_done(&bound);
    }
    if (genuine)
        secret_set(ret_plain, (struct span){(const char *)box.bytes + NONCE_SIZE,
                                            box.size - NONCE_SIZE - TAG_SIZE});
    box_done(&box);
    if (!root)
        return SEAL_UNKNOWN_KID;
    return genuine ? SEAL_OPENED : SEAL_FORGED;
}

bool vault_derive(const struct vault *vault, struct span kid, struct span purpose,
                  unsigned char ret_key[DIGEST_SIZE])
{
    const struct root *root = root_find(vault, kid);
    if (root)
        derive(root, SPAN(""), purpose, ret_key);
    return root != NULL;
}

static bool fail(char ret_error[VAULT_ERROR_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error, VAULT_ERROR_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

/* Errors name an entry by its number: whatever is written in it may be a secret in a wrong place. */
static bool vault_add(struct vault *vault, struct span entry, char ret_error[VAULT_ERROR_SIZE])
{
    size_t number = vault->count + 1;
    struct span kid, text = entry;
    if (entry.size == 0)
        return fail(ret_error, VARIABLE ", entry %zu: it is empty. Remove the comma too many.",
                    number);
    if (!span_split(&text, ':', &kid) || !text.at)
        return fail(ret_error,
                    VARIABLE ", entry %zu: there is no colon. Write NAME:SECRET, for example "
                             "k1:SECRET. " HOW_TO_MAKE_ONE,
                    number);
    struct root root = {.kid = ""};
    if (!kid_check(vault, kid, ret_error) || !root_read(&root.secret, text, number, ret_error))
        return false;
    bool fits = span_text(kid, root.kid, sizeof(root.kid));
    assert(fits);
    vault->roots = must_resize(vault->roots, number * sizeof(vault->roots[0]));
    vault->roots[vault->count++] = root;
    return true;
}

static bool kid_check(const struct vault *vault, struct span kid, char ret_error[VAULT_ERROR_SIZE])
{
    size_t number = vault->count + 1;
    if (kid.size == 0)
        return fail(ret_error,
                    VARIABLE ", entry %zu: the name before the colon (kid) is empty. Write one, "
                             "for example k1:SECRET.",
                    number);
    if (!kid_is_fine(kid))
        return fail(ret_error,
                    VARIABLE ", entry %zu: the name before the colon (kid) may have 1 to 32 of "
                             "A-Z a-z 0-9 _ - only. Choose a short one, for example k1.",
                    number);
    const struct root *same = root_find(vault, kid);
    if (same)
        return fail(ret_error,
                    VARIABLE ", entries %zu and %zu have the same name (kid). Give the newer one "
                             "a new name; the older must keep its own.",
                    (size_t)(same - vault->roots) + 1, number);
    return true;
}

static bool root_read(struct secret *ret_root, struct span text, size_t entry,
                      char ret_error[VAULT_ERROR_SIZE])
{
    size_t size = 0;
    unsigned char *bytes = must_alloc(text.size);
    bool fine = base64_bytes(text, bytes, text.size, &size);
    if (!fine)
        fail(ret_error,
             VARIABLE ", entry %zu: what follows the colon is not base64. " HOW_TO_MAKE_ONE, entry);
    else if (size < ROOT_SIZE_MIN)
        fine = fail(ret_error,
                    VARIABLE ", entry %zu: the secret has %zu bytes and needs at least "
                             "%d. " HOW_TO_MAKE_ONE,
                    entry, size, ROOT_SIZE_MIN);
    else
        secret_set(ret_root, (struct span){(const char *)bytes, size});
    wipe(bytes, text.size);
    must_free(bytes);
    return fine;
}

static bool kid_is_fine(struct span kid)
{
    for (size_t i = 0; i < kid.size; i++) {
        char c = kid.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return kid.size >= 1 && kid.size <= VAULT_KID_MAX;
}

static const struct root *root_find(const struct vault *vault, struct span kid)
{
    for (size_t i = 0; i < vault->count; i++)
        if (span_equal(span_of(vault->roots[i].kid), kid))
            return &vault->roots[i];
    return NULL;
}

static void derive(const struct root *root, struct span salt, struct span info,
                   unsigned char ret_key[KEY_SIZE])
{
    struct span secret = secret_reveal(&root->secret);
    int failed =
        mbedtls_hkdf(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)salt.at,
                     salt.size, (const unsigned char *)secret.at, secret.size,
                     (const unsigned char *)info.at, info.size, ret_key, KEY_SIZE);
    assert(!failed);
}

/* The salt is never empty here and always in vault_derive: no seal has the key of an HMAC. */
static void seal_key(const struct root *root, const struct seal_context *context,
                     unsigned char ret_key[KEY_SIZE])
{
    struct buffer salt;
    buffer_init(&salt, BOUND_MAX);
    put_piece(&salt, context->owner);
    put_number(&salt, (uint64_t)context->version, 8);
    derive(root, buffer_view(&salt), context->purpose, ret_key);
    buffer_done(&salt);
}

/* The associated data. Each piece has its length before it: no two contexts are the same bytes. */
static void seal_bind(const struct root *root, const struct seal_context *context,
                      struct buffer *ret_bound)
{
    buffer_init(ret_bound, BOUND_MAX);
    put_piece(ret_bound, SPAN("keyturn seal v1"));
    put_piece(ret_bound, context->owner);
    put_piece(ret_bound, context->purpose);
    put_number(ret_bound, (uint64_t)context->version, 8);
    put_piece(ret_bound, span_of(root->kid));
}

static void put_piece(struct buffer *out, struct span piece)
{
    put_number(out, piece.size, 4);
    bool fits = buffer_append(out, piece);
    assert(fits);
}

/* The highest byte first. */
static void put_number(struct buffer *out, uint64_t number, unsigned bytes)
{
    char text[8];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(number >> (8 * (bytes - 1 - i)) & 0xff);
    bool fits = buffer_append(out, (struct span){text, bytes});
    assert(fits);
}

static struct box box_make(const unsigned char key[KEY_SIZE], struct span bound, struct span plain)
{
    struct box box = {NULL, NONCE_SIZE + plain.size + TAG_SIZE};
    box.bytes = must_alloc(box.size);
    random_bytes(box.bytes, NONCE_SIZE);
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    int failed = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, KEY_SIZE * 8);
    assert(!failed);
    unsigned char *cipher = box.bytes + NONCE_SIZE;
    failed = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, plain.size, box.bytes, NONCE_SIZE,
                                       (const unsigned char *)bound.at, bound.size,
                                       (const unsigned char *)plain.at, cipher, TAG_SIZE,
                                       cipher + plain.size);
    assert(!failed);
    mbedtls_gcm_free(&gcm);
    return box;
}

/* In place: the plain text is where the ciphertext was. */
static bool box_open(const unsigned char key[KEY_SIZE], struct span bound, struct box *box)
{
    unsigned char *cipher = box->bytes + NONCE_SIZE;
    size_t size = box->size - NONCE_SIZE - TAG_SIZE;
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    int failed = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, KEY_SIZE * 8);
    assert(!failed);
    failed = mbedtls_gcm_auth_decrypt(&gcm, size, box->bytes, NONCE_SIZE,
                                      (const unsigned char *)bound.at, bound.size, cipher + size,
                                      TAG_SIZE, cipher, cipher);
    mbedtls_gcm_free(&gcm);
    assert(!failed || failed == MBEDTLS_ERR_GCM_AUTH_FAILED);
    return !failed;
}

/* Only the text that base64url_text writes: no padding, no other alphabet. */
static bool box_read(struct span text, struct box *ret_box)
{
    static const char other_marks[] = {'+', '/', '='};
    if (!text.at)
        return false;
    for (size_t i = 0; i < sizeof(other_marks); i++)
        if (memchr(text.at, other_marks[i], text.size))
            return false;
    struct box box = {must_alloc(text.size), 0};
    if (!base64_bytes(text, box.bytes, text.size, &box.size) || box.size < NONCE_SIZE + TAG_SIZE) {
        must_free(box.bytes);
        return false;
    }
    *ret_box = box;
    return true;
}

static void box_done(struct box *box)
{
    wipe(box->bytes, box->size);
    must_free(box->bytes);
}
