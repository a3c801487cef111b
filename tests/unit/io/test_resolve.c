/* The resolver against a name service of ours: getaddrinfo is this program's own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/deadline.h"
#include "io/resolve.h"

/* What the name service says, and how long it takes: comma-separated addresses; "" is a failure. */
static struct {
    _Atomic(const char *) answer;
    atomic_int delay_ms, asked, running;
} service;

static struct addrinfo *address_of(const char *text)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)(info + 1);
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)(info + 1);

    info->ai_addr = (struct sockaddr *)(void *)(info + 1);
    info->ai_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    v6->sin6_family = (sa_family_t)info->ai_family;
    if (info->ai_family == AF_INET6)
        inet_pton(AF_INET6, text, &v6->sin6_addr);
    else
        inet_pton(AF_INET, text, &v4->sin_addr);
    info->ai_addrlen = info->ai_family == AF_INET6 ? sizeof(*v6) : sizeof(*v4);
    return info;
}

int getaddrinfo(const char *restrict name, const char *restrict port,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret_list)
{
    char text[256], *rest = text, *piece;
    struct addrinfo **end = ret_list;

    (void)name;
    (void)port;
    (void)hints;
    atomic_fetch_add(&service.running, 1);
    poll(NULL, 0, service.delay_ms);
    snprintf(text, sizeof(text), "%s", service.answer);
    *ret_list = NULL;
    while ((piece = strsep(&rest, ",")) && *piece) {
        *end = address_of(piece);
        end = &(*end)->ai_next;
    }
    atomic_fetch_add(&service.asked, 1);
    atomic_fetch_sub(&service.running, 1);
    return *ret_list ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

struct desk {
    struct loop *loop;
    struct resolver *resolver;
    struct turn changed, tired;
    struct deadline_class waits;
    struct deadline wait;
    int changes;
};

static void on_changed(struct turn *turn)
{
    struct desk *desk = container_of(turn, struct desk, changed);

    desk->changes++;
    loop_stop(desk->loop);
}

static void on_tired(struct turn *turn)
{
    loop_stop(container_of(turn, struct desk, tired)->loop);
}

static void desk_open(struct desk *desk, const char *url, const char *answer, int delay_ms)
{
    const struct resolver_settings settings = {
        .patience_ms = 150, .fresh_ms = 100, .keep_ms = 600, .retry_ms = 50, .again_ms = 200};
    struct origin origin;
    char error[ORIGIN_ERROR_SIZE];

    assert_true(origin_parse(url, &origin, error));
    service.answer = answer;
    service.delay_ms = delay_ms;
    service.asked = 0;
    *desk = (struct desk){.loop = loop_open(NULL)};
    turn_init(&desk->changed, on_changed);
    turn_init(&desk->tired, on_tired);
    deadline_class_open(&desk->waits, desk->loop, 0);
    deadline_init(&desk->wait, &desk->tired);
    desk->resolver = resolver_open(desk->loop, NULL, &origin, &settings, &desk->changed);
}

/* Until something changed, or for so long. */
static void desk_run(struct desk *desk, uint64_t most_ms)
{
    deadline_join_in(&desk->waits, &desk->wait, most_ms);
    loop_run(desk->loop);
    deadline_leave(&desk->wait);
}

static void desk_rest(struct desk *desk, uint64_t ms)
{
    uint64_t until_ms = loop_now_ms(desk->loop) + ms;

    while (loop_now_ms(desk->loop) < until_ms)
        desk_run(desk, until_ms - loop_now_ms(desk->loop));
}

static void desk_close(struct desk *desk)
{
    if (desk->resolver)
        resolver_close(desk->resolver);
    deadline_class_close(&desk->waits);
    turn_cancel(&desk->changed);
    loop_close(desk->loop); /* waits for a lookup under way */
    assert_int_equal(service.running, 0);
}

static void first_answer(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "https://openrouter.test", "192.0.2.1,192.0.2.2", 0);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_WAIT);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_WAIT);
    desk_run(&desk, 1000);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_READY);
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.1:443");
    assert_int_equal(service.asked, 1);
    desk_close(&desk);
    desk_open(&desk, "http://openrouter.test:81", "2001:db8::1", 0);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    assert_string_equal(resolver_connect_to(desk.resolver), "::[2001:db8::1]:81");
    desk_close(&desk);
}

