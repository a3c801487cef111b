#include "unit.h"

#include "base/alloc.h"
#include "base/map.h"

struct thing {
    struct map_entry entry;
    char key[24];
    bool seen;
};

static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

/* The vectors of the reference implementation: the bytes 0, 1, 2, ... under the key 0, ..., 15. */
static void test_the_hash_is_siphash_2_4(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        uint64_t hash;
    } vectors[] = {{0, 0x726fdb47dd0e0e31},
                   {1, 0x74f839c593dc67fd},
                   {8, 0x93f5f5799a932462},
                   {15, 0xa129ca6149be45e5}};
    char bytes[16];
    for (int i = 0; i < 16; i++)
        bytes[i] = (char)i;
    struct map map;
    struct map_entry entries[4];
    map_init(&map, seed);
    for (int i = 0; i < 4; i++) {
        map_insert(&map, &entries[i], (struct span){bytes, vectors[i].size});
        assert_true(entries[i].hash == vectors[i].hash);
    }
    map_done(&map);
}

static struct thing *things_in(struct map *map, size_t count)
{
    struct thing *things = must_alloc(count * sizeof(things[0]));
    map_init(map, seed);
    for (size_t i = 0; i < count; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "u_%zu", i);
        map_insert(map, &things[i].entry, span_of(things[i].key));
    }
    return things;
}

static void test_find_and_remove(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct map map;
    struct thing *things = things_in(&map, COUNT);
    assert_int_equal(map.size, COUNT);
    assert_int_equal(map.slot_count, 8192);
    for (size_t i = 0; i < COUNT; i += 2)
        map_remove(&map, &things[i].entry);
    for (size_t i = 0; i < COUNT; i++) {
        struct map_entry *found = map_find(&map, span_of(things[i].key));
        assert_ptr_equal(found, i % 2 ? &things[i].entry : NULL);
    }
    assert_null(map_find(&map, SPAN("u_")));
    assert_null(map_find(&map, SPAN("")));
    assert_int_equal(map.size, COUNT / 2);
    map_done(&map);
    assert_null(map_find(&map, SPAN("u_1")));
    must_free(things);
}

static void test_any_empties(void **state)
{
    (void)state;
    struct map map;
    struct thing *things = things_in(&map, 1000);
    size_t count = 0;
    for (struct map_entry *entry; (entry = map_any(&map)) != NULL; count++) {
        map_remove(&map, entry);
        if (count == 500) { /* one that may lie below where the search has come to */
            for (size_t i = 0; i < 1000; i++) {
                if (!map_find(&map, span_of(things[i].key))) {
                    map_insert(&map, &things[i].entry, span_of(things[i].key));
                    break;
                }
            }
        }
    }
    assert_int_equal(count, 1001);
    assert_int_equal(map.size, 0);
    map_done(&map);
    must_free(things);
}

static void visit(struct map_entry *entry, void *context)
{
    struct thing *thing = (struct thing *)(void *)entry;
    assert_false(thing->seen);
    thing->seen = true;
    map_remove(context, entry);
}

static void test_each_may_remove(void **state)
{
    (void)state;
    struct map map;
    struct thing *things = things_in(&map, 1000);
    map_each(&map, visit, &map);
    for (size_t i = 0; i < 1000; i++)
        assert_true(things[i].seen);
    assert_int_equal(map.size, 0);
    assert_null(map_any(&map));
    map_done(&map);
    must_free(things);
}

static void insert_twice(void)
{
    struct map map;
    struct map_entry one, two;
    map_init(&map, seed);
    map_insert(&map, &one, SPAN("key"));
    map_insert(&map, &two, SPAN("key"));
}

static void remove_a_stranger(void)
{
    struct map map, other;
    struct map_entry one, two;
    map_init(&map, seed);
    map_init(&other, seed);
    map_insert(&map, &one, SPAN("key"));
    map_insert(&other, &two, SPAN("key"));
    map_remove(&map, &two);
}

static void test_misuse_stops(void **state)
{
    (void)state;
    assert_true(stops(insert_twice));
    assert_true(stops(remove_a_stranger));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_hash_is_siphash_2_4),
        cmocka_unit_test(test_find_and_remove),
        cmocka_unit_test(test_any_empties),
        cmocka_unit_test(test_each_may_remove),
        cmocka_unit_test(test_misuse_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
