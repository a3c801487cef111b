#include "base/sip_hash.h"

#include <endian.h>

enum { FINAL_ROUNDS = 4 };

struct sip {
    uint64_t v0, v1, v2, v3;
};

static struct sip begin(const uint64_t key[2]);
static void take_all(struct sip *s, struct span bytes);
static void take(struct sip *s, uint64_t word);
static uint64_t result(struct sip *s);
static void run_round(struct sip *s);
static uint64_t whole_word_at(const char *bytes);
static uint64_t word_at(const char *bytes, size_t size);

uint64_t sip_hash(const uint64_t key[2], struct span bytes)
{
    struct sip s = begin(key);

    take_all(&s, bytes);
    s.v2 ^= 0xff;
    return result(&s);
}

void sip_hash_wide(const uint64_t key[2], struct span bytes, uint64_t ret_hash[2])
{
    struct sip s = begin(key);

    s.v1 ^= 0xee;
    take_all(&s, bytes);
    s.v2 ^= 0xee;
    ret_hash[0] = result(&s);
    s.v1 ^= 0xdd;
    ret_hash[1] = result(&s);
}

static struct sip begin(const uint64_t key[2])
{
    return (struct sip){
        key[0] ^ 0x736f6d6570736575u,
        key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u,
        key[1] ^ 0x7465646279746573u,
    };
}

static void take_all(struct sip *s, struct span bytes)
{
    size_t whole = bytes.size / 8 * 8;
    struct span rest = span_from(bytes, whole);

    for (size_t i = 0; i < whole; i += 8)
        take(s, whole_word_at(bytes.at + i));
    take(s, word_at(rest.at, rest.size) | (uint64_t)bytes.size << 56);
}

static void take(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    run_round(s);
    run_round(s);
    s->v0 ^= word;
}

static uint64_t result(struct sip *s)
{
    for (int i = 0; i < FINAL_ROUNDS; i++)
        run_round(s);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t turn(uint64_t word, int bits)
{
    return word << bits | word >> (64 - bits);
}

static void run_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = turn(s->v1, 13) ^ s->v0;
    s->v3 = turn(s->v3, 16) ^ s->v2;
    s->v0 = turn(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = turn(s->v1, 17) ^ s->v2;
    s->v3 = turn(s->v3, 21) ^ s->v0;
    s->v2 = turn(s->v2, 32);
}

/* Eight bytes, the lowest first. */
static uint64_t whole_word_at(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return le64toh(word);
}

/* Up to eight bytes, the lowest first. */
static uint64_t word_at(const char *bytes, size_t size)
{
    uint64_t word = 0;

    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    return word;
}