static void literals_need_no_service(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "http://[::1]:81", "", 0);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_READY);
    assert_string_equal(resolver_connect_to(desk.resolver), "::[::1]:81");
    desk_close(&desk);
    assert_int_equal(service.asked, 0);
}

static void the_preferred_address_stays(void **state)
{
    struct desk desk;
    uint64_t generation;

    (void)state;
    desk_open(&desk, "http://x.test", "192.0.2.1,192.0.2.2", 0);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    generation = resolver_generation(desk.resolver);
    service.answer = "192.0.2.2,192.0.2.1"; /* the order changes with every answer */
    desk_rest(&desk, 120);
    assert_int_equal(resolver_ask(desk.resolver),
                     RESOLVE_READY); /* old, used, renewed in the background */
    desk_run(&desk, 1000);
    assert_int_equal(service.asked, 2);
    assert_int_equal(resolver_generation(desk.resolver), generation);
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.1:80");
    service.answer = "192.0.2.9";
    desk_rest(&desk, 120);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.9:80");
    assert_int_not_equal(resolver_generation(desk.resolver), generation);
    desk_close(&desk);
}

#define FIRST "::192.0.2.1:80"
#define SECOND "::192.0.2.2:80"

/* Two addresses, the first of which is bad. */
static void desk_open_with_a_bad_one(struct desk *desk)
{
    desk_open(desk, "http://x.test", "192.0.2.1,192.0.2.2", 0);
    resolver_ask(desk->resolver);
    desk_run(desk, 1000);
    for (int i = 0; i < RESOLVE_FAILURES; i++)
        resolver_blame(desk->resolver, FIRST);
    assert_string_equal(resolver_connect_to(desk->resolver), SECOND);
    assert_string_equal(resolver_connect_to(desk->resolver), SECOND);
}

static void one_failure_leaves_no_address(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "http://x.test", "192.0.2.1,192.0.2.2", 0);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
        resolver_blame(desk.resolver, FIRST);
        assert_string_equal(resolver_connect_to(desk.resolver), SECOND); /* the second try */
        resolver_reached(desk.resolver, SECOND);
        assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
        resolver_reached(desk.resolver, FIRST);
    }
    resolver_blame(desk.resolver, "::192.0.2.7:80"); /* not in the answer */
    resolver_blame(desk.resolver, "::192.0.2.7:80");
    assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
    desk_close(&desk);
}

static void failures_in_a_row_leave_an_address(void **state)
{
    struct desk desk;
    uint64_t generation;

    (void)state;
    desk_open_with_a_bad_one(&desk);
    generation = resolver_generation(desk.resolver);
    service.answer = "192.0.2.1,192.0.2.2,192.0.2.3"; /* a new answer forgives nothing */
    desk_rest(&desk, 120);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    assert_string_equal(resolver_connect_to(desk.resolver), SECOND);
    assert_int_equal(resolver_generation(desk.resolver), generation);
    service.answer = "192.0.2.1,192.0.2.3"; /* the bad one is the last to be preferred */
    desk_rest(&desk, 120);
    for (int i = 0; i < RESOLVE_FAILURES; i++)
        resolver_blame(desk.resolver, FIRST);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.3:80");
    assert_int_not_equal(resolver_generation(desk.resolver), generation);
    desk_close(&desk);
}

