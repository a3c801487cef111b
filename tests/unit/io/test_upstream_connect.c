/* Many connects at once: each ends once, and what they needed is given back when most are over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/upstream/connect.h"

enum { FEW = 10, MANY = 80, PATIENCE_MS = 5000 };

static struct loop *loop;
static struct origin origin;
static struct upstream_connector connector;
static struct upstream_attempt *attempts[MANY];
static int listener, made;
static char connect_to[64];

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    char url[64], error[ORIGIN_ERROR_SIZE];

    (void)state;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 2 * MANY), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    snprintf(connect_to, sizeof(connect_to), "::127.0.0.1:%d", ntohs(address.sin_port));
    assert_true(origin_parse(url, &origin, error));
    loop = loop_open(NULL);
    connector = (struct upstream_connector){.origin = &origin, .connect_ms = PATIENCE_MS};
    upstream_connector_open(&connector, loop);
    made = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    upstream_connector_close(&connector);
    while (!upstream_connector_is_closed(&connector))
        loop_turn(loop);
    upstream_connector_free(&connector);
    loop_close(loop);
    close(listener);
    return 0;
}

static void on_end(void *context, const struct upstream_connected *connected)
{
    *(struct upstream_attempt **)context = NULL;
    assert_true(connected->fd >= 0);
    close(connected->fd);
    made++;
}

static void connect_many(int count)
{
    for (int i = 0; i < count; i++)
        attempts[i] = upstream_connect(&connector, connect_to, &attempts[i], on_end);
    assert_int_equal(connector.under_way, count);
    assert_int_equal(connector.most, count);
}

static void the_heap_is_given_back_after_many(void **state)
{
    (void)state;
    connect_many(MANY);
    while (made < MANY)
        loop_turn(loop);
    assert_int_equal(connector.under_way, 0);
    assert_in_range(connector.most, 0, MANY / 8);
    assert_int_equal(connector.made, MANY);
}

static void those_that_are_given_up_count_too(void **state)
{
    (void)state;
    connect_many(MANY);
    for (int i = 0; i < MANY; i++)
        if (attempts[i])
            upstream_connect_cancel(attempts[i]);
    assert_int_equal(connector.under_way, 0);
    assert_in_range(connector.most, 0, MANY / 8);
}

static void after_few_it_is_not_worth_it(void **state)
{
    (void)state;
    connect_many(FEW);
    while (made < FEW)
        loop_turn(loop);
    assert_int_equal(connector.under_way, 0);
    assert_int_equal(connector.most, FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_heap_is_given_back_after_many, setup, teardown),
        cmocka_unit_test_setup_teardown(those_that_are_given_up_count_too, setup, teardown),
        cmocka_unit_test_setup_teardown(after_few_it_is_not_worth_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
