#include "unit.h"

#include "base/sip_hash.h"

/* The vectors of the reference implementation: the bytes 0, 1, 2, ... under the key 0, ..., 15. */
static void test_as_the_reference_hashes(void **state)
{
    static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    static const struct {
        size_t size;
        uint64_t hash;
        uint64_t wide[2];
    } vectors[] = {
        {0, 0x726fdb47dd0e0e31, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
        {1, 0x74f839c593dc67fd, {0x44af996bd8c187da, 0x45fc229b11597634}},
        {8, 0x93f5f5799a932462, {0x61f55862baa9623b, 0xb49714f364e2830f}},
        {15, 0xa129ca6149be45e5, {0x11a8b03399e99354, 0xd9c3cf970fec087e}},
    };
    char bytes[16];

    (void)state;
    for (int i = 0; i < 16; i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        struct span input = {bytes, vectors[i].size};
        uint64_t wide[2];
        assert_true(sip_hash(key, input) == vectors[i].hash);
        sip_hash_wide(key, input, wide);
        assert_true(wide[0] == vectors[i].wide[0]);
        assert_true(wide[1] == vectors[i].wide[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_reference_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
