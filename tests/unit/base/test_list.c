#include "unit.h"

#include "base/list.h"

struct item {
    int number;
    struct list node;
};

static void list_numbers(struct list *head, char *ret_text, size_t capacity)
{
    size_t used = 0;
    ret_text[0] = '\0';
    LIST_EACH (node, head)
        used += (size_t)snprintf(ret_text + used, capacity - used, "%d ",
                                 container_of(node, struct item, node)->number);
}

static void assert_numbers(struct list *head, const char *expected)
{
    char text[64];
    list_numbers(head, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void test_order(void **state)
{
    (void)state;
    struct list head;
    struct item one = {.number = 1}, two = {.number = 2}, three = {.number = 3};
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_first(&head));
    assert_false(list_is_linked(&one.node)); /* zeroed */
    list_append(&head, &two.node);
    list_append(&head, &three.node);
    list_prepend(&head, &one.node);
    assert_numbers(&head, "1 2 3 ");
    assert_ptr_equal(list_first(&head), &one.node);
    list_remove(&two.node);
    assert_false(list_is_linked(&two.node));
    list_remove(&two.node); /* again is fine */
    assert_numbers(&head, "1 3 ");
}

static void test_the_body_may_remove_its_node(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    for (int i = 0; i < 4; i++)
        list_append(&head, &items[i].node);
    LIST_EACH (node, &head)
        if (container_of(node, struct item, node)->number % 2 == 0)
            list_remove(node);
    assert_numbers(&head, "1 3 ");
}

static void test_take_all(void **state)
{
    (void)state;
    struct list to, from;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    list_init(&to);
    list_init(&from);
    list_take_all(&to, &from);
    assert_true(list_is_empty(&to));
    list_append(&to, &items[0].node);
    list_append(&from, &items[1].node);
    list_append(&from, &items[2].node);
    list_take_all(&to, &from);
    assert_true(list_is_empty(&from));
    assert_numbers(&to, "0 1 2 ");
}

static void link_twice(void)
{
    struct list head, node = {NULL, NULL};
    list_init(&head);
    list_append(&head, &node);
    list_append(&head, &node);
}

static void test_linking_twice_stops(void **state)
{
    (void)state;
    assert_true(stops(link_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_the_body_may_remove_its_node),
        cmocka_unit_test(test_take_all),
        cmocka_unit_test(test_linking_twice_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
