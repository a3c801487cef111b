#include "crypto/digest.h"

#include <assert.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int hex_value(char c);
static struct span without_padding(struct span text);
static int base64_value(char c);

void sha256(struct span bytes, unsigned char ret_digest[DIGEST_SIZE])
{
    const char *at = bytes.at ? bytes.at : "";
    int failed = mbedtls_sha256((const unsigned char *)at, bytes.size, ret_digest, 0);
    assert(!failed);
}

void hmac_sha256(struct span key, struct span bytes, unsigned char ret_digest[DIGEST_SIZE])
{
    const char *key_at = key.at ? key.at : "", *at = bytes.at ? bytes.at : "";
    int failed =
        mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), (const unsigned char *)key_at,
                        key.size, (const unsigned char *)at, bytes.size, ret_digest);
    assert(!failed);
}

bool same_bytes(const void *a, const void *b, size_t size)
{
    return size == 0 || mbedtls_ct_memcmp(a, b, size) == 0;
}

void hex_text(const unsigned char *bytes, size_t size, char *ret_text)
{
    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = hex_digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    ret_text[2 * size] = '\0';
}

bool hex_bytes(struct span text, unsigned char *ret_bytes, size_t size)
{
    if (text.size % 2 != 0 || text.size / 2 != size)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (hex_value(text.at[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        ret_bytes[i] =
            (unsigned char)(hex_value(text.at[2 * i]) << 4 | hex_value(text.at[2 * i + 1]));
    return true;
}

void base64url_text(const unsigned char *bytes, size_t size, char *ret_text)
{
    unsigned bits = 0, count = 0; /* the lowest count bits wait to be written */
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (count += 8; count >= 6; count -= 6)
            *ret_text++ = base64url_digits[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *ret_text++ = base64url_digits[bits << (6 - count) & 63];
    *ret_text = '\0';
}

/* Bits that a shorter text would not have must be zero: bytes have one text in each alphabet. */
bool base64_bytes(struct span text, unsigned char *ret_bytes, size_t capacity, size_t *ret_size)
{
    struct span digits = without_padding(text);
    size_t size = digits.size / 4 * 3 + digits.size % 4 * 3 / 4;
    if (digits.size % 4 == 1 || size > capacity)
        return false;
    unsigned bits = 0, count = 0;
    for (size_t i = 0; i < digits.size; i++) {
        int value = base64_value(digits.at[i]);
        if (value < 0)
            return false;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *ret_bytes++ = (unsigned char)(bits >> count & 0xff);
        }
    }
    if (bits & ((1u << count) - 1))
        return false;
    *ret_size = size;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Padding is there to fill a group of four; elsewhere it stays and is no digit. */
static struct span without_padding(struct span text)
{
    if (text.size == 0 || text.size % 4 != 0)
        return text;
    for (int i = 0; i < 2 && text.at[text.size - 1] == '='; i++)
        text.size--;
    return text;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    return c == '_' || c == '/' ? 63 : -1;
}