static void a_bad_address_is_tried_again_by_one(void **state)
{
    struct desk desk;

    (void)state;
    desk_open_with_a_bad_one(&desk);
    desk_rest(&desk, 200);
    assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
    assert_string_equal(resolver_connect_to(desk.resolver), SECOND); /* one is enough */
    resolver_blame(desk.resolver, FIRST);
    assert_string_equal(resolver_connect_to(desk.resolver), SECOND);
    desk_rest(&desk, 200);
    assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
    resolver_reached(desk.resolver, FIRST);
    for (int i = 0; i < RESOLVE_FAILURES; i++)
        resolver_blame(desk.resolver, SECOND);
    assert_string_equal(resolver_connect_to(desk.resolver), FIRST); /* good again */
    desk_close(&desk);
}

static void when_all_are_bad_each_gets_its_turn(void **state)
{
    struct desk desk;

    (void)state;
    desk_open_with_a_bad_one(&desk);
    desk_rest(&desk, 10);
    for (int i = 0; i < RESOLVE_FAILURES; i++)
        resolver_blame(desk.resolver, SECOND);
    assert_string_equal(resolver_connect_to(desk.resolver), FIRST);
    desk_rest(&desk, 10);
    resolver_blame(desk.resolver, FIRST);
    assert_string_equal(resolver_connect_to(desk.resolver), SECOND);
    desk_close(&desk);
}

static void the_last_good_answer_is_kept_for_a_while(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "http://x.test", "192.0.2.1", 0);
    resolver_ask(desk.resolver);
    desk_run(&desk, 1000);
    service.answer = "";
    for (int i = 0; i < 4; i++) {
        desk_rest(&desk, 120);
        assert_int_equal(resolver_ask(desk.resolver), RESOLVE_READY);
    }
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.1:80");
    desk_rest(&desk, 200);
    assert_int_not_equal(resolver_ask(desk.resolver), RESOLVE_READY);
    service.answer = "192.0.2.2";
    desk_rest(&desk, 100);
    resolver_ask(desk.resolver);
    desk_rest(&desk, 60);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_READY);
    assert_string_equal(resolver_connect_to(desk.resolver), "::192.0.2.2:80");
    desk_close(&desk);
}

static void failures_are_not_hammered(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "http://x.test", "", 0);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_WAIT);
    desk_run(&desk, 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(resolver_ask(desk.resolver), RESOLVE_FAILED);
    assert_int_equal(service.asked, 1);
    desk_rest(&desk, 60);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_WAIT);
    desk_close(&desk);
}

static void a_slow_service_is_not_waited_for(void **state)
{
    struct desk desk;
    uint64_t start_ms;

    (void)state;
    desk_open(&desk, "http://x.test", "192.0.2.1", 400);
    start_ms = loop_now_ms(desk.loop);
    loop_take_lag(desk.loop);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_WAIT);
    desk_run(&desk, 1000);
    assert_in_range(loop_now_ms(desk.loop) - start_ms, 140, 300);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_FAILED);
    desk_rest(&desk, 60);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_FAILED); /* still the same lookup */
    desk_run(&desk, 1000);
    assert_int_equal(resolver_ask(desk.resolver), RESOLVE_READY); /* late, but good for the next */
    assert_int_equal(service.asked, 1);
    assert_true(loop_take_lag(desk.loop).worst_us < 200000);
    desk_close(&desk);
}

static void closing_does_not_wait(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, "http://x.test", "192.0.2.1", 200);
    resolver_ask(desk.resolver);
    desk_rest(&desk, 20);
    resolver_close(desk.resolver);
    desk.resolver = NULL;
    desk_rest(&desk, 250);
    assert_int_equal(desk.changes, 0);
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_answer),
        cmocka_unit_test(literals_need_no_service),
        cmocka_unit_test(the_preferred_address_stays),
        cmocka_unit_test(one_failure_leaves_no_address),
        cmocka_unit_test(failures_in_a_row_leave_an_address),
        cmocka_unit_test(a_bad_address_is_tried_again_by_one),
        cmocka_unit_test(when_all_are_bad_each_gets_its_turn),
        cmocka_unit_test(the_last_good_answer_is_kept_for_a_while),
        cmocka_unit_test(failures_are_not_hammered),
        cmocka_unit_test(a_slow_service_is_not_waited_for),
        cmocka_unit_test(closing_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
